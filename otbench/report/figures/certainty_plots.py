"""Figures of how sure the comparison is: critical differences, shares of the variance, bias in the number n."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures import marks, plots
from otbench.report.tables.rankings import Ranking
from otbench.report.tables.variance import LABELS, Bias, Spread
from otbench.statistics.nested import PARTS
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 0.155  # inches a label, and a bar, of a critical-difference diagram
HEAD = 4.2  # lines above its axis: ticks, and the critical difference
MARGIN = 1.75  # inches at least on either side of its axis, for the labels
COLOURS = {"seed": plotting.BLUE, "draw": plotting.ORANGE, "subset": plotting.GREEN, "residual": plotting.LIGHT}
HATCHES = {"seed": "", "draw": "////", "subset": "....", "residual": ""}
FOLD = 20
"""Ratio of the largest to the least distance above which the axis of distances is logarithmic."""


def critical_difference(comparison: Comparison, one: Ranking) -> Figure:
    """Critical-difference diagram: average ranks on an axis, the best at the left; bars join models that do not differ.

    Args:
        comparison: Study of a run, which titles the models.
        one: Average ranks of one question.

    Returns:
        The figure.

    Source: Demsar (2006), Figure 1.
    """
    import matplotlib.pyplot as plt
    from pandas import DataFrame, Series
    from scikit_posthocs import critical_difference_diagram

    average, critical, k = one.ranks.average, one.ranks.critical, len(one.models)
    titles = [comparison.title(model) for model in one.models]
    # the library joins models whose p-value is above its level: here all or nothing, by the critical difference
    figure, axes = plt.subplots()
    drawn = critical_difference_diagram(
        Series(average, titles),
        DataFrame(one.ranks.alike.astype(float), titles, titles),
        ax=axes,
        label_fmt_left="{label}  {rank:.2f} ",
        label_fmt_right=" {rank:.2f}  {label}",
        label_props={"fontsize": 7},
        marker_props={"s": 5, "color": plotting.BLACK},
        elbow_props={"color": plotting.GREY, "linewidth": 0.6, "clip_on": False},
        crossbar_props={"color": plotting.BLACK, "linewidth": 2.4, "solid_capstyle": "butt"},
        text_h_margin=0.02 * (k - 1),
    )
    for label in drawn["labels"]:  # the library gives them their lines' colour
        label.set_color(plotting.BLACK)
    _rank_axis(axes, k)
    _ruler(axes, average.min(), critical, k)
    depth = 0.8 - min(label.get_position()[1] for label in drawn["labels"])
    height = LINE * (HEAD + depth)
    axes.set_ylim(-depth, 0)
    figure.set_size_inches(plotting.WIDTH, height)
    margin = max(MARGIN, 0.062 * (max(map(len, titles)) + 8)) / plotting.WIDTH  # a letter of 7 points, inches
    figure.subplots_adjust(margin, 0, 1 - margin, 1 - LINE * HEAD / height)
    return figure


def _rank_axis(axes: Axes, k: int) -> None:
    """The axis from rank 1 to rank k, with at most a dozen ticks."""
    step = next(step for step in (1, 2, 5, 10, 20, 50) if (k - 1) / step <= 12)
    axes.set_xlim(1, k)
    axes.set_xticks(sorted({1, *range(step, k + 1, step), k} - ({k - 1} if step > 1 else set())))
    axes.tick_params(axis="x", labelsize=7, pad=1)
    axes.grid(False)
    axes.annotate(
        "average rank", (1, 0), (-8, 5), textcoords="offset points", ha="right", fontsize=7, annotation_clip=False
    )


def _ruler(axes: Axes, best: float, critical: float, k: int) -> None:
    """The critical difference above the axis, from the best rank on; in words where it is longer than the axis."""
    y, text = 2.0, f"critical difference {critical:.2f}"
    if critical <= k - 1:
        axes.plot([best, best + critical], [y, y], color=plotting.RED, lw=1.2, marker="|", ms=5, clip_on=False)
    else:
        text += ": longer than the axis, so no two models can differ significantly"
    axes.text(best, y + 0.5, text, va="bottom", fontsize=7, color=plotting.RED)


def variance(comparison: Comparison, splits: dict[tuple[str, str], Spread], metrics: list[str]) -> Figure:
    """Stacked bars of the shares of the variance, a panel a metric, a bar a model.

    Args:
        comparison: Study of a run, which titles models and metrics.
        splits: (model, metric) -> split of the variance.
        metrics: Metrics of the panels.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    models = list(dict.fromkeys(model for model, metric in splits if metric in metrics))
    columns = min(4, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(plotting.WIDTH, 0.55 + lines * (0.55 + 0.2 * len(models))),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, metric in zip(grid.flat, metrics, strict=False):
        _shares(axes, [splits.get((model, metric)) for model in models])
        axes.set_title(_wrapped(comparison.full(metric)))
        axes.set_xlabel("share of the variance, %")
    for axes in grid.flat[len(metrics) :]:
        axes.set_axis_off()
    grid[0, 0].set_yticks(range(len(models)), [comparison.title(model) for model in models])
    grid[0, 0].set_ylim(len(models) - 0.4, -0.6)
    handles = [
        Patch(facecolor=COLOURS[part], hatch=HATCHES[part], edgecolor="white", lw=0, label=LABELS[part])
        for part in PARTS
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _shares(axes: Axes, found: list[Spread | None]) -> None:
    start = np.zeros(len(found))
    for part in PARTS:
        shares = np.array([100 * spread.split.shares[part] if spread else math.nan for spread in found])
        shares = np.nan_to_num(shares)
        style_of: dict[str, Any] = {"color": COLOURS[part], "hatch": HATCHES[part], "edgecolor": "white"}
        axes.barh(range(len(found)), shares, 0.72, left=start, linewidth=0, **style_of)
        start += shares
    for row, (spread, total) in enumerate(zip(found, start, strict=True)):
        if not total:
            axes.text(
                2, row, "nothing varies" if spread else "not measured", va="center", fontsize=6, color=plotting.GREY
            )
    axes.set_xlim(0, 100)
    axes.grid(False)


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 26))


def bias(comparison: Comparison, metric: str, models: dict[str, Bias]) -> Figure:
    """The distance against 1 / n with the fitted lines to infinitely many samples, on the left edge.

    Args:
        comparison: Study of a run, which titles the models.
        metric: Distance that is drawn.
        models: Model -> its distance at several n, with the fitted limit.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    sizes = sorted({n for series in models.values() for n in series.values})
    rows = math.ceil(len(models) / 4)
    figure, axes = plt.subplots(figsize=(plotting.WIDTH, 3.1 + 0.14 * rows), layout="constrained")
    line = np.linspace(0, 1 / sizes[0], 60)
    for model, series in models.items():
        look, limit = marks.mark(model), series.limit
        axes.plot(line, limit.limit + limit.slope * line, color=look.colour, ls=look.dash, lw=0.9)
        n = sorted(series.values)
        mean, error = np.array([series.at(size) for size in n]).T
        axes.errorbar(
            1 / np.array(n), mean, np.nan_to_num(error), color=look.colour, marker=look.shape, ls="none", ms=4,
            elinewidth=0.8, label=comparison.title(model),
        )  # fmt: skip
        bar = 0.0 if math.isnan(limit.error) else limit.error
        axes.errorbar(
            [0], [limit.limit], [bar], color=look.colour, marker=look.shape, mfc="white", ls="none", ms=4.5,
            elinewidth=0.8, clip_on=False,
        )  # fmt: skip
    low = [
        value for series in models.values() for value in (series.limit.limit, *(series.at(n)[0] for n in series.values))
    ]
    logarithmic = min(low) > 0 and max(low) > FOLD * min(low)
    if logarithmic:
        axes.set_yscale("log")
        plots.plain(axes.yaxis, *axes.get_ylim(), wide=1000)
    axes.set_xlim(0, 1.04 / sizes[0])
    axes.set_xticks([0, *(1 / n for n in sizes)], ["∞", *(f"{n:,}" for n in sizes)])
    axes.set_xlabel("number of generated samples n (the axis is linear in 1 / n); hollow: extrapolated")
    axes.set_ylabel(comparison.short(metric) + (",\nlogarithmic axis" if logarithmic else ""))
    figure.legend(loc="outside lower center", ncols=4)
    return figure
