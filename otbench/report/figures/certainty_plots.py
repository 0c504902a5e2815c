"""Figures of how sure the comparison is: critical differences, shares of the variance, bias in the number n."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

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

LINE, BAR = 0.155, 0.075  # inches a label, and a bar, of a critical-difference diagram
COLOURS = {"seed": plotting.BLUE, "draw": plotting.ORANGE, "subset": plotting.GREEN, "residual": plotting.LIGHT}
HATCHES = {"seed": "", "draw": "////", "subset": "....", "residual": ""}
FOLD = 20
"""Ratio of the largest to the least distance above which the axis of distances is logarithmic."""


def critical_difference(comparison: Comparison, one: Ranking) -> Figure:
    """Demsar's diagram (2006, figure 1): average ranks on an axis, the best at the left; bars join what is alike."""
    import matplotlib.pyplot as plt

    order = np.argsort(one.ranks.average, kind="stable")
    ranks, k, bars = one.ranks.average[order], len(order), one.ranks.bars
    left = (k + 1) // 2
    depth = 0.12 + BAR * len(bars)  # inches below the axis at which the first label stands
    height = 0.72 + depth + LINE * left + 0.12
    figure, axes = plt.subplots(figsize=(plotting.WIDTH, height))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1)
    axes.set_axis_off()
    axes.set_xlim(0, plotting.WIDTH)
    axes.set_ylim(-(height - 0.72), 0.72)
    inner = (1.75, plotting.WIDTH - 1.75)  # inches: where rank 1 and rank k stand; labels fill the margins

    def at(rank: float) -> float:
        return inner[0] + (rank - 1) / max(k - 1, 1) * (inner[1] - inner[0])

    _axis(axes, at, k, one.ranks.critical)
    for position, (first, last) in enumerate(bars):
        y = -0.07 - BAR * position
        axes.plot([at(ranks[first]) - 0.03, at(ranks[last]) + 0.03], [y, y], color=plotting.BLACK, lw=2.4)
    for position, (model, rank) in enumerate(zip(order, ranks, strict=True)):
        on_left = position < left
        y = -depth - LINE * (position if on_left else k - 1 - position)
        end, align = (inner[0] - 0.12, "right") if on_left else (inner[1] + 0.12, "left")
        axes.plot([at(rank), at(rank), end], [0, y, y], color=plotting.GREY, lw=0.6, zorder=0)
        name = comparison.title(one.models[model])
        text = f"{name}  {rank:.2f}" if on_left else f"{rank:.2f}  {name}"
        axes.text(end + (-0.04 if on_left else 0.04), y, text, ha=align, va="center", fontsize=7)
    return figure


def _axis(axes: Axes, at: Callable[[float], float], k: int, critical: float) -> None:
    """The axis of ranks with its label, and the critical difference as a ruler above it."""
    axes.plot([at(1), at(k)], [0, 0], color=plotting.BLACK, lw=0.9)
    step = next(step for step in (1, 2, 5, 10, 20, 50) if (k - 1) / step <= 12)
    for rank in sorted({1, *range(step, k + 1, step), k} - ({k - 1} if step > 1 else set())):
        axes.plot([at(rank), at(rank)], [0, 0.06], color=plotting.BLACK, lw=0.8)
        axes.text(at(rank), 0.08, str(rank), ha="center", va="bottom", fontsize=7)
    axes.text(at(1) - 0.15, 0.08, "average rank", ha="right", va="bottom", fontsize=7)
    if critical <= k - 1:
        axes.plot([at(1), at(1 + critical)], [0.36, 0.36], color=plotting.RED, lw=1.2, marker="|", ms=6)
        said = f"critical difference {critical:.2f}"
    else:
        said = f"critical difference {critical:.2f}: longer than the axis, so no two models can differ significantly"
    axes.text(at(1), 0.44, said, ha="left", va="bottom", fontsize=7, color=plotting.RED)


def variance(comparison: Comparison, splits: dict[tuple[str, str], Spread], metrics: list[str]) -> Figure:
    """Stacked bars of the shares of the variance, a panel a metric, a bar a model."""
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
        shares = np.array([100 * one.split.shares[part] if one else math.nan for one in found])
        shares = np.nan_to_num(shares)
        style_of = {"color": COLOURS[part], "hatch": HATCHES[part], "edgecolor": "white"}
        axes.barh(range(len(found)), shares, 0.72, left=start, linewidth=0, **style_of)
        start += shares
    for row, (one, total) in enumerate(zip(found, start, strict=True)):
        if not total:
            axes.text(2, row, "nothing varies" if one else "not measured", va="center", fontsize=6, color=plotting.GREY)
    axes.set_xlim(0, 100)
    axes.grid(False)


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 26))


def bias(comparison: Comparison, metric: str, models: dict[str, Bias]) -> Figure:
    """The distance against 1 / n with the fitted lines to infinitely many samples, on the left edge."""
    import matplotlib.pyplot as plt

    sizes = sorted({n for one in models.values() for n in one.values})
    rows = math.ceil(len(models) / 4)
    figure, axes = plt.subplots(figsize=(plotting.WIDTH, 3.1 + 0.14 * rows), layout="constrained")
    line = np.linspace(0, 1 / sizes[0], 60)
    for model, one in models.items():
        look, limit = marks.mark(model), one.limit
        axes.plot(line, limit.limit + limit.slope * line, color=look.colour, ls=look.dash, lw=0.9)
        n = sorted(one.values)
        mean, error = np.array([one.at(size) for size in n]).T
        axes.errorbar(
            1 / np.array(n), mean, np.nan_to_num(error), color=look.colour, marker=look.shape, ls="none", ms=4,
            elinewidth=0.8, label=comparison.title(model),
        )  # fmt: skip
        bar = 0.0 if math.isnan(limit.error) else limit.error
        axes.errorbar(
            [0], [limit.limit], [bar], color=look.colour, marker=look.shape, mfc="white", ls="none", ms=4.5,
            elinewidth=0.8, clip_on=False,
        )  # fmt: skip
    low = [value for one in models.values() for value in (one.limit.limit, *(one.at(n)[0] for n in one.values))]
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
