"""Quality of continuous-time models against the number of evaluations of their networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures.marks import mark
from otbench.report.figures.plots import log_axis
from otbench.report.labels import metric_label
from otbench.utils import plotting

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def evaluation_curves(table: pandas.DataFrame, titles: dict[str, str]) -> Figure:
    """A panel a metric: means over seeds against evaluations; bands are from the least to the greatest seed.

    The midpoint rule has hollow markers.

    Args:
        table: Rows of one data set of the table `studies.evaluations.EVALUATIONS`.
        titles: Titles of the models.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    metrics = list(dict.fromkeys(table["metric"]))
    size = (plotting.WIDTH, 2.7)
    figure, panels = plt.subplots(1, len(metrics), figsize=size, squeeze=False, layout="constrained")
    for axes, metric in zip(panels[0], metrics, strict=True):
        part = table[table["metric"] == metric]
        for (model, solver), rows in part.groupby(["model", "solver"], sort=False):
            _curve(axes, str(model), str(solver), rows, titles)
        counts = sorted(set(part["evaluations"]))
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        if metric.partition("@")[0] in ("reverse_kl", "w2", "fid") and (part["value"] > 0).all():
            log_axis(axes)
        axes.set_xlabel("Evaluations")
        axes.set_title(metric_label(metric).label)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _curve(axes: Axes, model: str, solver: str, rows: pandas.DataFrame, titles: dict[str, str]) -> None:
    one, values = mark(model), rows.groupby("evaluations")["value"]
    counts, mean = np.array(sorted(values.groups)), values.mean().sort_index().to_numpy()
    low, high = (part.sort_index().to_numpy() for part in (values.min(), values.max()))
    face = "white" if solver == "midpoint" else one.colour
    label = titles.get(model, model) + (", midpoint" if solver == "midpoint" else "")
    axes.plot(counts, mean, one.dash, marker=one.shape, color=one.colour, markerfacecolor=face, label=label)
    axes.fill_between(counts, low, high, color=one.colour, alpha=0.12, linewidth=0)
