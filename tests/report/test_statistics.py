"""The statistics of a report: ties, seeds to resolve them, variance, bias and ranks, on values worked out by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otbench.report.comparison import Comparison
from otbench.report.figures.base import save
from otbench.report.figures.certainty_figures import statistics_figures, study_figures
from otbench.report.figures.certainty_plots import critical_difference as critical_difference_plot
from otbench.report.page.answers import answers, how
from otbench.report.recipes.images import RECIPE as IMAGES
from otbench.report.results import COLUMNS, RunResults
from otbench.report.tables.base import Table, to_csv
from otbench.report.tables.certainty import full_table, statistics_tables, study_tables, ties_table
from otbench.report.tables.rankings import Ranking, rankings
from otbench.report.tables.variance import bias_tables, limits, splits, variance_table
from otbench.statistics.best import against_best
from otbench.statistics.ranks import Ranks, critical_difference
from otbench.studies.spread import BIAS, SPREAD
from otbench.utils.plotting import RED, styled

PROTOCOL = "n_generated=2500;reference=truth;radius=3sigma"
MODES = {
    "gan": (20.0, 22.0, 24.0),
    "wgan": (21.0, 22.0, 24.5),
    "veegan": (5.0, 5.5, 6.5),
    "ali": (19.0, 23.0),
    "real": (25.0, 25.0, 25.0),
}


def run_of(values: dict[str, dict[str, tuple[float, ...]]], dataset: str = "grid", **more: pd.DataFrame) -> RunResults:
    """A run of metric -> model -> values of seeds 0, 1, ..."""
    fixed = {"run": "hand", "study": "mode-collapse", "snapshot": 1.0, "seconds": 10.0, "protocol": PROTOCOL}
    fixed |= {"device": "cpu", "code_version": "1", "config_hash": "2", "status": "ok", "dataset": dataset}
    rows, models, seeds = [], [], 0
    for metric, held in values.items():
        for model, own in held.items():
            models, seeds = [*models, model], max(seeds, len(own))
            rows += [
                fixed | {"model": model, "seed": seed, "metric": metric, "value": value}
                for seed, value in enumerate(own)
            ]
    info = {
        "run": "hand",
        "expected": [[dataset, model, seed] for model in dict.fromkeys(models) for seed in range(seeds)],
        "models": {model: {"title": f"<{model}>", "control": model == "real"} for model in models},
        "datasets": {dataset: {"title": "Grid & more"}},
        "budget": {"steps": 3000, "paper_steps": 400_000, "said": "3,000 of 400,000 steps"},
        "snapshots": [1.0],
    }
    return RunResults(Path("."), pd.DataFrame(rows)[list(COLUMNS)], info, {}, **more)


def of(run: RunResults) -> Comparison:
    return Comparison(run, None, ())


def records(table: Table) -> pd.DataFrame:
    """The CSV of a table, as a reader gets it."""
    from io import StringIO

    return pd.read_csv(StringIO(to_csv(table)))


def test_every_figure_in_full() -> None:
    table = full_table(of(run_of({"modes": MODES})), "grid")
    assert table is not None
    rows = records(table).query("metric == 'modes'").set_index("model")
    gan = rows.loc["gan"]
    assert (gan["mean"], gan["sd"], gan["n"]) == (22.0, 2.0, 3)
    assert gan["error"] == pytest.approx(2 / math.sqrt(3))
    assert (gan["bootstrap_low"], gan["bootstrap_high"]) == (20.0, 24.0)
    assert gan["student_high"] == pytest.approx(22 + 4.302653 * 2 / math.sqrt(3))
    assert rows.loc["ali", "seeds_missing"] == 1 and math.isnan(rows.loc["ali", "bootstrap_low"])
    assert "real" in rows.index


def test_what_is_open_and_the_seeds_that_would_decide_it() -> None:
    table = ties_table(of(run_of({"modes": MODES})), "grid")
    assert table is not None
    rows = records(table).set_index("tied")
    assert set(rows.index) == {"gan", "ali"}  # veegan is significantly worse, real is no rival
    assert set(rows["best"]) == {"wgan"}
    assert rows.loc["gan", "difference"] == rows.loc["gan", "effect"] == pytest.approx(-0.5)
    assert rows.loc["gan", "test"] == "identity"
    expected = against_best({model: one for model, one in MODES.items() if model != "real"}, "higher")
    assert expected is not None
    assert rows.loc["gan", "p"] == pytest.approx(expected.models["gan"].p)
    assert rows.loc["gan", "resolve"] == expected.models["gan"].seeds
    assert rows.loc["gan", "interval_low"] == pytest.approx(expected.models["gan"].interval.low)
    assert 200 < rows.loc["gan", "resolve"] < 600
    assert "does not mean as good" in table.caption and "≈" not in table.caption


def test_seeds_are_not_paired() -> None:
    """A seed's number ties no two models: values in another order give the same comparison."""
    rng = np.random.default_rng(0)
    values = {name: tuple(20 + rng.normal(size=10)) for name in ("a", "b", "c")}
    straight = of(run_of({"modes": values})).standing("grid", "modes")
    turned = of(run_of({"modes": values | {"b": values["b"][::-1]}})).standing("grid", "modes")
    assert straight is not None and turned is not None and straight.best == turned.best
    for model in set(values) - {straight.best}:
        assert straight.models[model].p == pytest.approx(turned.models[model].p)


def test_shares_are_compared_by_their_odds_with_half_a_count() -> None:
    stands = of(run_of({"high_quality": {"gan": (1.0, 1.0, 0.999), "wgan": (0.9, 0.91, 0.89)}})).standing(
        "grid", "high_quality"
    )
    assert stands is not None and stands.scale == "logit" and stands.worse == ["wgan"]
    logit = lambda x: math.log((2500 * x + 0.5) / (2500 * (1 - x) + 0.5))  # n_generated=2500 in the protocol
    best, other = (np.mean([logit(x) for x in one]) for one in ((1.0, 1.0, 0.999), (0.9, 0.91, 0.89)))
    assert stands.models["wgan"].effect == pytest.approx(math.exp(other - best))


def test_one_seed_of_a_share_has_the_interval_of_its_samples() -> None:
    values = {"high_quality": {"gan": (0.9,), "wgan": (0.5,)}, "modes": {"gan": (9.0,), "wgan": (8.0,)}}
    table = full_table(of(run_of(values)), "grid")
    assert table is not None
    rows = records(table).set_index(["metric", "model"])
    row = rows.loc[("high_quality", "wgan")]
    assert (row["samples_low"], row["samples_high"]) == pytest.approx((0.4804, 0.5196), abs=2e-4)
    assert math.isnan(rows.loc[("modes", "wgan"), "samples_low"])


def test_a_sole_winner_is_said() -> None:
    values = {"modes": {"gan": (20.0, 20.5, 21.0), "wgan": (5.0, 5.5, 6.0)}}
    table = ties_table(of(run_of(values)), "grid")
    assert table is not None and [row.cells[1].text for row in table.rows] == ["none"]
    assert answers(of(run_of(values)), "grid")[0].sure == (
        "3 seeds; significantly better than the other one with error bars"
    )
    close = {"modes": {"gan": (20.0, 20.5), "wgan": (20.1, 20.2), "ali": (1.0, 1.5)}}
    assert answers(of(run_of(close)), "grid")[0].sure == ("2 seeds; 1 other not significantly worse with these seeds")


def test_how_models_are_compared_is_said() -> None:
    few = of(run_of({"modes": {"gan": (1.0, 2.0, 4.0), "wgan": (2.0, 4.0, 1.0)}}))
    text = how([few])
    assert text.startswith("± is the standard error over seeds. A model counts as worse than the best one where")
    assert text.endswith("Not significant with these seeds (n.s.) does not mean equal.")
    one = of(run_of({"modes": {"gan": (1.0,), "wgan": (2.0,)}}))
    assert how([one]) == "There is one seed a model, so there are no error bars and no tests."


def test_one_seed_gives_no_statistics() -> None:
    comparison = of(run_of({"modes": {"gan": (1.0,), "wgan": (2.0,), "ali": (2.0,)}}))
    assert [table.name for table in statistics_tables(comparison, "grid")] == ["grid_full"]
    assert study_tables(comparison) == [] and list(study_figures(comparison)) == []
    assert list(statistics_figures(comparison, "grid")) == []
    assert answers(comparison, "grid")[0].sure == "one seed, so no error bar and no test"


def spread_of(model: str, values: np.ndarray, metric: str = "modes", protocol: str = PROTOCOL) -> pd.DataFrame:
    """Rows of SPREAD for values (S, D, M)."""
    rows = [
        ("grid", model, seed, draw, subset, 2500, metric, protocol, value)
        for (seed, draw, subset), value in np.ndenumerate(values)
    ]
    return pd.DataFrame(rows, columns=SPREAD)


def test_shares_of_the_variance() -> None:
    seeds = np.broadcast_to(np.array([20.0, 22.0, 24.0])[:, None, None], (3, 2, 2))
    subsets = np.broadcast_to(np.array([20.0, 23.0]), (3, 2, 2))
    spread = pd.concat([spread_of("gan", seeds), spread_of("wgan", subsets)])
    comparison = of(run_of({"modes": MODES}, spread=spread))
    table = variance_table(comparison, "grid")
    assert table is not None
    rows = records(table).set_index("model")
    assert (rows.loc["gan", "seed"], rows.loc["gan", "subset"]) == (1.0, 0.0)
    assert (rows.loc["wgan", "subset"], rows.loc["wgan", "subset_variance"]) == (1.0, 4.5)
    assert rows.loc["gan", "sd"] == 2.0
    assert "3 training seeds, 2 independent draws of n = 2,500" in table.caption
    names = [name for name, *_ in statistics_figures(comparison, "grid")]
    assert names == ["grid_variance"]


def test_a_seed_that_lacks_a_draw_is_left_out() -> None:
    values = np.random.default_rng(0).normal(size=(4, 2, 2))
    frame = spread_of("gan", values)
    frame = frame[~((frame["seed"] == 3) & (frame["draw"] == 1))]
    comparison = of(run_of({"modes": MODES}, spread=frame))
    found = splits(comparison, "grid")["gan", "modes"]
    assert found.shape == (3, 2, 2) and found.incomplete == 1
    table = variance_table(comparison, "grid")
    assert table is not None and any("left out" in note for note in table.notes)


def test_the_bias_of_the_distance() -> None:
    rows = []
    for seed, limit in enumerate((2.0, 4.0)):
        for n in (100, 200, 400):
            for repeat, noise in enumerate((-0.1, 0.1)):
                protocol = f"features=classifier;n_real=898;n_generated={n}"
                rows.append(("grid", "gan", seed, n, repeat, "fid", protocol, limit + 100 / n + noise))
    comparison = of(run_of({"modes": MODES}, bias=pd.DataFrame(rows, columns=BIAS)))
    found = limits(comparison, "grid")["fid@classifier"]["gan"]
    assert found.limit.limit == pytest.approx(3.0) and found.limit.error == pytest.approx(1.0)
    assert found.at(100) == (pytest.approx(4.0), pytest.approx(1.0))
    (table,) = bias_tables(comparison, "grid")
    row = records(table).iloc[0]
    assert (row["n_100"], row["limit"], row["slope_slope"]) == pytest.approx((4.0, 3.0, 100.0))
    assert row["slope"] == pytest.approx(0.25 / 3.25)
    assert "features=classifier;n_real=898." in table.caption and "n_generated" not in table.caption


def over_datasets(parts: list[RunResults], names: list[str]) -> RunResults:
    """One run of several data sets."""
    info = parts[0].info | {
        "expected": [cell for part in parts for cell in part.info["expected"]],
        "datasets": {name: {} for name in names},
    }
    return dataclasses.replace(parts[0], table=pd.concat([part.table for part in parts]), info=info)


def sets(number: int) -> RunResults:
    values = [{"gan": (9.0, 8.0), "wgan": (2.0 + at, 3.0)} for at in range(number)]
    values[0] = values[0] | {"ali": (9.0, 9.0)}
    names = [f"set{at}" for at in range(number)]
    return over_datasets([run_of({"modes": one}, name) for one, name in zip(values, names, strict=True)], names)


def test_few_data_sets_are_not_ranked_over() -> None:
    assert rankings(of(sets(4))) == [] and study_tables(of(sets(4))) == []
    assert rankings(of(run_of({"modes": MODES}))) == []


def test_ranks_over_data_sets() -> None:
    run = sets(5)
    (one,) = rankings(of(run))
    assert one.ranks.blocks == 5
    assert dict(zip(one.models, one.ranks.average, strict=True)) == pytest.approx({"gan": 1.0, "wgan": 2.0})
    assert one.left_out == ("<ali>",)
    assert one.ranks.critical == pytest.approx(critical_difference(2, 5))
    assert "5 data sets (means over seeds)" in one.caption
    table = study_tables(of(run))[0]
    assert table.name == "mode-collapse_ranks" and [row.name for row in table.rows] == ["gan", "wgan"]


def test_bars_of_the_diagram_join_the_longest_runs_that_are_alike() -> None:
    models = tuple(f"m{at}" for at in range(5))
    ranks = Ranks(np.array([4.0, 1.0, 2.0, 5.5, 2.5]), 0.01, 1.6, 10, 0)
    one = Ranking("modes", "Modes", models, ranks, ("grid",), (), "")
    comparison = of(run_of({"modes": {model: (1.0, 2.0) for model in models}}))
    with styled():
        lines = critical_difference_plot(comparison, one).axes[0].lines
    thick = [(min(line.get_xdata()), max(line.get_xdata())) for line in lines if line.get_linewidth() > 2]
    assert sorted(thick) == [(1.0, 2.5), (2.5, 4.0), (4.0, 5.5)]
    ruler = next(line for line in lines if line.get_color() == RED)
    assert np.ptp(ruler.get_xdata()) == pytest.approx(1.6) and min(ruler.get_xdata()) == 1


@pytest.mark.parametrize("k", [3, 40])
def test_the_diagram_shows_every_model(k: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(k)
    names = [f"set{at}" for at in range(8)]
    parts = [run_of({"modes": {f"m{at:02d}": (at + rng.normal(),) for at in range(k)}}, name) for name in names]
    comparison = of(over_datasets(parts, names))
    with styled():
        (wanted,) = study_figures(comparison)
        name, title, caption, _, make = wanted
        figure = make()
        texts = {text.get_text() for text in figure.axes[0].texts}
        assert sum("<m" in text for text in texts) == k
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if "<m" in text.get_text()]
        assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[:at])
        page = figure.bbox
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 for box in boxes)
        save(figure, tmp_path, name)
    assert (name, title) == ("mode-collapse_ranks_modes", "Average ranks: Modes")
    assert f"critical difference at 5 %: {critical_difference(k, 8):.2f}" in caption
    assert (tmp_path / f"{name}.pdf").stat().st_size > 1000


def test_features_are_named_in_the_ranking() -> None:
    values = {"fid@classifier": {"vae": (3.0, 2.0), "ae-ot": (1.0, 1.5)}}
    names = [f"digits{at}" for at in range(5)]
    run = over_datasets([run_of(values, name) for name in names], names)
    one = next(iter(rankings(Comparison(run, None, (), study=IMAGES))))
    assert one.label == "Fréchet distance, classifier features"
    assert dict(zip(one.models, one.ranks.average, strict=True)) == {"vae": 2.0, "ae-ot": 1.0}


def test_a_model_with_one_seed_is_said_not_to_be_tested() -> None:
    table = ties_table(of(run_of({"modes": {"gan": (1.0, 2.0), "wgan": (2.0, 3.0), "ali": (0.5,)}})), "grid")
    assert table is not None
    assert table.notes == ("Not tested for some metric, as there are fewer than two seeds: <ali>.",)
