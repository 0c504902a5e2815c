"""Mean, spread and intervals of the mean over a few independent values, such as seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVEL = 0.95
ENUMERATED, RESAMPLES = 5, 4999
FEW = 10
"""Values below which a bootstrap interval is clearly too narrow. Measured on normal values, one that should hold the
mean in 95 % of cases holds it in 76 % for 3 values, 84 % for 5, 89 % for 10 and 92 % for 20; Student's t holds."""

Values = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Interval:
    """The ends of an interval, NaN where it is not defined."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether both ends are numbers."""
        return math.isfinite(self.low) and math.isfinite(self.high)


UNKNOWN = Interval(math.nan, math.nan)


def mean(values: Values) -> float:
    """Mean of values.

    Args:
        values: Values (n,).

    Returns:
        Mean, NaN of no value.
    """
    return float(np.mean(values)) if len(values) else math.nan


def deviation(values: Values) -> float:
    """Standard deviation with n - 1.

    Args:
        values: Values (n,).

    Returns:
        Standard deviation; NaN below two values or where one is not finite.
    """
    if len(values) < 2 or not np.all(np.isfinite(values)):
        return math.nan
    return float(np.std(values, ddof=1))


def standard_error(values: Values) -> float:
    """Standard error of the mean, sd / sqrt(n).

    Args:
        values: Values (n,).

    Returns:
        Standard error; NaN below two values or where one is not finite.
    """
    return deviation(values) / math.sqrt(len(values)) if len(values) else math.nan


def student(values: Values, level: float = LEVEL) -> Interval:
    """Student's t interval of the mean.

    Args:
        values: Values (n,).
        level: Coverage of the interval.

    Returns:
        Interval; unknown below two values or where one is not finite.
    """
    error = standard_error(values)
    if math.isnan(error):
        return UNKNOWN
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return Interval(mean(values) - half, mean(values) + half)


def wilson(share: float, samples: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval (1927) of a share of independent samples: what drawing others would change, no more.

    Args:
        share: Share of the samples that pass, in [0, 1].
        samples: Number of samples.
        level: Coverage of the interval.

    Returns:
        Interval within [0, 1].
    """
    from scipy.stats import binomtest

    interval = binomtest(round(share * samples), samples).proportion_ci(level, "wilson")
    return Interval(float(interval.low), float(interval.high))


def bootstrap(values: Values, level: float = LEVEL) -> Interval:
    """Bootstrap interval of the mean; the same on every call.

    Up to five values: the percentile interval over all n^n resamples, exactly. Above: bias-corrected and accelerated
    (Efron 1987, eqs. 2.3 and 6.6, with the jackknife's acceleration) over a fixed set of resamples, a percentile
    interval where all values are equal. BCa gains nothing for five values or fewer. See FEW for how narrow it is.

    Args:
        values: Values (n,).
        level: Coverage of the interval.

    Returns:
        Interval; unknown below three values or where one is not finite.
    """
    sample = np.asarray(values, dtype=float)
    if len(sample) < 3 or not np.all(np.isfinite(sample)):
        return UNKNOWN
    means = np.sort(sample[_resamples(len(sample))].mean(axis=1))
    shares = np.array([(1 - level) / 2, (1 + level) / 2])
    if len(sample) > ENUMERATED and np.ptp(sample) > 0:
        shares = _accelerated(sample, means, shares)
    # The inverse of the distribution function: an end is always one of the resampled means.
    at = np.clip(np.ceil(shares * len(means) - 1e-9).astype(int) - 1, 0, len(means) - 1)
    return Interval(float(means[at[0]]), float(means[at[1]]))


def _accelerated(values: np.ndarray, means: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The shares at which BCa reads the distribution of the resampled means."""
    from scipy.special import ndtr, ndtri

    centre, slack = values.mean(), 1e-12 * np.abs(values).max()
    below = (np.searchsorted(means, centre - slack) + np.searchsorted(means, centre + slack, "right")) / 2
    bias = ndtri(np.clip(below / len(means), 1e-6, 1 - 1e-6))
    apart = values - centre  # proportional to the jackknife's deviations, and of the same sign as BCa wants them
    acceleration = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    normal = bias + ndtri(shares)
    return ndtr(bias + normal / (1 - acceleration * normal))


@lru_cache(maxsize=64)
def _resamples(n: int) -> np.ndarray:
    """Indices (resamples, n): every resample where there are few, else a fixed random choice."""
    if n <= ENUMERATED:
        return np.stack(np.unravel_index(np.arange(n**n), (n,) * n), axis=1)
    return np.random.default_rng(n).integers(0, n, size=(RESAMPLES, n), dtype=np.int32)
