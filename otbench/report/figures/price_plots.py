"""Quality against seconds of training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.plots import LOGARITHMIC, legend_columns, log_axis, plain
from otbench.report.floors import floor
from otbench.report.labels import metric_label
from otbench.report.summary import summarise
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        legend: dict[str, Any] = {}
        for axes in group:
            handles = zip(*axes.get_legend_handles_labels()[::-1], strict=True)
            legend |= dict(sorted(handles, key=lambda item: item[0].islower()))
        if len(families) == 1:
            columns = legend_columns(list(legend), 5)
            figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=columns, handletextpad=0.3)
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
        log_axis(axes)


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
