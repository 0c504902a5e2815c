"""Beyond the piecewise map: other ways from a simple source to points, where the truth is known.

The OTVAE report (chapter 7) leaves open whether regularised Sinkhorn can give the map, whether interpolation in high
dimensions can extend it, and what costs less. Here the entropic map, extensions of the exact plan, networks and flow
matching stand beside the semi-discrete map and AE-OT's extension of it: against a closed form, against known modes, and
on the codes of digits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics.frechet import fid
from otbench.metrics.memorisation import nearest as distance_to
from otbench.metrics.mode_mixture import mode_mixture, on_bridge
from otbench.metrics.modes import assign, high_quality, histogram
from otbench.metrics.reverse_kl import reverse_kl
from otbench.metrics.wasserstein import w2
from otbench.theory.beyond import networks
from otbench.theory.beyond.problems import PROBLEMS, Problem, problem
from otbench.theory.collaboration.critics import warm
from otbench.theory.findings import Findings
from otbench.theory.shared import maps
from otbench.transport import plan, solve
from otbench.utils.progress import Bar

TITLE = "Beyond the piecewise map"
SOURCE = "OTVAE report, chapter 7 (questions left open)"
DATA = False

Map = Callable[[np.ndarray], np.ndarray]
COPY = 1e-4
"""A sample is a copy where it lies within this distance of a training point (targets have unit scale)."""
LINE = 4001


class Options(BaseModel):
    """What is compared, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    points: int = Field(400, ge=20, description="training points, and points of every score (digits: at most 797)")
    dimension: int = Field(8, ge=2, le=64, description="principal components of the digits")
    seeds: int = Field(2, ge=1, description="repetitions with other data and other networks")
    regularisations: list[float] = Field(
        [0.01, 0.1, 1.0], min_length=1, description="of the entropic maps, as shares of the mean cost"
    )
    steps: int = Field(400, ge=1, description="training steps of every network")
    width: int = Field(64, ge=4, description="width of the three hidden layers of every network")
    rate: float = Field(3e-3, gt=0, description="Adam's learning rate at the start")
    batch: int = Field(128, ge=2, description="points in a batch")
    tolerance: float = Field(0.1, gt=0, description="mean relative cell error of the map where cells are not exact")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Scores of every map on every problem.

    All runs on the CPU: the networks are small, and their seconds stand beside those of solvers that run there.

    Args:
        options: What is compared, and how much of it.
        data: Not used; the digits are loaded by name.
        seed: Seed of the first repetition; the others follow by one.
        device: Not used.

    Returns:
        Findings with the tables `scores` (means over seeds) and `spread` (standard deviations), and as arrays the real
        and generated points (n, 2) float32 of the ring of the first seed.

    Raises:
        OtbenchError: Where a regularisation is not positive.
    """
    if any(not value > 0 for value in options.regularisations):
        raise OtbenchError(f"beyond: regularisations must be positive, got {options.regularisations}")
    warm()
    rows: list[dict] = []
    arrays: dict[str, np.ndarray] = {}
    total = options.seeds * len(PROBLEMS)
    with Bar("beyond", total) as bar:
        for k in range(options.seeds):
            for name in PROBLEMS:
                task = problem(name, options.points, options.dimension, seed + k)
                rows += _measured(task, options, seed + k, arrays if k == 0 and task.modes else {})
                bar.update(k * len(PROBLEMS) + PROBLEMS.index(name) + 1, name)
    table = pd.DataFrame(rows)
    values = [name for name in table if name not in ("problem", "map", "seed")]
    scores = table.groupby(["problem", "map"], sort=False)[values].mean().reset_index()
    spread = table.groupby(["problem", "map"], sort=False)[values].std().reset_index()
    facts: dict[str, Any] = {
        f"{row['problem']}/{row['map']}/{name}": float(row[name])
        for _, row in scores.iterrows()
        for name in values
        if not np.isnan(row[name])
    }
    facts |= _limits(seed) | {"seeds": options.seeds, "points": options.points, "dimension": options.dimension}
    facts["regularisations"] = " ".join(f"{value:g}" for value in options.regularisations)
    return Findings("beyond", facts, {"scores": scores, "spread": spread}, arrays)


def _measured(task: Problem, options: Options, seed: int, keep: dict) -> list[dict]:
    """Scores of every map on one problem and seed, and of two controls."""
    x = task.source.sample(4 * options.points, np.random.default_rng([seed, 1]))
    few = np.random.default_rng([seed, 2])
    rows = [
        _scores(task, task.held_out, options) | {"problem": task.name, "map": "real", "seed": seed},
        _scores(task, few.choice(task.train, options.points), options)
        | {"problem": task.name, "map": "memoriser", "seed": seed},
    ]
    keep["real"] = task.held_out.astype(np.float32)
    for name, make in _all(task, options, seed):
        began = time.process_time()
        at = make()
        spent = time.process_time() - began
        made = at(x)
        fine = np.isfinite(made).all(1)
        row = {"problem": task.name, "map": name, "seed": seed, "seconds": spent, "kept": float(fine.mean())}
        row |= _scores(task, made[fine][: options.points], options) | _as_map(task, at, x[fine], made[fine])
        rows.append(row)
        keep[f"made/{name}"] = made[fine][: options.points].astype(np.float32)
    return rows


def _all(task: Problem, options: Options, seed: int) -> Iterator[tuple[str, Callable[[], Map]]]:
    """Name of every map and the function that fits it; shared parts are recomputed for each, as their seconds count."""
    source = task.source.sample(len(task.train), np.random.default_rng([seed, 3]))
    d = task.train.shape[1]

    def transport():
        exact = task.source.polygon is not None
        return solve(task.train, source=task.source, seed=seed, tolerance=None if exact else options.tolerance)

    def pairs() -> networks.Batches:
        x = task.source.sample(8192, np.random.default_rng([seed, 4]))
        return _batches(x, transport()(x), options.batch, seed, same=True)

    def couples() -> networks.Batches:
        x = task.source.sample(8192, np.random.default_rng([seed, 5]))
        return _batches(x, task.train, options.batch, seed, same=False)

    size = (d, options.width, options.steps, options.rate, seed)
    yield "semi-discrete", transport
    yield "ae-ot", lambda: maps.rejecting(transport())
    for value in options.regularisations:
        yield f"entropic {value:g}", lambda value=value: maps.entropic(source, task.train, value)
    yield "plan, nearest", lambda: maps.nearest(plan(source, task.train))
    yield "plan, two nearest", lambda: maps.dirichlet(plan(source, task.train), seed)
    yield "plan, interpolated", lambda: maps.interpolated(plan(source, task.train))
    yield "regression", lambda: networks.regression(pairs(), *size)
    yield "convex", lambda: networks.convex(pairs(), *size)
    yield "flow", lambda: networks.flow(couples(), *size, coupled=False)
    yield "flow, coupled", lambda: networks.flow(couples(), *size, coupled=True)


def _batches(x: np.ndarray, y: np.ndarray, batch: int, seed: int, same: bool) -> networks.Batches:
    """Random batches of rows of x and y: the same rows of both, or independent ones."""
    draw = np.random.default_rng([seed, 6])
    first, second = (torch.as_tensor(array, dtype=torch.float32) for array in (x, y))

    def batches() -> tuple[torch.Tensor, torch.Tensor]:
        i = draw.integers(0, len(first), batch)
        return first[i], second[i if same else draw.integers(0, len(second), batch)]

    return batches


def _scores(task: Problem, made: np.ndarray, options: Options) -> dict[str, float]:
    """Scores of samples (m, d); every map gives the same number of them, but for one that rejects nearly all."""
    if len(made) < 2:
        return {}
    row = {"w2": w2(task.reference, made), "copies": float((distance_to(task.train, made) < COPY).mean())}
    if task.name == "digits":
        row["frechet"] = fid(task.reference, made)
    if task.modes is not None:
        assignment = assign(made, task.modes)
        row["quality"] = high_quality(assignment)
        row["mixture"] = mode_mixture(on_bridge(made, assignment, task.modes))
        row["reverse_kl"] = reverse_kl(histogram(assignment, len(task.modes.weights)), task.modes.weights)
    return row


def _as_map(task: Problem, at: Map, x: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Scores that need the map itself, at source points x (k, d) and their images.

    uvp: L2-UVP, 100 E|T - T*|^2 / Var(target), in percent, against the closed form. jump: largest change between
    neighbours of 4,001 points on a line through the source's mean, two standard deviations to either side (a box: to
    its sides), over the training points' root mean square distance from their mean.
    """
    spread = float(((task.train - task.train.mean(0)) ** 2).sum(1).mean())
    row: dict[str, float] = {}
    if task.optimal is not None and len(x):
        truth = task.optimal(x)
        row["uvp"] = float(100 * ((made - truth) ** 2).sum(1).mean() / truth.var(0).sum())
    reach = 2.0 if task.source.kind == "gaussian" else 1.0
    line = np.zeros((LINE, x.shape[1]))
    line[:, 0] = np.linspace(-reach, reach, LINE)
    line[:, 1] = 0.3 * line[:, 0]
    change = np.linalg.norm(np.diff(at(line), axis=0), axis=1)
    row["jump"] = float(np.nanmax(change) / np.sqrt(spread)) if np.isfinite(change).any() else np.nan
    return row


def _limits(seed: int, n: int = 60) -> dict[str, float]:
    """The entropic map's two limits on small samples, as root mean square distances over the targets' spread: from the
    mean at a regularisation of 1,000, and from the exact plan's barycentric map at 0.0001.
    """
    draw = np.random.default_rng([seed, 7])
    x, y = draw.standard_normal((n, 2)), draw.standard_normal((n, 2)) @ np.array([[1.5, 0.5], [0.5, 0.8]])
    scale = np.sqrt(((y - y.mean(0)) ** 2).sum(1).mean())

    def off(made: np.ndarray, known: np.ndarray) -> float:
        return float(np.sqrt(((made - known) ** 2).sum(1).mean()) / scale)

    return {
        "limit_mean": off(maps.entropic(x, y, 1e3)(x), y.mean(0)),
        "limit_plan": off(maps.entropic(x, y, 1e-4, 1e-6)(x), plan(x, y).image()),
    }
