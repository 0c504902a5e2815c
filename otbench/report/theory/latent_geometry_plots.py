"""What the chapter on the geometry of a latent plane draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otbench.theory.latent_geometry.distances import DISTANCES
from otbench.utils.plotting import BLACK, BLUE, GREY, LIGHT, ORANGE, RED, SKY, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

METRICS = {"deterministic": ORANGE, "stochastic": SKY}


def maps(findings: Findings) -> Figure:
    """Draws the magnification under both metrics, with codes, straight lines and geodesics.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.5), layout="constrained", sharex=True, sharey=True)
    for axis, name, letter in zip(axes, METRICS, "ab", strict=True):
        _map(axis, findings, name)
        axis.set_title(f"({letter}) {name} metric", loc="left")
        axis.set_xlabel("first latent coordinate")
    axes[0].set_ylabel("second latent coordinate")
    return figure


def _map(axis: Axes, findings: Findings, name: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patheffects import withStroke

    arrays = findings.arrays
    low, high, codes, labels = (arrays[key] for key in ("low", "high", "codes", "labels"))
    grown = arrays[f"map_{name}"].T
    extent = (low[0], high[0], low[1], high[1])
    ends = np.percentile(grown, (1, 99))
    pale = LinearSegmentedColormap.from_list("pale", ["white", "#808080"])  # codes and lines stay visible on it
    image = axis.imshow(grown, origin="lower", extent=extent, cmap=pale, vmin=ends[0], vmax=ends[1], aspect="auto")
    axis.figure.colorbar(image, ax=axis, label="log10 magnification", pad=0.02, extend="both")
    axis.scatter(*codes.T, s=1.5, color=BLUE, alpha=0.7, linewidths=0, zorder=2)
    outline = [withStroke(linewidth=2, foreground="white")]
    for label in np.unique(labels):
        x, y = np.median(codes[labels == label], axis=0)
        axis.text(x, y, str(label), color=BLACK, ha="center", va="center", fontsize=8, path_effects=outline, zorder=5)
    for number, line in enumerate(arrays["curve_straight"]):
        axis.plot(*line.T, color=RED, linestyle="--", linewidth=0.9, zorder=3, label=None if number else "straight")
    for number, curve in enumerate(arrays[f"curve_{name}"]):
        axis.plot(*curve.T, color=RED, linewidth=1.4, zorder=4, label=None if number else "geodesic")
        axis.plot(
            *curve[[0, -1]].T, "o", color=RED, markersize=3, markeredgecolor="white", markeredgewidth=0.4, zorder=6
        )
    axis.set(xlim=extent[:2], ylim=extent[2:])
    axis.grid(False)
    legend = axis.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none")
    legend.set_zorder(7)


def images(findings: Findings) -> Figure:
    """Draws decoded images along the straight line and both geodesics, with the steps between them.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    arrays = findings.arrays
    rows = {
        "straight": "straight line",
        "deterministic": "geodesic,\ndeterministic",
        "stochastic": "geodesic,\nstochastic",
    }
    count = len(arrays["frames_straight"])
    figure, axes = plt.subplots(
        len(rows), count, figsize=(WIDTH, 0.88 * len(rows)), gridspec_kw={"wspace": 0.06, "hspace": 0.35}
    )
    figure.subplots_adjust(left=0.125, right=0.995, top=0.98, bottom=0.08)
    for row, (name, label) in zip(axes, rows.items(), strict=True):
        for place, axis in enumerate(row):
            _picture(axis, arrays[f"frames_{name}"][place], arrays["shape"])
            if place < count - 1:
                step = f"{arrays[f'steps_{name}'][place]:.2f}"
                axis.text(1.03, -0.06, step, transform=axis.transAxes, ha="center", va="top", fontsize=7)
        row[0].text(-0.15, 0.5, label, transform=row[0].transAxes, ha="right", va="center", fontsize=7.5)
    return figure


def _picture(axis: Axes, flat: np.ndarray, shape: np.ndarray) -> None:
    picture = np.moveaxis(flat.reshape(tuple(int(side) for side in shape)), 0, -1)
    axis.imshow(picture.squeeze(-1) if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)


def distances(findings: Findings) -> Figure:
    """Draws triples ranked wrongly and the accuracy of neighbours, in a row for each distance; dots are seeds.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    frame, facts = findings.tables["distances"], findings.facts
    a, c = facts["class_a"], facts["class_c"]
    panels = {
        f"(a) triples {a}, {a}, {c}": 100 * (1 - frame["example"]),
        "(b) triples of all classes": 100 * (1 - frame["all_classes"]),
        f"(c) {facts['k']}-NN accuracy": 100 * frame[f"knn_{facts['k']}"],
    }
    units = ("ranked wrongly (%)", "ranked wrongly (%)", "right class (%)")
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.1), layout="constrained", sharey=True)
    places = {name: place for place, name in enumerate(reversed(DISTANCES))}
    for axis, (title, values), unit in zip(axes, panels.items(), units, strict=True):
        for name, place in places.items():
            of = values[frame["distance"] == name]
            colour = METRICS.get(name, LIGHT)
            axis.barh(place, of.mean(), height=0.62, color=colour, edgecolor="none")
            axis.plot(of, place + np.linspace(-0.15, 0.15, len(of)) if len(of) > 1 else [place], "o", color=BLACK)
            side = axis.get_yaxis_transform()
            axis.text(0.98, place, f"{of.mean():.1f}", transform=side, ha="right", va="center", fontsize=7)
        axis.set_title(title, loc="left")
        axis.set_xlabel(unit)
        axis.set_xlim(0, max(1.0, 1.4 * values.max()))
        axis.grid(axis="y", visible=False)
    axes[2].set_xticks(range(0, 101, 25))
    axes[0].set_yticks(list(places.values()), [DISTANCES[name] for name in places])
    return figure


def example(findings: Findings) -> Figure:
    """Draws a triple of decoded images, and its two distances by every measure.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    facts, arrays = findings.facts, findings.arrays
    figure, axes = plt.subplots(
        1, 4, figsize=(WIDTH, 1.75), gridspec_kw={"width_ratios": (1, 1, 1, 2.9), "wspace": 0.1}
    )
    figure.subplots_adjust(left=0.01, right=0.99, top=0.86, bottom=0.03)
    classes = (facts["class_a"], facts["class_a"], facts["class_c"])
    for axis, picture, letter, label in zip(axes, arrays["example"], "ABC", classes, strict=False):
        _picture(axis, picture, arrays["shape"])
        axis.set_title(f"{letter} (class {label})", fontsize=8)
    board = axes[3]
    board.axis("off")
    board.text(0.72, 0.98, "d(A, B)", ha="right", va="center", fontsize=8)
    board.text(0.97, 0.98, "d(B, C)", ha="right", va="center", fontsize=8)
    for row, (name, label) in enumerate(DISTANCES.items()):
        y = 0.8 - 0.18 * row
        ab, bc = facts[f"example_ab_{name}"], facts[f"example_bc_{name}"]
        board.text(-0.02, y, label, va="center", fontsize=7.5, color=BLACK if ab < bc else GREY)
        for x, value, least in ((0.72, ab, ab < bc), (0.97, bc, bc <= ab)):
            board.text(x, y, f"{value:.2f}", ha="right", va="center", fontsize=8, weight="bold" if least else "normal")
    board.set(xlim=(0, 1), ylim=(0, 1.05))
    return figure
