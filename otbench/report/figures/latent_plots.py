"""The latent study's figures: a path through the singular set beside one that crosses none, and the embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures.tiles import tile
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PATHS = {"crossing": "Through the singular set", "regular": "Through no singular facet"}

# Ten colours that colour-blind readers tell apart as well as ten can be; digits name the clusters besides.
CLASSES = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B0A000", "#000000", "#8C564B", "#7F7FBF"),
)


def has_paths(comparison: Comparison, dataset: str) -> bool:
    """Whether the run holds a path of the data set.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        True where images along one of PATHS were kept.
    """
    return any(f"{dataset}/path/{name}/images" in comparison.run.latent for name in PATHS)


def paths(comparison: Comparison, dataset: str) -> Figure:
    """Images decoded along a segment that crosses the singular set and along one that does not, with facets' angles.

    The angles are those of all facets that each segment crosses.

    Args:
        comparison: Image study of a run that has paths.
        dataset: Name of the data set.

    Returns:
        The figure.

    Source: Fig. 12(b) of AE-OT.
    """
    import matplotlib.pyplot as plt

    latent = comparison.run.latent
    names = [name for name in PATHS if f"{dataset}/path/{name}/images" in latent]
    figure, axes = plt.subplots(
        2 * len(names),
        1,
        figsize=(plotting.WIDTH, 2.45 * len(names) + 0.2),
        height_ratios=[1.0, 1.55] * len(names),
        squeeze=False,
        layout="constrained",
    )
    threshold = float(latent[f"{dataset}/path/threshold"])
    tops = [latent[f"{dataset}/path/{name}/facet_angle"].max() for name in names]
    top = 1.12 * max(*tops, threshold)
    for at, name in enumerate(names):
        start = f"{dataset}/path/{name}"
        strip, below = axes[2 * at, 0], axes[2 * at + 1, 0]
        images = latent[f"{start}/images"]
        strip.imshow(tile(images, len(images)), interpolation="nearest")
        _outline(strip, images, len(latent[f"{start}/cells"]) - 1)
        _judgements(strip, images, latent, start)
        strip.set_title(PATHS[name], loc="left")
        strip.set_axis_off()
        _stems(below, latent, start, threshold)
        below.set_ylim(0, top)
    axes[-1, 0].set_xlabel("Place on the segment, from one end to the other")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure


def _judgements(axes: Axes, images: np.ndarray, latent: dict[str, np.ndarray], start: str) -> None:
    """Below each image the classifier's confidence in its class, in per cent, where the study has it."""
    if f"{start}/confidence" not in latent:
        return
    height, width = images.shape[2:]
    for at, share in enumerate(latent[f"{start}/confidence"]):
        place = (at * (width + 1) + width / 2 - 0.5, height + 0.6)
        axes.text(*place, f"{100 * share:.0f} %", ha="center", va="top", fontsize=6, clip_on=False)


def middle(comparison: Comparison, dataset: str) -> str:
    """What the classifier says of the image in the middle of the path through the singular set, in words.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        A sentence; empty where the study has no classifier or no such path.
    """
    confidence = comparison.run.latent.get(f"{dataset}/path/crossing/confidence")
    if confidence is None:
        return ""
    half = len(confidence) // 2
    ends = (confidence[0] + confidence[-1]) / 2
    return (
        "Below each image: the classifier's confidence in the class that it takes it for; "
        f"{confidence[half]:.0%} in the middle of the path through the singular set, {ends:.0%} at its ends. "
    )


def _outline(axes: Axes, images: np.ndarray, facets: int) -> None:
    """A frame about the images that are decoded codes of training images; those between are interpolated."""
    from matplotlib.patches import Rectangle

    height, width = images.shape[2:]
    for at in range(0, len(images), (len(images) - 1) // facets):
        corner = (at * (width + 1) - 0.5, -0.5)
        frame = Rectangle(corner, width, height, fill=False, edgecolor=plotting.GREEN, linewidth=2.2, clip_on=False)
        axes.add_patch(frame)


def _stems(axes: Axes, latent: dict[str, np.ndarray], start: str, threshold: float) -> None:
    at, angle = latent[f"{start}/facet_at"], latent[f"{start}/facet_angle"]
    above = angle > threshold
    for chosen, colour, marker in ((~above, plotting.BLUE, "o"), (above, plotting.RED, "D")):
        axes.vlines(at[chosen], 0, angle[chosen], color=colour, linewidth=1.0)
        axes.plot(at[chosen], angle[chosen], marker, color=colour, markersize=4)
    places = latent[f"{start}/at"]
    axes.axvspan(places[0], places[-1], color=plotting.LIGHT, alpha=0.55, linewidth=0, zorder=0)
    axes.axhline(threshold, color=plotting.BLACK, linestyle="--", linewidth=1.0)
    axes.set_xlim(0, 1)
    axes.set_ylabel("Angle between\nplanes, rad")


def _legend() -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(facecolor="none", edgecolor=plotting.GREEN, linewidth=1.8, label="decoded training code"),
        Line2D([], [], color=plotting.RED, marker="D", markersize=4, linestyle="", label="singular facet"),
        Line2D([], [], color=plotting.BLUE, marker="o", markersize=4, linestyle="", label="other facet"),
        Line2D([], [], color=plotting.BLACK, linestyle="--", linewidth=1.0, label="threshold of the sampler"),
        Patch(color=plotting.LIGHT, alpha=0.55, label="part that is shown"),
    ]


def counted(comparison: Comparison, dataset: str) -> str:
    """How many of the random segments cross the singular set, and how often, in words.

    Args:
        comparison: Image study of a run that has paths.
        dataset: Name of the data set.

    Returns:
        A sentence for the caption.
    """
    latent = comparison.run.latent
    facets, singular = latent[f"{dataset}/path/facets"], latent[f"{dataset}/path/singular"]
    crossing = int((singular > 0).sum())
    share = 100 * singular.sum() / max(int(facets.sum()), 1)
    return (
        f"{crossing} of {len(facets)} random segments of the source cube cross the singular set; a segment crosses "
        f"{facets.mean():.1f} facets on average, of which {share:.1f} % are singular."
    )


def embeddings(comparison: Comparison, dataset: str) -> Figure:
    """t-SNE of training images and of their codes, coloured by class.

    Args:
        comparison: Image study of a run that has embeddings.
        dataset: Name of the data set.

    Returns:
        The figure.

    Source: Fig. 1 of AE-OT.
    """
    import matplotlib.pyplot as plt

    latent = comparison.run.latent
    labels = latent[f"{dataset}/tsne/labels"]
    names = comparison.run.info["datasets"].get(dataset, {}).get("classes") or []
    figure, panels = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.75), layout="constrained")
    for axes, (key, title) in zip(panels, (("images", "Images (pixels)"), ("codes", "Codes of AE-OT")), strict=True):
        flat = latent[f"{dataset}/tsne/{key}"]
        for label in np.unique(labels):
            points, colour = flat[labels == label], plotting.GREY if label < 0 else CLASSES[label % len(CLASSES)]
            name = str(names[label]) if 0 <= label < len(names) else str(label)
            dots = {"markersize": 2.4, "markeredgewidth": 0, "alpha": 0.75, "rasterized": True}
            axes.plot(*points.T, "o", color=colour, label=name if label >= 0 else "", **dots)
            if label >= 0:
                _name(axes, points, name, colour)
        axes.set_title(title)
        axes.set_aspect("equal")
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("t-SNE 1, scaled to [0, 1]")
    panels[0].set_ylabel("t-SNE 2, scaled to [0, 1]")
    handles, texts = panels[0].get_legend_handles_labels()
    if handles:
        legend = figure.legend(handles, texts, loc="outside lower center", ncols=min(10, len(handles)), markerscale=2.2)
        for handle in legend.legend_handles:
            assert handle is not None
            handle.set_alpha(1)
    return figure


def _name(axes: Axes, points: np.ndarray, name: str, colour: str) -> None:
    """The class's name where its points are densest, so that colour is not needed."""
    from matplotlib.patheffects import withStroke

    middle = np.median(points, axis=0)
    nearest = points[np.argmin(((points - middle) ** 2).sum(axis=1))]
    outline = [withStroke(linewidth=2.2, foreground="white")]
    x, y = nearest
    axes.text(x, y, name, color=colour, fontsize=9, weight="bold", ha="center", va="center", path_effects=outline)
