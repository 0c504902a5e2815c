"""From a data set to fitted weights on disk: the verb `fit`."""

from __future__ import annotations

import csv
import os
import platform
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from otbench.catalogue import fit_version
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.files import read_json, whole, write_json
from otbench.models import configure, find
from otbench.models.base import Model
from otbench.provenance import code_version, digest, machine, versions
from otbench.training.trainer import Options, Record, Trainer


def prepare(device: str) -> None:
    """Set the process up for training: one CPU thread, no denormal numbers; raises OtbenchError for a missing GPU.

    One thread, because results must not depend on the number of cores; jobs run side by side instead.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise OtbenchError("device 'cuda' was asked for but this machine has no usable GPU; use 'cpu' or 'auto'")
    torch.set_num_threads(int(os.environ.get("OTBENCH_THREADS", "1")))
    torch.set_flush_denormal(True)


def resolve(device: str) -> str:
    """`auto` becomes `cuda` where there is a GPU, else `cpu`."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def fit(
    name: str,
    data: DataSet,
    seeds: list[int],
    out: Path,
    steps: int | None = None,
    snapshots: list[float] | None = None,
    options: dict[str, Any] | None = None,
    training: Options | None = None,
) -> dict[str, Any]:
    """Train model `name` for every seed and write `out`/{fit.json, weights.safetensors, losses.csv}.

    steps: budget in discriminator updates (`Stage.cost`), None for the paper's. snapshots: fractions of the budget in
    (0, 1] at which the sampler's weights are kept; 1 is always among them. An interrupted call resumes where it was.
    Returns what fit.json holds. Raises OtbenchError for options, data or devices that do not fit.
    """
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise OtbenchError(f"fit: seeds must be different whole numbers from 0 up, got {seeds}")
    training = training or Options()
    if training.together < 0:
        raise OtbenchError(
            f"fit: together must be 0 or the number of replicas trained at once, got {training.together}"
        )
    if any(not 0 < f <= 1 for f in snapshots or []):
        raise OtbenchError(f"fit: snapshots must be fractions of the budget above 0 and up to 1, got {snapshots}")
    device = resolve(training.device)
    prepare(device)
    model_class, config = find(name, data.kind), configure(name, options, data.kind)
    if data.kind not in model_class.kinds:
        raise OtbenchError(f"model {name} takes {' or '.join(model_class.kinds)}, but {data.name} holds {data.kind}")
    budget = steps or model_class.paper_budget(data.name) or 0
    marks = sorted({*(snapshots or []), 1.0}) if model_class.paper_steps else [1.0]
    what = {"model": name, "options": config.model_dump(), "data": data.digest(), "steps": budget, "snapshots": marks}
    what["precision"] = training.precision
    # taken now: sources edited while a long training runs are not what it runs
    version, started = code_version(), datetime.now(UTC).isoformat(timespec="seconds")
    together = training.together or (len(seeds) if device.startswith("cuda") else 1)
    # a checkpoint is taken up only by the code, on the kind of device and with the torch that wrote it
    origin = {"code": fit_version(name, data.kind), "device": torch.device(device).type, "torch": torch.__version__}
    workshop = out / f".resume-{digest({**what, **origin})}"
    records, counts = [], {}
    for start in range(0, len(seeds), together):
        group = seeds[start : start + together]
        model = model_class(config, data, group, device)
        counts = model.parameters()
        saved = workshop / f"{'-'.join(map(str, group))}.pt"
        label = f"{name} on {data.name}, seed {', '.join(map(str, group))}"
        records.append(Trainer(model, budget, marks, training, saved).run(label))
    record = Record()
    for part in records:
        record.snapshots.update(part.snapshots)
        record.cells.update(part.cells)
        record.losses += part.losses
    summary = {
        **what,
        "dataset": data.name,
        "seeds": seeds,
        "parameters": counts,
        "training": {**asdict(training), "device": device},
        "device": machine()["gpu"]
        if device.startswith("cuda")
        else f"CPU ({platform.machine()}), {torch.get_num_threads()} thread",
        "versions": versions(),
        "started": started,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": version,
        "config_hash": digest(what),
        "cells": [record.cells[k] for k in sorted(record.cells, key=_order)],
    }
    _write(out, record, summary)
    for left in out.glob(".resume-*"):
        shutil.rmtree(left, ignore_errors=True)
    return summary


def _order(name: str) -> tuple[int, float]:
    seed, snapshot = name.split("/")
    return int(seed), float(snapshot)


def _write(out: Path, record: Record, summary: dict[str, Any]) -> None:
    tensors = {f"{cell}/{k}": v.contiguous() for cell, state in record.snapshots.items() for k, v in state.items()}
    with whole(out / "weights.safetensors") as path:
        save_file(
            tensors, path, metadata={"config_hash": summary["config_hash"], "code_version": summary["code_version"]}
        )
    with whole(out / "losses.csv") as path, open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stage", "step", "seed", "loss", "value"])
        writer.writerows(record.losses)
    write_json(out / "fit.json", summary)


def open_fit(folder: Path, data: DataSet, device: str = "cpu") -> tuple[dict[str, Any], Any]:
    """A fitted model's summary, and a function (seed, snapshot) -> the model of that cell, ready to draw.

    Raises OtbenchError where a file is missing, cut short, or belongs to other data.
    """
    summary = read_json(folder / "fit.json")
    if summary.get("data") != data.digest():
        raise OtbenchError(
            f"{folder} was fitted on {summary.get('dataset')} with digest {summary.get('data')}, "
            f"but the data given are {data.name} with digest {data.digest()}"
        )
    model_class = find(summary["model"], data.kind)
    config = configure(summary["model"], summary["options"], data.kind)
    path = folder / "weights.safetensors"
    try:
        weights = safe_open(path, "pt", device=device)
    except (OSError, SafetensorError) as error:
        raise OtbenchError(f"cannot read the weights in {path}: {error}") from error
    made = weights.metadata() or {}
    if any(made.get(k) != summary[k] for k in ("config_hash", "code_version")):
        raise OtbenchError(f"{folder}: weights.safetensors and fit.json are of different fits; fit again")
    names = list(weights.keys())

    def load(seed: int, snapshot: float) -> Model:
        start = f"{seed}/{snapshot:g}/"
        model = model_class(config, data, [seed], device, training=False)
        model.load({n.removeprefix(start): weights.get_tensor(n).unsqueeze(0) for n in names if n.startswith(start)})
        return model

    return summary, load
