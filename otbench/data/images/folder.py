"""Any folder of images, the user's own."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from otbench.data.base import DataSet
from otbench.data.images.decode import load_images, read_from
from otbench.data.images.splits import permutation
from otbench.errors import OtbenchError
from otbench.utils.paths import folder_and_side

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
#: endings of pictures that are not read, but counted among what was left out
OTHERS = {".apng", ".avif", ".dng", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jxl", ".pbm", ".pnm", ".svg", ".tga"}
#: folders that hold splits of a set of images, not classes
SPLIT_FOLDERS = {"dev", "test", "train", "training", "val", "valid", "validation"}
SEED, SIDE, LEAST = 401, 32, 10


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder, paths relative to it, sorted; how many links lead nowhere, and how many pictures were
    left out for their ending, by ending.
    """

    names: list[str]
    dangling: int
    others: dict[str, int]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted: the folders at the top, where every picture lies in one of several; else ()."""
        tops = {_top(name) for name in self.names}
        return tuple(sorted(tops)) if len(tops) > 1 and "" not in tops else ()

    @property
    def left_out(self) -> list[str]:
        """What was left out, in words."""
        links = [f"{self.dangling} links that lead nowhere"] if self.dangling else []
        return links + [f"{count} files *{ending}" for ending, count in sorted(self.others.items())]


def load(text: str) -> DataSet:
    """The pictures in a folder and the folders below it, as a data set.

    The largest centre square of each is brought to SIZE x SIZE by Pillow's Lanczos, which smooths before it shrinks;
    one channel where all are grey, else three, transparency dropped. EXIF orientation is applied, and of an animation
    the first frame taken. Links are followed. In the order of their paths, a fixed random permutation puts 80 % into
    train and 10 % each into validation and test. Where every picture lies in one of several folders of PATH, those are
    the classes.

    Args:
        text: PATH or PATH@SIZE, SIZE in pixels, 32 unless given.

    Returns:
        The data set.

    Raises:
        OtbenchError: Where PATH is no folder of pictures, SIZE is outside 8 to 256, or a picture cannot be read.
    """
    path, side = _parsed(text)
    files = listing(path)
    names, classes = files.names, files.classes
    read, shape = partial(read_from, path), partial(_square, side=side)
    images, grey, animations = load_images(names, path, read, shape, side, upright=True)
    if grey:
        images = images[:, :1].copy()
    tenth = len(names) // 10
    order = permutation(len(names), SEED)
    parts = {"test": order[:tenth], "validation": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    labels: dict[str, np.ndarray] = {}
    if classes:
        numbers = np.array([classes.index(_top(name)) for name in names], np.int64)
        labels = {split: numbers[rows] for split, rows in parts.items()}
    notes = [f"of {animations} animations the first frame"] if animations else []
    notes += [f"left out: {', '.join(files.left_out)}"] if files.left_out else []
    source = f"the user's own: {len(names):,} pictures, centre square brought to {side}x{side} by Lanczos"
    arrays: dict[str, Any] = {split: images[rows] for split, rows in parts.items()}
    return DataSet(
        name="folder-" + re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-"),
        title=f"images of {path.name}",
        source="; ".join([source, *notes]),
        labels=labels,
        classes=classes,
        **arrays,
    )


def side_of(text: str) -> int:
    """The side that pictures of a folder are brought to.

    Args:
        text: PATH or PATH@SIZE.

    Returns:
        Side, in pixels.

    Raises:
        OtbenchError: Where there is no PATH, or SIZE is outside 8 to 256.
    """
    return _parsed(text)[1]


def contents(text: str) -> str:
    """A digest that changes where a picture of a folder is added, removed or written anew.

    Args:
        text: PATH or PATH@SIZE.

    Returns:
        Twelve hexadecimal digits, of names, sizes and times of change; `missing` where it is no folder of pictures.
    """
    try:
        path, side = _parsed(text)
        states = [(name, (path / name).stat()) for name in listing(path, least=0).names]
    except (OtbenchError, OSError):
        return "missing"
    sums = hashlib.sha256(f"{side}".encode())
    for name, state in states:
        sums.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return sums.hexdigest()[:12]


def check(text: str, least: int, labelled: bool) -> None:
    """Check that a folder of images has enough pictures, and classes where they are needed.

    A folder that is not there passes: it is missed where it is read.

    Args:
        text: PATH or PATH@SIZE.
        least: Smallest number of pictures.
        labelled: Whether classes are needed.

    Raises:
        OtbenchError: Where it has fewer pictures or lacks classes.
    """
    path, _ = _parsed(text)
    if not path.is_dir():
        return
    files = listing(path, least=0)
    if len(files.names) < least:
        raise OtbenchError(
            f"folder {path}: expected at least {least} pictures, for a tenth of them is the test split and the metrics"
            f" need {least // 10} there, {_counted(files)}"
        )
    if labelled and not files.classes:
        raise OtbenchError(
            f"folder {path}: expected every picture in one of several folders, the classes, for the classifier whose"
            " features images are compared in is trained on them; without classes: `features: [inception]`"
        )


def _parsed(text: str) -> tuple[Path, int]:
    path, given = folder_and_side(text)
    side = SIDE if given is None else given
    if not path:
        raise OtbenchError("folder: expected folder:PATH or folder:PATH@SIZE")
    if not 8 <= side <= 256:
        raise OtbenchError(f"folder:{text}: expected a size from 8 to 256, got {side}")
    return Path(path).expanduser().absolute(), side


def listing(path: Path, least: int = LEAST) -> Listing:
    """The pictures in a folder and the folders below it, those behind links too; hidden files are left out.

    Args:
        path: The folder.
        least: Smallest number of pictures.

    Returns:
        Names of the pictures, and what was left out.

    Raises:
        OtbenchError: Where `path` is no folder or holds fewer than `least` pictures, where a name is no UTF-8, and
            where the folders at the top are splits (train, val).
    """
    if not path.is_dir():
        raise OtbenchError(f"folder {path} does not exist; expected a folder of images")
    names, dangling, others = [], 0, Counter()
    for name in _files(path):
        ending, file = Path(name).suffix.lower(), path / name
        if file.is_symlink() and not file.exists():
            dangling += 1
        elif ending in OTHERS:
            others[ending] += 1
        elif ending in SUFFIXES and file.is_file():
            names.append(name)
    files = Listing(sorted(names), dangling, dict(others))
    tops = {_top(name) for name in names}
    if names and {top.lower() for top in tops} <= SPLIT_FOLDERS:
        raise OtbenchError(
            f"folder {path}: {', '.join(sorted(tops))} at the top are splits, not classes; expected the folder of one"
            f" split, such as {path / min(tops)}, which is split anew"
        )
    if len(names) < least:
        raise OtbenchError(
            f"folder {path}: expected at least {least} pictures ({', '.join(sorted(SUFFIXES))}), {_counted(files)}"
        )
    return files


def _files(path: Path) -> Iterator[str]:
    """Paths of the files below `path`, relative to it; hidden ones are left out, and links back to a folder above."""
    for place, folders, files in os.walk(path, followlinks=True):
        above = {os.path.realpath(place)} | {os.path.realpath(folder) for folder in _between(path, Path(place))}
        visible = [name for name in folders if not name.startswith(".")]
        folders[:] = sorted(name for name in visible if os.path.realpath(os.path.join(place, name)) not in above)
        for name in files:
            if name.startswith("."):
                continue
            file = (Path(place) / name).relative_to(path).as_posix()
            try:
                file.encode()
            except UnicodeEncodeError as error:
                where = file.encode(errors="backslashreplace").decode()
                raise OtbenchError(f"folder {path}: the name {where} is no UTF-8; rename it") from error
            yield file


def _between(root: Path, place: Path) -> list[Path]:
    """`root`, `place` and the folders between them, by their names in the path."""
    return [root, *(folder for folder in (place, *place.parents) if root in folder.parents)]


def _top(name: str) -> str:
    """The folder at the top that a picture lies in, '' where it lies in none."""
    return name.split("/")[0] if "/" in name else ""


def _counted(found: Listing) -> str:
    return f"found {len(found.names)}" + (f" (left out: {', '.join(found.left_out)})" if found.left_out else "")


def _square(picture: Image.Image, where: str, side: int) -> np.ndarray:
    """The largest centre square of a picture in RGB at (side, side, 3)."""
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    cropped = picture.crop((left, top, left + edge, top + edge))
    return np.asarray(cropped.resize((side, side), Image.Resampling.LANCZOS))
