"""What a table shows of several seeds: mean, spread, intervals, how many there are of how many, and the best model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from otbench.report.floors import mirrored
from otbench.report.labels import counted, metric_label, points_in, scale_of
from otbench.report.results import RunResults
from otbench.statistics import intervals
from otbench.statistics.best import AgainstBest, against_best
from otbench.statistics.intervals import UNKNOWN, Interval

_WORST = {"ok": 0, "missing": 1, "diverged": 2, "failed": 3}


@dataclass(frozen=True)
class Summary:
    """One metric of one model on one data set over its seeds.

    values: of the seeds that are ok, in their order. counts: status -> number of seeds, over all that were expected.
    other: number of seeds measured only under another protocol than the column's; their values are left out.
    seeds: the seed of each value, empty where it is not known. samples: generated samples behind each value, where the
    protocol says so.
    """

    values: tuple[float, ...]
    counts: dict[str, int]
    other: int = 0
    seeds: tuple[int, ...] = ()
    samples: int | None = None

    @property
    def n(self) -> int:
        """Number of seeds with a value."""
        return len(self.values)

    @property
    def expected(self) -> int:
        """Number of seeds that should be there."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        """Mean over the seeds, NaN where there is none."""
        return intervals.mean(self.values)

    @property
    def sd(self) -> float:
        """Standard deviation over the seeds with n - 1, NaN below two or where a value is infinite."""
        return intervals.deviation(self.values)

    @property
    def error(self) -> float:
        """Standard error of the mean, sd / sqrt(n) with sd over n - 1; NaN below two seeds."""
        return intervals.standard_error(self.values)

    @cached_property
    def interval(self) -> Interval:
        """Bootstrap interval of the mean at 95 %; unknown below three seeds, too narrow below `intervals.FEW`."""
        return intervals.bootstrap(self.values)

    @cached_property
    def student(self) -> Interval:
        """Student's t interval of the mean at 95 %; unknown below two seeds."""
        return intervals.student(self.values)

    @property
    def complete(self) -> bool:
        """Whether every expected seed is ok."""
        return self.counts.get("ok", 0) == self.expected

    @property
    def said(self) -> str:
        """The seeds in words: `3`, or `2/3 ok, 1 diverged`."""
        if self.complete:
            return str(self.expected)
        return f"{self.counts.get('ok', 0)}/{self.expected} ok, " + self.troubles

    @property
    def troubles(self) -> str:
        """What is not ok, in words: `1 diverged, 1 missing`."""
        named = ("diverged", "failed", "missing")
        return ", ".join(f"{self.counts[status]} {status}" for status in named if self.counts.get(status))


def status_of(run: RunResults, dataset: str, model: str, seed: int) -> str:
    """Status of one cell: that of its last snapshot; a seed that diverged earlier is diverged.

    Args:
        run: Gathered run.
        dataset: Name of the data set.
        model: Name of the model.
        seed: Seed of the training.

    Returns:
        One of `ok`, `missing`, `diverged` and `failed`.
    """
    rows = run.rows(dataset, model)
    rows = rows[rows["seed"] == seed]
    final = rows[np.isclose(rows["snapshot"], run.last)]
    if len(final):
        return max(final["status"], key=_WORST.__getitem__)
    worst = max(rows["status"], key=_WORST.__getitem__, default="missing")
    return "missing" if worst == "ok" else worst


def counts_of(run: RunResults, dataset: str, model: str) -> dict[str, int]:
    """Number of seeds of one model on one data set by status.

    Args:
        run: Gathered run.
        dataset: Name of the data set.
        model: Name of the model.

    Returns:
        Status -> number of seeds; empty where the run does not have the pair.
    """
    key = ("counts", dataset, model)
    if key not in run.memo:
        seeds = run.cells.get((dataset, model), [])
        run.memo[key] = dict(Counter(status_of(run, dataset, model, seed) for seed in seeds))
    return run.memo[key]


def summarise(run: RunResults, dataset: str, model: str, metric: str) -> Summary:
    """Summary of the metric at the last snapshot over seeds.

    Args:
        run: Gathered run.
        dataset: Name of the data set.
        model: Name of the model.
        metric: Metric as measured, with `@network` where it has features; or `seconds`, the cost of training.

    Returns:
        The summary, which the run remembers.
    """
    key = ("summary", dataset, model, metric)
    if key not in run.memo:
        run.memo[key] = _summary(run, dataset, model, metric)
    return run.memo[key]


def _summary(run: RunResults, dataset: str, model: str, metric: str) -> Summary:
    values, other = _by_seed(run, dataset, model, metric)
    points = points_in(run.protocol(dataset, metric)).replace(",", "")
    return replace(of_seeds(values, counts_of(run, dataset, model), other), samples=int(points) if points else None)


def of_seeds(values: pd.Series, counts: dict[str, int], other: int = 0) -> Summary:
    """Summary of values indexed by seed.

    Args:
        values: Values (n,), whose index is the seed.
        counts: Status -> number of seeds, over all that were expected.
        other: Number of seeds measured only under another protocol.

    Returns:
        The summary, without a number of samples.
    """
    return Summary(tuple(map(float, values)), counts, other, tuple(map(int, values.index)))


def _by_seed(run: RunResults, dataset: str, model: str, metric: str) -> tuple[pd.Series, int]:
    """The values at the last snapshot by seed, and the number of seeds measured only under another protocol."""
    none, other = run.table.iloc[:0], 0
    if metric == "seconds":
        values = run.final.get((dataset, model), none).groupby("seed")["seconds"].first()
    else:
        rows = run.measured.get((dataset, model, metric), none)
        same = rows["protocol"] == run.protocol(dataset, metric)
        other = len(set(rows["seed"][~same]) - set(rows["seed"][same]))
        values = rows[same].set_index("seed")["value"]
    return values[values.notna()].sort_index(), other


def difference(run: RunResults, dataset: str, model: str, first: str, second: str) -> Summary:
    """Metric `first` minus metric `second` at the last snapshot, seed by seed.

    Args:
        run: Gathered run.
        dataset: Name of the data set.
        model: Name of the model.
        first: Metric to subtract from.
        second: Metric to subtract.

    Returns:
        Summary of the differences; seeds that lack one of the two are left out.
    """
    pair = [_by_seed(run, dataset, model, metric)[0] for metric in (first, second)]
    values = (pair[0] - pair[1]).dropna().sort_index()
    return of_seeds(values, counts_of(run, dataset, model))


def curve(run: RunResults, dataset: str, model: str, metric: str) -> pd.DataFrame:
    """The metric along training.

    Args:
        run: Gathered run.
        dataset: Name of the data set.
        model: Name of the model.
        metric: Metric as measured, with `@network` where it has features.

    Returns:
        Columns snapshot, mean, error, n (seeds that are ok there), seconds (mean); a row a snapshot.
    """
    rows = run.rows(dataset, model)
    rows = rows[(rows["metric"] == metric) & (rows["protocol"] == run.protocol(dataset, metric))]
    rows = rows[(rows["status"] == "ok") & np.isfinite(rows["value"])]
    grouped = rows.groupby("snapshot")["value"]
    columns = {"mean": grouped.mean(), "error": grouped.sem(), "n": grouped.size()}
    columns["seconds"] = rows.groupby("snapshot")["seconds"].mean()
    return pd.DataFrame(columns).reset_index()


def told_apart(first: Summary, second: Summary, level: float = 0.05) -> bool | None:
    """Whether Welch's t test tells two means apart.

    Two exact results differ where their means do.

    Args:
        first: Summary of one model.
        second: Summary of the other.
        level: Level of the two-sided test.

    Returns:
        True where the means differ significantly; None where one has fewer than two seeds.

    Source: Welch, B. L. (1947), with Satterthwaite's degrees of freedom.
    """
    if first.n < 2 or second.n < 2:
        return None
    if not (math.isfinite(first.mean) and math.isfinite(second.mean)):
        return first.mean != second.mean
    parts = first.error**2, second.error**2
    difference = abs(first.mean - second.mean)
    if sum(parts) == 0:
        return difference > 0
    from scipy.stats import t

    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    return bool(difference / math.sqrt(sum(parts)) > t.ppf(1 - level / 2, freedom))


def standing(summaries: dict[str, Summary], metric: str, ideal: float = math.nan) -> AgainstBest | None:
    """The best model and the others beside it.

    Args:
        summaries: Model -> its summary of the metric.
        metric: Metric as measured, with `@network` where it has features.
        ideal: What a perfect sampler reaches; a mean beyond it counts as one that falls short by as much. Estimates and
            intervals stay those that were measured.

    Returns:
        The comparison; None where no model has a value or neither direction of the metric is better.
    """
    direction = metric_label(metric).direction
    if direction not in ("higher", "lower"):
        return None
    samples = [summary.samples for summary in summaries.values() if summary.n]
    fewest = min((summary for summary in samples if summary), default=None) if all(samples) else None
    values = {model: mirrored(summary.values, ideal, direction) for model, summary in summaries.items()}
    found = against_best(values, direction, scale_of(metric), fewest, counted(metric))
    if found is None:
        return None
    shown = {
        model: replace(one, estimate=summaries[model].mean, interval=_mirror(one.interval, ideal))
        for model, one in found.models.items()
        if values[model] != summaries[model].values
    }
    return replace(found, models=found.models | shown)


def _mirror(interval: Interval, ideal: float) -> Interval:
    """The interval on the other side of the ideal."""
    return Interval(2 * ideal - interval.high, 2 * ideal - interval.low) if interval.known else interval


def of_samples(summary: Summary, metric: str) -> Interval:
    """Binomial interval at 95 % of a single seed's share of its samples.

    Args:
        summary: Summary of the metric.
        metric: Metric as measured, with `@network` where it has features.

    Returns:
        Wilson's interval; unknown of any other metric or number of seeds.
    """
    if summary.n != 1 or not summary.samples or not counted(metric) or not 0 <= summary.values[0] <= 1:
        return UNKNOWN
    return intervals.wilson(summary.values[0], summary.samples)
