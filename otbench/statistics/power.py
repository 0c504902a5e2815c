"""How many seeds would tell two models apart."""

from __future__ import annotations

import math

import numpy as np

from otbench.statistics.extremes import critical

MOST = 1000
POWER = 0.8


def power(
    n: np.ndarray | int,
    difference: float,
    sds: tuple[float, float],
    level: float = 0.05,
    models: int = 2,
    place: int = 2,
    prior: float = 0.0,
) -> np.ndarray:
    """Power to tell a model from the best one, for a true difference and standard deviations.

    Two models with prior 0 are the two-sided Welch t test, with the degrees of freedom of equal numbers, (n - 1) (s1² +
    s2²)² / (s1⁴ + s2⁴), and with equal sds the t test (Cohen 1988, section 2.5). Noncentral t throughout.

    Args:
        n: Number of values per model; it broadcasts.
        difference: Difference of the two means, on the scale of the comparison.
        sds: Standard deviations of one value of either model.
        level: Level of the comparison, over all models.
        models: Number of models that are compared.
        place: Place of the model among them, from the best (1); all worse ones count as told apart.
        prior: Degrees of freedom that the other models' variances are worth (`Moderated.prior`).

    Returns:
        Power in [0, 1], of n's shape.
    """
    from scipy.special import nctdtr

    n = np.asarray(n, dtype=float)
    variance = sds[0] ** 2 + sds[1] ** 2
    each = np.minimum(n - 1 + prior, models * (n - 1)) if prior else n - 1
    freedom = np.minimum(each * variance**2 / (sds[0] ** 4 + sds[1] ** 4), models * (n - 1))
    shift = abs(difference) / np.sqrt(variance / n)
    threshold = _critical(models, place, freedom, level)
    # nctdtr gives NaN far out in a tail, where the probability is 0 to all figures.
    missed, wrong_side = (np.nan_to_num(nctdtr(freedom, shift, end), nan=0.0) for end in (threshold, -threshold))
    return 1 - missed + wrong_side


def _critical(models: int, place: int, freedom: np.ndarray, level: float) -> np.ndarray:
    """Critical values of t, for every number of degrees of freedom."""
    from scipy.special import stdtrit

    if models == 2:
        return stdtrit(freedom, 1 - level / 2)
    return np.vectorize(lambda degrees: critical(models, place, float(degrees), level), otypes=[float])(freedom)


def seeds_to_resolve(
    difference: float,
    sds: tuple[float, float],
    level: float = 0.05,
    wanted: float = POWER,
    most: int = MOST,
    models: int = 2,
    place: int = 2,
    prior: float = 0.0,
) -> float:
    """Fewest values per model with which `power` is at least `wanted`.

    Args:
        difference: Difference of the two means, on the scale of the comparison.
        sds: Standard deviations of one value of either model.
        level: Level of the comparison, over all models.
        wanted: Power to reach.
        most: Largest number of values that is tried.
        models: Number of models that are compared.
        place: Place of the model among them, from the best (1).
        prior: Degrees of freedom that the other models' variances are worth.

    Returns:
        Number of values; infinite where there is no difference or more than `most` are needed; 2 where nothing varies;
        NaN where an input is not finite.
    """
    if not all(map(math.isfinite, (difference, *sds))):
        return math.nan
    if difference == 0:
        return math.inf
    if sds[0] == 0 and sds[1] == 0:
        return 2.0
    low, high = 2, most
    if float(power(most, difference, sds, level, models, place, prior)) < wanted:
        return math.inf
    while low < high:
        middle = (low + high) // 2
        if float(power(middle, difference, sds, level, models, place, prior)) >= wanted:
            high = middle
        else:
            low = middle + 1
    return float(low)
