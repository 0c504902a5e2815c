"""Figures of the chapter on transport in space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures.marks import BLUE
from otbench.theory.folding.solids import TITLES
from otbench.utils.plotting import GREY, WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

#: half thickness of the slice, in radii of the ball
SLICE = 0.25


def _solids(findings: Findings) -> list[str]:
    return list(findings.tables["solids"]["solid"])


def torn(findings: Findings) -> list[str]:
    """Lists the solids to which the map jumps somewhere.

    Args:
        findings: What the study found.

    Returns:
        Names of the solids.
    """
    return [name for name in _solids(findings) if len(findings.arrays[f"{name}/ridge"])]


def _seen(x: np.ndarray, turn: float, tilt: float) -> tuple[np.ndarray, np.ndarray]:
    """Places on the page (m, 2) of points (m, 3) seen along the second axis, after a turn about the third and a tilt
    (degrees), and their nearness (m,).
    """
    a, b = np.radians([turn, tilt])
    across = x[:, 0] * np.cos(a) + x[:, 1] * np.sin(a)
    deep = -x[:, 0] * np.sin(a) + x[:, 1] * np.cos(a)
    return np.stack([across, x[:, 2] * np.cos(b) + deep * np.sin(b)], axis=1), x[:, 2] * np.sin(b) - deep * np.cos(b)


def _directions(x: np.ndarray) -> np.ndarray:
    """Direction (m,) of points (m, 3) round the second axis, in (-1, 1]."""
    return np.arctan2(x[:, 0], x[:, 2]) / np.pi


def paths(findings: Findings) -> Figure:
    """Draws a row for each solid, and a column for each time.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    return _columns_of_times(findings, turn=25, tilt=20, sliced=False)


def slices(findings: Findings) -> Figure:
    """Draws the cells that start near the middle plane, from the front, in a row for each solid.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    return _columns_of_times(findings, turn=0, tilt=0, sliced=True)


def _columns_of_times(findings: Findings, turn: float, tilt: float, sliced: bool) -> Figure:
    import matplotlib.pyplot as plt

    names, times = _solids(findings), findings.arrays["times"]
    ends = np.concatenate([findings.arrays[f"{name}/{key}"] for name in names for key in ("centres", "target")])
    reach = 1.05 * float(np.abs(_seen(ends.astype(float), turn, tilt)[0]).max())
    size = (WIDTH, 0.1 + 1.45 * len(names))
    figure, axes = plt.subplots(len(names), len(times), figsize=size, layout="constrained", squeeze=False)
    for row, name in enumerate(names):
        x, y = (findings.arrays[f"{name}/{key}"].astype(float) for key in ("centres", "target"))
        inside = np.abs(x[:, 1]) < SLICE if sliced else np.ones(len(x), bool)
        hue = _directions(x)
        for column, t in enumerate(times):
            places, near = _seen((1 - t) * x + t * y, turn, tilt)
            order = np.argsort(near[inside])
            axis = axes[row, column]
            axis.scatter(
                *places[inside][order].T, c=hue[inside][order], s=6 if sliced else 4, linewidths=0.15, edgecolors=GREY,
                cmap="twilight_shifted", vmin=-1, vmax=1,
            )  # fmt: skip
            _bare(axis, reach)
            if row == 0:
                axis.set_title(f"t = {t:g}")
        axes[row, 0].set_ylabel(TITLES[name])
    return figure


def _bare(axis, reach: float) -> None:
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(), yticks=())
    axis.grid(False)
    for side in axis.spines.values():
        side.set_visible(False)


def singular(findings: Findings) -> Figure:
    """Draws the singular facets in the ball from two sides, and how far the map jumps across them.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Circle

    names = torn(findings)
    figure, axes = plt.subplots(3, len(names), figsize=(WIDTH, 6.0), layout="constrained", squeeze=False)
    widest = max(findings.arrays[f"{name}/jumps"].max() for name in names)
    low = findings.facts["jump"]
    for column, name in enumerate(names):
        points, jumps = (findings.arrays[f"{name}/{key}"].astype(float) for key in ("ridge", "jumps"))
        for row, (turn, tilt) in enumerate(((0, 0), (35, 30))):
            axis = axes[row, column]
            places, near = _seen(points, turn, tilt)
            order = np.argsort(near)
            drawn = axis.scatter(
                *places[order].T, c=jumps[order], s=3, cmap="viridis_r", vmin=low, vmax=widest, linewidths=0
            )
            axis.add_patch(Circle((0, 0), 1, fill=False, edgecolor=GREY, linewidth=0.7))
            _bare(axis, 1.08)
        axes[0, column].set_title(TITLES[name])
        axes[2, column].hist(findings.arrays[f"{name}/jumps_of_pairs"], np.linspace(low, widest, 16), color=BLUE)
        axes[2, column].set_xlabel("jump, radii of the ball")
    for row, label in enumerate(("(a) front", "(b) side and above", "(c) facets")):
        axes[row, 0].set_ylabel(label)
    figure.colorbar(drawn, ax=list(axes[:2].ravel()), label="jump, radii of the ball", shrink=0.6)
    return figure
