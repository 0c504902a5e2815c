"""The plots: each function draws one figure from a comparison and returns it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.floors import floor
from otbench.report.labels import metric_label
from otbench.report.results import RunResults
from otbench.report.summary import counts_of, curve, summarise
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

CURVE_GROUPS = (
    ("GAN and packing", ("gan", "pacgan2", "pacgan3", "pacgan4")),
    ("Other GANs", ("ali", "md-gan", "unrolled-gan", "veegan")),
    ("Wasserstein and others", ("wgan", "wgan-gp")),
)

LOGARITHMIC = ("reverse_kl", "fid")
"""Metrics that span orders of magnitude between a good model and a control."""


def curves(comparison: Comparison, dataset: str, metrics: list[str]) -> Figure:
    """Metrics (rows) against training steps for groups of models (columns); bands are standard errors over seeds.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        metrics: Metrics of the rows.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    groups = curve_groups(comparison, dataset)
    figure, grid = plt.subplots(
        len(metrics) + 1,
        len(groups),
        figsize=(plotting.WIDTH, 1.0 + 1.7 * len(metrics)),
        height_ratios=[1.0] * len(metrics) + [0.22],
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, metric in zip(grid, metrics, strict=False):
        for axes, (title, models) in zip(row, groups, strict=True):
            for model in models:
                _curve(axes, comparison, dataset, model, metric)
            axes.set_title(title if metric == metrics[0] else "")
        _levels(row, comparison, dataset, metric)
        _curve_axes(row, comparison, dataset, metric, bottom=metric == metrics[-1])
    for axes, column in zip(grid[-1], grid.T, strict=True):
        axes.set_axis_off()
        axes.legend(*column[0].get_legend_handles_labels(), loc="upper center", ncols=2, handlelength=2.4)
    handles = _levels_legend(comparison, dataset, metrics)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _curve_axes(row: list[Axes], comparison: Comparison, dataset: str, metric: str, bottom: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    models = [model for _, members in curve_groups(comparison, dataset) for model in members]
    steps = max(_steps(comparison.run, model) for model in models)
    snapshots = comparison.run.table["snapshot"]
    for axes in row:
        if comparison.run.last / snapshots[snapshots > 0].min() > 50:
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, steps * comparison.run.last * 1.03)
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axes.tick_params(labelbottom=bottom)
        if bottom:
            axes.set_xlabel("Discriminator updates" if steps > 1 else "Share of the budget")
    row[0].set_ylabel(heading(comparison, metric))
    if metric == "modes":
        row[0].set_ylim(0, 1.06 * (comparison.run.info["datasets"][dataset].get("modes") or row[0].get_ylim()[1]))
        row[0].yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    elif metric.startswith("reverse_kl"):
        _log_axis(row[0])


def curve_groups(comparison: Comparison, dataset: str) -> list[tuple[str, list[str]]]:
    """The columns of the training curves: models with a curve of two snapshots or more, transport left out.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        (title, models) of each column.
    """

    def snapshots(model: str) -> int:
        rows = comparison.run.rows(dataset, model)
        return rows.loc[rows["status"] == "ok", "snapshot"].nunique()

    models = [
        model
        for model in comparison.generative(dataset)
        if snapshots(model) > 1 and not transport(comparison.run, model)
    ]
    named = {model for _, members in CURVE_GROUPS for model in members}
    groups = [(title, [model for model in members if model in models]) for title, members in CURVE_GROUPS]
    groups[-1][1].extend(model for model in models if model not in named)
    return [(title, members) for title, members in groups if members]


def transport(run: RunResults, model: str) -> bool:
    """Whether the model is solved for, not trained in steps.

    Args:
        run: Run that describes its models.
        model: Name of the model.

    Returns:
        True for names that begin with `ae-ot`, and for the family `transport`.
    """
    return model.startswith("ae-ot") or run.info["models"].get(model, {}).get("family") == "transport"


def _steps(run: RunResults, model: str = "") -> float:
    """The model's own number of steps where the run gives it, else the budget's; 1 where neither is known."""
    steps = run.info["models"].get(model, {}).get("steps")
    return float(steps or run.info["budget"].get("steps") or 1)


def _curve(axes: Axes, comparison: Comparison, dataset: str, model: str, metric: str) -> None:
    points, mark = curve(comparison.run, dataset, model, metric), marks.mark(model)
    if not len(points):
        return
    scale, steps = metric_label(metric).factor, points["snapshot"] * _steps(comparison.run, model)
    low, high = points["mean"] - points["error"], points["mean"] + points["error"]
    if metric.startswith("reverse_kl"):  # a band below zero has no place on a log axis
        low = low.clip(lower=points["mean"] / 10)
    line = {"color": mark.colour, "marker": mark.marker, "linestyle": mark.dash, "markeredgewidth": 0}
    axes.plot(steps, points["mean"] * scale, label=comparison.title(model), **line)
    axes.fill_between(steps, low * scale, high * scale, color=mark.colour, alpha=0.16, linewidth=0)


def _levels(row: list[Axes], comparison: Comparison, dataset: str, metric: str) -> None:
    """Lines across the panels: AE-OT, which has no steps, and what a perfect sampler is expected to reach."""
    scale, ot = metric_label(metric).factor, summarise(comparison.run, dataset, "ae-ot", metric).mean
    ideal = floor(comparison.run, dataset, metric)
    for axes in row:
        if math.isfinite(ot):
            axes.axhline(ot * scale, color=plotting.GREEN, linestyle="--", linewidth=1.1)
        if math.isfinite(ideal):
            axes.axhline(ideal * scale, color=plotting.GREY, linestyle=":", linewidth=1.1)


def _levels_legend(comparison: Comparison, dataset: str, metrics: list[str]) -> list[object]:
    from matplotlib.lines import Line2D

    handles = []
    if any(summarise(comparison.run, dataset, "ae-ot", metric).n for metric in metrics):
        label = f"{comparison.title('ae-ot')}, solved, not trained in steps"
        handles.append(Line2D([], [], color=plotting.GREEN, linestyle="--", linewidth=1.1, label=label))
    if any(math.isfinite(floor(comparison.run, dataset, metric)) for metric in metrics):
        label = "perfect sampler, expected"
        handles.append(Line2D([], [], color=plotting.GREY, linestyle=":", linewidth=1.1, label=label))
    return handles


def _log_axis(axes: Axes) -> None:
    """Make y logarithmic with plain numbers."""
    axes.set_yscale("log")
    plain(axes.yaxis, *axes.get_ylim())


def plain(axis: Axis, low: float, high: float, wide: float = 30, narrow: float = 0) -> None:
    """Give a logarithmic axis ticks with plain numbers.

    Args:
        axis: Axis to set.
        low: Lower end of the axis.
        high: Upper end of the axis.
        wide: Ratio high / low above which the ticks are powers of ten alone.
        narrow: Ratio high / low below which the ticks lie close.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    subs = (
        (1.0,) if high > wide * low else (1.0, 2.0, 5.0) if high > narrow * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    )
    axis.set_major_locator(LogLocator(subs=subs, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1e4 else f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


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


def heading(comparison: Comparison, metric: str) -> str:
    """The metric's label, broken in two where it names a reference.

    Args:
        comparison: Study of a run, which has short names of metrics.
        metric: Name of the metric.

    Returns:
        Label of an axis or panel.
    """
    return comparison.study.short.get(metric, "").replace(", ", ",\n") or comparison.short(metric)


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


def _dot_legend(comparison: Comparison, published: bool, ideal: bool) -> list[object]:
    from matplotlib.lines import Line2D

    def handle(label: str, text: str, hollow: bool = False) -> Line2D:
        colour, marker = _DOTS[label]
        face = "white" if hollow else colour
        return Line2D([], [], color=colour, marker=marker, linestyle="", markerfacecolor=face, label=text)

    handles = [handle("published", "published"), handle("published", "published, uncertain", True)] if published else []
    handles += [handle(label, label) for label in comparison.runs]
    line = Line2D([], [], color=plotting.GREY, linestyle=":", linewidth=1, label="perfect sampler")
    return [*handles, line] if ideal else handles


def cost(comparison: Comparison, dataset: str, metrics: list[str]) -> Figure:
    """Quality against seconds of training, a panel a metric, a labelled point a model.

    Where there are many models, each family has a column of panels, with the others in grey.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        metrics: Metrics of quality.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    families, every = comparison.families(dataset), comparison.generative(dataset)
    if len(families) == 1:
        shape, size = (1, len(metrics)), (plotting.WIDTH, 2.9)
    else:
        shape, size = (len(metrics), len(families)), (plotting.WIDTH, 1.2 + 1.75 * len(metrics))
    shared = {} if len(families) == 1 else {"sharex": True, "sharey": "row"}
    figure, panels = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained", **shared)
    for at, metric in enumerate(metrics):
        for axes, (_, title, models) in zip(
            panels[at] if len(families) > 1 else [panels[0][at]], families, strict=True
        ):
            for model in every:
                _priced(axes, comparison, dataset, metric, model, quiet=model not in models)
            _price_axis(axes, comparison, dataset, metric)
            if at == 0:
                axes.set_title(title.replace("; ", ",\n").replace(" (", "\n("), fontsize=7 if title else None)
            if len(families) > 1:
                axes.label_outer()
    groups = [panels[0]] if len(families) == 1 else list(panels.T)
    for group in groups:
        legend: dict[str, object] = {}
        for axes in group:
            handles = zip(*axes.get_legend_handles_labels()[::-1], strict=True)
            legend |= dict(sorted(handles, key=lambda item: item[0].islower()))
        if len(families) == 1:
            figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=5, handletextpad=0.3)
        else:
            group[-1].legend(
                legend.values(),
                legend.keys(),
                loc="upper center",
                bbox_to_anchor=(0.5, -0.28),
                fontsize=6,
                handletextpad=0.3,
                labelspacing=0.3,
            )
    return figure


def _price_axis(axes: Axes, comparison: Comparison, dataset: str, metric: str) -> None:
    scale, ideal = metric_label(metric).factor, floor(comparison.run, dataset, metric)
    real = summarise(comparison.run, dataset, "real", metric).mean
    if math.isfinite(real):
        axes.axhline(real * scale, color=marks.REAL, linestyle="-", linewidth=1, label="held-out real")
    if math.isfinite(ideal):
        axes.axhline(ideal * scale, color=plotting.GREY, linestyle=":", linewidth=1, label="perfect sampler")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if axes.get_xlim()[1] < 30 * axes.get_xlim()[0]:
        plain(axes.xaxis, *axes.get_xlim(), narrow=4)
    axes.set_xlabel("Training, s")
    axes.set_ylabel(comparison.short(metric))
    if metric.startswith((*LOGARITHMIC, "w2")):
        _log_axis(axes)


def _priced(axes: Axes, comparison: Comparison, dataset: str, metric: str, model: str, quiet: bool) -> None:
    """A model's point with its errors; quiet: a small grey one without."""
    spent = summarise(comparison.run, dataset, model, "seconds")
    summary, mark, scale = (
        summarise(comparison.run, dataset, model, metric),
        marks.mark(model),
        metric_label(metric).factor,
    )
    if not (spent.n and spent.mean > 0 and summary.n and math.isfinite(summary.mean)):
        return
    if quiet:
        axes.plot(
            spent.mean, summary.mean * scale, "o", color=plotting.LIGHT, markersize=3, markeredgewidth=0, zorder=1
        )
        return
    errors = [value if math.isfinite(value) else 0.0 for value in (spent.error, summary.error * scale)]
    axes.errorbar(
        spent.mean,
        summary.mean * scale,
        xerr=errors[0],
        yerr=errors[1],
        fmt=mark.marker,
        color=mark.colour,
        markersize=8 if mark.marker in "*X" else 5.5,
        markeredgewidth=0.4,
        markeredgecolor="white",
        elinewidth=0.8,
        label=comparison.title(model),
    )


def absent(run: RunResults, dataset: str, model: str) -> str:
    """Why a model has no points to show.

    Args:
        run: Run that lacks the points.
        dataset: Name of the data set.
        model: Name of the model.

    Returns:
        The statuses of its seeds that are not ok, else `no points kept`.
    """
    counts = counts_of(run, dataset, model)
    names = [status for status in ("diverged", "failed", "missing") if counts.get(status)]
    return " and ".join(names) or "no points kept"
