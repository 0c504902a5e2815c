"""Rows of each verdict on their budget: what the tables, the ranks and the first screen make of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from otbench.report import render
from otbench.report.comparison import Comparison
from otbench.report.floors import mirrored, within
from otbench.report.page.answers import NONE, answers
from otbench.report.recipes.base import Columns
from otbench.report.results import COLUMNS, RunResults
from otbench.report.summary import Summary, standing
from otbench.report.tables.base import to_csv
from otbench.report.tables.budget import budget_table
from otbench.report.tables.certainty import ties_table
from otbench.report.tables.comparison import comparison_table
from tests.report.pages import everything

PROTOCOL = "n_generated=2500;reference=truth;radius=3sigma"
SHARES = {
    # model -> (high quality at 0.34, 0.67 and 1, reverse KL at the same), before each seed's own part
    "gan": ((0.40, 0.70, 0.70), (0.90, 0.30, 0.30)),
    "pacgan2": ((0.40, 0.60, 0.60), (0.90, 0.35, 0.36)),
    "wgan": ((0.20, 0.60, 0.95), (0.90, 0.30, 0.05)),
    "veegan": ((0.90, 0.90, 0.60), (0.90, 0.10, 0.10)),
    "ali": ((0.05, 0.05, 0.05), (1.60, 1.60, 1.60)),
    "ae-ot": ((0.0, 0.0, 0.98), (0.0, 0.0, 0.02)),
    "real": ((0.0, 0.0, 0.985), (0.0, 0.0, 0.005)),
    "collapsed": ((0.0, 0.0, 0.99), (0.0, 0.0, 1.6)),
    "noise": ((0.0, 0.0, 0.05), (0.0, 0.0, 0.01)),
}
ENDS = ("ae-ot", "real", "collapsed", "noise")
CONTROLS = ("real", "collapsed", "noise")
VERDICTS = {
    "gan": "settled",
    "pacgan2": "settled",
    "wgan": "still learning",
    "veegan": "worsening",
    "ali": "not above noise",
    "ae-ot": "settled",
}


def gathered(seeds: int = 3, models: tuple[str, ...] = tuple(SHARES), snapshots: tuple[float, ...] = ()) -> RunResults:
    """A run of these models, each seed 1 % apart from the next."""
    fixed = {"run": "hand", "study": "mode-collapse", "dataset": "grid", "seconds": 10.0, "protocol": PROTOCOL}
    fixed |= {"device": "cpu", "code_version": "1", "config_hash": "2", "status": "ok"}
    rows = []
    for model in models:
        for at, snapshot in enumerate((0.34, 0.67, 1.0)):
            if (model in ENDS and snapshot < 1) or (snapshots and snapshot not in snapshots):
                continue
            for metric, values in zip(("high_quality", "reverse_kl"), SHARES[model], strict=True):
                for seed in range(seeds):
                    value = values[at] * (1 - 0.01 * ((seed + at) % 3))
                    row = {"model": model, "seed": seed, "snapshot": snapshot, "metric": metric, "value": value}
                    rows.append(fixed | row)
    steps = {model: None if model in ENDS else 400_000 for model in models}
    info = {
        "run": "hand",
        "expected": [["grid", model, seed] for model in models for seed in range(seeds)],
        "models": {
            model: {"title": model.upper(), "control": model in CONTROLS, "paper_steps": {"grid": steps[model]}}
            for model in models
        },
        "datasets": {"grid": {"title": "Grid"}},
        "budget": {"steps": 6000, "paper_steps": 400_000, "said": "6,000 updates"},
        "snapshots": [0.34, 0.67, 1.0],
    }
    return RunResults(Path("."), pd.DataFrame(rows)[list(COLUMNS)], info, {})


def of(run: RunResults) -> Comparison:
    return Comparison(run, None, ())


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_row_of_each_verdict() -> None:
    comparison = of(gathered())
    found = comparison.budgets("grid")
    assert {model: found[model].verdict for model in VERDICTS} == VERDICTS
    assert {found[model].said for model in CONTROLS} == {"control"} and found["ae-ot"].said == "solved"
    assert found["ali"].change is not None and found["ali"].change.below in (("noise",), ("collapsed",))
    assert comparison.compared("grid") == ["gan", "pacgan2", "ae-ot"]


def test_the_table_of_budgets_says_what_a_row_needs() -> None:
    table = budget_table([of(gathered())])
    assert table is not None and table.name == "budget"
    rows = {row["model"]: row for row in records(to_csv(table))}
    assert {model: row["verdict"] for model, row in rows.items()} == VERDICTS
    assert {row["data set"] for row in rows.values()} == {"grid"}
    assert rows["wgan"]["needs"] == "more than 6,000 updates"
    assert rows["veegan"]["needs"].startswith("fewer than 6,000 updates") and "67%" in rows["veegan"]["needs"]
    assert rows["gan"]["needs"] == rows["ae-ot"]["needs"] == "nothing"
    assert (rows["wgan"]["metric"], rows["veegan"]["metric"]) == ("reverse_kl", "high_quality")
    assert float(rows["wgan"]["change"]) > float(rows["wgan"]["noise"]) > 0 > float(rows["veegan"]["change"])
    assert float(rows["wgan"]["since"]) == 0.67 and rows["wgan"]["seeds"] == "3"


def test_what_had_not_settled_wins_nothing_and_is_named() -> None:
    comparison = of(gathered(models=("gan", "pacgan2", "wgan", "veegan", "ali", *CONTROLS)))
    table = comparison_table(comparison, "grid", Columns("t", "Grid", ("high_quality", "reverse_kl")))
    assert table is not None
    at = {column.key: place for place, column in enumerate(table.columns)}
    cells = {row.name: row.cells for row in table.rows}
    assert [cells[model][at["budget_this_run"]].text for model in ("gan", "wgan")] == ["settled", "still learning"]
    strong = {name for name, row in cells.items() if row[at["high_quality_this_run"]].strong}
    assert strong == {"gan"}  # 70 %, beside 95 % of a row that is still learning
    assert not any("n.s." in cell.text for model in ("wgan", "veegan", "ali") for cell in cells[model])
    assert "Not compared, still learning: WGAN; worsening: VEEGAN; not above noise: ALI." in table.notes
    assert {row["budget_this_run"] for row in records(to_csv(table))} == {*VERDICTS.values()}
    found = {answer.question: answer for answer in answers(comparison, "grid")}
    assert found["Most points of high quality"].winners == ("GAN",)
    ties = ties_table(comparison, "grid")
    assert ties is not None and "Not compared, still learning: WGAN" in ties.notes[-1]


def test_nothing_is_said_of_one_seed_or_one_snapshot() -> None:
    single = of(gathered(seeds=1))
    assert {single.budgets("grid")[model].why for model in ("gan", "wgan")} == {"fewer than two seeds"}
    assert "wgan" in single.compared("grid")
    assert single.left_out("grid") == [
        "Nothing can be said of the budget of GAN, ALI, PACGAN2, VEEGAN, WGAN (fewer than two seeds)."
    ]
    late = of(gathered(snapshots=(1.0,)))
    assert late.budgets("grid")["gan"].why == "no snapshot before the end"
    assert late.budgets("grid")["gan"].needs == "a snapshot at or before 70% of the budget"
    assert late.left_out("grid", ["wgan"], said="Grid") == [
        "Grid: nothing can be said of the budget of WGAN (no snapshot before the end)."
    ]


def test_the_first_screen_says_that_no_budget_was_enough() -> None:
    comparison = of(gathered(models=("wgan", "ali", "real", "collapsed", "noise")))
    found = answers(comparison, "grid")
    assert {answer.winners for answer in found} == {(NONE,)} and len(found) == 2
    assert comparison.standing("grid", "high_quality") is None and ties_table(comparison, "grid") is None


def test_a_run_without_any_settled_row_renders(make: Callable[..., Path], published: Path, tmp_path: Path) -> None:
    models = ("gan", "wgan", "real", "collapsed", "noise")
    folder = make(tmp_path, datasets=("ring",), models=models)
    table = pd.read_parquet(folder / "metrics.parquet")
    early = (table["snapshot"] < 0.8) & table["model"].isin(["gan", "wgan"])
    table.loc[early & (table["metric"] == "high_quality"), "value"] = 0.001
    table.loc[early & (table["metric"] == "reverse_kl"), "value"] = 2.0
    table.to_parquet(folder / "metrics.parquet", index=False)
    html = everything(render(folder, published))
    sentence = "Not compared, still learning: GAN, WGAN."
    assert sentence in html and "Whether every row had settled" in html
    assert sentence in (folder / "report.md").read_text()
    rows = records((folder / "tables" / "budget.csv").read_text())
    assert [(row["model"], row["verdict"]) for row in rows] == [("gan", "still learning"), ("wgan", "still learning")]
    assert rows[0]["needs"] == "more than 3,000 updates"
    assert "**" not in "".join(line for line in (folder / "tables" / "ring_headline.md").read_text().splitlines()[2:])


def test_better_than_perfect_is_no_better() -> None:
    assert mirrored((0.99, 1.0), 0.985, "higher") == pytest.approx((0.98, 0.97))
    assert mirrored((0.97, 0.98), 0.985, "higher") == (0.97, 0.98)
    assert mirrored((0.002, 0.004), 0.005, "lower") == pytest.approx((0.008, 0.006))
    assert mirrored((0.9, 1.0), math.nan, "higher") == (0.9, 1.0) and mirrored((), 0.5, "higher") == ()
    assert within(pd.Series([0.97, 0.99]).to_numpy(), 0.985, "higher").tolist() == [0.97, 0.985]
    held = {
        "narrow": Summary((0.999, 1.0, 0.999), {"ok": 3}),
        "right": Summary((0.98, 0.981, 0.979), {"ok": 3}),
        "poor": Summary((0.9, 0.91, 0.89), {"ok": 3}),
    }
    plain, ideal = standing(held, "high_quality"), standing(held, "high_quality", 0.985)
    assert plain is not None and plain.best == "narrow"
    assert ideal is not None and ideal.best == "right"
    narrow = ideal.models["narrow"]
    assert narrow.estimate == held["narrow"].mean  # shown as measured
    assert narrow.interval.low < narrow.estimate < narrow.interval.high
    assert narrow.difference == pytest.approx(-((held["narrow"].mean - 0.985) - (0.985 - 0.98)))
