"""Quality against evaluations: what is drawn, what is measured, and what is refused."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.data import load, save
from otbench.data.samples import as_bytes
from otbench.errors import OtbenchError
from otbench.metrics.measure import measure
from otbench.metrics.modes import assign, high_quality
from otbench.models.flows import integrate
from otbench.report.figures.evaluation_plots import evaluation_curves
from otbench.studies import evaluations as studied
from otbench.studies.evaluations import EVALUATIONS, evaluations, settings
from otbench.training.fit import fit
from otbench.training.saved import open_fit
from otbench.utils.plotting import styled
from otbench.utils.rng import generator
from tests.models.conftest import four_pictures

OPTIONS = {"width": 8, "evaluations": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with its data and fits of a flow, of diffusion and of a model without evaluations."""
    where = tmp_path_factory.mktemp("runs") / "mine"
    data = load("ring-pyomt")
    (where / "data").mkdir(parents=True)
    save(data, where / "data" / "ring-pyomt.npz")
    for name in ("fm", "ddpm"):
        fit(name, data, [0, 1], where / "fit" / "ring-pyomt" / name, steps=20, options=OPTIONS)
    fit("real", data, [0], where / "fit" / "ring-pyomt" / "real")
    return where


def test_values_are_those_of_samples_drawn_so(folder):
    data = load("ring-pyomt")
    where = folder / "fit" / "ring-pyomt" / "fm"
    table = evaluations(where, data, 300, (1, 6), ("euler", "midpoint"))
    assert list(table) == EVALUATIONS and set(table["seed"]) == {0, 1}
    assert set(zip(table["solver"], table["evaluations"], strict=True)) == {("euler", 1), ("euler", 6), ("midpoint", 6)}
    _, open_cell = open_fit(where, data)
    network = open_cell(1, 1.0).velocity
    x = torch.randn((1, 300, 2), generator=generator(1, "samples"))
    with torch.no_grad():
        points = integrate(network, x, 6, "midpoint")[0].numpy()
    row = table.query("seed == 1 and solver == 'midpoint' and metric == 'high_quality'")
    assert float(row["value"].iloc[0]) == pytest.approx(high_quality(assign(points, data.truth)))
    assert table["value"].notna().all()


def test_the_verb_writes_a_table_and_a_figure_of_every_model_that_has_evaluations(folder, tmp_path):
    words = ["evaluations", str(folder), "--out", str(tmp_path), "--n", "200", "--counts", "1,3"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "evaluations.csv")
    assert set(table["model"]) == {"fm", "ddpm"} and set(table["evaluations"]) == {1, 3}
    assert set(table[table["model"] == "ddpm"]["solver"]) == {"ddim"}
    assert (tmp_path / "evaluations_ring-pyomt.png").stat().st_size > 0
    done = CliRunner().invoke(app, [*words, "--model", "real"])
    assert isinstance(done.exception, OtbenchError) and "continuous-time" in str(done.exception)


def test_images_are_drawn_too_and_codes(tmp_path, monkeypatch):
    data = four_pictures()
    # the distance is made to need no features
    monkeypatch.setitem(studied.MEASURED, "images", ("sharpness",))
    fit("ae-fm", data, [0], tmp_path, steps=4, options=OPTIONS | {"flow_steps": 5, "latent": 6})
    table = evaluations(tmp_path, data, 20, (1, 2))
    sharp = table[table["metric"] == "sharpness"].set_index("evaluations")["value"]
    _, open_cell = open_fit(tmp_path, data)
    model = open_cell(0, 1.0)
    model.config = model.config.model_copy(update={"evaluations": 2})
    images = as_bytes(model.draw(20, [generator(0, "samples")])[0])
    (score,) = [one for one in measure(data, images, 0, ["sharpness"]) if one.metric == "sharpness"]
    assert set(sharp.index) == {1, 2} and sharp[2] == pytest.approx(score.value) and sharp[1] != sharp[2]


def test_what_cannot_be_drawn_is_left_out_or_refused(folder):
    data = load("ring-pyomt")
    with pytest.raises(OtbenchError, match="holds the model real, which has no option evaluations"):
        evaluations(folder / "fit" / "ring-pyomt" / "real", data, 100)
    with pytest.raises(OtbenchError, match="expected numbers from 1"):
        evaluations(folder / "fit" / "ring-pyomt" / "fm", data, 100, (0,))
    diffusion = type("Config", (), {"steps": 10})()
    assert settings(diffusion, (1, 8, 16), ("euler",)) == [("ddim", 1), ("ddim", 8)]


def test_the_figure_has_a_curve_a_model_with_means_over_seeds():
    rows = [
        {"model": model, "solver": "euler", "seed": seed, "evaluations": count, "metric": "w2", "value": seed + count}
        for model in ("fm", "ddpm")
        for seed in (1, 2)
        for count in (1, 4)
    ]
    with styled():
        figure = evaluation_curves(pd.DataFrame(rows), {"fm": "FM"})
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["FM", "ddpm"]
    assert np.allclose(lines[0].get_ydata(), [2.5, 5.5]) and np.allclose(lines[0].get_xdata(), [1, 4])
    plt.close(figure)
