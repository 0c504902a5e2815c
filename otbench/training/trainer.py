"""Training of a group of replicas: stages, snapshots, divergence, checkpoints."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otbench.errors import OtbenchError, WorkFailed
from otbench.models.base import Model, Stage
from otbench.training.feed import Feed
from otbench.utils.bounds import snapshot_text, to_the_end
from otbench.utils.files import atomic_write
from otbench.utils.interrupt import Interrupted, Stop, stoppable
from otbench.utils.progress import Bar

#: bytes of the checksum that a checkpoint begins with
DIGEST = hashlib.sha256().digest_size
#: seconds beyond the time limit after which a step is ended in its middle
ROOM = 5.0


@dataclass(frozen=True)
class Options:
    """How to train, whatever the model: nothing here may change a result beyond rounding."""

    device: str = "cpu"
    #: replicas trained at once; 0: all on a GPU, and on a CPU those of networks so narrow that it is faster (group.py)
    together: int = 0
    #: record a step as one CUDA graph and replay it (GPU only), where the model's steps can be
    capture: bool = False
    #: "float32", "tf32" for matrix products and convolutions of a GPU with ten bits of mantissa, or "bfloat16" for
    #: mixed precision
    precision: str = "float32"
    #: on a GPU, only kernels that give the same bits every time, at some cost in time
    deterministic: bool = False
    #: seconds between checkpoints
    checkpoint: float = 60.0
    #: seconds that one replica may train; None is no limit
    time_limit: float | None = None


@dataclass
class Record:
    """What a group's training leaves behind."""

    snapshots: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)
    losses: list[list[Any]] = field(default_factory=list)

    def add(self, other: Record) -> None:
        """Take in the record of other replicas.

        Args:
            other: Record of replicas that this one does not have.
        """
        self.snapshots.update(other.snapshots)
        self.cells.update(other.cells)
        self.losses += other.losses


def key(seed: int, snapshot: float) -> str:
    """The name of a cell, as in weights.safetensors.

    Args:
        seed: Seed of the cell.
        snapshot: Fraction of the budget.

    Returns:
        `seed/snapshot`.
    """
    return f"{seed}/{snapshot_text(snapshot)}"


class Trainer:
    """Trains one model for a list of seeds that share tensors."""

    def __init__(self, model: Model, steps: int, snapshots: list[float], options: Options, saved: Path | None) -> None:
        self.model, self.steps, self.options, self.saved = model, steps, options, saved
        self.seeds = list(model.seeds)
        self.snapshots = sorted(snapshots)
        self.record = Record()
        self.data = torch.from_numpy(model.data.train).to(model.device)
        self.stage_index, self.step, self.seconds, self.finished = 0, 0, 0.0, False
        self.certificates: dict[int, dict[str, float]] = {}

    # ------------------------------------------------------------------ budget

    def plan(self) -> list[tuple[Stage, int]]:
        """Every stage with its number of steps; stages share the budget of batches in proportion.

        Returns:
            Stages and their numbers of steps, one at least; 0 for a stage without steps.
        """
        stages = self.model.stages()
        shares = sum(s.share for s in stages if s.step)
        return [(s, max(1, round(self.steps * s.share / shares / s.cost)) if s.step else 0) for s in stages]

    # ------------------------------------------------------------------ running

    def run(self, title: str = "") -> Record:
        """Train to the end, from the last checkpoint where there is one.

        Args:
            title: Title of the progress bar.

        Returns:
            Record of all replicas.

        Raises:
            Interrupted: Where SIGTERM or SIGINT asks to stop: after a checkpoint, from which the next call goes on.
        """
        with stoppable() as stop:
            return self._run(title, stop)

    def _run(self, title: str, stop: Stop) -> Record:
        plan = self.plan()
        total = sum(n * s.cost for s, n in plan)
        state = self.restore()
        done = sum(n * s.cost for s, n in plan[: self.stage_index])
        with Bar(title, total) as bar:
            for index in range(self.stage_index, len(plan)):
                stage, n = plan[index]
                if index > self.stage_index:
                    self.stage_index, self.step, state = index, 0, None
                    self.save(None)
                if stage.solve and self.model.seeds:
                    with stop.limited(self._left(), partial(self._late, stage, time.perf_counter())):
                        self._solve(stage)
                elif self.model.seeds:
                    with stop.held():
                        self._train(stage, n, done, total, state, bar, stop)
                done += n * stage.cost
        if not self.finished:
            self.model.refresh_statistics()
            self._snapshot(1.0)
            self.finished = True
            self.save(None)
        return self.record

    def _left(self) -> float | None:
        """Seconds after which a step that has not come back is taken for blocked: what is left of the time, and room
        for the check between steps to come first.
        """
        limit = self.options.time_limit
        return None if limit is None else max(0.0, limit * len(self.seeds) - self.seconds) + ROOM

    def _late(self, stage: Stage, started: float) -> WorkFailed:
        """The error that ends a stage which has not come back since `started`; the time counts."""
        self.seconds += time.perf_counter() - started
        limit = self.options.time_limit
        return WorkFailed(f"training exceeded its time of {limit:g} s in a step of stage {stage.name} that did not end")

    def _solve(self, stage: Stage) -> None:
        started = time.perf_counter()
        assert stage.solve is not None
        certificates = stage.solve()
        self.seconds += time.perf_counter() - started
        # one record a seed, whichever stages have added to it
        for seed, numbers in zip(self.model.seeds, certificates, strict=True):
            self.certificates[seed] = {**self.certificates.get(seed, {}), **numbers}

    def _snapshots(self, due: list[float], started: float) -> float:
        """Take these snapshots in the middle of a chunk that began at `started`; returns the seconds that it took."""
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        undo = self.model.refresh_statistics()
        for fraction in due:
            self._snapshot(fraction, self.seconds + now - started)
        undo()
        return time.perf_counter() - now

    def _train(self, stage: Stage, n: int, before: int, total: int, state: dict | None, bar: Bar, stop: Stop) -> None:
        feed = Feed(stage.inputs, self.data, self.model.seeds, stage.name, self.model.device)
        if state and state["streams"]:
            feed.load(state["streams"])
        run_step = self._stepper(stage)
        saved_at = time.monotonic()
        for network in self.model.networks.values():
            network.train()
        while self.step < n and self.model.seeds:
            started = time.perf_counter()
            chunk = feed.chunk()
            count = min(feed.CHUNK, n - self.step)
            parts: list[dict[str, Tensor]] = []
            marks: list[float] = []
            with stop.limited(self._left(), partial(self._late, stage, started)):
                for k in range(count):
                    if stage.schedule:
                        stage.schedule(self.step / n)
                    losses = run_step({name: values[k] for name, values in chunk.items()})
                    parts.append({name: value.clone() for name, value in losses.items()})
                    self.step += 1
                    used = before + self.step * stage.cost
                    due = [f for f in self.snapshots if f < 1 and used - stage.cost < f * total <= used]
                    if due:
                        started += self._snapshots(due, started)
                        marks += due
            means = {name: torch.stack([p[name].float() for p in parts]).mean(0).cpu() for name in parts[0]}
            self.seconds += time.perf_counter() - started
            note = f"{stage.name}, " + ", ".join(f"{name} {v.nanmean():.3g}" for name, v in means.items())
            bar.update(before + self.step * stage.cost, note)
            if self._log(stage, means, marks):
                feed.keep([k for k, seed in enumerate(feed.seeds) if seed in self.model.seeds])
                run_step = self._stepper(stage)
            due = time.monotonic() - saved_at > self.options.checkpoint or stop.asked is not None
            if due and self.step < n:
                self.save({"streams": feed.state()})
                saved_at = time.monotonic()
            limit = self.options.time_limit
            if limit is not None and self.seconds > limit * len(self.seeds):
                raise WorkFailed(f"training exceeded its time of {limit:g} s at step {self.step:,} of {n:,}")
            if stop.asked is not None:
                done = f"stopped after step {self.step:,} of {n:,} of stage {stage.name}"
                raise Interrupted(f"{done}; the same command goes on from there", stop.asked)

    def _stepper(self, stage: Stage) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
        """The stage's step under the options: mixed precision, CUDA graph."""
        device = self.model.device.type

        def plain(batch: dict[str, Tensor]) -> dict[str, Tensor]:
            lower = self.options.precision == "bfloat16"
            # no cache: a step may update a network several times, and the cache would keep its first weights
            context = torch.autocast(device, dtype=torch.bfloat16, cache_enabled=False) if lower else nullcontext()
            assert stage.step is not None
            with context:
                return stage.step(batch)

        if not (self.options.capture and self.model.capturable):
            return plain
        from otbench.training.cuda_graph import Captured

        return Captured(plain)

    # ------------------------------------------------------------------ divergence

    def _log(self, stage: Stage, means: dict[str, Tensor], marks: list[float]) -> bool:
        """Keep the chunk's losses; drop the replicas whose losses are not finite. Returns whether any was dropped."""
        for name, values in means.items():
            self.record.losses += [
                [stage.name, self.step * stage.cost, seed, name, float(v)]
                for seed, v in zip(self.model.seeds, values, strict=True)
            ]
        finite = torch.stack(list(means.values())).isfinite().all(0)
        if bool(finite.all()):
            return False
        for k, seed in enumerate(self.model.seeds):
            if not finite[k]:
                message = f"a loss of stage {stage.name} was not finite by step {self.step}"
                left = [f for f in self.snapshots if f in marks or key(seed, f) not in self.record.cells]
                for snapshot in left:
                    self.record.snapshots.pop(key(seed, snapshot), None)
                    self._cell(seed, snapshot, "diverged", self.seconds, message)
        self._keep([k for k in range(len(self.model.seeds)) if finite[k]])
        return True

    def fail(self, message: str) -> Record:
        """Mark the cells that are not there yet as failed.

        Args:
            message: The cells' message.

        Returns:
            Record of all replicas, finished cells included.
        """
        for seed in self.model.seeds:
            for snapshot in to_the_end(self.snapshots):
                if key(seed, snapshot) not in self.record.cells:
                    self._cell(seed, snapshot, "failed", self.seconds, message)
        return self.record

    def _keep(self, alive: list[int]) -> None:
        """Go on with the replicas at these positions."""
        model = self.model
        model.seeds = [model.seeds[k] for k in alive]
        if not alive:
            return
        replaced: dict[Tensor, Tensor] = {}
        for network in model.networks.values():
            replaced.update(network.keep(alive))
        for optimiser in model.optimisers.values():
            for group in optimiser.param_groups:
                group["params"] = [replaced[p] for p in group["params"]]
            for old in [p for p in optimiser.state if p in replaced]:
                new = replaced[old]
                state = optimiser.state.pop(old)
                optimiser.state[new] = {
                    k: v[alive].reshape(new.shape).clone() if v.shape == old.shape else v for k, v in state.items()
                }

    # ------------------------------------------------------------------ snapshots and checkpoints

    def _cell(self, seed: int, snapshot: float, status: str, seconds: float, message: str = "") -> None:
        cell = {"seed": seed, "snapshot": snapshot, "status": status, "message": message}
        cell["seconds"] = seconds / max(len(self.seeds), 1)
        cell["certificate"] = self.certificates.get(seed, {})
        self.record.cells[key(seed, snapshot)] = cell

    def _snapshot(self, fraction: float, seconds: float | None = None) -> None:
        """Keep what `draw` needs of every replica at this fraction of the budget."""
        state = self.model.state()
        for k, seed in enumerate(self.model.seeds):
            weights = {name: value[k].detach().cpu().clone() for name, value in state.items()}
            finite = all(bool(v.isfinite().all()) for v in weights.values() if v.is_floating_point())
            status, message = ("ok", "") if finite else ("diverged", "the weights were not finite")
            if not self.certificates.get(seed, {}).get("map_tolerance_met", 1):
                status, message = "failed", "the transport map missed its tolerance"
            self._cell(seed, fraction, status, self.seconds if seconds is None else seconds, message)
            if status == "ok":
                self.record.snapshots[key(seed, fraction)] = weights

    def save(self, extra: dict | None) -> None:
        """Write a checkpoint of everything, whole or not at all.

        Args:
            extra: What is known only inside a stage (the states of its streams); None between stages.
        """
        if self.saved is None:
            return
        value = {
            "stage": self.stage_index,
            "step": self.step,
            "seconds": self.seconds,
            "finished": self.finished,
            "alive": self.model.seeds,
            "certificates": self.certificates,
            "model": {} if self.finished else self.model.training_state(),
            "snapshots": self.record.snapshots,
            "cells": self.record.cells,
            "losses": self.record.losses,
            **(extra or {}),
        }
        content = io.BytesIO()
        torch.save(value, content)
        with atomic_write(self.saved) as path, open(path, "wb") as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())

    def restore(self) -> dict | None:
        """Take up the checkpoint, if there is one.

        Returns:
            The checkpoint's content, for the stage that it was written in; None where there is none or training had
            finished.

        Raises:
            OtbenchError: Where the checkpoint cannot be read.
        """
        if self.saved is None or not self.saved.exists():
            return None
        try:
            content = self.saved.read_bytes()
            if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
                raise ValueError("its content does not have the checksum that it was written with")
            value = torch.load(io.BytesIO(content[DIGEST:]), weights_only=True, map_location=self.model.device)
            return self._take_up(value)
        except Exception as error:  # a cut or foreign file fails in many ways; each is the same mistake
            raise OtbenchError(
                f"checkpoint {self.saved} cannot be read ({error or type(error).__name__}); delete it to train from the"
                " start"
            ) from error

    def _take_up(self, value: dict) -> dict | None:
        self.record = Record(value["snapshots"], value["cells"], value["losses"])
        self.stage_index, self.step, self.seconds = value["stage"], value["step"], value["seconds"]
        self.finished, self.certificates = value["finished"], value["certificates"]
        if self.finished:
            self.stage_index = len(self.plan())
            return None
        alive = [self.seeds.index(s) for s in value["alive"]]
        if len(alive) < len(self.seeds):
            self._keep(alive)
        self.model.load_training_state(value["model"])
        value["streams"] = {name: s.cpu() for name, s in value.get("streams", {}).items()}
        return value
