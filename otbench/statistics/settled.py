"""Whether training had settled when its budget ended, from the values of one metric by seed along it.

The change over about the last third of the budget, seed by seed, is set against its noise: Student's t of the paired
differences, with a variance that is drawn together over the models (otbench/statistics/moderation.py), so that two or
three seeds are enough. A change that is smaller than LEAST is none, whatever its noise. A row whose end is no better
than a control that the metric is there to see shows nothing of its model. docs/statistics.md has the simulated rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from otbench.statistics import scales
from otbench.statistics.best import ROUNDING
from otbench.statistics.moderation import Moderated, moderate

LEVEL = 0.05
"""Probability that a row that does not change is called learning or worsening, and that a row that is no better than a
control counts as better."""
LEAST = math.log(1.1)
"""Smallest change that matters, on a log or logit scale: a tenth of the distance, or of the odds. On the identity it is
a tenth of the value."""
FROM = 0.7
"""Share of the budget at or before which the snapshot lies that the end is compared with."""

SETTLED, LEARNING, WORSENING = "settled", "still learning", "worsening"
NOT_ABOVE, UNKNOWN = "not above noise", "unknown"
VERDICTS = (SETTLED, LEARNING, WORSENING, NOT_ABOVE, UNKNOWN)
LEFT_OUT = (LEARNING, WORSENING, NOT_ABOVE)
"""Verdicts of rows that are not compared with others."""
ONE_SEED, NO_SNAPSHOT = "fewer than two seeds", "no snapshot before the end"


@dataclass(frozen=True)
class Change:
    """What one metric says of the budget of one row.

    n: seeds with both values. change: mean over them on the scale, above 0 where the metric got better. noise: half of
    the interval of that mean. least: smallest change that matters. below: controls that the end is not better than by
    more than noise. why: the reason where nothing can be said.
    """

    n: int
    scale: str = "identity"
    change: float = math.nan
    noise: float = math.nan
    least: float = LEAST
    below: tuple[str, ...] = ()
    why: str = ""

    @property
    def size(self) -> float:
        """The change in units of what it must exceed; infinite where nothing is to be exceeded."""
        bound = max(self.noise, self.least)
        return self.change / bound if bound > 0 else math.copysign(math.inf, self.change) if self.change else 0.0

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        if self.why:
            return UNKNOWN
        if self.below:
            return NOT_ABOVE
        return LEARNING if self.size > 1 else WORSENING if self.size < -1 else SETTLED


def changes(
    before: Mapping[str, Mapping[int, float]],
    end: Mapping[str, Mapping[int, float]],
    controls: Mapping[str, Sequence[float]],
    direction: str,
    scale: str = "identity",
    samples: int | None = None,
    level: float = LEVEL,
) -> dict[str, Change]:
    """What one metric says of the budget of every model of a data set.

    Args:
        before: Model -> seed -> value at the snapshot that the end is compared with; a model may be missing.
        end: Model -> seed -> value at the end of the budget.
        controls: Control that the metric is there to see -> its values over seeds.
        direction: The better side, `lower` or `higher`.
        scale: The metric's scale, `log`, `logit` or `identity`; values that do not allow it are taken as they are.
        samples: Number of generated samples behind a value, for shares.
        level: Level of this metric.

    Returns:
        Model of `end` -> its change; with a reason where it has fewer than two seeds with finite values at both.
    """
    found = [values for series in (before, end) for seeds in series.values() for values in seeds.values()]
    scale = scales.usable([*found, *(value for series in controls.values() for value in series)], scale, samples)
    sign = -1.0 if direction == "lower" else 1.0

    def brought(values: Sequence[float]) -> np.ndarray:
        kept = np.asarray(values, float)
        return sign * scales.forward(kept[np.isfinite(kept)], scale, samples)

    verdicts: dict[str, Change] = {}
    paired: dict[str, list[np.ndarray]] = {}
    for model, values in end.items():
        early = before.get(model, {})
        seeds = [seed for seed in values if np.isfinite([values[seed], early.get(seed, math.nan)]).all()]
        if len(seeds) < 2:
            verdicts[model] = Change(len(seeds), scale, why=NO_SNAPSHOT if len(values) > 1 and not early else ONE_SEED)
        else:
            paired[model] = [brought([series[seed] for seed in seeds]) for series in (early, values)]
    if not paired:
        return verdicts
    count = np.array([len(last) for _, last in paired.values()], float)
    apart = [last - first for first, last in paired.values()]
    # differences that are one rounding apart from each other have no spread
    size = np.array([max(np.abs(first).max(), np.abs(last).max()) for first, last in paired.values()])
    noise = half_width(_variance(apart, size), count, level)
    ends = [last for _, last in paired.values()]
    at_end = moderate(_variance(ends, size), count - 1)
    others = {name: kept for name, values in controls.items() for kept in [brought(values)] if len(kept)}
    for at, (model, (first, last)) in enumerate(paired.items()):
        # a tenth on a logarithm or of the odds; on the identity a tenth of the value
        least = LEAST if scale != "identity" else 0.1 * float(max(abs(first.mean()), abs(last.mean())))
        below = tuple(name for name, other in others.items() if not _above(last, at_end, at, other, least, level))
        change = float(apart[at].mean())
        verdicts[model] = Change(len(last), scale, change, float(noise[at]), least, below)
    return {model: verdicts[model] for model in end}


def half_width(variance: np.ndarray, count: np.ndarray | float, level: float = LEVEL) -> np.ndarray:
    """Noise of the mean change of every model: half of its Student's t interval, variances drawn together.

    Args:
        variance: Variances of the paired differences over seeds, (..., k).
        count: Numbers of seeds, (..., k) or a shape that broadcasts to it.
        level: Two-sided level.

    Returns:
        Half widths (..., k); 0 where no model has any spread.
    """
    from scipy.special import stdtrit

    found = moderate(variance, np.asarray(count, float) - 1)
    return stdtrit(found.freedom, 1 - level / 2) * np.sqrt(found.variance / count)


def decide(found: Mapping[str, Change]) -> tuple[str, str]:
    """The verdict of a row from that of each metric that decides.

    A row is not above noise where no metric is; else the change that is largest against its bound speaks, and a row is
    settled where every metric is.

    Args:
        found: Metric -> its change, at least one.

    Returns:
        Verdict, and the metric that it comes from.
    """
    known = {metric: change for metric, change in found.items() if not change.why}
    if not known:
        return UNKNOWN, next(iter(found))
    largest = max(known, key=lambda metric: abs(known[metric].size))
    if all(change.below for change in known.values()):
        return NOT_ABOVE, largest
    if abs(known[largest].size) > 1:
        return (LEARNING if known[largest].size > 0 else WORSENING), largest
    missing = next((metric for metric in found if metric not in known), None)
    return (SETTLED, largest) if missing is None else (UNKNOWN, missing)


def _variance(series: Sequence[np.ndarray], size: np.ndarray) -> np.ndarray:
    """Variances (k,) of the models' values; 0 where they differ by rounding alone of numbers as large as `size`."""
    variance = np.array([values.var(ddof=1) for values in series])
    return np.where(variance <= (ROUNDING * size) ** 2, 0.0, variance)


def _above(last: np.ndarray, ends: Moderated, at: int, other: np.ndarray, least: float, level: float) -> bool:
    """Whether values at the end (higher is better) are better than a control's by more than noise, one-sided."""
    from scipy.special import stdtrit

    own, freedom = ends.variance[at] / len(last), ends.freedom[at]
    theirs, count = (other.var(ddof=1), len(other) - 1) if len(other) > 1 else (ends.variance[at], freedom)
    theirs = theirs / len(other)
    noise = 0.0
    if own + theirs > 0:
        joint = (own + theirs) ** 2 / (own**2 / freedom + theirs**2 / count)
        noise = float(stdtrit(joint, 1 - level)) * math.sqrt(own + theirs)
    return float(last.mean() - other.mean()) > max(noise, least)
