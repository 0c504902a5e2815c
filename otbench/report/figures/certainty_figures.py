"""Figures of how certain the comparison is."""

from __future__ import annotations

from collections.abc import Iterator

from otbench.report.comparison import Comparison
from otbench.report.figures import certainty_plots
from otbench.report.figures.base import FigureSpec
from otbench.report.labels import metric_label
from otbench.report.tables import variance
from otbench.report.tables.rankings import rankings


def statistics_figures(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    """The figures of one data set: where the variance is, and the Frechet distance against the number of samples.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Yields:
        The figure of the variance where samples were drawn again, and one for each distance measured at several n.
    """
    splits = variance.splits(comparison, dataset)
    asked = [comparison.main_key(dataset, name) for name in comparison.study.questions]
    metrics = [metric for metric in asked if any(metric == key for _, key in splits)]
    if metrics:
        yield FigureSpec(
            f"{dataset}_variance",
            "Where the variance is",
            variance.variance_caption(comparison, dataset),
            "svg",
            lambda: certainty_plots.variance(comparison, splits, metrics),
        )
    for metric, limits in variance.limits(comparison, dataset).items():
        caption = variance.bias_caption(comparison, dataset)
        caption += "Points: means over seeds, bars: their standard errors. Lines: fits, followed to infinitely many. "
        yield FigureSpec(
            f"{dataset}_bias_{metric.partition('@')[2] or metric}",
            f"{metric_label(metric).label} against the number of samples",
            caption,
            "svg",
            lambda limits=limits, metric=metric: certainty_plots.bias(comparison, metric, limits),
        )


def study_figures(comparison: Comparison) -> Iterator[FigureSpec]:
    """The figures over all data sets of a study: a critical-difference diagram for every question.

    Args:
        comparison: Study of a run.

    Yields:
        A figure for each ranking; none where there are too few data sets.
    """
    for ranking in rankings(comparison):
        yield FigureSpec(
            f"{comparison.study.name}_ranks_{ranking.name}",
            f"Average ranks: {ranking.label}",
            ranking.caption,
            "svg",
            lambda ranking=ranking: certainty_plots.critical_difference(comparison, ranking),
        )
