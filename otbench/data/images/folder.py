"""Any folder of images, the user's own."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from otbench.data.base import DataSet
from otbench.data.images.decode import load_images, read_from
from otbench.data.images.splits import permutation
from otbench.errors import OtbenchError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
SEED, SIDE = 401, 32


def load(text: str) -> DataSet:
    """The pictures in the folder PATH and the folders below it, where `text` is PATH or PATH@SIZE.

    The largest centre square of each is brought to SIZE x SIZE (32 unless given) by Pillow's Lanczos, which smooths
    before it shrinks; one channel where all are grey, else three, transparency dropped. In the order of their paths, a
    fixed random permutation puts 80 % into train and 10 % each into validation and test. Where every picture lies in
    one of several folders of PATH, those are the classes.
    """
    path, side = _parsed(text)
    names = _pictures(path)
    images, grey = load_images(names, path, partial(read_from, path), partial(_square, side=side), side)
    if grey:
        images = images[:, :1].copy()
    tenth = len(names) // 10
    order = permutation(len(names), SEED)
    parts = {"test": order[:tenth], "validation": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    tops = [name.split("/")[0] if "/" in name else "" for name in names]
    classes = tuple(sorted(set(tops)))
    labels: dict[str, np.ndarray] = {}
    if len(classes) > 1 and "" not in classes:
        numbers = np.array([classes.index(top) for top in tops], np.int64)
        labels = {split: numbers[rows] for split, rows in parts.items()}
    return DataSet(
        name="folder-" + re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-"),
        title=f"images of {path.name}",
        source=f"the user's own: {len(names):,} pictures, centre square brought to {side}x{side} by Lanczos",
        labels=labels,
        classes=classes if labels else (),
        **{split: images[rows] for split, rows in parts.items()},
    )


def _parsed(text: str) -> tuple[Path, int]:
    found = re.fullmatch(r"(.+)@(\d+)", text)
    path, side = (found[1], int(found[2])) if found else (text, SIDE)
    if not path:
        raise OtbenchError("folder: expected folder:PATH or folder:PATH@SIZE")
    if not 8 <= side <= 256:
        raise OtbenchError(f"folder:{text}: expected a size from 8 to 256, got {side}")
    return Path(path).expanduser().absolute(), side


def _pictures(path: Path) -> list[str]:
    """Paths of the pictures relative to `path`, sorted; hidden files are left out."""
    if not path.is_dir():
        raise OtbenchError(f"folder {path} does not exist; expected a folder of images")
    found = [file.relative_to(path) for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    names = sorted(file.as_posix() for file in found if not any(part.startswith(".") for part in file.parts))
    if len(names) < 10:
        raise OtbenchError(
            f"folder {path}: expected at least 10 pictures ({', '.join(sorted(SUFFIXES))}), found {len(names)}"
        )
    return names


def _square(picture: Image.Image, where: str, side: int) -> np.ndarray:
    """The largest centre square of a picture in RGB at (side, side, 3)."""
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    cropped = picture.crop((left, top, left + edge, top + edge))
    return np.asarray(cropped.resize((side, side), Image.Resampling.LANCZOS))
