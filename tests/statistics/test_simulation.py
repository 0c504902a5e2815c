"""The tables of docs/statistics.md are those of the simulation: a part of them, computed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from otbench.statistics.simulation import (
    DEVIATIONS,
    METHODS,
    MODELS,
    RATIOS,
    SEEDS,
    VARIATIONS,
    false_positives,
    percent,
    power,
)

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


def documented() -> dict[tuple[str, str], list[str]]:
    """First two cells of a row -> its others."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {(row[0], row[1]): row[2:] for row in cells if len(row) > 8}


def column(models: int, seeds: int) -> int:
    return MODELS.index(models) * len(SEEDS) + SEEDS.index(seeds)


def test_every_row_is_there() -> None:
    rows = documented()
    assert {(spread, method) for spread in DEVIATIONS for method in METHODS} <= set(rows)
    assert {(f"{variation:.0%}", f"{ratio:g}") for variation in VARIATIONS for ratio in RATIOS} <= set(rows)


@pytest.mark.parametrize(
    ("spread", "method", "models", "seeds"),
    [(0, 0, 6, 2), (0, 0, 31, 3), (1, 0, 6, 3), (2, 0, 31, 2), (3, 0, 6, 10), (1, 1, 31, 5), (0, 2, 6, 3)],
)
def test_false_positives_are_those_of_the_page(spread: int, method: int, models: int, seeds: int) -> None:
    name, how = list(DEVIATIONS)[spread], METHODS[method]
    shown = documented()[name, how][column(models, seeds)]
    assert float(shown) == pytest.approx(float(percent(false_positives(name, how, models, seeds))), abs=0.11)


@pytest.mark.parametrize(
    ("variation", "ratio", "models", "seeds"), [(0.1, 1.5, 31, 3), (0.25, 2.0, 6, 5), (0.05, 1.1, 6, 10)]
)
def test_power_is_that_of_the_page(variation: float, ratio: float, models: int, seeds: int) -> None:
    shown = documented()[f"{variation:.0%}", f"{ratio:g}"][column(models, seeds)]
    assert float(shown) == pytest.approx(float(percent(power(variation, ratio, models, seeds))), abs=0.11)
    welch = documented()["10%", "1.5"][-1]
    assert float(welch) < 20 < float(documented()["10%", "1.5"][column(31, 3)])
