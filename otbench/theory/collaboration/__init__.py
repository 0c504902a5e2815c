"""Collaboration instead of competition: the generator's next step read off the critic, against training it.

Under the quadratic cost the critic at its optimum is Kantorovich's potential phi, and the generator that it asks for is
(id - grad phi) o g (Lei et al. 2020, Eq. 33): no generator is trained. In the plane the step is made with critics that
are exact, smooth or half trained, and set against generators that descend for many steps. All W2 are between fresh
generated points and held-out real ones, by POT.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from otbench.data.base import DataSet
from otbench.metrics.modes import assign, high_quality
from otbench.metrics.wasserstein import w2
from otbench.theory.collaboration.critics import (
    Potential,
    closed,
    discrete,
    entropic,
    semidiscrete,
    stepped,
    trained,
    warm,
)
from otbench.theory.collaboration.problems import SHIFT, TRUTH, Problem, problem
from otbench.theory.collaboration.training import WAYS, compete
from otbench.theory.findings import Findings
from otbench.utils.progress import Bar

TITLE = "Collaboration instead of competition"
SOURCE = "Lei et al. 2020, section 5.1, Eq. 33"
DATA = False

PROBLEMS = ("translation", "affine", "ring", "collapsed")
NEAR = 1.1
"""A generator has caught up where its W2 is at most this many times that of one step with the exact critic."""


class Options(BaseModel):
    """What is compared, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    points: int = Field(400, ge=20, description="training points of either side, and fresh points of every W2")
    seeds: int = Field(2, ge=1, description="repetitions with other data and other networks")
    compete: Literal["translation", "affine", "ring", "collapsed"] = Field(
        "ring", description="the problem on which generators are trained"
    )
    steps: int = Field(400, ge=1, description="steps of a trained generator")
    critic_steps: int = Field(500, ge=1, description="steps of the critic network of the half-way case")
    width: int = Field(64, ge=4, description="width of the three hidden layers of every network")
    rate: float = Field(1e-3, gt=0, description="Adam's learning rate, of every network")
    batch: int = Field(128, ge=2, description="points in a batch of a trained generator")
    regularisation: float = Field(0.02, gt=0, description="of the entropic critic, as a share of the mean cost")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """One step with every critic on every problem, and the trained generators on one.

    All runs on the CPU: the networks are small, and their seconds stand beside those of solvers that run there.

    Args:
        options: What is compared, and how much of it.
        data: Not used.
        seed: Seed of the first repetition; the others follow by one.
        device: Not used.

    Returns:
        Findings with the tables `steps` (a row a problem and critic), `against` (a row a way to train), `curves` (W2
        along each training) and `halfway` (W2 along the critic network's training), and points (n, 2) float32 as
        arrays.
    """
    warm()
    total = options.seeds * (len(PROBLEMS) + len(WAYS))
    rows: list[dict] = []
    halfway: list[dict] = []
    curves: list[dict] = []
    arrays: dict[str, np.ndarray] = {}
    with Bar("collaboration", total) as bar:
        for k in range(options.seeds):
            for name in PROBLEMS:
                keep = arrays if k == 0 and name == options.compete else {}
                step_rows, half = _one_step(problem(name), options, seed + k, keep)
                rows, halfway = rows + step_rows, halfway + half
                bar.update(len(rows) * total // (len(rows) + total), f"one step, {name}")
            for way in WAYS:
                curves += _competition(way, problem(options.compete), options, seed + k, arrays if k == 0 else {})
                bar.update(total * (k + 1) // options.seeds, WAYS[way])
    return _findings(options, pd.DataFrame(rows), pd.DataFrame(halfway), pd.DataFrame(curves), arrays)


class _Samples:
    """The points of one problem and seed: n to train on, and n fresh ones of each kind for every W2."""

    def __init__(self, task: Problem, n: int, seed: int) -> None:
        self.modes = task.optimal is None
        draws = iter(np.random.default_rng([seed, PROBLEMS.index(task.name)]).spawn(5))
        self.generated, self.fresh = task.generated(n, next(draws)), task.generated(n, next(draws))
        self.real, self.held_out, self.other = (task.real(n, next(draws)) for _ in range(3))

    def score(self, made: np.ndarray) -> dict[str, float]:
        """W2 to the held-out real points, and the share of points within three sigma of a mode, if any."""
        fine = high_quality(assign(made, TRUTH)) if self.modes else np.nan
        return {"w2": w2(self.held_out, made), "quality": fine}


def _one_step(task: Problem, options: Options, seed: int, keep: dict) -> tuple[list[dict], list[dict]]:
    """W2 before and after one step of Eq. 33 with each critic, and along the training of a network as critic."""
    samples = _Samples(task, options.points, seed)
    labels = {"problem": task.name, "seed": seed}
    rows = [
        labels | {"critic": "none", "seconds": 0.0} | samples.score(samples.fresh),
        labels | {"critic": "floor", "seconds": 0.0} | samples.score(samples.other),
        labels | {"critic": "training", "seconds": 0.0} | samples.score(samples.real),
    ]
    for name, make in _critics(task, samples, options):
        began = time.process_time()
        phi = make()
        spent = time.process_time() - began
        made = stepped(phi, samples.fresh)
        rows.append(labels | {"critic": name, "seconds": spent} | samples.score(made))
        keep[f"step/{name}"] = made.astype(np.float32)
    if task.name == "translation":
        # W1's critic for a shift t is -<x, t> / |t|: its slope says where to, but not how far.
        made = samples.fresh + SHIFT / np.linalg.norm(SHIFT)
        rows.append(labels | {"critic": "w1", "seconds": 0.0} | samples.score(made))
    best = discrete(samples.generated, samples.real)[1]
    halfway = []
    began = time.process_time()
    marks = [0, *_marks(options.critic_steps)]
    for step, phi, value in trained(samples.generated, samples.real, marks, options.width, options.rate, seed):
        spent, made = time.process_time() - began, stepped(phi, samples.fresh)
        halfway.append(
            labels
            | {"step": step, "attained": value / best if best else np.nan, "seconds": spent}
            | samples.score(made)
        )
        keep[f"network/{step}"] = made.astype(np.float32)
    ended = {key: halfway[-1][key] for key in ("w2", "quality", "seconds")}
    rows.append(labels | {"critic": "network"} | ended)
    keep["generated"], keep["real"] = samples.fresh.astype(np.float32), samples.held_out.astype(np.float32)
    return rows, halfway


def _critics(task: Problem, held: _Samples, options: Options) -> Iterator[tuple[str, Callable[[], Potential]]]:
    optimal, source = task.optimal, task.source
    if optimal is not None:
        yield "closed", lambda: closed(optimal)
    if source is not None:
        yield "semi-discrete", lambda: semidiscrete(held.real, source)
    yield "discrete", lambda: discrete(held.generated, held.real)[0]
    yield "entropic", lambda: entropic(held.generated, held.real, options.regularisation)


def _competition(way: str, task: Problem, options: Options, seed: int, keep: dict) -> list[dict]:
    samples, rows = _Samples(task, options.points, seed), []
    marks = [0, *_marks(options.steps)]
    each = compete(way, task.generated, samples.real, marks, options.width, options.rate, options.batch, seed)
    for step, pushed, spent in each:
        made = pushed(samples.fresh)
        rows.append({"way": way, "seed": seed, "step": step, "seconds": spent} | samples.score(made))
    keep[f"trained/{way}"] = made.astype(np.float32)
    return rows


def _marks(last: int) -> list[int]:
    """About four steps a decade from 1 to `last`, where something is measured."""
    return sorted({int(round(x)) for x in np.geomspace(1, last, 1 + int(4 * np.log10(last)))} | {last})


def _findings(
    options: Options, rows: pd.DataFrame, halfway: pd.DataFrame, curves: pd.DataFrame, arrays: dict
) -> Findings:
    grouped = rows.groupby(["problem", "critic"], sort=False)
    steps = grouped.agg(
        w2=("w2", "mean"), spread=("w2", _spread), quality=("quality", "mean"), seconds=("seconds", "mean")
    ).reset_index()
    exact = _exact(rows, options.compete)
    goal = NEAR * exact.mean()
    against = pd.DataFrame([_against(way, curves[curves["way"] == way], exact) for way in WAYS])
    facts: dict = {"compete": options.compete, "seeds": options.seeds, "points": options.points, "goal": float(goal)}
    for row in steps.itertuples():
        facts[f"{row.problem}/{row.critic}"] = float(row.w2)
        facts[f"{row.problem}/{row.critic}/seconds"] = float(row.seconds)
        facts[f"{row.problem}/{row.critic}/quality"] = float(row.quality)
    for row in against.itertuples():
        facts |= {f"{row.way}/w2": row.w2, f"{row.way}/best": row.best, f"{row.way}/seconds": row.seconds}
        facts[f"{row.way}/quality"] = row.quality
        facts |= {f"{row.way}/reached": row.reached, f"{row.way}/steps": row.steps, f"{row.way}/caught": row.caught}
    facts["w1_left"] = float(np.linalg.norm(SHIFT) - 1)
    facts["critic_steps"] = int(halfway["step"].max())
    for row in halfway.groupby(["problem", "step"])[["w2", "attained", "quality"]].mean().reset_index().itertuples():
        if row.problem == options.compete:
            facts |= {f"network/{row.step}/w2": float(row.w2), f"network/{row.step}/attained": float(row.attained)}
            facts[f"network/{row.step}/quality"] = float(row.quality)
    return Findings(
        "collaboration",
        facts,
        {"steps": steps, "against": against, "curves": curves, "halfway": halfway},
        arrays,
    )


def _exact(rows: pd.DataFrame, name: str) -> pd.Series:
    """W2 after one step with the exact critic, by seed: semi-discrete, or discrete where the law has no cells."""
    runs = rows[rows["problem"] == name]
    critic = "semi-discrete" if (runs["critic"] == "semi-discrete").any() else "discrete"
    return runs[runs["critic"] == critic].set_index("seed")["w2"]


def _against(way: str, curve: pd.DataFrame, exact: pd.Series) -> dict:
    """Final scores of a trained generator, and the steps and seconds to catch up, means over the seeds that did."""
    caught = []
    for seed, run in curve.groupby("seed"):
        fine = run[run["w2"] <= NEAR * exact[seed]]
        if len(fine):
            caught.append((fine["step"].iloc[0], fine["seconds"].iloc[0]))
    last = curve[curve["step"] == curve["step"].max()]
    steps, seconds = np.mean(caught, axis=0) if caught else (np.nan, np.nan)
    return {
        "way": way,
        "w2": float(last["w2"].mean()),
        "spread": float(_spread(last["w2"])),
        "quality": float(last["quality"].mean()),
        "best": float(curve.groupby("step")["w2"].mean().min()),
        "seconds": float(last["seconds"].mean()),
        "reached": len(caught),
        "steps": float(steps),
        "caught": float(seconds),
    }


def _spread(values: pd.Series) -> float:
    """Standard deviation over seeds; 0 for a single one."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
