"""The samples file: where anybody's samples enter.

An `.npz` with `samples` (N, ...), and optionally `seed` (N,) or one number, `snapshot` (N,) or one number (fraction
of the budget, in (0, 1]) and `info`, a JSON text that a run writes about its cells. A bare `.npy` of samples will do.
A cell is one seed at one snapshot. Of images it can also hold `reconstructions` (M, c, h, w), a model's reconstructions
of the reference images in order, seed after seed, with `reconstruction_seed` (M,).

Values that are not finite: in a file with `info` (a run's own) they are left in place, and the table marks their cell
as failed, so that one bad seed does not stop a run; in a file without it they are refused on reading, with a
sentence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.utils.arrays import DAMAGED, read_arrays
from otbench.utils.bounds import SEED_MOST, SNAPSHOT_DECIMALS, SNAPSHOT_LEAST
from otbench.utils.files import atomic_write

STATUSES = ("ok", "diverged", "failed", "missing")
#: key of a run's info: only those samples are there that figures show (`otbench slice`); its value is `measure_version`
THINNED = "thinned"


def as_bytes(images: Any) -> np.ndarray:
    """Images as uint8: round(255 x) of x in [0, 1], what lies outside cut off, NaN as 0; bytes as they are.

    Args:
        images: NumPy array or torch tensor of any shape, floats in [0, 1] or bytes.

    Returns:
        Array of the same shape, uint8.
    """
    array = images if isinstance(images, np.ndarray) else images.cpu().numpy()
    if array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):
        return np.clip(np.round(np.nan_to_num(array) * array.dtype.type(255)), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Cell:
    """One seed at one snapshot: its samples (n, ...), what became of it, and a transport map's certificate numbers."""

    seed: int
    snapshot: float
    samples: np.ndarray
    status: str = "ok"
    seconds: float = float("nan")
    message: str = ""
    certificate: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleFile:
    """Samples (N, ...) float32 or uint8 with seed (N,) int64 and snapshot (N,) float64 row by row.

    info: the run's own, if there is any. reconstructions: by seed, the reference images as a model gives them back
    (m, c, h, w), in order; empty where the model reconstructs nothing.
    """

    path: Path
    samples: np.ndarray
    seed: np.ndarray
    snapshot: np.ndarray
    info: dict[str, Any] | None = None
    reconstructions: dict[int, np.ndarray] = field(default_factory=dict)

    def check(self, dataset: DataSet) -> SampleFile:
        """Check that the samples are of a data set.

        Args:
            dataset: The data set.

        Returns:
            The samples file itself.

        Raises:
            OtbenchError: Where the samples do not have the shape and type of the data set's, or were made for other
                data.
        """
        if self.samples.shape[1:] != dataset.shape:
            raise OtbenchError(
                f"{self.path}: samples have shape {self.samples.shape}, expected"
                f" (N, {', '.join(map(str, dataset.shape))}) as in data set {dataset.name}"
            )
        if self.samples.dtype != dataset.train.dtype:
            raise OtbenchError(
                f"{self.path}: samples are {self.samples.dtype}, expected {dataset.train.dtype}"
                + " from 0 to 255" * (dataset.kind == "images")
                + f" as in data set {dataset.name}"
            )
        digest = (self.info or {}).get("data")
        if digest is not None and digest != dataset.digest():
            raise OtbenchError(
                f"{self.path} holds samples of a model that was trained on data {digest}, expected {dataset.digest()},"
                f" the data set {dataset.name} that is given; it changed since"
            )
        named = (self.info or {}).get("dataset", dataset.name)
        if named != dataset.name:
            raise OtbenchError(f"{self.path} holds samples of data set {named}, expected {dataset.name}")
        return self

    def cells(self) -> list[Cell]:
        """The cells: those that the info lists (a diverged one may have no rows), else those that the rows show.

        Returns:
            Cells, sorted by seed and snapshot.

        Raises:
            OtbenchError: Where there are samples of a cell that the info does not list.
        """
        keys = list(zip(self.seed.tolist(), self.snapshot.tolist(), strict=True))
        present = set(keys)
        listed = {_key(cell): cell for cell in (self.info or {}).get("cells", [])}
        stray = sorted(present - set(listed)) if listed else []
        if stray:
            raise OtbenchError(
                f"{self.path}: there are samples of seed {stray[0][0]}, snapshot {stray[0][1]:g},"
                " which the cells in info do not list"
            )
        return [self._cell(key, listed.get(key, {})) for key in sorted(set(listed) or present)]

    def _cell(self, key: tuple[int, float], listed: dict[str, Any]) -> Cell:
        seconds = listed.get("seconds")
        return Cell(
            *key,
            samples=self.samples[(self.seed == key[0]) & (self.snapshot == key[1])],
            status=listed.get("status", "ok"),
            seconds=float("nan") if seconds is None else float(seconds),
            message=str(listed.get("message") or ""),
            certificate=dict(listed.get("certificate") or {}),
        )


def _key(cell: dict[str, Any]) -> tuple[int, float]:
    return int(cell["seed"]), round(float(cell["snapshot"]), SNAPSHOT_DECIMALS)


def read_samples(path: str | Path) -> SampleFile:
    """Read a samples `.npz`, or samples alone from a `.npy`.

    Args:
        path: Where the samples lie.

    Returns:
        Samples with their seeds, snapshots, info and reconstructions.

    Raises:
        OtbenchError: Where the file is missing, truncated or no such file, where `samples` is missing, and where an
            array is of a wrong type, shape or value.
    """
    path = Path(path)
    arrays = _load(path)
    if "samples" not in arrays:
        names = ", ".join(sorted(arrays)) or "none"
        raise OtbenchError(f"{path}: there is no array `samples` (found: {names})")
    samples = _samples(arrays["samples"], path)
    info = _info(arrays["info"], path) if "info" in arrays else None
    bad = int((~np.isfinite(samples)).any(axis=tuple(range(1, samples.ndim))).sum())
    if bad and info is None:
        raise OtbenchError(
            f"{path}: {bad} of {len(samples)} samples hold NaN or infinite values, expected finite numbers"
        )
    rows = _rows(arrays, len(samples), path)
    return SampleFile(path, samples, *rows, info, _reconstructions(arrays, samples, path))


def read_info(path: str | Path) -> dict[str, Any] | None:
    """The info that a run wrote about the cells of a samples file, without reading the samples.

    Args:
        path: Where the samples lie.

    Returns:
        Info; None where there is none.

    Raises:
        OtbenchError: Where the file is missing or damaged.
    """
    path = Path(path)
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            return None
        with file:
            return _info(file["info"], path) if "info" in file.files else None
    except FileNotFoundError as error:
        raise OtbenchError(f"cannot read {path}: there is no such file") from error
    except (*DAMAGED, TypeError) as error:
        raise OtbenchError(f"{path} is damaged, truncated or not an .npz of samples ({error})") from error


def write_samples(
    path: str | Path,
    samples: np.ndarray,
    seed: int | np.ndarray = 0,
    snapshot: float | np.ndarray = 1.0,
    info: dict[str, Any] | None = None,
    reconstructions: dict[int, np.ndarray] | None = None,
) -> None:
    """Write a samples `.npz`, whole or not at all.

    Args:
        path: Where the samples are written, .npz.
        samples: Samples (N, ...), points or images.
        seed: Seeds (N,), or one number that stands for every row.
        snapshot: Fractions of the budget (N,) in (0, 1], or one number that stands for every row.
        info: What a run writes about its cells, plain JSON values.
        reconstructions: By seed, the model's reconstructions (m, c, h, w) of the reference images.

    Raises:
        OtbenchError: Where `read_samples` would refuse the file.
    """
    path = Path(path)
    samples = _samples(np.asarray(samples), path)
    seed, snapshot = _rows({"seed": np.asarray(seed), "snapshot": np.asarray(snapshot)}, len(samples), path)
    arrays: dict[str, Any] = {"samples": samples, "seed": seed, "snapshot": snapshot}
    if info is not None:
        arrays["info"] = np.array(json.dumps(info, sort_keys=True))
        _info(arrays["info"], path)
    if reconstructions:
        seeds = sorted(reconstructions)
        parts = [np.asarray(reconstructions[key]) for key in seeds]
        try:
            arrays["reconstructions"] = np.concatenate(parts)
        except ValueError as error:
            raise OtbenchError(f"{path}: the seeds' reconstructions differ in shape ({error})") from error
        arrays["reconstruction_seed"] = np.repeat(np.array(seeds, np.int64), [len(part) for part in parts])
        _reconstructions(arrays, samples, path)
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def read_array(path: str | Path) -> np.ndarray:
    """The array in a `.npy` file.

    Args:
        path: Where the array lies.

    Returns:
        The array.

    Raises:
        OtbenchError: Where the file holds none.
    """
    arrays = _load(Path(path))
    if list(arrays) != ["samples"]:
        raise OtbenchError(f"{path}: expected one array as np.save writes it (.npy)")
    return arrays["samples"]


def _load(path: Path) -> dict[str, np.ndarray]:
    content = read_arrays(path, "an .npz or .npy of plain arrays")
    return content if isinstance(content, dict) else {"samples": content}


def _samples(samples: np.ndarray, path: Path) -> np.ndarray:
    if samples.ndim not in (2, 4) or 0 in samples.shape[1:]:
        raise OtbenchError(f"{path}: samples have shape {samples.shape}, expected (N, d) points or (N, c, h, w) images")
    if samples.dtype == np.uint8 and samples.ndim == 4:
        return samples
    if samples.ndim == 4 and samples.dtype.kind in "iu":
        raise OtbenchError(f"{path}: samples are images of {samples.dtype}, expected uint8, from 0 to 255")
    if samples.dtype.kind not in "fiu":
        raise OtbenchError(f"{path}: samples are {samples.dtype}, expected real numbers")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is reported as such
        return samples.astype(np.float32)


def _rows(arrays: dict[str, np.ndarray], count: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
    seed, snapshot = np.asarray(arrays.get("seed", 0)), np.asarray(arrays.get("snapshot", 1.0))
    for name, values in (("seed", seed), ("snapshot", snapshot)):
        if values.shape not in ((), (count,)):
            raise OtbenchError(
                f"{path}: {name} has shape {values.shape}, expected one number or ({count},) as samples has"
            )
    if seed.dtype.kind not in "iu":
        raise OtbenchError(f"{path}: seed is {seed.dtype}, expected whole numbers")
    if seed.size and (wrong := _seed_out_of_range(int(seed.min()), int(seed.max()))) is not None:
        raise OtbenchError(f"{path}: seed holds {wrong}, expected whole numbers from {-SEED_MOST} to {SEED_MOST}")
    if snapshot.dtype.kind not in "fiu" or not ((snapshot >= SNAPSHOT_LEAST) & (snapshot <= 1)).all():
        raise OtbenchError(
            f"{path}: snapshot is not a number above 0 and up to 1 in every row, expected fractions of the budget"
        )
    snapshot = np.round(np.broadcast_to(snapshot, (count,)).astype(np.float64), SNAPSHOT_DECIMALS)
    return np.broadcast_to(seed, (count,)).astype(np.int64), snapshot


def _seed_out_of_range(*seeds: int) -> int | None:
    """The first of the seeds that tables cannot hold; None where they can hold all."""
    return next((seed for seed in seeds if not -SEED_MOST <= seed <= SEED_MOST), None)


def _reconstructions(arrays: dict[str, np.ndarray], samples: np.ndarray, path: Path) -> dict[int, np.ndarray]:
    images, seed = arrays.get("reconstructions"), arrays.get("reconstruction_seed")
    if images is None and seed is None:
        return {}
    if images is None or seed is None:
        lacking = "reconstructions" if images is None else "reconstruction_seed"
        raise OtbenchError(f"{path}: there is no array `{lacking}`, expected reconstructions and their seeds together")
    if samples.ndim != 4 or images.shape[1:] != samples.shape[1:] or images.dtype != samples.dtype:
        raise OtbenchError(
            f"{path}: reconstructions are {images.dtype} {images.shape}, expected images like the samples,"
            f" {samples.dtype} {samples.shape}"
        )
    if seed.shape != (len(images),) or seed.dtype.kind not in "iu":
        raise OtbenchError(
            f"{path}: reconstruction_seed is {seed.dtype} {seed.shape}, expected whole numbers ({len(images)},)"
        )
    if seed.size and (wrong := _seed_out_of_range(int(seed.min()), int(seed.max()))) is not None:
        raise OtbenchError(
            f"{path}: reconstruction_seed holds {wrong}, expected whole numbers from {-SEED_MOST} to {SEED_MOST}"
        )
    return {int(value): images[seed == value] for value in np.unique(seed)}


def _info(value: np.ndarray, path: Path) -> dict[str, Any]:
    try:
        info = json.loads(str(value[()])) if value.shape == () and value.dtype.kind == "U" else None
    except RecursionError as error:
        raise OtbenchError(f"{path}: info is nested too deeply to be read as JSON") from error
    except ValueError as error:
        raise OtbenchError(f"{path}: info is not valid JSON ({error})") from error
    if not isinstance(info, dict):
        raise OtbenchError(f"{path}: info is not one JSON object as a text, expected what a run writes about its cells")
    cells = info.get("cells", [])
    if not isinstance(cells, list):
        raise OtbenchError(f"{path}: cells in info is {type(cells).__name__}, expected a list")
    keys = [_check_cell(cell, f"{path}, info, cell {number}") for number, cell in enumerate(cells, 1)]
    if len(keys) != len(set(keys)):
        raise OtbenchError(f"{path}: info lists a cell twice, expected every seed and snapshot once")
    return info


def _check_cell(cell: Any, where: str) -> tuple[int, float]:
    try:
        key = _key(cell)
        float(cell.get("seconds") or 0)
        if _seed_out_of_range(key[0]) is not None:
            raise ValueError(f"seed {key[0]}")
        numbers = dict(cell.get("certificate") or {}).values()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise OtbenchError(f"{where}: expected numbers for seed, snapshot and seconds ({error!r})") from error
    if not 0 < key[1] <= 1:
        raise OtbenchError(f"{where}: snapshot is {key[1]:g}, expected a fraction of the budget above 0 and up to 1")
    if cell.get("status", "ok") not in STATUSES:
        raise OtbenchError(f"{where}: status is {cell['status']!r}, expected one of {', '.join(STATUSES)}")
    if not all(number is None or isinstance(number, int | float) for number in numbers):
        raise OtbenchError(f"{where}: certificate holds something that is no number, expected numbers or null")
    return key
