"""Data sets: `load` makes or reads one and checks it."""

from __future__ import annotations

import zipfile
import zlib
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


def load(name: str) -> DataSet:
    """The data set called `name`, or the one in the file `name` (`.npz`, as `save` writes it), checked.

    Raises OtbenchError for an unknown name and for a file that is missing, cut short or of the wrong form.
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
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise OtbenchError(
                f"data file {path} holds one array (.npy); expected an .npz, as 'otbench data' writes it"
            )
        with file:
            # what is in the archive but no array comes as bytes
            arrays = {key: value for key in file.files if isinstance(value := file[key], np.ndarray)}
    except FileNotFoundError as error:
        raise OtbenchError(f"data file {path} does not exist; make it with: otbench data NAME --out {path}") from error
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise OtbenchError(f"data file {path} cannot be read as .npz ({error})") from error
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
    words = {key: str(arrays.get(key, "")) for key in ("name", "title", "source")}
    return DataSet(words["name"], arrays["train"], arrays["test"], truth, words["title"], words["source"]).check()


def _scalar(value: np.ndarray) -> float:
    """The number that an array without axes holds; anything else as it is, for `Mixture.check` to refuse."""
    return value.item() if value.ndim == 0 else value
