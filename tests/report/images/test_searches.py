"""The search: expected least values against every subset of trials, bands, what counts, and the report's part of it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otbench.errors import OtbenchError
from otbench.report.comparison import Comparison
from otbench.report.figures import search_figures
from otbench.report.recipes.images import RECIPE
from otbench.report.results import load_run
from otbench.report.tables import searches
from otbench.studies.search import COLUMNS
from tests.report.pages import everything

PROTOCOL = "features=classifier-0badf00d;n_real=500;n_generated=500;split=test"
# model, space -> trial -> (test, validation) distance at the two snapshots; None: no value
TRIALS = {
    ("wgan", "wide"): [((9, 9), (7, 8)), ((3, 6), (5, 4)), (None, None), ((6, 5), None)],
    ("vae", "wide"): [((8, 8), (8.5, 7.5)), ((40, 30), (20, 20))],
    ("vae", "narrow"): [((2, 3), (2.5, 2))],
}


def test_weights_are_shares_of_subsets() -> None:
    for n in (1, 2, 5, 7):
        found = searches.weights(n)
        assert found.shape == (n, n) and found.sum(axis=1) == pytest.approx(1)
        for k, i in itertools.product(range(1, n + 1), range(1, n + 1)):
            assert found[k - 1, i - 1] == pytest.approx(math.comb(n - i, k - 1) / math.comb(n, k))


def test_the_expected_best_is_the_mean_over_all_subsets() -> None:
    stream = np.random.default_rng(2)
    score, value = stream.random(7), stream.random(7)
    for k in range(1, 8):
        subsets = [np.array(one) for one in itertools.combinations(range(7), k)]
        assert searches.expected_best(score)[k - 1] == pytest.approx(np.mean([score[one].min() for one in subsets]))
        chosen = np.mean([value[one[score[one].argmin()]] for one in subsets])
        assert searches.expected_best(score, value)[k - 1] == pytest.approx(chosen)
    assert (np.diff(searches.expected_best(score)) <= 1e-12).all()


def test_the_band_holds_the_means_of_resamples() -> None:
    score = np.arange(60.0)
    low, high = searches.band(score)
    # one trial: the mean of 60 draws, whose standard deviation is that of the values over sqrt(60)
    spread = 1.645 * score.std() / math.sqrt(60)
    assert low[0] == pytest.approx(score.mean() - spread, rel=0.1)
    assert high[0] == pytest.approx(score.mean() + spread, rel=0.1)
    assert (low <= searches.expected_best(score) + 1e-9).all() and (low <= high).all()
    assert low[-1] == 0  # the best of all is in most resamples
    assert np.array_equal(searches.band(score), (low, high))  # seeded
    assert searches.band(np.array([3.0]))[:, 0].tolist() == [3.0, 3.0]


def write_search(folder: Path) -> None:
    rows = []
    for (model, space), trials in TRIALS.items():
        for trial, values in enumerate(trials):
            for share, pair in zip((0.5, 1.0), values, strict=True):
                for metric, value in zip(("fid", "fid_validation"), pair or (math.nan, math.nan), strict=True):
                    options = json.dumps({"rate": 0.001, "beta1": 0.5} if trial else {})
                    row = {"dataset": "digits", "model": model, "space": space, "trial": trial, "seed": 0}
                    row |= {"snapshot": share, "metric": metric, "value": value, "protocol": PROTOCOL}
                    rows.append(row | {"status": "ok" if pair else "diverged", "options": options, "seconds": 2.0})
    pd.DataFrame(rows)[COLUMNS].to_csv(folder / "search.csv", index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_images: Callable[..., Path]) -> Path:
    folder = make_images(tmp_path_factory.mktemp("run"), models=("vae", "wgan", "real"), seeds=(0,))
    write_search(folder)
    info = json.loads((folder / "run.json").read_text())
    info["studies"]["images"]["search"] = {"steps": 1500, "snapshots": [0.5], "samples": 500}
    (folder / "run.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return Comparison(load_run(folder).of("images"), None, (), study=RECIPE)


def test_a_trial_is_what_its_snapshots_reached(comparison: Comparison) -> None:
    found = searches.trials(comparison, "digits", "classifier", "wide", "wgan")
    assert found["test"].tolist()[:2] == [7, 3]
    # the snapshot nearest to the validation images, measured on the test images
    assert found["validation"].tolist()[:2] == [7, 5] and found["held_out"].tolist()[:2] == [8, 4]
    assert math.isnan(found["test"][2]) and found["test"][3] == 6  # it diverged after its first snapshot
    assert [json.loads(text) for text in found["options"]][:2] == [{}, {"rate": 0.001, "beta1": 0.5}]


def test_a_trial_without_a_value_counts_as_the_worst(comparison: Comparison) -> None:
    found = searches.filled(comparison, "digits", "classifier")
    assert list(found) == [("wide", "wgan"), ("wide", "vae"), ("narrow", "vae")]
    wgan = found["wide", "wgan"]
    assert wgan["test"].tolist() == [7, 3, 20, 6] and wgan["lost"].tolist() == [False, False, True, False]
    assert wgan["held_out"][2] == math.inf  # and is never chosen while another is there


def test_the_table_says_what_was_found(comparison: Comparison) -> None:
    assert searches.searched(comparison) == [("digits", "classifier")]
    (table,) = searches.search_tables(comparison)
    keys = [column.key for column in table.columns]
    rows = {(row.name, row.block): dict(zip(keys, row.cells, strict=True)) for row in table.rows}
    wgan = rows["wgan", "Wide ranges"]
    values = [wgan[key].raw[""] for key in ("one", "best", "validation", "optimism")]
    assert values == pytest.approx([(7 + 3 + 20 + 6) / 4, 3, 5, 2])
    assert (wgan["trials"].text, wgan["lost"].text) == ("4", "1")
    assert wgan["options"].text == "rate 0.001, beta1 0.5"
    assert rows["vae", "Narrow ranges"]["options"].text == "defaults"
    assert "every trial: 1,500 training steps, 2 snapshots, 500 samples" in table.caption


def test_the_figure_draws_both_rules_and_both_spaces(comparison: Comparison) -> None:
    import matplotlib

    matplotlib.use("Agg")
    ((name, _, caption, _, draw),) = search_figures.search_figures(comparison)
    assert name == "digits_search" and "Trials without a value (1) count as the worst" in caption
    figure = draw()
    panels = figure.get_axes()
    assert [axes.get_title() for axes in panels[:2]] == ["Wide ranges", "Narrow ranges"]
    lines = {line.get_label(): line.get_ydata() for line in panels[0].get_lines()}
    scores = np.array([7, 3, 20, 6])
    assert lines["WGAN"] == pytest.approx(searches.expected_best(scores)) and lines["WGAN"][-1] == 3
    below = {line.get_label(): line.get_ydata() for line in panels[2].get_lines()}
    assert below["WGAN"][-1] == 5 and below["VAE"] == pytest.approx([(8.5 + 20) / 2, 8.5])
    matplotlib.pyplot.close(figure)


def test_every_trial_is_a_mark_of_precision_against_recall(folder: Path, tmp_path: Path) -> None:
    import shutil

    import matplotlib

    matplotlib.use("Agg")
    run = shutil.copytree(folder, tmp_path / "run")
    table = pd.read_csv(run / "search.csv")
    last = table[(table["snapshot"] == 1) & (table["metric"] == "fid") & table["value"].notna()]
    parts = [last.assign(metric=name, value=value / last["value"]) for name, value in (("prd_f8", 1), ("prd_f1_8", 2))]
    early = last.assign(metric="prd_f8", value=0.0, snapshot=0.5)  # a snapshot before the last is not shown
    pd.concat([table, *parts, early]).to_csv(run / "search.csv", index=False)
    found = Comparison(load_run(run).of("images"), None, (), study=RECIPE)
    clouds = searches.pairs(found, "digits", "classifier")
    assert list(clouds) == [("wide", "wgan"), ("wide", "vae"), ("narrow", "vae")]
    wgan = last[(last["model"] == "wgan") & (last["space"] == "wide")]["value"].to_numpy()
    np.testing.assert_allclose(clouds["wide", "wgan"], [1 / wgan, 2 / wgan])
    figures = {figure[0]: figure for figure in search_figures.search_figures(found)}
    assert list(figures) == ["digits_search", "digits_search_prd"]
    figure = figures["digits_search_prd"][-1]()
    panels = figure.get_axes()
    assert [axes.get_title() for axes in panels] == ["Wide ranges", "Narrow ranges"]
    drawn = {line.get_label(): line.get_data() for line in panels[0].get_lines()}
    np.testing.assert_allclose(drawn["WGAN"], clouds["wide", "wgan"])
    matplotlib.pyplot.close(figure)


def test_a_run_without_a_search_has_no_part_of_it(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    run = load_run(make_images(tmp_path, models=("vae", "real"), seeds=(0,)))
    comparison = Comparison(run.of("images"), None, (), study=RECIPE)
    assert not searches.search_tables(comparison) and not list(search_figures.search_figures(comparison))


def test_a_wrong_table_is_named(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    folder = make_images(tmp_path, models=("real",), seeds=(0,))
    (folder / "search.csv").write_text("model,value\nvae,1\n")
    with pytest.raises(OtbenchError, match="search.csv: expected the columns dataset, model, space"):
        load_run(folder)


def test_the_page_shows_the_search(folder: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from otbench.report import render
    from otbench.report.figures import drawing, image_figures

    drawn = []
    monkeypatch.setattr(image_figures, "figure_specs", lambda comparison, dataset: iter(()))
    monkeypatch.setattr(
        drawing, "save_figures", lambda wanted, where, out, key: drawn.extend(one[0] for one in wanted) or []
    )
    html = everything(render(folder, published))
    assert 'id="table-digits_search"' in html and drawn == ["digits_search"]
    assert 'id="table-digits_selection_classifier"' in html
    assert (folder / "tables" / "digits_search.csv").read_text().count("\n") == 4


def test_the_best_configuration_again_has_means_and_deviations_over_seeds(comparison: Comparison) -> None:
    assert searches.again_table(comparison, "digits", "classifier") is None
    rows = comparison.run.search[comparison.run.search["model"] == "wgan"]
    again = rows.assign(space="again", seed=rows["trial"] + 1)
    told = dataclasses.replace(comparison.run, search=pd.concat([comparison.run.search, again]))
    one = Comparison(told, None, (), study=RECIPE)
    table = searches.again_table(one, "digits", "classifier")
    assert table is not None and [row.name for row in table.rows] == ["wgan"]
    cells = dict(zip([column.key for column in table.columns], table.rows[0].cells, strict=True))
    # the four trials as seeds: 7, 3, none, 6 on the test images; 7, 5 and 6 where validation chooses
    assert (cells["seeds"].text, cells["lost"].text) == ("4", "1")
    values = [cells[key].raw[""] for key in ("found", "mean", "deviation", "least", "most", "validation")]
    assert values == pytest.approx([3, 16 / 3, np.std([7, 3, 6], ddof=1), 3, 7, np.mean([7, 5])], nan_ok=True)
    assert [table.name for table in searches.search_tables(one)] == ["digits_search", "digits_search_again"]
    assert list(searches.filled(one, "digits", "classifier")) == list(
        searches.filled(comparison, "digits", "classifier")
    )
