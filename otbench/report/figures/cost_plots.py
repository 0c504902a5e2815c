"""The figures of costs: losses along training, and quality against memory and energy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.plots import legend_columns
from otbench.report.labels import UNITS, metric_label
from otbench.report.summary import summarise
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
"""Panels side by side in a figure of losses."""

FOLD = 30
"""Ratio of the largest to the typical size of a loss above which a panel is logarithmic."""

LOOKS = {
    "discriminator": (plotting.BLUE, "-"),
    "generator": (plotting.RED, "-"),
    "distance": (plotting.GREEN, "-"),
    "penalty": (plotting.ORANGE, "-"),
    "l2": (plotting.SKY, "-"),
    "l1": (plotting.SKY, "--"),
    "reconstruction": (plotting.GREEN, "--"),
    "divergence": (plotting.PURPLE, "-"),
    "adversarial": (plotting.RED, "--"),
    "adversary": (plotting.BLACK, "-"),
    "cost": (plotting.GREEN, ":"),
    "feature": (plotting.PURPLE, "--"),
    "k": (plotting.ORANGE, "--"),
    "measure": (plotting.BLACK, "--"),
    "regression": (plotting.ORANGE, ":"),
    "regularisation": (plotting.PURPLE, ":"),
    "ratio": (plotting.RED, ":"),
}
"""Loss -> colour and dash, so that those of one model never share a colour."""
_SPARE = [(colour, "-.") for colour in (plotting.BLACK, plotting.BLUE, plotting.RED, plotting.GREEN, plotting.PURPLE)]


def losses_figure(comparison: Comparison, losses: pd.DataFrame, models: list[str]) -> Figure:
    """Small multiples of the losses along training, a panel a model and stage.

    Args:
        comparison: Study of a run, which titles the models.
        losses: Logged losses, with columns model, stage, seed, loss, step, value.
        models: Models of the panels, each with rows in `losses`.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    panels = [(model, stage) for model in models for stage in _stages(losses, model)]
    across = min(COLUMNS, len(panels))
    down = -(-len(panels) // across)
    staged = len(panels) > len(models)
    size = (max(3.4, plotting.WIDTH * across / COLUMNS), 0.75 + (1.45 if staged else 1.32) * down)
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for at, (axes, (model, stage)) in enumerate(zip(grid.flat, panels, strict=False)):
        _panel(axes, losses[(losses["model"] == model) & (losses["stage"] == stage)])
        second = f"\n{stage}" if len(_stages(losses, model)) > 1 else ""
        axes.set_title(comparison.title(model) + second, fontsize=7)
        if at % across == 0:
            axes.set_ylabel("Loss", fontsize=7)
        if at + across >= len(panels):
            axes.set_xlabel("Step of the stage", fontsize=7)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    names = [name for name in dict.fromkeys([*LOOKS, *losses["loss"]]) if (losses["loss"] == name).any()]
    handles = [Line2D([], [], color=_look(name)[0], linestyle=_look(name)[1], label=name) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(2 * across - 2 if across > 2 else 2, 6))
    return figure


def quality_figure(comparison: Comparison, dataset: str, metric: str, measures: list[str]) -> Figure:
    """The metric against costs, a point a ranked model with standard errors as bars.

    Where there are many models, each family has a column of panels, with the others in grey.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        metric: Metric of quality.
        measures: Costs (keys of UNITS).

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt
    from matplotlib.transforms import ScaledTranslation

    families, every = comparison.families(dataset), comparison.generative(dataset)
    many = len(families) > 1
    shape = (len(measures), len(families)) if many else (1, len(measures))
    deepest = max(len(models) for _, _, models in families)
    height = 1.75 * len(measures) + 0.9 + 0.14 * deepest if many else 2.7 + 0.17 * -(-len(every) // 5)
    shared = {"sharey": True, "sharex": "row"} if many else {}
    size = (plotting.WIDTH, height)
    figure, panels = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained", **shared)
    for at, measure in enumerate(measures):
        row = panels[at] if many else panels[0][at : at + 1]
        for axes, (_, title, models) in zip(row, families, strict=True):
            for model in every:
                _point(axes, comparison, dataset, metric, measure, model, quiet=model not in models)
            label, unit, _ = UNITS[measure]
            axes.set_xlabel(f"{label}, {unit}")
            if axes is row[0]:
                axes.set_ylabel(comparison.short(metric))
                _scaled(axes, np.array([line.get_ydata()[0] for line in axes.get_lines()], dtype=float))
            if many and at == 0:
                axes.set_title(title.replace("; ", ",\n").replace(" (", "\n("), fontsize=7)
    if not many:
        handles, labels = panels[0][0].get_legend_handles_labels()
        columns = legend_columns(labels, 5, 6.5)
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=6.5, handletextpad=0.3)
        return figure
    for axes in panels[-1]:
        below = axes.transAxes + ScaledTranslation(0, -0.42, figure.dpi_scale_trans)  # inches, whatever the height
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            bbox_transform=below,
            fontsize=6,
            handletextpad=0.3,
            labelspacing=0.3,
        )
    return figure


def _point(
    axes: Axes, comparison: Comparison, dataset: str, metric: str, measure: str, model: str, quiet: bool
) -> None:
    """A model's point with its errors; quiet: a small grey one without."""
    cost, quality = (summarise(comparison.run, dataset, model, name) for name in (measure, metric))
    if not cost.n or not quality.n or not math.isfinite(quality.mean):
        return
    size, scale, mark = UNITS[measure][2], metric_label(metric).factor, marks.mark(model)
    if quiet:
        at = cost.mean / size, quality.mean * scale
        axes.plot(*at, "o", color=plotting.LIGHT, markersize=3, markeredgewidth=0, zorder=1)
        return
    errors = [value if math.isfinite(value) else 0.0 for value in (cost.error / size, quality.error * scale)]
    axes.errorbar(
        cost.mean / size,
        quality.mean * scale,
        xerr=errors[0],
        yerr=errors[1],
        color=mark.colour,
        marker=mark.shape,
        linestyle="none",
        elinewidth=0.7,
        markersize=4.5,
        label=comparison.title(model),
    )


def scale_of(values: np.ndarray) -> tuple[str, float]:
    """The scale of an axis for these losses.

    Linear unless the largest size is more than FOLD times the median one, or the least; then log where all are above
    zero, else symlog with the median size as its linear part.

    Args:
        values: Losses (n,).

    Returns:
        The scale (`linear`, `log` or `symlog`), and the width of symlog's linear part.
    """
    sizes = np.abs(values[values != 0])
    if not len(sizes):
        return "linear", 1.0
    largest, median = float(sizes.max()), float(np.median(sizes))
    if (values > 0).all():
        return ("log" if largest / float(sizes.min()) > FOLD else "linear"), 1.0
    return ("symlog" if largest / median > FOLD else "linear"), median


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, losses in rows.groupby("loss", sort=False):
        steps = losses.groupby("step")["value"].agg(["mean", "min", "max"])
        colour, dash = _look(str(name))
        marker: dict[str, Any] = {"marker": "o", "markersize": 2.2} if len(steps) <= 10 else {}
        axes.plot(steps.index, steps["mean"], color=colour, linestyle=dash, linewidth=1.0, **marker)
        axes.fill_between(steps.index, steps["min"], steps["max"], color=colour, alpha=0.2, linewidth=0)
        if len(steps) == 1:
            axes.vlines(steps.index, steps["min"], steps["max"], color=colour, linewidth=1.0)
    axes.set_xlim(0, float(rows["step"].max()) * 1.06)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _scaled(axes, rows["value"].to_numpy(dtype=float))
    axes.tick_params(labelsize=6, pad=1.5)


def _scaled(axes: Axes, values: np.ndarray) -> None:
    """Give the axis the scale of these losses, with few ticks in plain numbers."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

    kind, linear = scale_of(values)
    axes.margins(y=0.08)
    if kind == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(4))
        return
    if kind == "log":
        axes.set_yscale("log")
        exponents = range(math.floor(math.log10(values.min())), math.ceil(math.log10(values.max())) + 1)
        ticks = [10.0**power for power in exponents if power % (1 if len(exponents) < 5 else 2) == 0]
    else:
        axes.set_yscale("symlog", linthresh=linear, linscale=0.5)
        axes.yaxis.set_minor_locator(NullLocator())
        tops = [side * 10.0 ** math.floor(math.log10(abs(end))) for side, end in _ends(values) if abs(end) > 3 * linear]
        ticks = [*(top for top in tops), 0.0]
    axes.yaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))


def _ends(values: np.ndarray) -> list[tuple[int, float]]:
    """(side of zero, the end of the values there), for the sides that have any."""
    ends = ((1, float(values.max())), (-1, float(values.min())))
    return [(side, end) for side, end in ends if side * end > 0]


def _look(loss: str) -> tuple[str, Any]:
    return LOOKS.get(loss) or _SPARE[sum(loss.encode()) % len(_SPARE)]


def _stages(losses: pd.DataFrame, model: str) -> list[str]:
    return list(dict.fromkeys(losses.loc[losses["model"] == model, "stage"]))
