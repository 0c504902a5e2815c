"""Decoding many pictures (JPEG, PNG, ...) to arrays of one size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from otbench.errors import OtbenchError
from otbench.utils.progress import Bar

#: modes of Pillow with one channel, and with up to eight bits a channel: what has more would be cut off when it is
#: brought to RGB; of 16 bits in RGB Pillow itself takes the upper eight
GREY = ("1", "L", "LA")
SHALLOW = {*GREY, "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
CHUNK = 500


def read_from(folder: Path, name: str) -> bytes:
    """The content of a file.

    Args:
        folder: Where the file lies.
        name: Name of the file in the folder.

    Returns:
        Bytes of the file.

    Raises:
        OtbenchError: Where it cannot be read.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise OtbenchError(f"cannot read {folder / name}: {error.strerror or error}") from error


def decoded(content: bytes, where: str) -> Image.Image:
    """The picture in the content of a file.

    Args:
        content: Bytes of the file.
        where: Where the picture lies, for errors.

    Returns:
        The picture, loaded, in its own mode.

    Raises:
        OtbenchError: Where there is none, it is cut short or has over 8 bits a channel.
    """
    try:
        picture = Image.open(BytesIO(content))
        picture.load()
    except UnidentifiedImageError as error:
        raise OtbenchError(f"{where}: expected a picture, found no known format") from error
    except (
        Exception
    ) as error:  # each of Pillow's formats has errors of its own for a damaged file, TypeError among them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OtbenchError(f"{where}: the picture cannot be read ({reason})") from error
    if picture.mode not in SHALLOW:
        raise OtbenchError(f"{where}: expected 8 bits a channel, found a picture of mode {picture.mode}")
    return picture


def load_images(
    names: Sequence[str],
    place: Path,
    read: Callable[[str], bytes],
    shape: Callable[[Image.Image, str], np.ndarray],
    size: int,
    upright: bool = False,
) -> tuple[np.ndarray, bool, int]:
    """Pictures as one array; of an animation the first frame is taken.

    `read` and `shape` run in threads, for Pillow computes beside Python.

    Args:
        names: Names of the pictures.
        place: Folder or archive of the pictures, for errors.
        read: From a name to the content of the file.
        shape: From (picture in RGB, where it lies) to (size, size, 3) uint8.
        size: Side of the images, in pixels.
        upright: Whether to turn each picture as the orientation in its EXIF data says.

    Returns:
        Images (n, 3, size, size) uint8, whether all are grey, and the number of animations.

    Raises:
        OtbenchError: Where a picture cannot be read.
    """
    images = np.empty((len(names), 3, size, size), np.uint8)

    def take(row: int) -> tuple[bool, bool]:
        where = str(place / names[row])
        picture = decoded(read(names[row]), where)
        straight = ImageOps.exif_transpose(picture) if upright else picture
        images[row] = shape(straight.convert("RGB"), where).transpose(2, 0, 1)
        return picture.mode in GREY, getattr(picture, "is_animated", False)

    grey, animations = True, 0
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, Bar("reading pictures", len(names)) as bar:
        for start in range(0, len(names), CHUNK):
            rows = range(start, min(start + CHUNK, len(names)))
            flags = list(pool.map(take, rows))
            grey = grey and all(plain for plain, _ in flags)
            animations += sum(moves for _, moves in flags)
            bar.update(rows.stop)
    return images, grey, animations
