"""From fitted weights to samples on disk: the verb `draw`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from otbench.data.base import DataSet
from otbench.data.samples import as_bytes, write_samples
from otbench.errors import OtbenchError, WorkFailed
from otbench.models.base import Model
from otbench.training.fit import message_of, work_failed
from otbench.training.saved import open_fit
from otbench.utils.arrays import check_memory
from otbench.utils.bounds import ROWS_MOST
from otbench.utils.devices import configure_torch, resolve_device
from otbench.utils.rng import generator

#: what samples.npz carries of fit.json, so that each score knows where it comes from
CARRIED = (
    "dataset",
    "data",
    "asked",
    "fit_version",
    "device",
    "code_version",
    "config_hash",
    "steps",
    "versions",
    "machine",
    "started",
    "finished",
)


#: reference images that are reconstructed at once
CHUNK = 1000


def draw(
    folder: Path, data: DataSet, n: int, out: Path, device: str = "cpu", only: int | None = None
) -> dict[str, Any]:
    """Draw samples of every seed and snapshot of a fit and write them to one file.

    Images are written as uint8, round(255 x). Of a model that can reconstruct, its reconstructions of the reference
    images at the end of its budget are written too. A replica's noise is the same at all its snapshots, so that samples
    can be followed along the training. A cell that cannot be drawn from, or gives something else than n finite samples
    like the data, is marked as failed, and the others go on.

    Args:
        folder: Where the fit lies.
        data: Data set that the model was fitted on.
        n: Number of samples of each seed and snapshot.
        out: Where the samples are written, .npz.
        device: Device that draws.
        only: The one seed that is drawn from; None: all.

    Returns:
        Record that goes with the samples; it names no path, so that equal samples make equal files.

    Raises:
        OtbenchError: Where the folder holds no fit or one of other data, or the samples are too many.
    """
    if not 1 <= n <= ROWS_MOST:
        raise OtbenchError(f"draw: expected from one sample to {ROWS_MOST}, got {n}")
    device = resolve_device(device)
    configure_torch(device)
    summary, load = open_fit(Path(folder), data, device)
    if only is not None:
        summary["cells"] = [cell for cell in summary["cells"] if cell["seed"] == only]
    bytes_each = data.train.itemsize * int(np.prod(data.shape))
    cells = sum(cell["status"] == "ok" for cell in summary["cells"])
    check_memory(
        2 * cells * n * bytes_each, f"draw: {n:,} samples of each of {cells} cells, twice while they are joined, come"
    )
    drawn: list[np.ndarray] = []
    seeds: list[int] = []
    snapshots: list[float] = []
    given_back: dict[int, np.ndarray] = {}
    for cell in summary["cells"]:
        if cell["status"] != "ok":
            continue
        try:
            values, certificate, images = _drawn(load, cell, data, n)
        except Exception as error:
            if not work_failed(error):
                raise
            cell |= {"status": "failed", "message": message_of(error)}
            continue
        cell["certificate"] |= certificate
        drawn.append(values)
        seeds += [cell["seed"]] * n
        snapshots += [cell["snapshot"]] * n
        if images is not None:
            given_back[cell["seed"]] = images
    values = np.concatenate(drawn) if drawn else np.zeros((0, *data.shape), data.train.dtype)
    info = {key: summary.get(key) for key in CARRIED} | {"model": summary["model"], "cells": summary["cells"]}
    info["drawn"] = {"n": n, "device": device}
    write_samples(out, values, np.array(seeds, np.int64), np.array(snapshots, np.float64), info, given_back)
    return info


def _drawn(
    load: Callable[[int, float], Model], cell: dict[str, Any], data: DataSet, n: int
) -> tuple[np.ndarray, dict[str, float], np.ndarray | None]:
    """Samples (n, ...) of a cell, what the model certifies of them, and its reconstructions where there are any.

    Raises WorkFailed where the model gives something else than n finite samples like the data.
    """
    model = load(cell["seed"], cell["snapshot"])
    # the stream is a CPU one on every device, so that a GPU draws the same noise
    samples = check_samples(model.draw(n, [generator(cell["seed"], "samples")]), n, data)
    values = as_bytes(samples[0]) if data.kind == "images" else samples[0].numpy()
    certificate = model.certify(samples)[0]
    again = cell["snapshot"] == 1.0 and hasattr(model, "reconstruct")
    return values, certificate, reconstructed(model, data.reference) if again else None


def check_samples(samples: Tensor, n: int, data: DataSet) -> Tensor:
    """The samples that a model of one replica drew, checked, on the CPU.

    Args:
        samples: What `Model.draw` returned.
        n: Number of samples that were asked for.
        data: The data set; the rest of the shape is that of its samples.

    Returns:
        Samples (1, n, ...), finite.

    Raises:
        WorkFailed: Where they are not (1, n, ...) like the data, or not finite.
    """
    shape = tuple(samples.shape) if isinstance(samples, Tensor) else type(samples).__name__
    if shape != (1, n, *data.shape):
        raise WorkFailed(f"the model drew {shape}, expected {(1, n, *data.shape)}")
    samples = samples.detach().cpu()
    if not bool(samples.isfinite().all()):
        raise WorkFailed("the samples were not finite")
    return samples


def reconstructed(model: Any, images: np.ndarray) -> np.ndarray:
    """Reconstructions of images by a model of one replica, through its code space.

    Args:
        model: Model that can reconstruct.
        images: Images (n, c, h, w) uint8.

    Returns:
        Images (n, c, h, w) uint8.

    Raises:
        WorkFailed: Where the reconstructions have another shape.
    """
    starts = range(0, len(images), CHUNK)
    parts = [torch.from_numpy(images[s : s + CHUNK]).float() / 255 for s in starts]
    results = np.concatenate([as_bytes(model.reconstruct(part)[0]) for part in parts])
    if results.shape != images.shape:
        raise WorkFailed(f"the model's reconstructions are {results.shape}, expected {images.shape}")
    return results
