"""Data sets: `load` makes or reads one and checks it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from otbench.data.base import DataSet, Mixture
from otbench.data.points import POINTS
from otbench.errors import OtbenchError
from otbench.files import whole

__all__ = ["DataSet", "Mixture", "known", "load", "save"]


def known() -> dict[str, str]:
    """Every data set that `load` knows by name, with one line about it."""
    return {name: (make.__doc__ or "").splitlines()[0] for name, make in POINTS.items()}


def load(name: str, root: str | Path | None = None) -> DataSet:
    """The data set called `name`, or the one in the file `name` (`.npz`, as `save` writes it), checked.

    root: folder of downloaded data; the sets in the plane need none. Raises OtbenchError for an unknown name and for a
    file that is missing, cut short or of the wrong form.
    """
    if name in POINTS:
        return POINTS[name]().check()
    if str(name).endswith(".npz"):
        return _read(Path(name))
    raise OtbenchError(f"unknown data set '{name}'; known are {', '.join(POINTS)}, or the path of a data .npz")


def save(data: DataSet, path: str | Path) -> None:
    """Write a data set to an `.npz`, whole or not at all."""
    truth = {}
    if data.truth:
        truth = {"centres": data.truth.centres, "sigma": data.truth.sigma, "weights": data.truth.weights}
    with whole(path) as temporary, open(temporary, "wb") as file:
        words = {"name": data.name, "title": data.title, "source": data.source}
        np.savez(file, train=data.train, test=data.test, **truth, **words)


def _read(path: Path) -> DataSet:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError as error:
        raise OtbenchError(f"data file {path} does not exist; make it with: otbench data NAME --out {path}") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise OtbenchError(f"data file {path} cannot be read as .npz ({error})") from error
    for key in ("name", "train", "test"):
        if key not in arrays:
            raise OtbenchError(f"data file {path} has no array '{key}'; expected name, train, test")
    truth = None
    if "centres" in arrays:
        truth = Mixture(arrays["centres"], float(arrays["sigma"]), arrays["weights"])
    words = {key: str(arrays.get(key, "")) for key in ("name", "title", "source")}
    return DataSet(words["name"], arrays["train"], arrays["test"], truth, words["title"], words["source"]).check()
