"""The figures of a report: what is drawn for which data set, with its caption, and how it is saved."""

from __future__ import annotations

from collections.abc import Iterator

from otbench.report.comparison import Comparison
from otbench.report.figures import dot_plots, plots, point_plots, price_plots
from otbench.report.figures.base import FigureSpec, protocol_of
from otbench.report.labels import points_in
from otbench.report.summary import summarise
from otbench.runs.formats import REAL


def figure_specs(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    """Every figure that the data set has numbers or points for.

    Args:
        comparison: Study of points of a run.
        dataset: Name of the data set.

    Yields:
        The figures, in the order of the page.
    """
    run, about = comparison.run, comparison.run.info["datasets"].get(dataset, {})
    note = _said(comparison, dataset)
    real = run.scatter.get(f"{dataset}/{REAL}")
    if real is not None and len(real) and real.shape[1] == 2:
        caption = (
            "Generated points over held-out real ones, the first seed that is ok, at the end of training; all panels "
            "have the same limits, and points outside them are counted. Under each panel: means over the seeds. "
        )
        yield FigureSpec(
            f"{dataset}_scatter", "Samples", caption + note, "png", lambda: point_plots.scatter(comparison, dataset)
        )
    headline = [metric for metric in comparison.study.headline if (dataset, metric) in run.protocols]
    if headline:
        caption = "Bars are standard errors over seeds (published: as the papers give them). "
        if comparison.published_for(dataset):
            caption += "Hollow: figure or protocol uncertain. "
        caption += f"Dotted: what a perfect sampler is expected to reach. {protocol_of(comparison, dataset, headline)}"
        title = "Published, reference and this run" if comparison.published_for(dataset) else "All models"
        yield FigureSpec(
            f"{dataset}_compare", title, caption + note, "svg", lambda: dot_plots.dots(comparison, dataset, headline)
        )
    curved = [metric for metric in ("modes", "reverse_kl") if metric in headline]
    if curved and plots.curve_groups(comparison, dataset):
        caption = "Mean over seeds along training; bands are standard errors. "
        caption += protocol_of(comparison, dataset, curved)
        yield FigureSpec(
            f"{dataset}_curves",
            "Training curves",
            caption + note,
            "svg",
            lambda: plots.curves(comparison, dataset, curved),
        )
    if real is not None and len(real) and about.get("centres"):
        caption = (
            "Share of the points nearest to each mode, for the first seed that is ok at the end of training; a perfect "
            "sampler follows the orange line. "
        )
        yield FigureSpec(
            f"{dataset}_histograms",
            "Balance over modes",
            caption + note,
            "svg",
            lambda: point_plots.histograms(comparison, dataset),
        )
    priced = [metric for metric in ("reverse_kl", "w2") if (dataset, metric) in run.protocols] or headline[:1]
    if priced and _has_cost(comparison, dataset):
        caption = "Quality against seconds of training; bars are standard errors over seeds; controls left out. "
        caption += protocol_of(comparison, dataset, priced)
        yield FigureSpec(
            f"{dataset}_cost",
            "Quality against cost",
            caption + note,
            "svg",
            lambda: price_plots.cost(comparison, dataset, priced),
        )


def _said(comparison: Comparison, dataset: str) -> str:
    metrics = [metric for where, metric in comparison.run.protocols if where == dataset]
    return comparison.said(
        dataset, [metric for metric in metrics if points_in(comparison.run.protocol(dataset, metric))]
    )


def _has_cost(comparison: Comparison, dataset: str) -> bool:
    spent = [summarise(comparison.run, dataset, model, "seconds") for model in comparison.generative(dataset)]
    return any(cost.n and cost.mean > 0 for cost in spent)
