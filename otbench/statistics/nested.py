"""Where the variance of a measured figure is: training seed, draw of samples, subset of the metric, the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

PARTS = ("seed", "draw", "subset", "residual")
ROUNDING = 1e-9
"""Range, relative to the largest value, below which values differ by rounding alone: nothing varies then."""


@dataclass(frozen=True)
class Split:
    """The variance components of balanced values.

    components: part -> variance; one that the design cannot tell (a single level) is NaN. negative: the parts whose
    estimate was below zero and is set to 0. within: part that cannot be told -> the part that holds it.
    """

    mean: float
    components: dict[str, float]
    negative: tuple[str, ...]
    within: dict[str, str]

    @property
    def total(self) -> float:
        """The variance of one value: a new seed, draw and subset."""
        return float(sum(value for value in self.components.values() if math.isfinite(value)))

    @property
    def shares(self) -> dict[str, float]:
        """Part -> its share of the total; NaN where it could not be told or nothing varies."""
        total = self.total
        return {part: value / total if total else math.nan for part, value in self.components.items()}


def split(values: np.ndarray) -> Split:
    """Split the variance of values over seeds, draws within a seed, and subsets that all of them share.

    y_sdm = mu + a_s + b_sd + c_m + e_sdm, all random and independent. Estimates from the expected mean squares: E
    MS_seed = e + M b + D M a, E MS_draw = e + M b, E MS_subset = e + S D c, E MS_residual = e. With one seed, draw or
    subset its part cannot be estimated: a single draw counts as seed, and with one subset the residual counts as draw.

    Args:
        values: Values (S, D, M).

    Returns:
        The mean and the variance components.

    Raises:
        ValueError: Where a value is not finite or the shape is another.

    Source: Searle, Casella and McCulloch 1992, chapter 4.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 3 or not values.size or not np.all(np.isfinite(values)):
        raise ValueError("expected finite values of shape (seeds, draws, subsets)")
    seeds, draws, subsets = values.shape
    varies = np.ptp(values) > ROUNDING * np.abs(values).max()
    squares, freedom = mean_squares(values if varies else np.zeros(values.shape))
    estimable = {part: freedom[part] > 0 for part in PARTS}
    rest = squares["residual"] if estimable["residual"] else 0.0
    # Without subsets to tell them apart, the residual stands in the mean square of draws, or of seeds.
    draw = (squares["draw"] - rest) / subsets if estimable["draw"] else 0.0
    below = squares["draw"] if estimable["draw"] else rest
    raw = {
        "seed": (squares["seed"] - below) / (draws * subsets) if estimable["seed"] else math.nan,
        "draw": draw if estimable["draw"] else math.nan,
        "subset": (squares["subset"] - rest) / (seeds * draws) if estimable["subset"] else math.nan,
        "residual": rest if estimable["residual"] else math.nan,
    }
    # What rounding leaves of a difference of equal mean squares is neither a part nor a negative estimate.
    noise = 1e-12 * max((square for square in squares.values() if math.isfinite(square)), default=0.0)
    negative = tuple(part for part in PARTS if raw[part] < -noise)
    components = {part: 0.0 if value <= noise else value for part, value in raw.items()}
    return Split(float(values.mean()), components, negative, _within(seeds, draws, subsets))


def _within(seeds: int, draws: int, subsets: int) -> dict[str, str]:
    """Part that the design cannot tell -> the part that holds it."""
    holders = {}
    if draws == 1 and seeds > 1:
        holders["draw"] = "seed"
    if subsets == 1 and (draws > 1 or seeds > 1):
        holders["residual"] = "draw" if draws > 1 else "seed"
    if seeds * draws == 1 and subsets > 1:
        holders["residual"] = "subset"
    return holders


def mean_squares(values: np.ndarray) -> tuple[dict[str, float], dict[str, int]]:
    """Mean squares and degrees of freedom, part by part.

    Args:
        values: Values (S, D, M): seeds, draws within a seed, subsets.

    Returns:
        Part -> mean square, NaN without degrees of freedom, and part -> degrees of freedom.
    """
    seeds, draws, subsets = values.shape
    grand, by_seed = values.mean(), values.mean(axis=(1, 2))
    by_draw, by_subset = values.mean(axis=2), values.mean(axis=(0, 1))
    rest = values - by_draw[:, :, None] - by_subset + grand
    sums = {
        "seed": draws * subsets * ((by_seed - grand) ** 2).sum(),
        "draw": subsets * ((by_draw - by_seed[:, None]) ** 2).sum(),
        "subset": seeds * draws * ((by_subset - grand) ** 2).sum(),
        "residual": (rest**2).sum(),
    }
    freedom = {
        "seed": seeds - 1,
        "draw": seeds * (draws - 1),
        "subset": subsets - 1,
        "residual": (seeds * draws - 1) * (subsets - 1),
    }
    return {part: float(sums[part] / freedom[part]) if freedom[part] else math.nan for part in PARTS}, freedom
