"""Contact sheets, ten by ten images a file, as the figures of the OTVAE report; and their thumbnails for the page."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures.image_grids import cells
from otbench.report.figures.tiles import tile
from otbench.runs.formats import REAL, RECONSTRUCTION, REFERENCE
from otbench.utils.files import atomic_write

SIDE = 10
CONTENT = "otbench-content"
"""The text of a sheet's file that holds the hash of what it shows."""
SMALL = 6
"""Images along the side of a sheet and of a thumbnail."""
PIXELS = 56
"""Least height of an image on a sheet: smaller ones are enlarged by a whole number."""


@dataclass(frozen=True)
class Sheet:
    """One file of 100 images: path relative to the page, seed and snapshot (empty for what is no sample)."""

    path: str
    seed: str
    snapshot: str


@dataclass(frozen=True)
class Sheets:
    """The sheets of one model: its title, a thumbnail of the last as a data URI, and all of them."""

    title: str
    thumbnail: str
    sheets: tuple[Sheet, ...]

    @property
    def by_seed(self) -> list[tuple[str, list[Sheet]]]:
        """The sheets seed by seed, in the order of training."""
        groups: dict[str, list[Sheet]] = {}
        for sheet in self.sheets:
            groups.setdefault(sheet.seed, []).append(sheet)
        return list(groups.items())

    @property
    def first(self) -> str:
        """The path of the first seed's last sheet, which the thumbnail shows."""
        return self.by_seed[0][1][-1].path


def write_sheets(comparison: Comparison, dataset: str, out: Path) -> list[Sheets]:
    """Write the contact sheets of a data set: every cell of the gallery, and real and reconstructed images.

    A cell's file is `out`/sheets/<dataset>/<model>-seed<k>-<snapshot>.png.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        out: Folder of the page.

    Returns:
        The sheets by model, in the study's order, real images first.
    """
    folder, written = Path("sheets") / dataset, []
    for key, title in ((REAL, "Held-out real"), (REFERENCE, "Test images")):
        images = comparison.run.gallery.get(f"{dataset}/{key}")
        if images is not None and len(images):
            path = _save(images, out, folder / f"{key.strip('_')}.png")
            written.append(Sheets(title, thumbnail(images), (Sheet(path, "", ""),)))
    by_model: dict[str, list[tuple[int, str, np.ndarray]]] = {}
    for model, seed, snapshot, images in cells(comparison, dataset):
        by_model.setdefault(model, []).append((seed, snapshot, images))
    for model, samples in by_model.items():
        made = [
            Sheet(_save(images, out, folder / f"{model}-seed{seed}-{snapshot}.png"), str(seed), snapshot)
            for seed, snapshot, images in samples
        ]
        first = min(seed for seed, _, _ in samples)
        last = max((sample for sample in samples if sample[0] == first), key=lambda sample: float(sample[1]))
        again = comparison.run.gallery.get(f"{dataset}/{model}/{RECONSTRUCTION}")
        if again is not None and len(again):
            made.append(Sheet(_save(again, out, folder / f"{model}-reconstruction.png"), "", RECONSTRUCTION))
        written.append(Sheets(comparison.title(model), thumbnail(last[2]), tuple(made)))
    return written


def _save(images: np.ndarray, out: Path, name: Path) -> str:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    shown = images[: SIDE * SIDE]
    scale = max(1, -(-PIXELS // images.shape[2]))
    content = hashlib.sha256(repr((shown.shape, SIDE, scale)).encode() + shown.tobytes()).hexdigest()
    if _content(out / name) != content:  # drawing all of them takes seconds
        picture = Image.fromarray(tile(shown, SIDE, gap=2, scale=scale))
        about = PngInfo()
        about.add_text(CONTENT, content)
        with atomic_write(out / name) as path:
            (picture.convert("L") if images.shape[1] == 1 else picture).save(path, format="png", pnginfo=about)
    return name.as_posix()


def _content(path: Path) -> str | None:
    """The hash of the images that a sheet says it shows; None where there is no such sheet."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            picture.verify()  # a cut file is none
            return picture.info.get(CONTENT)
    except (OSError, SyntaxError, UnidentifiedImageError):
        return None


def thumbnail(images: np.ndarray, side: int = 168) -> str:
    """The first images as a small JPEG.

    Args:
        images: Images (n, c, h, w) uint8.
        side: Greatest side of the JPEG, pixels.

    Returns:
        A data URI.
    """
    from PIL import Image

    out = io.BytesIO()
    picture = Image.fromarray(tile(images[: SMALL * SMALL], SMALL))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    picture.save(out, format="jpeg", quality=78, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
