"""The image study's pictures: samples of all models, along training, reconstructions, and all data sets together."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures.image_plots import epochs
from otbench.report.figures.plots import absent
from otbench.report.figures.tiles import tile
from otbench.report.labels import metric_label
from otbench.report.recipes.images import GANS
from otbench.report.summary import summarise
from otbench.runs.formats import REAL, RECONSTRUCTION, REFERENCE
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, NARROW, SIDE = 4, 7, 6
"""Panels in a row of the grid, the same where there are many, and images along a panel's side."""


def cells(comparison: Comparison, dataset: str) -> list[tuple[str, int, str, np.ndarray]]:
    """Every cell of the data set in the run's gallery, models in the study's order.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        (model, seed, snapshot as it is written, images (n, c, h, w) uint8) of each cell.
    """
    order = {place.model: at for at, place in enumerate(comparison.rows(dataset))}
    gallery = []
    for key, images in comparison.run.gallery.items():
        where, _, rest = key.partition("/")
        name = rest.split("/")
        if where == dataset and len(name) == 3 and len(images):
            gallery.append((name[0], int(name[1]), name[2], images))
    return sorted(gallery, key=lambda cell: (order.get(cell[0], len(order)), cell[0], cell[1], float(cell[2])))


def last(comparison: Comparison, dataset: str, model: str) -> np.ndarray | None:
    """The images of the model's first seed at the last snapshot in the gallery.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        model: Name of the model.

    Returns:
        Images (n, c, h, w) uint8; None where there are none.
    """
    samples = [cell for cell in cells(comparison, dataset) if cell[0] == model]
    end = max((float(cell[2]) for cell in samples), default=0.0)
    return next((images for _, _, snapshot, images in samples if float(snapshot) == end), None)


def best_gan(comparison: Comparison, dataset: str) -> str | None:
    """The adversarial model with the largest F8 + F1/8, as the paper chooses its column of GANs.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        Name of the model; None where no GAN has both values.
    """
    scores = {}
    for model in comparison.generative(dataset):
        pair = [summarise(comparison.run, dataset, model, comparison.main_key(dataset, key)) for key in _PAIR]
        if _adversarial(comparison, model) and all(summary.n for summary in pair):
            scores[model] = sum(summary.mean for summary in pair)
    return max(scores, key=scores.__getitem__) if scores else None


def _adversarial(comparison: Comparison, model: str) -> bool:
    """Whether the model is a GAN: by its family, as the run says it, or, in runs that name none, by its name."""
    family = comparison.run.info["models"].get(model, {}).get("family")
    return family == "adversarial" if family else model in GANS


_PAIR = ("prd_f8", "prd_f1_8")


def grid(comparison: Comparison, dataset: str) -> Figure:
    """Real images, reconstructions and every model's samples, a panel each.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        The figure.

    Source: Fig. 15 of AE-OT, for one data set.
    """
    run, panels = comparison.run, []
    real = run.gallery.get(f"{dataset}/{REAL}")
    if real is not None:
        panels.append(("Held-out real", real, ""))
    chosen = best_gan(comparison, dataset)
    places = sorted(comparison.rows(dataset), key=lambda place: place.model not in comparison.study.unranked)
    for place in places:
        if (dataset, place.model) in run.cells and place.model != "real":
            title = comparison.title(place.model) + (" (best GAN)" if place.model == chosen else "")
            panels.append((title, last(comparison, dataset, place.model), place.model))
    many = len(panels) > 6 * COLUMNS
    figure, axes = _panels(len(panels), 0.32 if many else 0.24, NARROW if many else COLUMNS)
    for panel, (title, images, model) in zip(axes, panels, strict=True):
        size = 6.0 if many else 8.5
        panel.set_title(heading_of(title, NARROW if many else COLUMNS, size), pad=3, fontsize=size)
        if images is None:
            panel.text(
                0.5, 0.5, absent(run, dataset, model), ha="center", va="center", color=plotting.RED, style="italic"
            )
            panel.set_xticks([])
            panel.set_yticks([])
        else:
            _show(panel, tile(images[: SIDE * SIDE], SIDE))
            caption = _figure(comparison, dataset, model)
            panel.set_xlabel(caption.replace("Fréchet distance", "FD") if many else caption, fontsize=6.3, labelpad=2.5)
    return figure


def heading_of(title: str, columns: int, size: float) -> str:
    """The title of a panel, in lines that its width holds, so that neighbours do not overlap.

    Args:
        title: Title of a model.
        columns: Panels side by side.
        size: Size of the letters, points.

    Returns:
        The title, with line ends.
    """
    letters = int(72 * plotting.WIDTH / columns / (0.58 * size))
    return "\n".join(textwrap.wrap(title, letters, break_long_words=False, break_on_hyphens=False))


def _figure(comparison: Comparison, dataset: str, model: str) -> str:
    """The Fréchet distance under a panel."""
    key = comparison.main_key(dataset, "fid")
    summary = summarise(comparison.run, dataset, model or "real", key)
    label = "FID" if key.endswith("@inception") else "Fréchet distance"
    return f"{label} {metric_label(key).number(summary.mean)}" if summary.n else ""


def _panels(count: int, extra: float, columns: int) -> tuple[Figure, list[Axes]]:
    import matplotlib.pyplot as plt

    rows = -(-count // columns)
    figure, made = plt.subplots(
        rows,
        columns,
        figsize=(plotting.WIDTH, rows * (plotting.WIDTH / columns + extra)),
        squeeze=False,
        layout="constrained",
    )
    panels = list(made.flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _show(axes: Axes, pixels: np.ndarray) -> None:
    axes.imshow(pixels, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)


def reconstructing(comparison: Comparison, dataset: str) -> list[str]:
    """The models whose reconstructions are in the gallery; controls share the autoencoder of `ae` and are left out.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        Names of the models, in the study's order.
    """
    models = [place.model for place in comparison.rows(dataset) if place.model not in comparison.controls]
    return [model for model in models if f"{dataset}/{model}/{RECONSTRUCTION}" in comparison.run.gallery]


def reconstructions(comparison: Comparison, dataset: str, count: int = 16) -> Figure:
    """Test images and what each model makes of them, a row a model, with the error of all test images.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        count: Number of images in a row.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    run = comparison.run
    rows = [("Test images", run.gallery[f"{dataset}/{REFERENCE}"])]
    for model in reconstructing(comparison, dataset):
        error = summarise(run, dataset, model, "l2")
        label = f"\nL2 {metric_label('l2').number(error.mean)}" if error.n else ""
        title = comparison.title(model).replace(" (", "\n(")
        rows.append((f"{title}{label}", run.gallery[f"{dataset}/{model}/{RECONSTRUCTION}"]))
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(plotting.WIDTH, 0.47 * len(rows) + 0.1), squeeze=False, layout="constrained"
    )
    for panel, (title, images) in zip(axes[:, 0], rows, strict=True):
        _show(panel, tile(images[:count], count))
        panel.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=7)
    return figure


def snapshots(comparison: Comparison, dataset: str) -> list[str]:
    """The snapshots at which two models or more have images.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        Snapshots as they are written, in order; empty where there are fewer than two.
    """
    models_at: dict[str, set[str]] = {}
    for model, _, snapshot, _ in cells(comparison, dataset):
        models_at.setdefault(snapshot, set()).add(model)
    shared = sorted((name for name, models in models_at.items() if len(models) > 1), key=float)
    return shared if len(shared) > 1 else []


def progress(comparison: Comparison, dataset: str, models: list[str], rows: int = 3, columns: int = 5) -> Figure:
    """Samples of the first seed along training, a row a model, a column a snapshot; the noise is the same in a row.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        models: Models to show, each with images at the first snapshot.
        rows: Rows of images in a panel.
        columns: Columns of images in a panel.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    marks = snapshots(comparison, dataset)
    every = {(model, snapshot): images for model, _, snapshot, images in reversed(cells(comparison, dataset))}
    width = plotting.WIDTH / max(len(marks), 4)
    figure, axes = plt.subplots(
        len(models),
        len(marks),
        figsize=(0.3 + width * len(marks) * 0.96, 0.2 + len(models) * (width * rows / columns + 0.06)),
        squeeze=False,
        layout="constrained",
    )
    above = None
    for row, model in zip(axes, models, strict=True):
        length = epochs(comparison, dataset, model)
        for panel, mark in zip(row, marks, strict=True):
            images = every.get((model, mark))
            if images is None:
                _show(panel, np.full((8, 8, 3), 255, np.uint8))
                panel.text(
                    3.5, 3.5, "missing", ha="center", va="center", fontsize=7, color=plotting.RED, style="italic"
                )
            else:
                _show(panel, tile(images[: rows * columns], columns))
            if length != above:  # a row without headings is read with those above it
                panel.set_title(f"{float(mark) * length:.2g} epochs", fontsize=7.5, pad=2.5)
        above = length
        row[0].set_ylabel(comparison.title(model).replace(" (", "\n("), fontsize=7.5)
    return figure


def overview(comparison: Comparison, side: int = 5) -> Figure:
    """Samples of all data sets, a row each: real images, reconstructions, the best GAN, other models, AE-OT, OTVAE.

    Args:
        comparison: Image study of a run.
        side: Images along a panel's side.

    Returns:
        The figure.

    Source: Fig. 15 of AE-OT.
    """
    import matplotlib.pyplot as plt

    names = with_pictures(comparison)
    order = ("real", "ae", "gan", "vae", "ae-ot", "otvae")
    columns = [column for column in order if any(_column(comparison, name, column)[1] is not None for name in names)]
    width = plotting.WIDTH / len(columns)
    figure, axes = plt.subplots(
        len(names),
        len(columns),
        figsize=(plotting.WIDTH, 0.15 + len(names) * (width + 0.16)),
        squeeze=False,
        layout="constrained",
    )
    for row, dataset in zip(axes, names, strict=True):
        for panel, column in zip(row, columns, strict=True):
            title, images = _column(comparison, dataset, column)
            _show(panel, np.full((8, 8, 3), 255, np.uint8) if images is None else tile(images[: side * side], side))
            panel.set_title(title, fontsize=7.5, pad=2.5)
        row[0].set_ylabel(comparison.dataset_title(dataset), fontsize=8)
    return figure


def with_pictures(comparison: Comparison) -> list[str]:
    """The data sets whose real images are in the gallery.

    Args:
        comparison: Image study of a run.

    Returns:
        Names of the data sets, in the study's order.
    """
    return [dataset for dataset in comparison.datasets if f"{dataset}/{REAL}" in comparison.run.gallery]


def _column(comparison: Comparison, dataset: str, column: str) -> tuple[str, np.ndarray | None]:
    if column == "real":
        return "Held-out real", comparison.run.gallery.get(f"{dataset}/{REAL}")
    if column == "gan":
        chosen = best_gan(comparison, dataset)
        if chosen is None:
            return "best GAN", None
        return f"{comparison.title(chosen)} (best GAN)", last(comparison, dataset, chosen)
    return comparison.title(column), last(comparison, dataset, column)
