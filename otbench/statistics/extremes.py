"""The law of the largest of k means less the least of m of them: what a comparison with the best is judged by.

With m = k it is the studentised range, Tukey's; with m = 1 the law behind Dunnett's one-sided test and Hsu's comparison
with the best. A comparison with the best that steps down needs those between (otbench/statistics/best.py).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss

REACH = 9.0
"""Standard deviations of a mean beyond which its density is taken for 0."""
WIDEST, STEPS = 18.0, 2400
"""Largest difference, in standard deviations of a mean, that is tabulated, and the number of steps up to it."""
NODES = 40
BEYOND = 1e-12
"""Probability of a standard deviation outside the range that is integrated over, on either side."""


def tail(t: np.ndarray | float, models: int, place: np.ndarray | int, freedom: np.ndarray | float) -> np.ndarray:
    """P((max over k models - min over m of them) > t times its standard error) where all have one mean.

    All arguments but `models` broadcast; the models have equal numbers of values.

    Args:
        t: Difference over the standard error of a difference of two means.
        models: Number k of models.
        place: Number m, 1 to k.
        freedom: Degrees of freedom of the variance; infinite where it is known.

    Returns:
        Probabilities, of the broadcast shape.
    """
    t, place, freedom = np.broadcast_arrays(np.asarray(t, float), np.asarray(place, int), np.asarray(freedom, float))
    probability = np.empty(t.shape)
    for m in np.unique(place):
        here = place == m
        probability[here] = _studentised(math.sqrt(2) * t[here], models, int(m), freedom[here])
    return probability


@lru_cache(maxsize=4096)
def critical(models: int, place: int, freedom: float, level: float = 0.05) -> float:
    """Critical value: the t at which `tail` is `level`.

    Args:
        models: Number k of models.
        place: Number m, 1 to k.
        freedom: Degrees of freedom of the variance; infinite where it is known.
        level: Probability beyond the value.

    Returns:
        t, to a relative error of 1e-4.
    """
    low, high = 0.0, 4.0
    while tail(high, models, place, freedom) > level:
        low, high = high, 2 * high
    for _ in range(2):
        t = np.linspace(low, high, 33)
        above = tail(t, models, place, freedom) > level
        low, high = t[above][-1], t[~above][0]
    ends = np.log(tail(np.array([low, high]), models, place, freedom) / level)
    return float(low + (high - low) * ends[0] / (ends[0] - ends[1]))


def _studentised(width: np.ndarray, models: int, place: int, freedom: np.ndarray) -> np.ndarray:
    """1 - P(range <= width times an estimated standard deviation), of flat arrays."""
    from scipy.special import gammaincinv, gammaln

    at, table = _table(models, place)
    infinite = np.isinf(freedom)
    half = np.where(infinite, 1.0, freedom) / 2
    # The estimate over the true standard deviation, u = sqrt(chi² / freedom), between its outermost quantiles.
    low, high = (np.sqrt(gammaincinv(half, end) / half) for end in (BEYOND, 1 - BEYOND))
    nodes, weights = _rule(NODES)
    part = (1 + nodes) / 2  # squared, so that most nodes lie at small estimates, where the tail comes from
    u = low[:, None] + (high - low)[:, None] * part**2
    constant = math.log(2) + half * np.log(half) - gammaln(half)
    density = np.exp(constant[:, None] + (2 * half - 1)[:, None] * np.log(u) - half[:, None] * u**2)
    inner = np.interp(width[:, None] * u, at, table)
    mixed = (high - low) * ((1 - inner) * density @ (part * weights))
    return np.clip(np.where(infinite, 1 - np.interp(width, at, table), mixed), 0.0, 1.0)


@lru_cache(maxsize=4)
def _rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre's rule on -1 to 1."""
    return leggauss(nodes)


@lru_cache(maxsize=512)
def _table(models: int, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Widths w, and P(max over k standard normal values - min over m of them <= w) at them."""
    from scipy.special import ndtr

    nodes, weights = _rule(100)
    z, weights = REACH * nodes, REACH * weights * np.exp(-((REACH * nodes) ** 2) / 2) / math.sqrt(2 * math.pi)
    width = np.linspace(0.0, WIDEST, STEPS + 1)
    below = ndtr(z)
    between = below - ndtr(z - width[:, None])
    # The largest is one of the m, and the other m - 1 lie within w below it; or it is one of the rest.
    integrand = place * between ** (place - 1) * below ** (models - place)
    if models > place:
        integrand = integrand + (models - place) * between**place * below ** (models - place - 1)
    return width, np.clip(integrand @ weights, 0.0, 1.0)
