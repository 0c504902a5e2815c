"""Intervals of a rate: of independent answers, and of answers that share raters and images."""

from __future__ import annotations

import math

import numpy as np

LEVEL = 0.95
DRAWS = 2000

Interval = tuple[float, float]


def wilson(count: float, number: float, level: float = LEVEL, quantile: float | None = None) -> Interval:
    """Wilson's score interval (1927) of a share of independent answers.

    Args:
        count: Number of answers that pass; an effective number need not be whole.
        number: Number of all answers, likewise.
        level: Coverage of the interval.
        quantile: Quantile in place of the normal one of `level`.

    Returns:
        Both ends, in [0, 1].
    """
    from scipy.stats import norm
    from statsmodels.stats.proportion import proportion_confint

    alpha = 1 - level if quantile is None else 2 * norm.sf(quantile)
    low, high = proportion_confint(count, number, alpha=alpha, method="wilson")
    return 0.0 if count <= 0 else float(low), 1.0 if count >= number else float(high)  # exact where rounding is not


def clustered(answers: np.ndarray, level: float = LEVEL, draws: int = DRAWS, seed: int = 0) -> Interval | None:
    """Interval of the mean of answers, by a bootstrap over raters and over images.

    Answers of one rater, and about one image, resemble one another. The variance of the rate is that over resampled
    raters, plus that over resampled images, less that of independent answers, which both hold (Cameron, Gelbach and
    Miller 2011), each enlarged by G / (G - 1) for its G clusters. It gives an effective number of answers, never above
    the true one, for Wilson's interval with Student's quantile in place of the normal one (as Dean and Pagano 2015 do
    for surveys); its degrees of freedom are Satterthwaite's (1946). Where all answers are equal, those about one image
    count as one.

    Args:
        answers: Answers (raters, images) in {0, 1, NaN}.
        level: Coverage of the interval.
        draws: Number of resamples of raters and of images.
        seed: Seed of the resamples.

    Returns:
        Both ends; None with fewer than two raters or two images: there is nothing to resample.
    """
    from scipy.stats import t

    valid = ~np.isnan(answers)
    answers, valid = answers[valid.any(axis=1)], valid[valid.any(axis=1)]
    answers, valid = answers[:, valid.any(axis=0)], valid[:, valid.any(axis=0)]
    raters, images = answers.shape
    if raters < 2 or images < 2:
        return None
    values, number = np.where(valid, answers, 0.0), float(valid.sum())
    rate = float(values.sum() / number)
    alone = rate * (1 - rate) / number
    if alone == 0:
        return wilson(rate * images, images, level)
    random = np.random.default_rng(seed)
    over_raters, over_images = (_variance(values.sum(axis), valid.sum(axis), draws, random) for axis in (1, 0))
    variance = max(over_raters + over_images - alone * number / (number - 1), alone)
    spread = over_raters**2 / (raters - 1) + over_images**2 / (images - 1)
    least = min(raters, images) - 1
    freedom = max(variance**2 / spread, least) if spread else least
    effective = alone * number / variance
    return wilson(rate * effective, effective, level, quantile=float(t.ppf((1 + level) / 2, freedom)))


def _variance(sums: np.ndarray, counts: np.ndarray, draws: int, random: np.random.Generator) -> float:
    """Variance of sum / count over resampled clusters, corrected for their number."""
    clusters = len(sums)
    weights = random.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws)
    rates = (weights @ sums) / (weights @ counts)
    return float(rates.var(ddof=1) * clusters / (clusters - 1))


def number(value: float) -> float | None:
    """Number for JSON.

    Args:
        value: The number.

    Returns:
        The number; None where it is not finite.
    """
    return float(value) if math.isfinite(value) else None
