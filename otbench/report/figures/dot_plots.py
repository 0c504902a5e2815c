"""Published figures, reference and this run as dots, a row a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.plots import LOGARITHMIC, heading
from otbench.report.floors import floor
from otbench.report.labels import metric_label
from otbench.report.summary import summarise
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def dots(comparison: Comparison, dataset: str, metrics: list[str]) -> Figure:
    """Published, reference and this run as dots with standard errors, a row a model, a panel a metric.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        metrics: Metrics of the panels.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    places = [place for place in comparison.rows(dataset) if _any_value(comparison, dataset, place.model, metrics)]
    figure, panels = plt.subplots(
        1,
        len(metrics),
        figsize=(plotting.WIDTH, 1.15 + 0.22 * len(places)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    beside = comparison.published_for(dataset)
    series = (["published"] if beside else []) + list(comparison.runs)
    offsets = dict(zip(series, np.linspace(-0.24, 0.24, len(series)) if len(series) > 1 else [0.0], strict=True))
    for axes, metric in zip(panels[0], metrics, strict=True):
        scale = metric_label(metric).factor
        for height, place in enumerate(places):
            record = beside.get((place.model, metric))
            if record is not None:
                error = float(record.error) * scale if record.error is not None else 0.0
                at = (float(record.value) * scale, height + offsets["published"], error)
                _dot(axes, at, "published", record.certain, metric)
            for label, run in comparison.runs.items():
                summary = summarise(run, dataset, place.model, metric)
                if summary.n and math.isfinite(summary.mean):
                    at = (summary.mean * scale, height + offsets[label], summary.error * scale)
                    _dot(axes, at, label, True, metric)
                elif summary.n:
                    axes.text(0.98, height, "∞", transform=axes.get_yaxis_transform(), ha="right", va="center")
        ideal = floor(comparison.run, dataset, metric)
        if math.isfinite(ideal):
            axes.axvline(ideal * scale, color=plotting.GREY, linestyle=":", linewidth=1)
        _metric_axis(axes, comparison, metric)
    for axes in panels[0]:
        for height in range(1, len(places)):
            block = places[height].block != places[height - 1].block
            axes.axhline(
                height - 0.5, color="#AAAAAA" if block else "#E9E9E9", linewidth=0.7 if block else 0.5, zorder=0
            )
        axes.tick_params(axis="y", length=0)
    panels[0][0].set_yticks(range(len(places)), [comparison.title(place.model) for place in places])
    panels[0][0].set_ylim(len(places) - 0.4, -0.6)
    quoted = any(metric in metrics for _, metric in beside)
    ideal = comparison.study.kind == "points" or any(
        math.isfinite(floor(comparison.run, dataset, metric)) for metric in metrics
    )
    figure.legend(
        handles=_dot_legend(comparison, quoted, ideal), loc="outside lower center", ncols=5, handletextpad=0.4
    )
    return figure


def _any_value(comparison: Comparison, dataset: str, model: str, metrics: list[str]) -> bool:
    beside = comparison.published_for(dataset)
    quoted = any((model, metric) in beside for metric in metrics)
    return quoted or any(
        summarise(run, dataset, model, metric).n for run in comparison.runs.values() for metric in metrics
    )


_DOTS = {"published": (marks.PUBLISHED, "s"), "reference": (marks.REFERENCE, "D"), "this run": (marks.RUN, "o")}


def _dot(axes: Axes, at: tuple[float, float, float], label: str, certain: bool, metric: str) -> None:
    colour, marker = _DOTS[label]
    value, height, error = at
    error = error if math.isfinite(error) else 0.0
    left = min(error, value * 0.9) if metric.startswith(LOGARITHMIC) else error
    axes.errorbar(
        value,
        height,
        xerr=[[max(left, 0.0)], [error]],
        fmt=marker,
        color=colour,
        markersize=3.8,
        markerfacecolor=colour if certain else "white",
        markeredgewidth=0.8,
        elinewidth=0.9,
    )


def _metric_axis(axes: Axes, comparison: Comparison, metric: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_title(heading(comparison, metric))
    axes.grid(axis="y", visible=False)
    if metric.startswith(LOGARITHMIC):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _dot_legend(comparison: Comparison, published: bool, ideal: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    def handle(label: str, text: str, hollow: bool = False) -> Line2D:
        colour, marker = _DOTS[label]
        face = "white" if hollow else colour
        return Line2D([], [], color=colour, marker=marker, linestyle="", markerfacecolor=face, label=text)

    handles = [handle("published", "published"), handle("published", "published, uncertain", True)] if published else []
    handles += [handle(label, label) for label in comparison.runs]
    line = Line2D([], [], color=plotting.GREY, linestyle=":", linewidth=1, label="perfect sampler")
    return [*handles, line] if ideal else handles
