"""How many seeds would tell two models apart."""

from __future__ import annotations

import math

import numpy as np

MOST = 1000
POWER = 0.8


def power(n: np.ndarray | int, difference: float, sds: tuple[float, float], level: float = 0.05) -> np.ndarray:
    """The power of the two-sided Welch t test with n values a model (broadcast), for a true difference and true sds.

    Noncentral t, with the degrees of freedom of equal numbers: (n - 1) (s1² + s2²)² / (s1⁴ + s2⁴); with equal sds the
    t test with 2 (n - 1) degrees of freedom (Cohen 1988, section 2.5).
    """
    from scipy.special import nctdtr, stdtrit

    n = np.asarray(n, dtype=float)
    variance = sds[0] ** 2 + sds[1] ** 2
    freedom = (n - 1) * variance**2 / (sds[0] ** 4 + sds[1] ** 4)
    shift = abs(difference) / np.sqrt(variance / n)
    critical = stdtrit(freedom, 1 - level / 2)
    # nctdtr gives NaN far out in a tail, where the probability is 0 to all figures.
    missed, wrong_side = (np.nan_to_num(nctdtr(freedom, shift, end), nan=0.0) for end in (critical, -critical))
    return 1 - missed + wrong_side


def seeds_to_resolve(
    difference: float, sds: tuple[float, float], level: float = 0.05, wanted: float = POWER, most: int = MOST
) -> float:
    """The fewest values a model for which Welch's test has the power `wanted`; infinite where there is no difference or
    more than `most` are needed; 2 where nothing varies; NaN where an input is not finite.
    """
    if not all(map(math.isfinite, (difference, *sds))):
        return math.nan
    if difference == 0:
        return math.inf
    if sds[0] == 0 and sds[1] == 0:
        return 2.0
    low, high = 2, most
    if float(power(most, difference, sds, level)) < wanted:
        return math.inf
    while low < high:
        middle = (low + high) // 2
        if float(power(middle, difference, sds, level)) >= wanted:
            high = middle
        else:
            low = middle + 1
    return float(low)
