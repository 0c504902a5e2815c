"""What training cost: the table's numbers and units, and the figure of losses with its scales."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otbench.report.comparison import Comparison
from otbench.report.figures import cost_figures, cost_plots
from otbench.report.results import LOSSES, RunResults, load_run
from otbench.report.tables import costs
from otbench.report.tables.base import to_csv
from otbench.utils import plotting

Make = Callable[..., Path]
MODELS = ("gan", "wgan-gp", "ae-ot", "real")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make: Make) -> RunResults:
    """A run whose models used (1 + seed) GiB and, one of them, 3 kJ."""
    folder = make(tmp_path_factory.mktemp("costs"), datasets=("ring",), models=MODELS, seeds=(0, 1, 2))
    table = pd.read_parquet(folder / "metrics.parquet")
    own = table[(table.metric == "modes") & (table.snapshot == 1.0)]
    memory = own.assign(metric="peak_memory", value=2.0**30 * (1 + own.seed), protocol="cost")
    energy = own[own.model == "gan"].assign(metric="energy", value=3000.0, protocol="cost")
    pd.concat([table, memory, energy]).to_parquet(folder / "metrics.parquet")
    found = load_run(folder, scatter=False)
    found.info["models"]["gan"] |= {"parameters": {"generator": 1000, "discriminator": 200}, "paper_steps": 400_000}
    return found


def losses_of(run: RunResults) -> pd.DataFrame:
    rows = []
    for seed in (0, 1, 2):
        for step in (50, 100, 150):
            rows.append(["ring", "gan", "adversarial", seed, "discriminator", step, 1.0 + seed])
            rows.append(["ring", "wgan-gp", "adversarial", seed, "penalty", step, 10.0 ** (seed - 2)])
            rows.append(["ring", "wgan-gp", "adversarial", seed, "distance", step, float("nan") if seed else 0.5])
        rows.append(["elsewhere", "gan", "adversarial", seed, "discriminator", 50, 9.0])
    return pd.DataFrame(rows, columns=LOSSES)


def test_the_table_holds_means_in_its_units(run: RunResults) -> None:
    (table,) = costs.cost_tables(Comparison(run, None, ()), "ring")
    assert [column.label for column in table.columns] == [
        "Training, s",
        "Peak memory, MiB",
        "Energy, kJ",
        "Parameters",
        "Steps",
    ]
    texts = {row.name: [cell.text for cell in row.cells] for row in table.rows}
    assert texts["gan"][1:] == ["2,048 ± 591", "3.00 ± 0.00", "1,200", "3,000 of 400,000"]
    assert texts["wgan-gp"][2] == "–" and texts["real"][3:] == ["–", "–"]
    rows = {row["model"]: row for row in csv.DictReader(to_csv(table).splitlines())}
    assert float(rows["gan"]["peak_memory"]) == 2.0**31  # bytes
    assert float(rows["gan"]["peak_memory_error"]) == pytest.approx(2.0**30 / np.sqrt(3))
    assert float(rows["gan"]["seconds"]) == pytest.approx(21.0)
    assert rows["gan"]["parameters_generator"] == "1000"


def test_what_was_not_measured_has_no_column_and_is_named(run: RunResults) -> None:
    bare = replace(run, table=run.table[~run.table["metric"].isin(costs.UNITS)])
    (table,) = costs.cost_tables(Comparison(bare, None, ()), "ring")
    assert [column.key for column in table.columns] == ["seconds", "parameters", "steps"]
    assert "Not measured: peak memory, energy." in table.caption
    assert costs.paid(Comparison(bare, None, ()), "ring", ["gan"]) == ""


def test_what_the_winners_paid_in_words(run: RunResults) -> None:
    comparison = Comparison(run, None, ())
    assert costs.paid(comparison, "ring", ["gan"]) == "2,048 MiB, 3.00 kJ"
    assert costs.paid(comparison, "ring", ["wgan-gp", "ae-ot"]) == "2,048 MiB"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 0.5, 1.0], "linear"),
        ([0.01, 0.5, 1.0], "log"),
        ([-1.0, 0.5, 1.0], "linear"),
        ([-0.1, 0.1, 0.1, 100.0], "symlog"),
        ([0.0, 0.0], "linear"),
    ],
)
def test_the_scale_follows_the_losses(values: list[float], kind: str) -> None:
    assert cost_plots.scale_of(np.array(values))[0] == kind


def test_the_figure_shows_the_mean_and_the_band_of_the_seeds(run: RunResults) -> None:
    import matplotlib.pyplot as plt

    comparison = Comparison(replace(run, losses=losses_of(run)), None, ())
    _, (name, title, caption, embed, make) = cost_figures.cost_figures(comparison, "ring")
    assert (name, embed) == ("ring_losses", "svg") and "3 seeds" in caption and title == "Losses along training"
    with plotting.styled():
        figure = make()
        panels = [axes for axes in figure.axes if axes.get_title()]
        assert [axes.get_title() for axes in panels] == ["GAN", "WGAN-GP"]
        line = panels[0].get_lines()[0]
        assert list(line.get_xdata()) == [50, 100, 150] and list(line.get_ydata()) == [2.0, 2.0, 2.0]
        band = panels[0].collections[0].get_paths()[0].vertices
        assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 3.0)
        assert panels[1].get_yscale() == "log" and len(panels[1].get_lines()) == 2
        plt.close(figure)


def test_nothing_measured_no_figure(run: RunResults) -> None:
    bare = replace(run, table=run.table[~run.table["metric"].isin(costs.UNITS)])
    assert list(cost_figures.cost_figures(Comparison(bare, None, ()), "ring")) == []


def test_quality_stands_against_memory_and_energy(run: RunResults) -> None:
    import matplotlib.pyplot as plt

    ((name, title, caption, _, make),) = cost_figures.cost_figures(Comparison(run, None, ()), "ring")
    assert name == "ring_resources" and title == "Quality against peak memory and energy" and "Reverse KL" in caption
    with plotting.styled():
        figure = make()
        memory, energy = figure.axes
        assert (memory.get_xlabel(), energy.get_xlabel()) == ("Peak memory, MiB", "Energy, kJ")
        points = {one.get_label(): one.lines[0].get_xdata()[0] for one in memory.containers}
        assert points == {"GAN": 2048.0, "WGAN-GP": 2048.0, "AE-OT": 2048.0}  # no control
        assert [one.lines[0].get_xdata()[0] for one in energy.containers] == [3.0]
        plt.close(figure)


def test_losses_of_one_model_never_share_a_look() -> None:
    together = [
        "adversarial discriminator l1",
        "discriminator feature generator l2",
        "discriminator generator k measure",
        "divergence reconstruction",
        "adversary cost penalty",
        "discriminator distance generator penalty",
        "distance generator regression regularisation",
        "discriminator ratio reconstruction",
    ]
    for names in together:
        colours = [cost_plots.LOOKS[name][0] for name in names.split()]
        assert len(set(colours)) == len(colours)
