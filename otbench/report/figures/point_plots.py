"""The plots of generated points: the scatter panels of the papers' figure and the share of points in each mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.plots import absent
from otbench.report.labels import metric_label
from otbench.report.summary import summarise
from otbench.runs.formats import REAL
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4


def scatter(comparison: Comparison, dataset: str) -> Figure:
    """Every model's points over held-out real ones, in panels with the same limits.

    Args:
        comparison: Study of points of a run.
        dataset: Name of the data set.

    Returns:
        The figure.

    Source: Fig. 13 of the AE-OT paper.
    """
    models = _models(comparison, dataset)
    figure, panels = _panels(len(models), plotting.WIDTH / COLUMNS + 0.27)
    run, real = comparison.run, comparison.run.scatter[f"{dataset}/{REAL}"]
    middle, half = limits(real)
    about = run.info["datasets"].get(dataset, {})
    for axes, model in zip(panels, models, strict=False):
        axes.plot(*real.T, "o", color=marks.REAL, markersize=2.0, alpha=0.5, markeredgewidth=0, rasterized=True)
        generated = run.scatter.get(f"{dataset}/{model}")
        if generated is None:
            _say(axes, absent(run, dataset, model))
        else:
            axes.plot(*generated.T, "o", color=marks.GENERATED, markersize=0.9, markeredgewidth=0, rasterized=True)
            _outside(axes, generated, middle, half)
        _circles(axes, about)
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] - half, middle[1] + half)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(comparison.title(model), pad=3)
        axes.set_xlabel(_figures(comparison, dataset, model), fontsize=6.3, labelpad=2.5)
    _legend(figure, about)
    return figure


def limits(real: np.ndarray) -> tuple[np.ndarray, float]:
    """The square that holds the real points with a margin of 26 %.

    Args:
        real: Points (n, 2).

    Returns:
        Middle (2,) of the square, and half its side.
    """
    low, high = real.min(axis=0), real.max(axis=0)
    return (low + high) / 2, float((high - low).max()) / 2 * 1.26


def histograms(comparison: Comparison, dataset: str) -> Figure:
    """Share of a model's points nearest to each mode, fullest mode first, against held-out real data's.

    Args:
        comparison: Study of points of a run.
        dataset: Name of a data set with known modes.

    Returns:
        The figure.
    """
    models, run = _models(comparison, dataset), comparison.run
    centres = np.asarray(run.info["datasets"][dataset]["centres"], dtype=float)
    truth = np.sort(_shares(run.scatter[f"{dataset}/{REAL}"], centres))[::-1] * 100
    figure, panels = _panels(len(models), 1.22)
    position = np.arange(len(centres))
    top = 3 * truth.max()
    for axes, model in zip(panels, models, strict=False):
        generated = run.scatter.get(f"{dataset}/{model}")
        axes.set_title(comparison.title(model), pad=3)
        axes.set_ylim(0, top)
        axes.set_xticks([])
        axes.grid(axis="x", visible=False)
        if generated is None:
            _say(axes, absent(run, dataset, model))
        else:
            share = np.sort(_shares(generated, centres))[::-1] * 100
            axes.bar(position, np.minimum(share, top), width=0.82, color=marks.GENERATED)
            empty = int((share == 0).sum())
            notes = [f"{empty} empty"] if empty else []
            notes += [f"fullest {share[0]:.0f} %"] if share[0] > top else []
            axes.text(0.97, 0.93, "\n".join(notes), transform=axes.transAxes, ha="right", va="top", fontsize=6.5)
        axes.step(position, truth, where="mid", color=marks.REAL, linewidth=1.3)
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("Points, %")
    for axes in panels[:]:
        axes.tick_params(labelleft=axes in panels[::COLUMNS])
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=marks.GENERATED, label="generated, modes from fullest to emptiest"),
        Line2D([], [], color=marks.REAL, label="held-out real, likewise"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _models(comparison: Comparison, dataset: str) -> list[str]:
    run = comparison.run
    return [place.model for place in comparison.rows(dataset) if (dataset, place.model) in run.cells]


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    import matplotlib.pyplot as plt

    rows = -(-count // COLUMNS)
    figure, grid = plt.subplots(
        rows, COLUMNS, figsize=(plotting.WIDTH, rows * height + 0.3), squeeze=False, layout="constrained"
    )
    panels = list(grid.flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _figures(comparison: Comparison, dataset: str, model: str) -> str:
    parts = []
    for metric, label in (("modes", "modes"), ("high_quality", "% HQ")):
        summary = summarise(comparison.run, dataset, model, metric)
        if summary.n:
            digits = metric_label(metric).digits or 0
            parts.append(f"{summary.mean * metric_label(metric).factor:.{min(digits, 1)}f} {label}")
    return " · ".join(parts)


def _outside(axes: Axes, generated: np.ndarray, middle: np.ndarray, half: float) -> None:
    count = int((np.abs(generated - middle) > half).any(axis=1).sum())
    if count:
        text = f"{count:,} of {len(generated):,} outside"
        box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.2}
        axes.text(0.5, 0.02, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=6, bbox=box)


def _circles(axes: Axes, about: dict[str, Any]) -> None:
    from matplotlib.collections import EllipseCollection

    if not (about.get("centres") and about.get("sigma")):
        return
    centres = np.asarray(about["centres"], dtype=float)
    width = np.full(len(centres), 6 * float(about["sigma"]))
    circles = EllipseCollection(
        width,
        width,
        np.zeros(len(centres)),
        units="xy",
        offsets=centres,
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors="#222222",
        linewidths=0.35,
        zorder=4,
    )
    axes.add_collection(circles)


def _say(axes: Axes, text: str) -> None:
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        style="italic",
        color=plotting.RED,
        fontsize=9,
    )


def _shares(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    nearest = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    return np.bincount(nearest, minlength=len(centres)) / len(points)


def _legend(figure: Figure, about: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=marks.REAL, marker="o", linestyle="", alpha=0.6, label="held-out real"),
        Line2D([], [], color=marks.GENERATED, marker="o", markersize=2.2, linestyle="", label="generated"),
    ]
    if about.get("centres") and about.get("sigma"):
        circle = Line2D([], [], color="#333333", marker="o", markerfacecolor="none", markeredgewidth=0.5, linestyle="")
        circle.set_label("three standard deviations of a mode")
        handles.append(circle)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
