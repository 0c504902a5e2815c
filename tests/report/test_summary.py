"""Means, standard errors and counts against figures worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.report.recipes.base import Columns
from otbench.report.results import COLUMNS, RunResults
from otbench.report.summary import Summary, curve, difference, standing, status_of, summarise, told_apart
from otbench.report.tables.base import measured, to_csv, to_markdown
from otbench.report.tables.comparison import best_of, comparison_table
from otbench.report.tables.latex import to_tex

PROTOCOL = "n_generated=2500;reference=truth;radius=3sigma"


def row(model: str, seed: int, metric: str, value: float, status: str = "ok", **more: object) -> dict:
    fixed = {"run": "hand", "study": "mode-collapse", "dataset": "grid", "snapshot": 1.0, "seconds": 10.0}
    fixed |= {"protocol": PROTOCOL, "device": "cpu", "code_version": "1", "config_hash": "2"}
    return fixed | {"model": model, "seed": seed, "metric": metric, "value": value, "status": status} | more


def gathered(rows: list[dict], expected: list[list]) -> RunResults:
    info = {
        "run": "hand",
        "expected": expected,
        "models": {"gan": {"title": "GAN"}, "own_<model>": {"title": "<script>x</script> & 100%_$"}},
        "datasets": {"grid": {"title": "Grid", "modes": 25, "n_train": 100_000}},
        "budget": {"steps": 3000, "paper_steps": 400_000, "said": "3,000 of 400,000 steps"},
        "snapshots": [0.5, 1.0],
    }
    return RunResults(Path("."), pd.DataFrame(rows)[list(COLUMNS)], info, {})


@pytest.fixture
def hand() -> RunResults:
    rows = [row("gan", seed, "modes", value) for seed, value in enumerate((20.0, 22.0, 24.0))]
    rows += [row("gan", seed, "high_quality", value) for seed, value in enumerate((0.90, 0.92, 0.97))]
    rows += [row("gan", seed, "modes", value, snapshot=0.5) for seed, value in enumerate((10.0, 14.0))]
    rows += [row("veegan", 0, "modes", 18.0), row("veegan", 1, "modes", math.nan, "diverged")]
    rows += [row("ae-ot", 0, "modes", 25.0), row("ae-ot", 0, "reverse_kl_train", math.inf)]
    rows += [row("own_<model>", 0, "modes", 7.0)]
    expected = [["grid", "gan", seed] for seed in range(3)] + [["grid", "veegan", seed] for seed in range(4)]
    return gathered(rows, [*expected, ["grid", "wgan", 0]])


def test_mean_and_standard_error_by_hand(hand: RunResults) -> None:
    one = summarise(hand, "grid", "gan", "modes")
    assert one.mean == 22.0
    assert one.error == pytest.approx(2.0 / math.sqrt(3))  # sd of 20, 22, 24 is 2
    assert (one.n, one.expected, one.said) == (3, 3, "3")


def test_spread_and_intervals_by_hand(hand: RunResults) -> None:
    one = summarise(hand, "grid", "gan", "modes")
    assert (one.sd, one.seeds) == (2.0, (0, 1, 2))
    assert (one.interval.low, one.interval.high) == (20.0, 24.0)
    assert one.student.high == pytest.approx(22 + 4.302653 * 2 / math.sqrt(3))
    single = summarise(hand, "grid", "ae-ot", "modes")
    assert math.isnan(single.sd) and not single.interval.known and not single.student.known


def test_a_cell_hints_at_the_whole_figure(hand: RunResults) -> None:
    assert measured(summarise(hand, "grid", "gan", "modes"), "modes").hint == (
        "mean 22.0, sd 2.0, 95 % bootstrap interval 20.0 to 24.0, 95 % Student's t interval 17.0 to 27.0 (bootstrap of "
        "few seeds is too narrow), n = 3"
    )
    assert measured(summarise(hand, "grid", "ae-ot", "modes"), "modes").hint == "mean 25.0, n = 1"
    many = Summary(tuple(float(value) for value in range(10)), {"ok": 10})
    assert "Student" not in measured(many, "modes").hint and "n = 10" in measured(many, "modes").hint


def test_infinite_values_have_no_spread(hand: RunResults) -> None:
    cell = measured(Summary((1.0, math.inf, 2.0), {"ok": 3}), "reverse_kl")
    assert cell.text == "∞" and cell.hint == "mean ∞, n = 3"


def test_seconds_are_counted_once_a_seed(hand: RunResults) -> None:
    assert summarise(hand, "grid", "gan", "seconds").values == (10.0, 10.0, 10.0)


def test_missing_and_diverged_cells_are_counted(hand: RunResults) -> None:
    one = summarise(hand, "grid", "veegan", "modes")
    assert one.counts == {"ok": 1, "diverged": 1, "missing": 2}
    assert one.said == "1/4 ok, 1 diverged, 2 missing"
    assert one.mean == 18.0 and math.isnan(one.error)
    assert summarise(hand, "grid", "wgan", "modes").said == "0/1 ok, 1 missing"


def test_a_seed_that_stops_early_keeps_its_status() -> None:
    rows = [row("gan", 0, "modes", 3.0, snapshot=0.5), row("gan", 1, "modes", math.nan, "diverged", snapshot=0.5)]
    run = gathered(rows, [["grid", "gan", 0], ["grid", "gan", 1]])
    assert status_of(run, "grid", "gan", 0) == "missing"
    assert status_of(run, "grid", "gan", 1) == "diverged"


def test_curve_by_hand(hand: RunResults) -> None:
    points = curve(hand, "grid", "gan", "modes")
    assert points["mean"].tolist() == [12.0, 22.0]
    assert points["error"].tolist() == pytest.approx([2.0, 2.0 / math.sqrt(3)])


def test_seconds_go_with_the_curve(hand: RunResults) -> None:
    assert curve(hand, "grid", "gan", "modes")["seconds"].tolist() == [10.0, 10.0]


def test_differences_are_taken_seed_by_seed() -> None:
    rows = [row("gan", seed, "fid", value) for seed, value in enumerate((5.0, 7.0, 9.0))]
    rows += [row("gan", seed, "fid_train", value) for seed, value in ((2, 4.0), (1, 6.0))]
    run = gathered(rows, [["grid", "gan", seed] for seed in range(3)])
    found = difference(run, "grid", "gan", "fid", "fid_train")
    assert found.values == (1.0, 5.0)  # seeds 1 and 2; seed 0 has no second value
    assert found.mean == 3.0 and found.error == pytest.approx(2.0)  # sd of 1, 5 is sqrt(8)


def test_values_of_another_protocol_never_share_a_column(hand: RunResults) -> None:
    rows = [*hand.table.to_dict("records"), row("mine", 0, "modes", 99.0, protocol="n_generated=10")]
    run = gathered(rows, hand.info["expected"])
    one = summarise(run, "grid", "mine", "modes")
    assert (one.n, one.other) == (0, 1)


def test_welch_against_scipy() -> None:
    from scipy.stats import ttest_ind

    for shift in (0.5, 1.0, 1.5, 2.0, 3.0):
        first, second = (1.0, 1.4, 2.2, 0.7), tuple(shift + value for value in (1.1, 2.9, 1.8))
        expected = ttest_ind(first, second, equal_var=False).pvalue < 0.05
        assert told_apart(Summary(first, {"ok": 4}), Summary(second, {"ok": 3})) == expected


def test_exact_and_single_results() -> None:
    def exact(value: float) -> Summary:
        return Summary((value,) * 3, {"ok": 3})

    assert told_apart(exact(25.0), exact(25.0)) is False
    assert told_apart(exact(25.0), exact(24.0)) is True
    assert told_apart(exact(25.0), Summary((24.0,), {"ok": 1})) is None


def test_best_follows_the_direction_of_the_metric() -> None:
    held = {"a": Summary((1.0, 1.1, 0.9), {"ok": 3}), "b": Summary((5.0, 5.1, 4.9), {"ok": 3})}
    assert best_of(held, "modes") == ("b", [])
    assert best_of(held, "reverse_kl") == ("a", [])
    assert best_of({"a": Summary((), {"missing": 1})}, "modes") == (None, [])


def test_the_comparison_pays_for_the_number_of_models() -> None:
    rng = np.random.default_rng(0)
    held = {f"m{at}": Summary(tuple(rng.normal(10, 1, 10)), {"ok": 10}) for at in range(8)}
    held["best"] = Summary(tuple(value - 1.3 for value in held["m0"].values), {"ok": 10})
    found = standing(held, "reverse_kl")
    assert found is not None and found.best == "best" and found.scale == "log"
    assert len(found.tested) == 8
    pair = standing({model: held[model] for model in ("best", "m0")}, "reverse_kl")
    assert pair is not None and pair.worse == ["m0"]
    assert found.models["m0"].p > pair.models["m0"].p


def test_a_mark_that_does_not_read_as_equal() -> None:
    cell = measured(Summary((1.0, 2.0, 3.0), {"ok": 3}), "modes", undecided=True)
    assert cell.text == "2.0 ± 0.6 n.s."


def test_table_forms_by_hand(hand: RunResults) -> None:
    table = comparison_table(Comparison(hand, None, ()), "grid", Columns("t", "Grid", ("modes", "high_quality")))
    assert table is not None
    lines = to_csv(table).splitlines()
    head = lines[0].split(",")
    gan = dict(zip(head, next(line for line in lines if line.startswith("gan,")).split(","), strict=True))
    assert float(gan["modes_this_run"]) == 22.0
    assert float(gan["modes_this_run_error"]) == pytest.approx(1.1547005383792515)
    assert gan["modes_this_run_n"] == "3"
    assert (float(gan["modes_this_run_sd"]), float(gan["modes_this_run_low"])) == (2.0, 20.0)
    assert float(gan["high_quality_this_run"]) == pytest.approx(0.93)  # raw numbers, not per cent
    assert "| GAN | 3 | unknown | 22.0 ± 1.2 | **93.00 ± 2.08** |" in to_markdown(table)
    latex = to_tex(table)
    first, second = latex.split(r"\end{longtable}")[:2]  # too wide for the page, so in two parts
    assert r"GAN & 3 & unknown & 22.0 $\pm$ 1.2 \\" in first and r"GAN & \textbf{93.00 $\pm$ 2.08} \\" in second
    assert r"\toprule" in latex and r"\cmidrule(lr){3-3}" in first and r"\label{tab:grid_t:2}" in second
    unbroken = latex.replace(r"\allowbreak{}", "")
    assert r"\textless{}script\textgreater{}x\textless{}/script\textgreater{} \& 100\%\_\$" in unbroken
    assert "1/4 ok, 1 diverged, 2 missing" in latex
    assert r"\<script\>x" in to_markdown(table)


def test_the_floor_row_is_the_closed_form(run_folder: Path, published: Path) -> None:
    from otbench.report.floors import floor
    from otbench.report.results import load_run

    run = load_run(run_folder)
    assert floor(run, "grid", "high_quality") == pytest.approx(1 - math.exp(-4.5))
    assert floor(run, "grid", "reverse_kl") == pytest.approx(24 / 5000)
    assert floor(run, "ring", "reverse_kl") == pytest.approx(7 / 5000)
    assert floor(run, "grid", "reverse_kl_train") == pytest.approx(12 * (1 / 2500 + 1 / 100_000))
    assert math.isnan(floor(run, "grid", "w2"))


@pytest.mark.parametrize(
    ("metric", "value", "error", "text"),
    [
        ("modes", 24.66, 0.333, "24.7 ± 0.3"),
        ("high_quality", 0.98889, math.nan, "98.89"),
        ("reverse_kl", 0.0048, 0.0002, "0.0048 ± 0.0002"),
        ("reverse_kl", 0.7, 0.07, "0.700 ± 0.070"),
        ("seconds", 95.27, 1.2, "95.3 ± 1.2"),
        ("reverse_kl_train", math.inf, math.nan, "∞"),
        ("modes", math.nan, math.nan, "n/a"),
    ],
)
def test_numbers_as_shown(metric: str, value: float, error: float, text: str) -> None:
    assert metric_label(metric).number(value, error) == text
