"""Somebody's samples as the samples file of a run: the verb `admit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.data.samples import write_samples
from otbench.errors import OtbenchError
from otbench.provenance import code_version
from otbench.scoring.cache import to_shape
from otbench.scoring.sides import Side, read_side


def admit(name: str, data: DataSet, paths: Sequence[str], n: int, out: str | Path) -> dict[str, Any]:
    """Write somebody's samples as a run keeps a model's: one seed a path, all at the end of the budget.

    Args:
        name: Name of the guest.
        data: Data set that it is compared with.
        paths: Folders of pictures, .npy or .npz, a seed each, in order.
        n: Number of samples of every seed: the first of what there is.
        out: Samples file, .npz.

    Returns:
        What the file says of itself.

    Raises:
        OtbenchError: Where a path cannot be read, holds something else than the data set, or fewer than n samples.
    """
    seeds = [rows_of(read_side(path, None if data.kind == "images" else "points"), data, n) for path in paths]
    info = {
        "model": name,
        "dataset": data.name,
        "data": data.digest(),
        "asked": {"guest": list(paths)},
        "drawn": {"n": n},
        "device": "",
        "code_version": code_version(),
        "cells": [{"seed": seed, "snapshot": 1.0, "status": "ok", "seconds": None} for seed in range(len(seeds))],
    }
    write_samples(out, np.concatenate(seeds), np.repeat(np.arange(len(seeds)), n), 1.0, info)
    return info


def rows_of(side: Side, data: DataSet, n: int) -> np.ndarray:
    """The first n samples of a side in the data set's shape.

    Args:
        side: Somebody's samples.
        data: Data set that they are compared with.
        n: Number of samples.

    Returns:
        Samples (n, ...) of the data set's shape and type. Pictures of a folder are brought to it, their centre square
        by Lanczos; arrays must have it.

    Raises:
        OtbenchError: Where there are fewer than n, or an array has another shape.
    """
    if side.n < n:
        raise OtbenchError(
            f"{side.name}: it holds {side.n:,} samples, expected at least {n:,}, as many as every model of the study is"
            " measured on"
        )
    if data.kind == "points":
        rows = side.rows[:n].astype(np.float32)
        if side.kind == "images" or rows.shape[1:] != data.shape:
            raise OtbenchError(
                f"{side.name}: samples have shape {rows.shape[1:]}, expected {data.shape} as {data.name}"
            )
        return rows
    if side.array is None:
        side.files = side.files[:n]
        images = np.empty((n, *data.shape), np.uint8)
        for where, batch in side.batches():
            images[where] = to_shape(batch, data.shape)
        return images
    if side.kind != "images" or side.array.shape[1:] != data.shape:
        raise OtbenchError(
            f"{side.name}: samples have shape {side.array.shape[1:]}, expected images {data.shape} as in data set"
            f" {data.name}"
        )
    return side.array[:n]
