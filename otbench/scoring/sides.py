"""One side of a comparison: what REAL or GENERATED of `otbench score` stands for, and how it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.scoring import pictures
from otbench.utils.arrays import read_arrays

KINDS = ("images", "images-signed", "features", "points")
"""What `--as` declares an array to be; of `images-signed` values run from -1 to 1."""
PARTS = ("train", "test", "validation", "reference", "held-out")
KEYS = ("samples", "images", "features", "points")
"""Names under which an .npz is looked into, where it holds several arrays."""


@dataclass
class Side:
    """Images, features or points to be compared.

    Attributes:
        name: what the user called it.
        kind: `images`, `features` or `points`.
        n: number of rows.
        digest: hexadecimal digits of the content, which features are cached by.
        array: rows (n, d), or images (n, c, h, w) uint8; None where files are read as they are needed.
        files: pictures of a folder.
        notes: what was done to the values in reading.
        part: split of a data set; empty elsewhere.
        data: the data set, where it is one.
        census: what a folder's pictures are, once they were read.
        left_out: files of a folder that are pictures of other endings, by ending.
    """

    name: str
    kind: str
    n: int
    digest: str
    array: np.ndarray | None = None
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    part: str = ""
    data: DataSet | None = None
    census: pictures.Census = field(default_factory=pictures.Census)
    left_out: dict[str, int] = field(default_factory=dict)
    hashes: list[str] = field(default_factory=list)

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The images in groups of one size.

        Yields:
            Rows (b,) and their images (b, c, h, w) uint8.
        """
        if self.array is None:
            self.census = pictures.Census()
            yield from pictures.batches(self.files, self.census, self.name)
        else:
            yield np.arange(self.n), self.array

    @cached_property
    def rows(self) -> np.ndarray:
        """Features or points (n, d)."""
        assert self.array is not None
        return self.array

    def described(self) -> dict[str, Any]:
        """What it is, for the protocol.

        Returns:
            Values that are ready for JSON.
        """
        told: dict[str, Any] = {"name": self.name, "kind": self.kind, "n": self.n, "digest": self.digest[:12]}
        if self.part:
            told["split"] = self.part
        if self.census.sizes:
            told |= {"formats": dict(self.census.formats), "modes": dict(self.census.modes)}
            told["sizes"] = {f"{w}x{h}": count for (h, w), count in self.census.sizes.most_common(5)}
        elif self.kind == "images" and self.array is not None:
            told["sizes"] = {f"{self.array.shape[3]}x{self.array.shape[2]}": self.n}
        if self.left_out:
            told["left_out"] = dict(self.left_out)
        return told | ({"notes": self.notes} if self.notes else {})


def read_side(text: str, declared: str | None = None) -> Side:
    """What a word of the command line stands for.

    Args:
        text: A folder of pictures, an .npy or .npz, or a data set's name or file with its split: `digits:test`.
        declared: One of KINDS, which an array is; None for what shape and type say.

    Returns:
        The side.

    Raises:
        OtbenchError: Where it is nothing of these, or cannot be read.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        return _folder(path, declared)
    if path.is_file() and path.suffix.lower() in (".npy", ".npz"):
        arrays = read_arrays(path, "an .npz or .npy of plain arrays")
        if isinstance(arrays, dict) and {"name", "train", "test"} <= set(arrays):
            return _split(text, "test")
        return _array(str(path), _only(arrays, path, declared), declared)
    name, colon, part = text.rpartition(":")
    if colon and part in PARTS:
        return _split(name, part)
    from otbench.data import list_datasets

    if text in list_datasets():
        return _split(text, "test")
    if path.suffix.lower() in (".npy", ".npz"):
        raise OtbenchError(f"cannot read {path}: there is no such file")
    if path.is_file():
        raise OtbenchError(f"{path}: expected a folder of pictures, an .npy or an .npz, found another file")
    raise OtbenchError(
        f"{text}: there is no such folder, file or data set; expected a folder of pictures, an .npy or .npz, or a data"
        f" set with its split ({', '.join(PARTS)}), such as digits:test; `otbench list datasets` names them"
    )


def _folder(path: Path, declared: str | None) -> Side:
    if declared not in (None, "images"):
        raise OtbenchError(f"folder {path}: it holds pictures, expected --as images, got --as {declared}")
    files, others = pictures.listed(path)
    hashes = pictures.hashes(files)
    digest = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return Side(str(path), "images", len(files), digest, files=files, left_out=dict(others), hashes=hashes)


def _split(name: str, part: str) -> Side:
    from otbench.data import load

    data = load(name)
    key = part.replace("-", "_")
    values = getattr(data, key)
    if values is None:
        raise OtbenchError(f"data set {data.name} has no {part} split, expected one of {', '.join(data.splits)}")
    kind = "images" if data.kind == "images" else "points"
    return Side(f"{name}:{part}", kind, len(values), _digest(values), np.asarray(values), part=part, data=data)


def _digest(values: np.ndarray) -> str:
    sums = hashlib.sha256(f"{values.dtype}{values.shape}".encode())
    sums.update(np.ascontiguousarray(values).data)
    return sums.hexdigest()


def _only(arrays: np.ndarray | dict[str, np.ndarray], path: Path, declared: str | None) -> np.ndarray:
    """The array that is meant."""
    if isinstance(arrays, np.ndarray):
        return arrays
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    asked = declared and declared.removesuffix("-signed")
    named = [key for key in KEYS if key in arrays and (asked is None or key in ("samples", asked))]
    if len(named) != 1:
        raise OtbenchError(
            f"{path}: expected one array, or one that is called samples, images, features or points, found"
            f" {', '.join(sorted(arrays)) or 'none'}"
        )
    return arrays[named[0]]


def _array(name: str, values: np.ndarray, declared: str | None) -> Side:
    if values.dtype.kind not in "fiu":
        raise OtbenchError(f"{name}: expected real numbers, got dtype {values.dtype}")
    kind = declared or ("images" if values.ndim in (3, 4) else "features")
    if kind in ("features", "points"):
        if values.ndim != 2 or 0 in values.shape:
            raise OtbenchError(f"{name}: expected {kind} of shape (n, d), got shape {values.shape}")
        return Side(name, kind, len(values), _digest(values), values)
    images, notes = _images(name, values, signed=kind == "images-signed")
    return Side(name, "images", len(images), _digest(images), images, notes=notes)


def _images(name: str, values: np.ndarray, signed: bool) -> tuple[np.ndarray, list[str]]:
    """Images (n, c, h, w) uint8 of an array of grey (n, h, w), channels first or channels last, and what was done."""
    notes: list[str] = []
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4 or 0 in values.shape:
        raise OtbenchError(
            f"{name}: expected images of shape (n, h, w), (n, c, h, w) or (n, h, w, c), got shape {values.shape}"
        )
    first, last = values.shape[1] in (1, 3, 4), values.shape[3] in (1, 3, 4)
    if not (first or last):
        raise OtbenchError(f"{name}: expected images of 1, 3 or 4 channels, got shape {values.shape}")
    if not first:
        values, notes = values.transpose(0, 3, 1, 2), ["channels last"]
    if values.shape[1] == 4:
        values, notes = values[:, :3], [*notes, "transparency dropped"]
    return _quantised(name, values, signed, notes), notes


def _quantised(name: str, values: np.ndarray, signed: bool, notes: list[str]) -> np.ndarray:
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == np.uint16:
        notes.append("16 bits rounded to 8")
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if not np.isfinite(values).all():
        raise OtbenchError(f"{name}: expected finite values of images, found NaN or infinite ones")
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise OtbenchError(f"{name}: expected values of images from 0 to 255, found {low:g} to {high:g}")
        return values.astype(np.uint8)
    if signed:
        values, low, high = (values + 1) / 2, (low + 1) / 2, (high + 1) / 2
        notes.append("values from -1 to 1")
    if low < 0 or high > 1:
        raise OtbenchError(
            f"{name}: expected values of images from 0 to 1 (of floats; --as images-signed for -1 to 1), found"
            f" {low:g} to {high:g}"
        )
    notes.append("floats rounded to 8 bits")
    return np.round(values * 255).astype(np.uint8)
