"""Files of pictures as colour images of their own sizes: any format, mode and depth that Pillow reads."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from otbench.data.images.folder import OTHERS, SUFFIXES
from otbench.errors import OtbenchError
from otbench.utils.progress import Bar

#: modes of Pillow with more than eight bits in one channel
DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
#: pixels of the images that are held at a time
PIXELS = 2**24


@dataclass
class Census:
    """What the pictures of a folder are: counts of formats, modes and sizes, and what was changed in reading them."""

    formats: Counter = field(default_factory=Counter)
    modes: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)
    transparent: int = 0
    deep: int = 0
    turned: int = 0
    animated: int = 0


def listed(folder: Path) -> tuple[list[Path], Counter]:
    """The pictures in a folder and the folders below it, in the order of their paths; hidden ones are left out.

    Args:
        folder: The folder.

    Returns:
        Paths of the pictures, and how many files of other endings there are, by ending.

    Raises:
        OtbenchError: Where it holds no picture.
    """
    files, others = [], Counter()
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        ending = path.suffix.lower()
        if ending in SUFFIXES:
            files.append(path)
        elif ending in OTHERS:
            others[ending] += 1
    if not files:
        raise OtbenchError(
            f"folder {folder}: expected pictures ({', '.join(sorted(SUFFIXES))}) in it or in folders below, found none"
        )
    return files, others


def decode(content: bytes, where: str, census: Census) -> np.ndarray:
    """One picture as a colour image.

    EXIF orientation is applied; transparency is dropped; 16 bits become 8 by rounding v / 257; of an animation the
    first frame is taken.

    Args:
        content: Bytes of the file.
        where: Where it lies, for errors.
        census: Is told what the picture is.

    Returns:
        Image (3, h, w) uint8.

    Raises:
        OtbenchError: Where it cannot be read.
    """
    try:
        picture = Image.open(BytesIO(content))
        kind, animated = picture.format or "?", getattr(picture, "is_animated", False)
        picture.load()
        turned = picture.getexif().get(0x0112, 1) not in (0, 1)
        upright = ImageOps.exif_transpose(picture)
        mode = picture.mode
        if mode in DEEP:
            image = _eight_bits(np.asarray(upright), where)
        elif mode == "F":
            raise OtbenchError(f"{where}: expected 8 or 16 bits a channel, found a picture of floating-point numbers")
        else:
            image = np.asarray(upright.convert("RGB")).transpose(2, 0, 1)
    except OtbenchError:
        raise
    except UnidentifiedImageError as error:
        raise OtbenchError(f"{where}: expected a picture, found no known format") from error
    except Exception as error:  # each of Pillow's formats has errors of its own for a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OtbenchError(f"{where}: the picture cannot be read ({reason})") from error
    census.formats[kind] += 1
    census.modes[mode] += 1
    census.sizes[image.shape[1:]] += 1
    census.deep += mode in DEEP
    census.transparent += mode in TRANSPARENT or "transparency" in picture.info
    census.turned += turned
    census.animated += animated
    return image


def _eight_bits(values: np.ndarray, where: str) -> np.ndarray:
    """A grey picture of up to 16 bits as (3, h, w) uint8."""
    if values.min() < 0 or values.max() > 65_535:
        raise OtbenchError(f"{where}: expected values from 0 to 65,535, found {values.min()} to {values.max()}")
    grey = ((values.astype(np.int64) + 128) // 257).astype(np.uint8)
    return np.broadcast_to(grey, (3, *grey.shape))


def batches(files: list[Path], census: Census, title: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pictures in groups of one size, read as they are asked for.

    Args:
        files: Paths of the pictures.
        census: Is told what the pictures are.
        title: What they are, for progress.

    Yields:
        Rows (b,) and their images (b, 3, h, w) uint8.
    """
    waiting: dict[tuple[int, ...], tuple[list[int], list[np.ndarray]]] = {}
    held = 0
    with Bar(f"reading {title}", len(files)) as bar:
        for row, path in enumerate(files):
            image = decode(content(path), str(path), census)
            rows, images = waiting.setdefault(image.shape, ([], []))
            rows.append(row)
            images.append(image)
            held += image[0].size
            if held >= PIXELS:
                largest = max(waiting, key=lambda shape: len(waiting[shape][0]) * shape[1] * shape[2])
                rows, images = waiting.pop(largest)
                held -= len(rows) * largest[1] * largest[2]
                yield np.array(rows), np.stack(images)
            bar.update(row + 1)
        for rows, images in waiting.values():
            yield np.array(rows), np.stack(images)


def content(path: Path) -> bytes:
    """The bytes of a file.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        OtbenchError: Where it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error


def hashes(files: list[Path]) -> list[str]:
    """SHA-256 of every file.

    Args:
        files: Paths.

    Returns:
        Hexadecimal digits of each, in their order.
    """
    return [hashlib.sha256(content(path)).hexdigest() for path in files]
