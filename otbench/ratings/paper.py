"""The session on paper: numbered images and a form, A4 pages in one PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otbench.ratings.key import Key
from otbench.ratings.page import enlargement
from otbench.utils import plotting
from otbench.utils.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_pdf import PdfPages

PAPER = (210.0, 297.0)  # mm, A4
MARGIN, HEAD = 14.0, 30.0  # mm
COLUMNS, ROWS = 6, 7
FORM_COLUMNS, FORM_ROWS = 4, 42
PIXELS = 224
"""Pixels that an image is enlarged to at most, so that viewers and printers do not smooth it."""

ASK = "Real images and images made by models are mixed. Mark each as real or generated, by first impression."


def write_pdf(path: str | Path, key: Key, images: np.ndarray) -> None:
    """Write images with their numbers, and the form with boxes, whole or not at all.

    Args:
        path: Where to write, .pdf.
        key: Key of the session.
        images: Its images (n, c, h, w) uint8, in order.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    sheets, forms = _chunks(len(images), COLUMNS * ROWS), _chunks(len(images), FORM_COLUMNS * FORM_ROWS)
    pages = len(sheets) + len(forms)
    nothing = {"Creator": None, "Producer": None, "CreationDate": None}
    with plotting.styled(), atomic_write(path) as temporary, PdfPages(temporary, metadata=nothing) as pdf:
        for number, numbers in enumerate(sheets, 1):
            _page(pdf, key, "Images", f"page {number} of {pages}", numbers, images)
        for number, numbers in enumerate(forms, len(sheets) + 1):
            _page(pdf, key, "Form", f"page {number} of {pages}", numbers, None)


def _chunks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _page(pdf: PdfPages, key: Key, title: str, number: str, items: range, images: np.ndarray | None) -> None:
    from matplotlib.figure import Figure

    wide, high = PAPER
    figure = Figure(figsize=(wide / 25.4, high / 25.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, wide)
    axes.set_ylim(high, 0)
    axes.text(MARGIN, 15, f"Rating session {key.session}: {title.lower()}", fontsize=12, weight="bold", va="center")
    axes.text(wide - MARGIN, 15, number, fontsize=8, ha="right", va="center")
    axes.text(MARGIN, 22, ASK, fontsize=8, va="center")
    if images is None:
        axes.text(MARGIN, 30, "Name:", fontsize=9, va="center")
        axes.plot([MARGIN + 14, MARGIN + 100], [32, 32], color="black", linewidth=0.6)
        _form(axes, items)
    else:
        _images(axes, items, images)
    pdf.savefig(figure)


def _images(axes: Axes, items: range, images: np.ndarray) -> None:
    """Rows of images, each above its number; all of one size."""
    height, width = images.shape[2:]
    scale = enlargement(height, width, PIXELS)
    across, down = (PAPER[0] - 2 * MARGIN) / COLUMNS, (PAPER[1] - HEAD - MARGIN) / ROWS
    room = min((across - 4) / width, (down - 9) / height)
    wide, high = room * width, room * height
    for at, item in enumerate(items):
        left, top = MARGIN + (at % COLUMNS) * across + (across - wide) / 2, HEAD + (at // COLUMNS) * down
        enlarged = images[item].transpose(1, 2, 0).repeat(scale, axis=0).repeat(scale, axis=1)
        pixels = np.repeat(enlarged, 3, axis=2) if enlarged.shape[2] == 1 else enlarged
        axes.imshow(pixels, extent=(left, left + wide, top + high, top), interpolation="none", aspect="auto", zorder=2)
        axes.text(left + wide / 2, top + high + 3.2, str(item + 1), fontsize=9, ha="center", va="center")
    axes.set_xlim(0, PAPER[0])
    axes.set_ylim(PAPER[1], 0)


def _form(axes: Axes, items: range) -> None:
    """Columns of numbers with two boxes each."""
    from matplotlib.patches import Rectangle

    across, first = (PAPER[0] - 2 * MARGIN) / FORM_COLUMNS, HEAD + 15
    down = (PAPER[1] - first - MARGIN) / FORM_ROWS
    for column in range(-(-len(items) // FORM_ROWS)):
        left = MARGIN + column * across
        for offset, word in ((16, "real"), (32, "generated")):
            axes.text(left + offset, first - 5, word, fontsize=7, ha="center", va="center")
    for at, item in enumerate(items):
        left, middle = MARGIN + (at // FORM_ROWS) * across, first + (at % FORM_ROWS) * down
        axes.text(left + 8, middle, str(item + 1), fontsize=8.5, ha="right", va="center")
        for offset in (16, 32):
            axes.add_patch(
                Rectangle((left + offset - 1.8, middle - 1.8), 3.6, 3.6, fill=False, edgecolor="black", linewidth=0.7)
            )
