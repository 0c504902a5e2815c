"""Curves against training steps, and what plots share: each function that draws returns one figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
    ("Continuous time", ("fm", "ot-cfm", "rectified-flow", "ddpm")),
    ("Wasserstein and others", ("wgan", "wgan-gp", "wgan-lp", "sinkhorn-gan", "w2-icnn", "not")),
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
        log_axis(row[0])


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


def legend_columns(labels: list[str], most: int = 6, size: float = 7, width: float = plotting.WIDTH) -> int:
    """Columns of a legend that the width of a figure holds.

    Args:
        labels: Labels of the legend.
        most: Largest number of columns.
        size: Size of the letters, points.
        width: Width that there is, inches.

    Returns:
        A number from 1 to `most`.
    """
    longest = max(map(len, labels), default=1)
    return max(1, min(most, int(72 * width / (0.62 * size * longest + 30))))


def log_axis(axes: Axes) -> None:
    """Make y logarithmic with plain numbers.

    Args:
        axes: Panel to set.
    """
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


def heading(comparison: Comparison, metric: str) -> str:
    """The metric's label, broken in two where it names a reference.

    Args:
        comparison: Study of a run, which has short names of metrics.
        metric: Name of the metric.

    Returns:
        Label of an axis or panel.
    """
    return comparison.study.short.get(metric, "").replace(", ", ",\n") or comparison.short(metric)


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
