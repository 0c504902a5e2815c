"""Variances over few seeds, steadied by those of the other models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST = 1e-5
"""Smallest variance, relative to their median, that enters the law of the variances as it is."""
ORDINARY = 0.9
"""Quantile of the variances that those above it are held to in their mean."""
MOST = 2.0
"""Largest ratio of the pooled variance to that mean; more comes from a few unruly models."""
AGREE = 1e-3
"""Variance of the logarithms of the true variances below which these count as equal."""


@dataclass(frozen=True)
class Moderated:
    """Variances (..., k) and their degrees of freedom (..., k); prior: (..., 1) what the other models count for."""

    variance: np.ndarray
    freedom: np.ndarray
    prior: np.ndarray


def moderate(variance: np.ndarray, freedom: np.ndarray | float) -> Moderated:
    """Draw sample variances of k models towards what is usual among them.

    The true variances follow a scaled inverse chi-square law with d0 degrees of freedom, fitted by the moments of their
    logarithms; a model's variance is (d0 s0² + d s²) / (d0 + d), with d0 + d degrees of freedom, at most those of all
    models. Where the variances agree d0 is infinite and this is the pooled variance. The law of a handful of models is
    rough, so three bounds are added (docs/statistics.md has what they do). s0² is at least the mean of the variances,
    the largest of which are held to the one at ORDINARY, and a pooled variance at most MOST times it, so that few
    unruly models do not rule. No variance is less than the model's own seeds show, so that an unruly model does not
    hide. Models without any spread take no part in the fit; where none has any, all is 0.

    Args:
        variance: Sample variances s² (..., k).
        freedom: Their degrees of freedom d, (..., k) or a shape that broadcasts to it.

    Returns:
        Moderated variances and degrees of freedom, and d0.

    Source: Smyth 2004, "Linear models and empirical Bayes methods", sections 3 and 6.2.
    """
    variance = np.asarray(variance, float)
    freedom = np.broadcast_to(np.asarray(freedom, float), variance.shape)
    spread = variance > 0
    count = spread.sum(-1, keepdims=True)
    pooled_freedom = np.where(spread, freedom, 0).sum(-1, keepdims=True)
    pooled = (variance * freedom).sum(-1, keepdims=True) / np.maximum(pooled_freedom, 1)
    prior, usual = _prior(variance, freedom, spread, count)
    ordinary = _ordinary(variance, spread, count)
    usual = np.where(np.isinf(prior), np.minimum(pooled, MOST * ordinary), np.maximum(usual, ordinary))
    with np.errstate(invalid="ignore"):
        drawn = np.where(np.isinf(prior), usual, (prior * usual + freedom * variance) / (prior + freedom))
    drawn = np.where(count > 0, drawn, 0.0)
    return Moderated(np.maximum(drawn, variance), np.minimum(prior + freedom, np.maximum(pooled_freedom, 1)), prior)


def _ordinary(variance: np.ndarray, spread: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean (..., 1) of the variances that are not 0, the largest of them held to the one at ORDINARY."""
    models = variance.shape[-1]
    at = models - count + np.floor(ORDINARY * (count - 1)).astype(int)
    most = np.take_along_axis(np.sort(variance, -1), np.clip(at, 0, models - 1), -1)
    return np.where(spread, np.minimum(variance, most), 0).sum(-1, keepdims=True) / np.maximum(count, 1)


def _prior(
    variance: np.ndarray, freedom: np.ndarray, spread: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """d0 and s0² (..., 1) of the law of the true variances; d0 is infinite where they agree or fewer than two vary."""
    from scipy.special import digamma, polygamma

    varying = np.where(spread, variance, np.nan)
    middle = np.nanmedian(np.where(count > 0, varying, 1.0), -1, keepdims=True)
    half = freedom / 2
    logs = np.log(np.maximum(np.where(spread, variance, 1.0), LEAST * middle)) - digamma(half) + np.log(half)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.where(spread, values, 0).sum(-1, keepdims=True) / np.maximum(count, 1)

    centre = mean(logs)
    excess = mean((logs - centre) ** 2) * count / np.maximum(count - 1, 1) - mean(polygamma(1, half))
    apart = (excess > AGREE) & (count > 1)
    d0 = np.where(apart, 2 * _inverse_trigamma(np.where(apart, excess, 1.0)), np.inf)
    shift = np.where(apart, digamma(np.where(apart, d0, 1) / 2) - np.log(np.where(apart, d0, 1) / 2), 0.0)
    return d0, np.exp(centre + shift)


def _inverse_trigamma(value: np.ndarray) -> np.ndarray:
    """The x > 0 at which the trigamma function is `value`, by Newton's steps on its reciprocal (Smyth 2004)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(12):
        trigamma = polygamma(1, x)
        x = x + trigamma * (1 - trigamma / value) / polygamma(2, x)
    return x
