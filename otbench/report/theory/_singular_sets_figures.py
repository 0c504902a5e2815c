"""Figures of the chapter on singular sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.theory.singular_sets.targets import AWAY, HOLE, OUTER, RADIUS, TARGETS, TITLES, distance_to
from otbench.utils.plotting import BLACK, BLUE, GREEN, GREY, LIGHT, ORANGE, PURPLE, RED, SKY, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P")
TAUGHT = ("clusters", "annulus")


def maps(findings: Findings) -> Figure:
    """Draws a column for each target: dual triangulation, power diagram, and potential.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, len(TARGETS), figsize=(WIDTH, 4.7), layout="constrained")
    for column, name in enumerate(TARGETS):
        arrays = {key.split("/")[1]: value for key, value in findings.arrays.items() if key.startswith(f"{name}/")}
        _triangulation(axes[0, column], arrays)
        _diagram(axes[1, column], arrays)
        _potential(axes[2, column], arrays)
        axes[0, column].set_title(TITLES[name])
    reach = 1.5
    for row, (letter, label) in enumerate((("a", "target"), ("b", "source"), ("c", "potential"))):
        axes[row, 0].set_ylabel(f"({letter}) {label}")
        for axis in axes[row]:
            limit = reach if row == 0 else 1.04
            axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
            axis.grid(False)
            if axis is not axes[row, 0]:
                axis.set_yticklabels([])
            if row == 1:
                axis.set_xticklabels([])
    return figure


def _lines(axis: Axes, ends: Any, colour: str, width: float, **more: Any) -> None:
    from matplotlib.collections import LineCollection

    axis.add_collection(LineCollection(ends, colors=colour, linewidths=width, capstyle="round", **more))


def _triangulation(axis: Axes, held: dict[str, np.ndarray]) -> None:
    edges = held["target"][held["pairs"]]
    _lines(axis, edges[~held["singular"]], GREY, 0.3)
    _lines(axis, edges[held["singular"]], RED, 0.5)
    axis.scatter(*held["target"].T, s=1.2, c=held["target"][:, 0], cmap="cividis", vmin=-1.4, vmax=1.4, zorder=3)


def _diagram(axis: Axes, held: dict[str, np.ndarray]) -> None:
    from matplotlib.collections import PolyCollection

    cells = np.split(held["corners"], np.cumsum(held["sizes"].astype(int))[:-1])
    drawn = PolyCollection(cells, array=held["target"][:, 0], cmap="cividis", edgecolors="white", linewidths=0.15)
    drawn.set_clim(-1.4, 1.4)
    axis.add_collection(drawn)
    _lines(axis, held["facets"][held["singular"]], RED, 1.1)


def _potential(axis: Axes, held: dict[str, np.ndarray]) -> None:
    import matplotlib
    from matplotlib.colors import LightSource

    u = held["potential"].astype(float)
    inside = ~np.isnan(u)
    low, high = held["outline"].min(0), held["outline"].max(0)
    step = (high[0] - low[0]) / (u.shape[1] - 1)
    # The source's outside is filled with its largest value: it is cut off below.
    lit = LightSource(azdeg=20, altdeg=30).hillshade(
        np.where(inside, u, np.nanmax(u)), vert_exag=1.2, dx=step, dy=-step
    )
    colours = matplotlib.colormaps["gray"](0.25 + 0.75 * lit)
    colours[~inside] = 1
    extent = (low[0], high[0], low[1], high[1])
    axis.imshow(colours, origin="lower", extent=extent, interpolation="bilinear")
    levels = np.linspace(np.nanmin(u), np.nanmax(u), 9)[1:-1]
    axis.contour(np.ma.masked_invalid(u), levels=levels, extent=extent, colors=BLUE, linewidths=0.45)
    _lines(axis, held["facets"][held["singular"]], RED, 0.9)


def networks(findings: Findings) -> Figure:
    """Draws the share in the gap against width and against the largest stretching, for clusters and ring.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 4.6), layout="constrained", sharey="row")
    means, each = findings.tables["networks"], findings.tables["each"]
    depths = sorted(means["depth"].unique())
    for row, name in enumerate(TAUGHT):
        left, right = axes[row]
        for k, depth in enumerate(depths):
            look = {"color": COLOURS[k % 6], "marker": MARKERS[k % 6]}
            mean = means[(means["target"] == name) & (means["depth"] == depth)].sort_values("width")
            label = f"{depth} hidden layer{'s' if depth > 1 else ''}"
            left.errorbar(
                mean["width"], 100 * mean["gap"], 100 * mean["gap_sd"].fillna(0), capsize=2, label=label, **look
            )
            rows = each[(each["target"] == name) & (each["depth"] == depth)]
            right.scatter(rows["lipschitz"], 100 * rows["gap"], s=12, alpha=0.8, linewidths=0, label=label, **look)
        _bound(right, findings, name)
        for axis in (left, right):
            axis.set(xscale="log", yscale="log")
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_formatter("{x:g}")
                side.set_minor_formatter("")
        widths = sorted(means["width"].unique())
        left.set_xticks(widths, [str(width) for width in widths])
        left.minorticks_off()
        left.set(ylabel="points in the gap, %", title=f"({'ac'[row]}) {TITLES[name]}: against width")
        right.set(title=f"({'bd'[row]}) {TITLES[name]}: against stretching")
    axes[1, 0].set_xlabel("width of the hidden layers")
    axes[1, 1].set_xlabel("largest stretching seen, L")
    axes[0, 0].legend()
    axes[0, 1].legend()
    return figure


def _bound(axis: Axes, findings: Findings, name: str) -> None:
    from otbench.theory.singular_sets.networks import gap_bound, hole_bound

    stretches = findings.tables["each"].query("target == @name")["lipschitz"]
    constants = np.geomspace(0.8 * stretches.min(), 1.2 * stretches.max(), 60)
    tolerance, outline = findings.facts["tolerance"], findings.arrays[f"{name}/outline"].astype(float)
    if name == "annulus":
        p, q = outline, np.roll(outline, -1, axis=0)
        area = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / 2
        least = [hole_bound(HOLE - tolerance, constant, 1, area) for constant in constants]
    else:
        diameter = np.linalg.norm(outline[:, None] - outline[None], axis=2).max()
        # With (1 - m) / 2 on either side the bound is m >= s (1 - m) / 2, and so m >= s / (2 + s).
        slope = np.array([gap_bound(AWAY - RADIUS - tolerance, c, (1, 1), diameter) for c in constants])
        least = slope / (2 + slope)
    axis.plot(constants, 100 * np.array(least), "--", color=BLACK, linewidth=0.9, label="least for that L")


def astray(findings: Findings) -> Figure:
    """Draws source points, generated points and distances from the singular set, for one network a target.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 4.7), layout="constrained")
    x = findings.arrays["x"].astype(float)
    for row, name in enumerate(TAUGHT):
        y, wrong = findings.arrays[f"{name}/y"], findings.arrays[f"{name}/astray"]
        facets = findings.arrays[f"{name}/facets"][findings.arrays[f"{name}/singular"]].astype(float)
        left, middle, right = axes[row]
        for axis, points in ((left, x), (middle, y)):
            axis.scatter(*points[~wrong].T, s=1.5, color=LIGHT if axis is left else SKY, linewidths=0)
            axis.scatter(*points[wrong].T, s=3, color=RED, linewidths=0)
            axis.set(aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
            axis.grid(False)
        _lines(left, facets, BLACK, 0.7, zorder=0.9)
        _outline(middle, name)
        _cumulative(right, distance_to(facets, x), wrong)
        for axis, letter, label in zip(
            axes[row], "abc" if row == 0 else "def", ("source", "network", "distance"), strict=True
        ):
            axis.set_title(f"({letter}) {TITLES[name]}: {label}")
    axes[1, 2].set_xlabel("distance from the singular set")
    axes[0, 2].legend(loc="lower right")
    return figure


def _outline(axis: Axes, name: str) -> None:
    from matplotlib.patches import Circle

    circles = [((0, 0), HOLE), ((0, 0), OUTER)] if name == "annulus" else [((-AWAY, 0), RADIUS), ((AWAY, 0), RADIUS)]
    for centre, radius in circles:
        axis.add_patch(Circle(centre, radius, fill=False, linestyle="--", linewidth=0.7, edgecolor=BLACK))


def _cumulative(axis: Axes, distance: np.ndarray, wrong: np.ndarray) -> None:
    for values, colour, label in ((distance[wrong], RED, "sent into the gap"), (distance, GREY, "all points")):
        if len(values):
            axis.plot(np.sort(values), np.arange(1, len(values) + 1) / len(values), color=colour, label=label)
    axis.set(ylabel="share of points", xlim=(0, None), ylim=(0, 1.02))
