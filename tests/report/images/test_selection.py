"""Which snapshot is shown: every rule against what was worked out by hand, on a small made-up run."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from otbench.metrics.table import COLUMNS
from otbench.report.comparison import Comparison
from otbench.report.recipes.images import RECIPE
from otbench.report.results import RunResults
from otbench.report.tables.selection import choices, selection_table, selection_tables

SHARES = (0.1, 0.5, 1.0)
# model -> seed -> (distance to test images, to validation images) at each snapshot; None: diverged there
VALUES = {
    "wgan": {0: ((9, 8), (4, 6), (5, 5)), 1: ((8, 9), (3, 2), (6, 7)), 2: ((7, 1), None, None)},
    "ns-gan": {0: ((9, 9), (6, 6), (2, 2)), 1: ((9, 9), (6, 6), (4, 4)), 2: ((9, 9), (6, 6), (3, 3))},
    "ae-ot": {0: (None, None, (1, 1)), 1: (None, None, (1, 1)), 2: (None, None, (1, 1))},
}
PROTOCOLS = {"fid": "features=classifier-1;split=test", "fid_validation": "features=classifier-1;split=validation"}


def gathered() -> RunResults:
    rows = []
    for model, seeds in VALUES.items():
        for seed, values in seeds.items():
            for share, pair in zip(SHARES, values, strict=True):
                if pair is None and model == "ae-ot":
                    continue
                for metric, value in zip(PROTOCOLS, pair or (math.nan, math.nan), strict=True):
                    row = dict.fromkeys(COLUMNS, "") | {"dataset": "digits", "model": model, "seed": seed}
                    row |= {"snapshot": share, "metric": f"{metric}@classifier", "value": float(value)}
                    row |= {"protocol": PROTOCOLS[metric], "status": "ok" if pair else "diverged", "seconds": 1.0}
                    rows.append(row)
    info = {
        "run": "r",
        "expected": [["digits", model, seed] for model in VALUES for seed in range(3)],
        "models": {model: {} for model in VALUES},
        "datasets": {"digits": {"title": "Digits", "study": "images"}},
        "studies": {"images": {"budget": {"steps": 10}, "snapshots": list(SHARES)}},
    }
    return RunResults(Path("."), pd.DataFrame(rows), info, {}).of("images")


@pytest.fixture(scope="module")
def run() -> RunResults:
    return gathered()


def test_every_rule_chooses_its_snapshot(run: RunResults) -> None:
    found = choices(run, "digits", "wgan", "classifier")
    # seed 0: validation takes the last, the test images the middle; seed 1: both the middle; seed 2 has one snapshot
    assert found["validation"].tolist() == [5, 3, 7] and found["test"].tolist() == [4, 3, 7]
    assert found["at_validation"].tolist() == [1.0, 0.5, 0.1] and found["at_test"].tolist() == [0.5, 0.5, 0.1]
    assert found["last"][:2].tolist() == [5, 6] and math.isnan(found["last"][2])  # it diverged before the end
    assert found["snapshots"].tolist() == [3, 3, 1]
    assert choices(run, "digits", "ae-ot", "classifier")["snapshots"].tolist() == [1, 1, 1]
    assert choices(run, "digits", "wgan", "inception").empty and choices(run, "digits", "vae", "classifier").empty


def test_the_table_shows_the_optimism(run: RunResults) -> None:
    comparison = Comparison(run, None, (), study=RECIPE)
    table = selection_table(comparison, "digits", "classifier")
    keys = [column.key for column in table.columns]
    rows = {row.name: dict(zip(keys, row.cells, strict=True)) for row in table.rows}
    assert list(rows) == ["ns-gan", "wgan"]  # AE-OT is solved once: it has no choice
    wgan = {key: cell.raw for key, cell in rows["wgan"].items()}
    assert wgan["last"][""] == pytest.approx(5.5) and wgan["last"]["_n"] == 2
    assert wgan["validation"][""] == pytest.approx(5) and wgan["test"][""] == pytest.approx(14 / 3)
    assert wgan["optimism"][""] == pytest.approx(1 / 3) and wgan["optimism"]["_n"] == 3
    assert wgan["optimism_last"][""] == pytest.approx((1 + 3) / 2)  # over the two seeds that got there
    assert wgan["at_test"][""] == pytest.approx(1.1 / 3)
    assert rows["wgan"]["seeds"].text == "2/3 ok, 1 diverged"
    assert rows["ns-gan"]["optimism"].raw[""] == 0 and rows["ns-gan"]["last"].strong
    assert not table.notes  # NS GAN is best by every rule


def test_it_is_said_where_the_rule_decides_the_best() -> None:
    run = gathered()
    ours = (run.table["model"] == "wgan") & (run.table["snapshot"] == 0.5) & (run.table["status"] == "ok")
    run.table.loc[ours & run.table["metric"].str.startswith("fid@"), "value"] = -20.0
    comparison = Comparison(run, None, (), study=RECIPE)
    (table,) = selection_tables(comparison, "digits")
    assert table.notes == (
        "The rule decides which model has the least mean: NS GAN (last); WGAN (chosen on validation); "
        "WGAN (best on test (the rule of Lucic et al.)).",
    )
    alone = run.table[run.table["snapshot"] == 1]
    assert not selection_tables(
        Comparison(RunResults(Path("."), alone, run.info, {}), None, (), study=RECIPE), "digits"
    )
