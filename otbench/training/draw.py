"""From fitted weights to samples on disk: the verb `draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics.samples import write_samples
from otbench.training.fit import open_fit, prepare, resolve
from otbench.training.streams import generator

#: what samples.npz carries of fit.json, so that each score knows where it comes from
CARRIED = ("dataset", "device", "code_version", "config_hash", "steps")


def draw(folder: Path, data: DataSet, n: int, out: Path, device: str = "cpu") -> dict[str, Any]:
    """Draw n samples of every seed and snapshot that `folder` holds and write them to the `.npz` `out`.

    A replica's noise is the same at all its snapshots, so that samples can be followed along the training. Returns the
    record that goes with the samples. Raises OtbenchError for a folder that holds no fit or other data.
    """
    if n < 1:
        raise OtbenchError(f"draw: expected at least one sample, got {n}")
    device = resolve(device)
    prepare(device)
    summary, load = open_fit(Path(folder), data, device)
    drawn: list[np.ndarray] = []
    seeds: list[int] = []
    snapshots: list[float] = []
    for cell in summary["cells"]:
        if cell["status"] != "ok":
            continue
        model = load(cell["seed"], cell["snapshot"])
        # the stream is a CPU one on every device, so that a GPU draws the same noise
        samples = model.draw(n, [generator(cell["seed"], "samples")]).cpu()
        cell["certificate"] |= model.certify(samples)[0]
        samples = samples[0].numpy()
        drawn.append(samples)
        seeds += [cell["seed"]] * len(samples)
        snapshots += [cell["snapshot"]] * len(samples)
    values = np.concatenate(drawn) if drawn else np.zeros((0, *data.shape), data.train.dtype)
    info = {key: summary[key] for key in CARRIED} | {"model": summary["model"], "cells": summary["cells"]}
    write_samples(out, values, np.array(seeds, np.int64), np.array(snapshots, np.float64), info)
    return info
