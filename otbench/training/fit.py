"""From a data set to fitted weights on disk: the verb `fit`."""

from __future__ import annotations

import csv
import gc
import hashlib
import platform
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from otbench.commands import command_line, fit_options, fit_words
from otbench.data.base import DataSet
from otbench.errors import OtbenchError, WorkFailed
from otbench.fingerprints import fit_version
from otbench.models import configure, find
from otbench.models.base import Model
from otbench.provenance import code_version, digest, machine, versions
from otbench.training.group import choose
from otbench.training.meter import Meter, settled
from otbench.training.saved import mark_of
from otbench.training.trainer import Options, Record, Trainer, key
from otbench.utils.bounds import NAME_MOST, SECONDS_MOST, check_seeds, check_snapshots, to_the_end
from otbench.utils.devices import configure_torch, flags, resolve_device
from otbench.utils.files import atomic_write, write_json
from otbench.utils.groups import in_groups
from otbench.utils.interrupt import Interrupted
from otbench.utils.locks import exclusive


def fit(
    name: str,
    data: DataSet,
    seeds: list[int],
    out: Path,
    steps: int | None = None,
    snapshots: list[float] | None = None,
    options: dict[str, Any] | None = None,
    training: Options | None = None,
    given: str | None = None,
) -> dict[str, Any]:
    """Train a model for every seed and write fit.json, weights.safetensors and losses.csv.

    An interrupted call resumes where it was.

    The certificate of every seed's last cell has what its training cost (`Meter`): `peak_memory` in bytes and, on a
    GPU, `energy` in joules. Replicas trained at once are charged equal shares, as of the seconds. A group that was
    interrupted has none, as only its last part would be known.

    A seed whose training ends with an error, exceeds `training.time_limit` or runs out of memory has cells of status
    failed, with the error's message; the others go on. On a GPU replicas that together need too much memory are first
    trained again one by one.

    Args:
        name: Name of the model.
        data: Data set to train on.
        seeds: Seeds of the replicas.
        out: Folder to write to.
        steps: Budget in discriminator updates (`Stage.cost`), None for the paper's.
        snapshots: Fractions of the budget in (0, 1] at which the sampler's weights are kept; 1 is always among them.
        options: Options of the model that differ from its defaults.
        training: How to train; default: `Options()`.
        given: What a command line calls the data set; default: its name.

    Returns:
        What fit.json holds.

    Raises:
        OtbenchError: Where options, data or devices do not fit.
    """
    try:
        what = "seeds"
        check_seeds(seeds)
        what = "snapshots"
        check_snapshots(snapshots or [])
    except ValueError as error:
        raise OtbenchError(f"fit: {what}: {error}") from error
    training = training or Options()
    if training.together < 0:
        raise OtbenchError(
            f"fit: together must be 0 or the number of replicas trained at once, got {training.together}"
        )
    if training.time_limit is not None and not 0 < training.time_limit <= SECONDS_MOST:
        raise OtbenchError(
            f"fit: time limit must be seconds above 0 and up to {SECONDS_MOST:g}, got {training.time_limit}"
        )
    device = resolve_device(training.device)
    configure_torch(device, training.deterministic, training.precision)
    model_class, config = find(name, data.kind), configure(name, options, data.kind)
    if data.kind not in model_class.kinds:
        raise OtbenchError(f"model {name} takes {' or '.join(model_class.kinds)}, but {data.name} holds {data.kind}")
    budget = steps or model_class.paper_budget(data.name) or 0
    marks = to_the_end(snapshots or []) if model_class.paper_steps else [1.0]
    what = {"model": name, "options": config.model_dump(), "data": data.digest(), "steps": budget, "snapshots": marks}
    what["precision"] = training.precision
    # taken now: sources edited while a long training runs are not what it runs
    version, started = code_version(), datetime.now(UTC).isoformat(timespec="seconds")
    together = training.together or _chosen(model_class, config, data, seeds, device, f"{name} on {data.name}")
    # a checkpoint is taken up only by the code, on the kind of device and with the torch that wrote it
    origin = {"code": fit_version(name, data.kind), "device": torch.device(device).type, "torch": torch.__version__}
    workshop = out / f".resume-{digest({**what, **origin})}"

    def train(group: list[int]) -> tuple[Record, dict[str, int]]:
        saved = workshop / f"{_group_name(group)}.pt"
        resumed, trainer = saved.exists(), None
        with Meter(device) as meter:
            try:
                model = model_class(config, data, group, device)
                counts = model.parameters()
                trainer = Trainer(model, budget, marks, training, saved)
                part = trainer.run(f"{name} on {data.name}, seed {', '.join(map(str, group))}")
            except Exception as error:
                if not work_failed(error):
                    raise
                if len(group) > 1 and _may_do_alone(error, training, trainer, len(group)):
                    return _one_by_one(train, group, error)
                return _failed(trainer, group, marks, error), {}
        if not resumed:
            _charge(part, meter.costs, len(group))
        return part, counts

    record, counts = Record(), {}
    if out.exists() and not out.is_dir():
        raise OtbenchError(f"fit: {out} is a file, expected a folder to write to")
    out.mkdir(parents=True, exist_ok=True)
    with settled(bool(model_class.paper_steps)), exclusive(out):
        for group in in_groups(seeds, together):
            part, sizes = train(group)
            record.add(part)
            counts = sizes or counts
    summary = {
        **what,
        "dataset": data.name,
        "seeds": seeds,
        "asked": {
            "steps": steps or "paper",
            "snapshots": to_the_end(snapshots or []),
            "options": options or {},
            "precision": training.precision,
        },
        "fit_version": origin["code"],
        "parameters": counts,
        "training": {**asdict(training), "device": device, "together": together},
        "device": machine()["gpu"]
        if device.startswith("cuda")
        else f"CPU ({platform.machine()}), {torch.get_num_threads()} thread",
        "versions": versions(),
        "flags": flags(device),
        "machine": machine(),
        "command": command_line(
            "fit", _words(name, given or data.name, seeds, out, steps, snapshots, options, training)
        ),
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


def _group_name(group: list[int]) -> str:
    """The name of a group's checkpoint: its seeds, or, where they are many, a digest of them."""
    name = "-".join(map(str, group))
    return name if len(name) <= NAME_MOST else digest({"seeds": group})


def work_failed(error: Exception) -> bool:
    """Whether an error is a model's own, to be recorded in its cell: neither a wrong request nor a wish to stop.

    Args:
        error: What training or drawing raised.

    Returns:
        True where the others may go on.
    """
    return not isinstance(error, OtbenchError) or (isinstance(error, WorkFailed) and not isinstance(error, Interrupted))


def message_of(error: Exception) -> str:
    """The message of a model that failed, for its cell; the whole error goes into the job's log.

    Args:
        error: What training or drawing raised.

    Returns:
        One line.
    """
    lines = str(error).strip().splitlines()
    message = lines[0] if isinstance(error, OtbenchError) else f"{type(error).__name__}: {lines[0] if lines else ''}"
    if not isinstance(error, OtbenchError):
        traceback.print_exception(error)
    print(f"failed: {message}", file=sys.stderr, flush=True)
    return message


def _chosen(model_class: type[Model], config: Any, data: DataSet, seeds: list[int], device: str, what: str) -> int:
    """How many replicas are trained at once, said in the log; one where the model cannot be built."""
    try:
        together, why = choose(model_class, config, data, seeds, device)
    except Exception as error:
        if not work_failed(error):
            raise
        return 1
    if why:
        print(f"{what}: {why}", file=sys.stderr, flush=True)
    return together


def _may_do_alone(error: Exception, training: Options, trainer: Trainer | None, replicas: int) -> bool:
    """Whether replicas whose training together ended with an error are tried one by one: where memory was short, and
    where nobody asked for them together, so that the fault of one seed is no other's; not where time ran out.
    """
    limit = training.time_limit
    late = limit is not None and trainer is not None and trainer.seconds > limit * replicas
    return isinstance(error, torch.OutOfMemoryError) or (not training.together and not late)


def _one_by_one(
    train: Callable[[list[int]], tuple[Record, dict[str, int]]], group: list[int], error: Exception
) -> tuple[Record, dict[str, int]]:
    """Train one after another the replicas that could not be trained together; their cells say why."""
    why = "ran out of memory" if isinstance(error, torch.OutOfMemoryError) else "failed"
    error.__traceback__ = None  # it holds the networks, and with them the memory
    gc.collect()
    torch.cuda.empty_cache()
    record, counts = Record(), {}
    for seed in group:
        part, sizes = train([seed])
        record.add(part)
        counts = sizes or counts
    for cell in record.cells.values():
        cell["message"] = cell["message"] or f"trained alone, as {len(group)} replicas at once {why}"
    return record, counts


def _failed(trainer: Trainer | None, group: list[int], marks: list[float], error: Exception) -> Record:
    """The record of replicas whose training ended with an error: their finished cells, the rest failed."""
    message = message_of(error)
    if trainer is not None:
        return trainer.fail(message)
    cell = {"status": "failed", "message": message, "seconds": 0.0, "certificate": {}}
    return Record(cells={key(seed, mark): {"seed": seed, "snapshot": mark, **cell} for seed in group for mark in marks})


def _charge(record: Record, costs: dict[str, float], replicas: int) -> None:
    """Let the last cell of every replica that was trained well carry its share of the costs."""
    for cell in record.cells.values():
        if cell["snapshot"] == 1.0 and cell["status"] == "ok":
            # a new mapping: a seed's cells share theirs
            cell["certificate"] = cell["certificate"] | {name: value / replicas for name, value in costs.items()}


def _words(
    name: str,
    given: str,
    seeds: list[int],
    out: Path,
    steps: int | None,
    snapshots: list[float] | None,
    options: dict[str, Any] | None,
    training: Options,
) -> list[str]:
    """The words after `otbench fit` that ask for this fit."""
    chosen = fit_options(
        steps,
        snapshots or [1.0],
        options or {},
        training.device,
        training.together,
        training.precision,
        training.capture,
        training.deterministic,
        training.time_limit,
    )
    return fit_words(name, given, out, seeds, chosen)


def _order(name: str) -> tuple[int, float]:
    seed, snapshot = name.split("/")
    return int(seed), float(snapshot)


def _write(out: Path, record: Record, summary: dict[str, Any]) -> None:
    tensors = {f"{cell}/{k}": v.contiguous() for cell, state in record.snapshots.items() for k, v in state.items()}
    content = save(tensors, {"fit": mark_of(summary)})
    summary["weights_sha256"] = hashlib.sha256(content).hexdigest()
    with atomic_write(out / "weights.safetensors") as path:
        path.write_bytes(content)
    with atomic_write(out / "losses.csv") as path, open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stage", "step", "seed", "loss", "value"])
        writer.writerows(record.losses)
    write_json(out / "fit.json", summary)
