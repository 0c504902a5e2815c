"""CelebA, from the user's own copy: its licence forbids passing it on, so there is nothing to download."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from otbench.data.base import DataSet
from otbench.data.images.decode import load_images, read_from
from otbench.data.images.publisher import Checksums
from otbench.errors import OtbenchError
from otbench.utils.arrays import DAMAGED

NAMES = {
    "celeba": "CelebA, centre crop of 160 brought to 64x64 as in Lucic et al.; from your own copy.",
    "celeba-140": "CelebA, centre crop of 140 brought to 64x64 as in the WAE paper; from your own copy.",
}


SOURCE = "Liu, Luo, Wang and Tang 2015 (CelebA, aligned and cropped)"
HOME = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
FOLDER, ARCHIVE, PARTITION = "img_align_celeba", "img_align_celeba.zip", "list_eval_partition.txt"
DIGESTS = {
    ARCHIVE: "md5:00d2c5bc6d35e252742224ab0c1e8fcb",
    PARTITION: "md5:d32c9cbf5e040fd4025c592c306e6668",
}
#: width and height of an aligned picture; side of what becomes of it
ALIGNED, SIDE = (178, 218), 64
#: the official partition, whose parts are runs of picture numbers: the last number of each
ENDS = {"train": 162_770, "validation": 182_637, "test": 202_599}
CODES = {"0": "train", "1": "validation", "2": "test"}
CROPS = {
    "celeba": ("CelebA", "centre crop of 160, bilinear to 64 without smoothing, as Lucic et al. 2018"),
    "celeba-140": ("CelebA (crop of 140)", "centre crop of 140, Lanczos to 64, as Tolstikhin et al. 2018 (WAE)"),
}


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """CelebA from the user's own copy, split by the official partition.

    Args:
        name: Name of the set, `celeba` or `celeba-140`.
        root: Where the copy lies: img_align_celeba/ or img_align_celeba.zip, and list_eval_partition.txt, in `root` or
            `root`/celeba/. The list may be missing: the parts of the official one are runs of picture numbers.
        unverified: Whether to let in files whose checksum is not the publisher's.

    Returns:
        Data set (162,770 + 19,867 + 19,962, 3, 64, 64): train, validation and test.

    Raises:
        OtbenchError: Where the copy is missing, damaged or not the publisher's.
    """
    checksums = Checksums(unverified)
    place, read = _source(root, checksums)
    parts = _partition(place.parent / PARTITION, checksums)
    shape = study_crop if name == "celeba" else wae_crop
    title, crop = CROPS[name]
    splits: dict[str, Any] = {
        split: load_images(names, place, read, _aligned(shape), SIDE)[0] for split, names in parts.items()
    }
    return DataSet(name=name, title=title, source=f"{SOURCE}; {crop}{checksums.note}", **splits)


def study_crop(picture: np.ndarray) -> np.ndarray:
    """The centre 160x160 of a picture at 64x64, as TensorFlow 1 resizes (compare_gan's loader).

    Its bilinear rule reads new pixel i at old place 2.5 i, between two old pixels, with no smoothing before. Lucic et
    al. keep the fractions, here the values are rounded to whole grey levels.

    Args:
        picture: Picture (218, 178, 3) uint8.

    Returns:
        Picture (64, 64, 3) uint8.
    """
    (height, width), side = picture.shape[:2], 160
    top, left = (height - side) // 2, (width - side) // 2
    values = picture[top : top + side, left : left + side].astype(np.float64)
    place = np.arange(SIDE) * (side / SIDE)
    low = place.astype(int)
    high, share = np.minimum(low + 1, side - 1), place - low
    values = values[:, low] + share[None, :, None] * (values[:, high] - values[:, low])
    values = values[low] + share[:, None, None] * (values[high] - values[low])
    return np.rint(values).astype(np.uint8)


def wae_crop(picture: np.ndarray) -> np.ndarray:
    """The 140x140 from left 19, top 39 of a picture at 64x64, by Pillow's Lanczos (WAE).

    Args:
        picture: Picture (218, 178, 3) uint8.

    Returns:
        Picture (64, 64, 3) uint8.
    """
    cropped = Image.fromarray(picture).crop((19, 39, 159, 179))
    return np.asarray(cropped.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _aligned(shape: Callable[[np.ndarray], np.ndarray]) -> Callable[[Image.Image, str], np.ndarray]:
    def checked(picture: Image.Image, where: str) -> np.ndarray:
        if picture.size != ALIGNED:
            size = f"{picture.width}x{picture.height}"
            raise OtbenchError(f"{where}: expected an aligned picture of {ALIGNED[0]}x{ALIGNED[1]}, found {size}")
        return shape(np.asarray(picture))

    return checked


def _source(root: Path, checksums: Checksums) -> tuple[Path, Callable[[str], bytes]]:
    """Where the pictures are, and how one of them is read by its name."""
    for place in (root, root / "celeba"):
        folder, archive = place / FOLDER, place / ARCHIVE
        if folder.is_dir():
            return folder, partial(read_from, folder)
        if archive.is_file():
            checksums.check(archive, None, DIGESTS[ARCHIVE])
            try:
                opened = zipfile.ZipFile(archive)
            except DAMAGED as error:
                raise OtbenchError(f"cannot read {archive}: {error}") from error
            return archive, partial(_from_archive, archive, opened)
    raise OtbenchError(
        f"CelebA may not be passed on, so it is not downloaded: put the folder {FOLDER} (or {ARCHIVE}) and "
        f"{PARTITION} (from {HOME}) at {root / 'celeba'}"
    )


def _from_archive(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(f"{FOLDER}/{name}")
    except KeyError as error:
        raise OtbenchError(f"{path}: there is no {FOLDER}/{name} in the archive") from error
    except DAMAGED as error:
        raise OtbenchError(f"cannot read {FOLDER}/{name} in {path}: {error}") from error


def _partition(path: Path, checksums: Checksums) -> dict[str, list[str]]:
    """Names of the pictures of each split, in the list's order."""
    parts: dict[str, list[str]] = {split: [] for split in ENDS}
    if not path.exists():
        first = 1
        for split, last in ENDS.items():
            parts[split] = [f"{number:06d}.jpg" for number in range(first, last + 1)]
            first = last + 1
        return parts
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OtbenchError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    checksums.check(path, None, DIGESTS[PARTITION])
    for number, line in enumerate(lines, 1):
        # a name without slashes cannot lead out of the folder
        if not (match := re.fullmatch(r"(\d+\.(?:jpg|png))\s+([012])\s*", line)):
            raise OtbenchError(f"{path}, line {number}: expected a picture and 0, 1 or 2, found '{line[:60]}'")
        parts[CODES[match[2]]].append(match[1])
    if empty := [split for split, names in parts.items() if not names]:
        raise OtbenchError(f"{path}: it puts no picture into {empty[0]}")
    return parts
