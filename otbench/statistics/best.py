"""Models against the best of them: which are worse, beyond what the seeds can explain.

The best model is chosen from the same values that are tested, so a test against a control that was fixed beforehand
(Dunnett's) is too ready, and Hsu's comparison with the best (1981) bounds only how often the one best model is left
out. Here the bound is on what a table says: the probability that any model as good as the truly best one is called
worse is at most the level, whichever models those are. That is a closed test (Marcus, Peritz and Gabriel 1976) of the
hypotheses "the models of S are all best", each by the largest mean of all less the least of S, whose law for |S| = m
lies between Dunnett's (m = 1) and Tukey's (m = k); it comes down to steps from the worst model to the better ones.

Variances are drawn together over models (otbench/statistics/moderation.py). Seeds of two models are independent
values: the same number does start the same streams of batches and noise where models name them alike, but trainings
part after a few steps, and the seeds of the reference show no common effect (docs/statistics.md). Were there one, the
differences would vary less than assumed, and the level would hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from otbench.statistics import scales
from otbench.statistics.extremes import tail
from otbench.statistics.intervals import UNKNOWN, Interval, wilson
from otbench.statistics.moderation import Moderated, moderate
from otbench.statistics.power import seeds_to_resolve

LEVEL = 0.05
ROUNDING = 1e-14
"""Standard deviation, relative to the mean, below which equal values differ by rounding alone."""


@dataclass(frozen=True)
class Standing:
    """One model beside the best one.

    n: seeds with a value. estimate: their mean. interval: at 95 %, on the scale of the comparison and back; of one seed
    the binomial interval of its samples where the metric is a share of them. difference: mean less the best one's.
    effect: of the model to the best one on the scale: a ratio, an odds ratio or a difference. p: simultaneous over all
    models; NaN of the best and where there is no test. seeds: values per model that would tell the two apart; NaN where
    these do or there is no test.
    """

    n: int
    estimate: float
    interval: Interval
    difference: float
    effect: float
    p: float
    seeds: float


@dataclass(frozen=True)
class AgainstBest:
    """The best model by its mean, and every model beside it; scale: the one that was used."""

    best: str
    scale: str
    models: dict[str, Standing]
    level: float = LEVEL

    @property
    def tested(self) -> list[str]:
        """The models that were tested against the best."""
        return [model for model, result in self.models.items() if math.isfinite(result.p)]

    @property
    def worse(self) -> list[str]:
        """The models that are significantly worse than the best."""
        return [model for model in self.tested if self.models[model].p <= self.level]

    @property
    def undecided(self) -> list[str]:
        """Models that these seeds do not show to be worse; without a test, those with the same mean."""
        return [
            model
            for model, result in self.models.items()
            if model != self.best and (result.p > self.level if math.isfinite(result.p) else result.difference == 0)
        ]


def against_best(
    values: Mapping[str, Sequence[float]],
    direction: str,
    scale: str = "identity",
    samples: int | None = None,
    binomial: bool = False,
    level: float = LEVEL,
) -> AgainstBest | None:
    """Compare every model with the best one.

    A model is tested where it and the best have two values or more, all of them finite. One whose values are all
    infinite on the worse side is worse, whatever the others' spread; so are models that differ where no model has any
    spread at all. One with some infinite values has no test.

    Args:
        values: Model -> its values over seeds, in any order; infinite ones are allowed.
        direction: The better side, `lower` or `higher`.
        scale: The metric's scale, `log`, `logit` or `identity`; values that do not allow it are compared as they are.
        samples: Number of generated samples behind a value, for shares.
        binomial: Whether a value is the share of these samples that pass, so that one seed has an interval.
        level: Probability of calling any model worse that is as good as the best.

    Returns:
        The comparison; None where no model has a value.
    """
    observed = {
        model: np.asarray(series, float)
        for model, series in values.items()
        if len(series) and not np.isnan(series).any()
    }
    if not observed:
        return None
    sign = 1.0 if direction == "lower" else -1.0
    scale = scales.usable(np.concatenate(list(observed.values())), scale, samples)
    means = {model: float(series.mean()) for model, series in observed.items()}
    best = min(observed, key=lambda model: sign * means[model])
    finite = {model: series for model, series in observed.items() if np.isfinite(series).all() and len(series) > 1}
    used = {model: scales.forward(series, scale, samples) for model, series in finite.items()}
    test = _Test(used, best, sign, level)
    standings = {}
    for model, series in observed.items():
        p, seeds = test.of(model)
        if model != best and best in finite and len(series) > 1 and np.isinf(series).all():
            p = 0.0
        standings[model] = Standing(
            n=len(series),
            estimate=means[model],
            interval=_interval(model, series, test, scale, samples if binomial else None, samples),
            difference=0.0 if means[model] == means[best] else means[model] - means[best],
            effect=scales.effect(sign * test.differences[model], scale) if model in test.differences else math.nan,
            p=p,
            seeds=seeds,
        )
    return AgainstBest(best, scale, standings, level)


class _Test:
    """The test of the models `used` (values on the scale) against `best`; no test where `best` is not among them."""

    def __init__(self, used: dict[str, np.ndarray], best: str, sign: float, level: float) -> None:
        self.best, self.level = best, level
        self.row = {model: at for at, model in enumerate(used)}
        self.means = np.array([series.mean() for series in used.values()])
        self.count = np.array([len(series) for series in used.values()], float)
        variance = np.array([series.var(ddof=1) for series in used.values()])
        variance[variance <= (ROUNDING * np.abs(self.means)) ** 2] = 0.0
        self.moderated = moderate(variance, self.count - 1) if used else None
        self.differences: dict[str, float] = {}
        self.p = self.places = np.empty(0)
        if self.moderated is not None and best in used:
            apart = sign * (self.means - self.means[self.row[best]])
            self.differences = dict(zip(used, map(float, apart), strict=True))
            self.p, self.places = adjusted(apart, self.moderated, self.count, self.row[best])

    def of(self, model: str) -> tuple[float, float]:
        """(p, seeds that would tell it from the best), NaN where there is no test."""
        if model == self.best or model not in self.differences:
            return math.nan, math.nan
        at, best, moderated = self.row[model], self.row[self.best], self.moderated
        assert moderated is not None
        if self.p[at] <= self.level:
            return float(self.p[at]), math.nan
        deviations = math.sqrt(moderated.variance[at]), math.sqrt(moderated.variance[best])
        models, prior = len(self.row), float(moderated.prior[0])
        seeds = seeds_to_resolve(
            max(0.0, self.differences[model]), deviations, self.level, models=models, place=int(self.places[at]),
            prior=prior,
        )  # fmt: skip
        return float(self.p[at]), seeds


def adjusted(
    apart: np.ndarray, found: Moderated, count: np.ndarray, best: np.ndarray | int
) -> tuple[np.ndarray, np.ndarray]:
    """Simultaneous p of the means against the best one, and each mean's place.

    The place is the number of models that are no worse by their t, and so the m of the hypothesis that a model's p
    comes from; p is at least that of every worse model.

    Args:
        apart: How much worse each mean is than the best one, (..., k).
        found: Moderated variances of one value, and their degrees of freedom (..., k).
        count: Number of values behind each mean, (..., k) or a shape that broadcasts to it.
        best: Column of the best mean, (...).

    Returns:
        p (..., k), NaN in the best one's column, and places (..., k) from 1.
    """
    apart, count = np.asarray(apart, float), np.broadcast_to(count, np.shape(apart))
    k = apart.shape[-1]
    column = np.asarray(best)[..., None]
    squares = found.variance / count
    best_square = np.take_along_axis(squares, column, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (squares + best_square) ** 2 / (
            squares**2 / found.freedom + best_square**2 / np.take_along_axis(found.freedom, column, -1)
        )
        t = np.where(apart > 0, apart / np.sqrt(squares + best_square), 0.0)  # infinite where nothing varies
    most = np.maximum((count - 1).sum(-1, keepdims=True), 1.0)
    freedom = np.clip(np.nan_to_num(freedom, nan=1.0), 1.0, most)
    np.put_along_axis(t, column, -1.0, -1)  # the best is first
    order = np.argsort(t, -1, kind="stable")
    place = np.empty(t.shape, int)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(1, k + 1), t.shape), -1)
    raw = np.where(np.isinf(t), 0.0, tail(np.where(np.isinf(t), 0.0, np.maximum(t, 0)), k, place, freedom))
    raw = np.where(t == 0, 1.0, raw)
    stepped = np.maximum.accumulate(np.take_along_axis(raw, order, -1)[..., ::-1], -1)[..., ::-1]
    p = np.empty(t.shape)
    np.put_along_axis(p, order, stepped, -1)
    np.put_along_axis(p, column, math.nan, -1)
    return p, place


def _interval(
    model: str, values: np.ndarray, test: _Test, scale: str, counted: int | None, samples: int | None
) -> Interval:
    """Student's interval with the moderated variance; of one value the binomial one where there is such."""
    if model not in test.row:
        if len(values) == 1 and counted and 0 <= values[0] <= 1:
            return wilson(float(values[0]), counted)
        return UNKNOWN
    from scipy.special import stdtrit

    at, moderated = test.row[model], test.moderated
    assert moderated is not None
    half = float(stdtrit(moderated.freedom[at], 0.975)) * math.sqrt(moderated.variance[at] / test.count[at])
    low, high = scales.back([test.means[at] - half, test.means[at] + half], scale, samples)
    return Interval(float(low), float(high))
