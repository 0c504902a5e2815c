"""Data sets: `load` makes or reads one and checks it.

A file in `points` or `images` registers the data sets of its `NAMES` (name -> one line about it) and makes them with
`load(name, root, unverified)`. A package elsewhere registers through the entry point groups `otbench.datasets` (points)
and `otbench.datasets.images`: the entry's name is the data set's, its value such a function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data import roots
from otbench.data.base import SPLITS, DataSet, Mixture
from otbench.errors import OtbenchError
from otbench.registry import DATASET_GROUPS, KINDS, dataset_files, dataset_names
from otbench.utils.arrays import DAMAGED, read_npz
from otbench.utils.files import atomic_write

__all__ = ["DataSet", "Mixture", "list_datasets", "load", "save"]


def list_datasets() -> dict[str, str]:
    """Every data set that `load` knows by name.

    Returns:
        One line about each, by name.
    """
    return dataset_names("points") | dataset_names("images")


def load(name: str, root: str | Path | None = None, unverified: bool | None = None) -> DataSet:
    """The data set of a name, of a folder of images or of a file, checked.

    Args:
        name: Name of a data set, `folder:PATH` or `folder:PATH@SIZE` of a folder of images, or the path of an `.npz` as
            `save` writes it.
        root: Folder that image files are read from and downloaded to; default: $OTBENCH_DATA, else ~/.cache/otbench.
            Sets of points and `digits` do not need it.
        unverified: Whether to let in image files whose checksum is not the publisher's, and say so in `source`;
            default: $OTBENCH_UNVERIFIED. Sets of points and `digits` do not need it.

    Returns:
        The data set.

    Raises:
        OtbenchError: Where the name is unknown, or files are missing, cut short or of the wrong form.
        WorkFailed: Where a download fails.
    """
    name = str(name)
    if name.startswith(roots.FOLDER):
        from otbench.data.images import folder

        return folder.load(name.removeprefix(roots.FOLDER)).check()
    if name in list_datasets():
        return _maker(name)(name, roots.data_root(root), roots.allows_unverified(unverified)).check()
    if name.lower().endswith(".npz"):
        return _read(Path(name))
    raise OtbenchError(
        f"unknown data set '{name}'; known are {', '.join(list_datasets())}, folder:PATH, or the path of a data .npz"
    )


def _maker(name: str) -> Callable[[str, Path, bool], DataSet]:
    """The function that makes the data set of this name."""
    for kind in KINDS:
        module = dataset_files(kind).get(name)
        if module:
            return import_module(f"otbench.data.{module}").load
        if module is not None:
            (entry,) = entry_points(group=DATASET_GROUPS[kind], name=name)
            return entry.load()
    raise AssertionError(f"{name} is registered nowhere")


def save(data: DataSet, path: str | Path) -> None:
    """Write a data set to an `.npz`, whole or not at all.

    Args:
        data: Data set to write.
        path: Where it is written, .npz.
    """
    arrays: dict[str, Any] = dict(data.splits)
    arrays |= {f"{split}_labels": values for split, values in data.labels.items()}
    if data.classes:
        arrays["classes"] = np.array(data.classes)
    if data.truth:
        arrays |= {"centres": data.truth.centres, "sigma": data.truth.sigma, "weights": data.truth.weights}
        if data.truth.radius != Mixture.radius:
            arrays["radius"] = data.truth.radius
        if data.truth.basis is not None:
            arrays["basis"] = data.truth.basis
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays, name=data.name, title=data.title, source=data.source)


def read_name(path: str | Path) -> str:
    """The name of the data set in a file that `save` wrote, without reading the rest.

    Args:
        path: Where the data set lies, .npz.

    Returns:
        Name; empty where the file is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return str(file["name"])
    except (*DAMAGED, TypeError):
        return ""


def _read(path: Path) -> DataSet:
    if not path.is_file():
        raise OtbenchError(f"data file {path} does not exist; make it with: otbench data NAME --out {path}")
    arrays = read_npz(path, "an .npz, as 'otbench data' writes it")
    for key in ("name", "train", "test"):
        if key not in arrays:
            raise OtbenchError(f"data file {path} has no array '{key}'; expected name, train, test")
    parts = ("centres", "sigma", "weights")
    missing = [key for key in parts if key not in arrays]
    if 0 < len(missing) < len(parts):
        raise OtbenchError(
            f"data file {path} has no array '{missing[0]}'; a mixture is described by centres, sigma and weights"
        )
    truth = None if missing else Mixture(arrays["centres"], _scalar(arrays["sigma"]), arrays["weights"])
    if truth is not None and {"radius", "basis"} & set(arrays):
        radius = _scalar(arrays["radius"]) if "radius" in arrays else Mixture.radius
        truth = replace(truth, radius=radius, basis=arrays.get("basis"))
    words = {key: str(arrays.get(key, "")) for key in ("name", "title", "source")}
    classes = arrays.get("classes", np.array([], dtype=str))
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise OtbenchError(f"data file {path}: expected classes to be text of shape (K,), got {classes.dtype}")
    labels = {split: arrays[key] for split in SPLITS if (key := f"{split}_labels") in arrays}
    return DataSet(
        **words,
        train=arrays["train"],
        test=arrays["test"],
        truth=truth,
        validation=arrays.get("validation"),
        labels=labels,
        classes=tuple(classes.tolist()),
    ).check()


def _scalar(value: np.ndarray) -> Any:
    """The number that an array without axes holds; anything else as it is, for `Mixture.check` to refuse."""
    return value.item() if value.ndim == 0 else value
