"""Tables of what moves a figure: training seed, draw of samples, subset of the metric; and the number of samples."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.report.results import featured
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table
from otbench.statistics.extrapolation import Limit, extrapolate
from otbench.statistics.nested import PARTS, Split, split

LABELS = {
    "seed": "training seed",
    "draw": "draw of samples",
    "subset": "subset of the metric",
    "residual": "residual",
}


@dataclass(frozen=True)
class Spread:
    """The split of one model's metric, and how many seeds, draws and subsets it is of."""

    split: Split
    shape: tuple[int, int, int]
    incomplete: int


@dataclass(frozen=True)
class Bias:
    """One model's distance at several numbers of samples: n -> values of the seeds, and the fitted limit."""

    values: dict[int, np.ndarray]
    limit: Limit

    def at(self, n: int) -> tuple[float, float]:
        """The distance over seeds at one number of samples.

        Args:
            n: Number of samples, a key of `values`.

        Returns:
            Mean and standard error; the latter is NaN below two seeds.
        """
        values = self.values[n]
        error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        return float(values.mean()), float(error)


def splits(comparison: Comparison, dataset: str) -> dict[tuple[str, str], Spread]:
    """The split of the variance of every model's metrics.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        (model, metric) -> its split, in the order of the tables; empty where nothing was drawn again.
    """
    key = ("splits", dataset)
    if key not in comparison.run.memo:
        comparison.run.memo[key] = _splits(comparison, dataset)
    return comparison.run.memo[key]


def _splits(comparison: Comparison, dataset: str) -> dict[tuple[str, str], Spread]:
    frame, study = _keyed(comparison.run.spread, dataset), comparison.study
    spreads: dict[tuple[str, str], Spread] = {}
    if frame.empty:
        return spreads
    groups = dict(list(frame.groupby(["model", "metric"], sort=False)))
    keys = [comparison.run.key(dataset, metric, table.features) for table in study.tables for metric in table.metrics]
    measured = set(frame["metric"])
    metrics = [key for key in dict.fromkeys(keys) if key in measured]
    for metric in metrics:
        for place in comparison.rows(dataset):
            spread = _spread(groups[place.model, metric]) if (place.model, metric) in groups else None
            if spread is not None:
                spreads[place.model, metric] = spread
    return spreads


def _keyed(frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The rows of a data set with the metric named as in the table of the run: `metric@network`."""
    rows = frame[frame["dataset"] == dataset].copy()
    rows["metric"] = featured(rows)
    return rows


def _spread(rows: pd.DataFrame) -> Spread | None:
    """The split over the seeds that have every draw and subset with a finite value; None below two values."""
    table = rows.pivot_table(index="seed", columns=["draw", "subset"], values="value", aggfunc="first", dropna=False)
    draws, subsets = (table.columns.get_level_values(level).nunique() for level in (0, 1))
    complete = table[np.isfinite(table.to_numpy(dtype=float)).all(axis=1)]
    if table.shape[1] != draws * subsets or complete.size < 2:
        return None
    values = complete.to_numpy(dtype=float).reshape(len(complete), draws, subsets)
    return Spread(split(values), values.shape, len(table) - len(complete))


def variance_table(comparison: Comparison, dataset: str) -> Table | None:
    """Mean, standard deviation of one value, and the share of each part in its variance.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The table, a row a model and metric; None where nothing was drawn again.
    """
    spreads = splits(comparison, dataset)
    if not spreads:
        return None
    columns = [Column("metric", "Metric", align="l"), Column("mean", "Mean"), Column("sd", "sd of one value")]
    columns += [Column(part, label, "Share of the variance, %") for part, label in LABELS.items()]
    rows = [_variance_row(comparison, model, metric, spread) for (model, metric), spread in spreads.items()]
    notes = []
    if any(spread.split.negative for spread in spreads.values()):
        notes.append("0 *: the estimate is below zero, so the part is too small to be seen; it is set to 0.")
    merged = {(part, by) for spread in spreads.values() for part, by in spread.split.within.items()}
    notes += [
        f"There was too little to tell {LABELS[part]} from {LABELS[by]}: it is part of that." for part, by in merged
    ]
    broken = sum(spread.incomplete for spread in spreads.values())
    if broken:
        notes.append(f"{broken} times a seed lacked a value of one draw or subset, and is left out there.")
    title = f"{comparison.run.title('datasets', dataset)}: where the variance is"
    caption = variance_caption(comparison, dataset)
    return Table(f"{dataset}_variance", title, caption, tuple(columns), tuple(rows), tuple(sorted(notes)))


def _variance_row(comparison: Comparison, model: str, metric: str, spread: Spread) -> Row:
    number, decomposition = metric_label(metric).number, spread.split
    sd = math.sqrt(decomposition.total)
    cells = [Cell(comparison.full(metric), {"": metric}), Cell(number(decomposition.mean), {"": decomposition.mean})]
    cells.append(Cell(number(sd), {"": sd}))
    for part in PARTS:
        share = decomposition.shares[part]
        raw = {"": share, "_variance": decomposition.components[part]}
        text = "0 *" if part in decomposition.negative else f"{100 * share:.0f}"
        cells.append(ABSENT if math.isnan(share) else Cell(text, raw))
    return Row(model, comparison.title(model), metric, tuple(cells))


def variance_caption(comparison: Comparison, dataset: str) -> str:
    """The numbers of seeds, draws and subsets behind the split, in words.

    Args:
        comparison: Study of a run with a split on the data set.
        dataset: Name of the data set.

    Returns:
        Text of a caption.
    """
    shapes = sorted({spread.shape for spread in splits(comparison, dataset).values()})
    seeds, draws, subsets = (_range([shape[at] for shape in shapes]) for at in range(3))
    sizes = sorted(set(comparison.run.spread.loc[comparison.run.spread["dataset"] == dataset, "n"]))
    n = " or ".join(f"{int(size):,}" for size in sizes)
    return (
        f"{seeds} training seeds, {draws} independent draws of n = {n} from each one's final weights, and {subsets} "
        "subsets: choices of real samples, clusterings and the like by the metric, the same for all. Components of a "
        "random-effects analysis of variance; the residual is what seed or draw and subset do together. With few of "
        "them every share is rough. Error bars elsewhere are over seeds, and so hold seed and draw but not the subset. "
        f"{comparison.said(dataset, [], own=True)} "
    )


def _range(values: list[int]) -> str:
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def limits(comparison: Comparison, dataset: str) -> dict[str, dict[str, Bias]]:
    """The distance of every model at several numbers of samples.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        Metric -> model -> its distance, with the fitted limit; empty where none was measured.
    """
    key = ("limits", dataset)
    if key not in comparison.run.memo:
        comparison.run.memo[key] = _limits(comparison, dataset)
    return comparison.run.memo[key]


def _limits(comparison: Comparison, dataset: str) -> dict[str, dict[str, Bias]]:
    frame = _keyed(comparison.run.bias, dataset)
    frame = frame[np.isfinite(frame["value"].astype(float))]
    fits: dict[str, dict[str, Bias]] = {}
    groups = dict(list(frame.groupby(["metric", "model"], sort=False)))
    for metric in dict.fromkeys(frame["metric"]):
        for place in comparison.rows(dataset):
            rows = groups.get((metric, place.model))
            if rows is None:
                continue
            # A seed's subsets of one size are pieces of one set of samples: their mean is one value.
            each = rows.groupby(["n", "seed"])["value"].mean().reset_index()
            limit = extrapolate(each["n"].to_numpy(), each["value"].to_numpy(), each["seed"].to_numpy())
            if limit is not None:
                values = {int(n): group["value"].to_numpy(dtype=float) for n, group in each.groupby("n")}
                fits.setdefault(metric, {})[place.model] = Bias(values, limit)
    return fits


def bias_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The distance at every n and extrapolated to infinitely many samples, a row a model.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        A table for each distance, which differ by their features.
    """
    tables = []
    for metric, models in limits(comparison, dataset).items():
        sizes = sorted({n for series in models.values() for n in series.values})
        columns = [Column(f"n_{n}", f"n = {n:,}", metric_label(metric).label) for n in sizes]
        columns += [Column("limit", "n → ∞", metric_label(metric).label), Column("slope", "Bias at the largest n, %")]
        rows = []
        for model, series in models.items():
            cells = [_value(metric, *series.at(n)) if n in series.values else ABSENT for n in sizes]
            cells.append(_value(metric, series.limit.limit, series.limit.error))
            cells.append(_share(series))
            rows.append(Row(model, comparison.title(model), "", tuple(cells)))
        title = f"{comparison.run.title('datasets', dataset)}: {metric_label(metric).label} and the number of samples"
        name = f"{dataset}_bias_{metric.partition('@')[2] or metric}"
        tables.append(Table(name, title, bias_caption(comparison, dataset), tuple(columns), tuple(rows)))
    return tables


def _value(metric: str, mean: float, error: float) -> Cell:
    return Cell(metric_label(metric).number(mean, error), {"": mean, "_error": error})


def _share(one: Bias) -> Cell:
    """The share of the distance at the largest n that is bias by the fitted line, in per cent; absent below zero."""
    largest = max(one.values)
    seen = one.at(largest)[0]
    share = one.limit.slope / largest / seen if seen > 0 else math.nan
    return ABSENT if math.isnan(share) else Cell(f"{100 * share:.0f}", {"": share, "_slope": one.limit.slope})


def bias_caption(comparison: Comparison, dataset: str) -> str:
    """How the distance was measured at several n and extrapolated.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        Text of a caption.
    """
    rows = comparison.run.bias[comparison.run.bias["dataset"] == dataset]
    protocols = [re.sub(r"[;,]?\bn_generated=\d+", "", str(protocol)) for protocol in rows["protocol"]]
    seeds = rows.groupby("model")["seed"].nunique()
    return (
        "The distance of n generated samples to the same real ones, a straight line in 1 / n fitted to every seed "
        "(Chong and Forsyth 2020); the limit is the mean over seeds ± its standard error. It removes the bias of the "
        "generated side alone: the number of real samples stays as it is. The rule holds where n is large beside the "
        f"number of features, so read an extrapolation from smaller n with care. {_range(list(seeds))} seeds. "
        f"Protocol: {' and '.join(dict.fromkeys(protocols))}. {comparison.said(dataset, [], own=True)} "
    )
