"""The verdict on a budget: rules on values worked out by hand, its level and its power by simulation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from otbench.statistics.settled import (
    LEARNING,
    LEAST,
    NO_SNAPSHOT,
    NOT_ABOVE,
    ONE_SEED,
    SETTLED,
    UNKNOWN,
    WORSENING,
    Change,
    changes,
    decide,
    half_width,
)
from otbench.statistics.simulation import DEVIATIONS, SETTLED_SEEDS, above, moving, percent, settled_rows

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


BEFORE = {
    "flat": by_seed(1.0, 1.05, 0.95),
    "better": by_seed(2.0, 2.1, 1.9),
    "worse": by_seed(1.0, 1.05, 0.95),
    "drifts": by_seed(1.0, 1.05, 0.95),
    "bad": by_seed(9.0, 9.5, 10.0),
}
END = {
    "flat": by_seed(1.02, 1.0, 1.0),
    "better": by_seed(1.0, 1.02, 0.99),
    "worse": by_seed(2.0, 2.05, 1.9),
    "drifts": by_seed(0.95, 1.05 * 0.95, 0.95 * 0.95),
    "bad": by_seed(9.5, 9.2, 9.9),
}
EXPECTED = {"flat": SETTLED, "better": LEARNING, "worse": WORSENING, "drifts": SETTLED, "bad": NOT_ABOVE}


def test_a_row_of_each_verdict_where_lower_is_better() -> None:
    found = changes(BEFORE, END, {"noise": [10.0, 10.2, 9.9]}, "lower", "log")
    assert {model: one.verdict for model, one in found.items()} == EXPECTED
    assert found["better"].change == pytest.approx(np.mean(np.log([2.0, 2.1 / 1.02, 1.9 / 0.99])))
    assert found["bad"].below == ("noise",) and not found["better"].below
    assert found["drifts"].change == pytest.approx(-math.log(0.95)) and found["drifts"].least == LEAST


def test_the_same_rows_where_higher_is_better() -> None:
    turned = [{m: {s: 1 / v for s, v in row.items()} for m, row in side.items()} for side in (BEFORE, END)]
    found = changes(*turned, {"noise": [1 / 10.0, 1 / 10.2, 1 / 9.9]}, "higher", "log")
    assert {model: one.verdict for model, one in found.items()} == EXPECTED


def test_the_noise_is_students_with_a_pooled_variance() -> None:
    # two models whose variances agree: t with 2 + 2 degrees of freedom is 2.776
    noise = half_width(np.array([0.03, 0.03]), np.array([3.0, 3.0]))
    assert noise == pytest.approx(2.776445 * math.sqrt(0.03 / 3) * np.ones(2), rel=1e-5)


def test_without_any_spread_a_change_must_still_matter() -> None:
    before = {"still": by_seed(1.0, 1.0), "small": by_seed(1.0, 1.0), "large": by_seed(1.0, 1.0)}
    end = {"still": by_seed(1.0, 1.0), "small": by_seed(0.92, 0.92), "large": by_seed(0.8, 0.8)}
    found = changes(before, end, {}, "lower", "log")
    assert [one.verdict for one in found.values()] == [SETTLED, SETTLED, LEARNING]
    # on the identity, as the scale does not allow 0: a tenth of the value
    found = changes({"a": by_seed(0.0, 0.0)}, {"a": by_seed(0.0, 0.0)}, {}, "higher", "log")
    assert found["a"].scale == "identity" and found["a"].verdict == SETTLED


def test_what_nothing_can_be_said_of() -> None:
    before = {"one": {0: 2.0}, "apart": {0: 1.0, 1: 1.0}, "infinite": by_seed(1.0, 2.0)}
    end = {"one": {0: 1.0}, "late": by_seed(1.0, 1.0), "apart": {2: 1.0, 3: 1.0}, "infinite": by_seed(1.0, math.inf)}
    found = changes(before, end, {}, "lower", "log")
    reasons = {model: one.why for model, one in found.items()}
    assert reasons == {"one": ONE_SEED, "late": NO_SNAPSHOT, "apart": ONE_SEED, "infinite": ONE_SEED}
    assert {one.verdict for one in found.values()} == {UNKNOWN}


def test_two_metrics_decide_together() -> None:
    flat, up, down = (Change(3, "log", change, 0.1) for change in (0.05, 0.4, -0.9))
    low, unknown = Change(3, "log", 0.5, 0.1, below=("noise",)), Change(1, why=ONE_SEED)
    assert decide({"a": flat, "b": flat}) == (SETTLED, "a")
    assert decide({"a": flat, "b": up}) == (LEARNING, "b")
    assert decide({"a": up, "b": down}) == (WORSENING, "b")
    assert decide({"a": low, "b": low}) == (NOT_ABOVE, "a")
    assert decide({"a": low, "b": flat}) == (LEARNING, "a")  # one metric above its controls is enough
    assert decide({"a": flat, "b": unknown}) == (UNKNOWN, "b")
    assert decide({"a": up, "b": unknown}) == (LEARNING, "a")
    assert decide({"a": unknown, "b": unknown}) == (UNKNOWN, "a")


@pytest.mark.parametrize("spread", DEVIATIONS)
@pytest.mark.parametrize("seeds", SETTLED_SEEDS)
def test_the_level_is_held(spread: str, seeds: int) -> None:
    assert moving(0.0, DEVIATIONS[spread](6), seeds, 0.0, f"{spread}/{seeds}") <= 0.055


def test_a_row_that_is_noise_seldom_counts_as_more() -> None:
    assert above(0.0, 0.25, 6, 3) == pytest.approx(0.05, abs=0.02)
    assert above(math.log(2), 0.25, 6, 3) > 0.8


def test_the_table_of_the_page_is_that_of_the_simulation() -> None:
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    shown = {(cells[0].strip(), cells[1].strip()): [cell.strip() for cell in cells[2:]] for cells in lines}
    for names, figures in settled_rows().items():
        assert [float(one) for one in shown[names]] == pytest.approx([float(one) for one in figures], abs=0.11), names
    assert percent(0.0512) == "5.1"
