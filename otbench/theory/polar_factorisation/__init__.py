"""Polar factorisation: how much of what a generator learns is transport, and how much a rearrangement of its noise.

Brenier's theorem (Lei et al. 2020, Theorem 3.9): a map g of the noise that does not collapse is g = T o s, T optimal
and s keeping the noise's law. The law of g depends on T alone, and so does every loss that only sees generated points:
s is what training leaves to chance. Here trained generators of the plane are factored, with exact cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from otbench.data.base import DataSet
from otbench.metrics.wasserstein import w2
from otbench.theory.collaboration.problems import ring
from otbench.theory.findings import Findings
from otbench.theory.polar_factorisation.factors import Factors, factors, polar, spread_out
from otbench.theory.polar_factorisation.generators import STARTS, WAYS, trained
from otbench.utils.progress import Bar

TITLE = "What a generator learns: transport and rearrangement"
SOURCE = "Brenier 1991; Lei et al. 2020, Theorem 3.9"
DATA = False

#: the linear map of the check: its polar factors are a stretching and a rotation by 60 degrees
STRETCH, TURN = np.array([[1.5, 0.5], [0.5, 0.8]]), np.pi / 3


class Options(BaseModel):
    """What is factored, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    points: int = Field(400, ge=20, description="points of the disk at which a generator is factored")
    real: int = Field(400, ge=20, description="training points, and held-out ones for W2")
    seeds: int = Field(2, ge=1, description="generators of each kind")
    steps: int = Field(300, ge=2, description="the generator's steps of training")
    width: int = Field(32, ge=4, description="width of the three hidden layers of every network")
    rate: float = Field(1e-3, gt=0, description="Adam's learning rate, of every network")
    batch: int = Field(128, ge=2, description="points in a batch")


def matrix() -> np.ndarray:
    """The linear map of the check.

    Returns:
        A = P U (2, 2).
    """
    cosine, sine = np.cos(TURN), np.sin(TURN)
    return STRETCH @ np.array([[cosine, -sine], [sine, cosine]])


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """The factors of a linear map beside their closed form, and those of trained generators along their training.

    Args:
        options: What is factored, and how much of it.
        data: Not used.
        seed: Seed of the first repetition; the others follow by one.
        device: Not used; all runs on the CPU.

    Returns:
        Findings with the tables `each` (a row a generator and step) and `factors` (means over seeds at the start and
        the end), and points (n, 2) float32 as arrays.
    """
    z = spread_out(options.points)
    facts, rows, arrays = _linear(z), [], {"z": z.astype(np.float32)}
    marks = sorted({0, *(options.steps * k // 4 for k in range(1, 5))})
    runs = [(way, start, seed + k) for way in WAYS for start in STARTS for k in range(options.seeds)]
    with Bar("polar factorisation", len(runs)) as bar:
        for done, (way, start, number) in enumerate(runs):
            draw = np.random.default_rng([number, 7])
            real, held_out = ring(options.real, draw), ring(options.real, draw)
            settings = (options.width, options.rate, options.batch, number)
            for step, generated in trained(way, start, real, marks, *settings):
                found = factors(z, generated(z))
                labels = {"way": way, "start": start, "seed": number, "step": step}
                rows.append(labels | found.numbers() | {"w2": w2(held_out, found.image)})
                if number == seed and step == marks[-1]:
                    arrays |= _drawn(f"{way}/{start}", found) | {"real": held_out.astype(np.float32)}
            bar.update(done + 1, f"{WAYS[way]}, {STARTS[start]}")
    each = pd.DataFrame(rows)
    tables = {"each": each, "factors": _means(each, marks)}
    facts |= {"seeds": options.seeds, "points": options.points, "steps": options.steps}
    return Findings("polar-factorisation", facts | _facts(tables["factors"]), tables, arrays)


def _linear(z: np.ndarray) -> dict[str, Any]:
    """z -> A z on the disk, A = P U: T = P, s = U, W2^2 = tr (P - I)^2 / 4, E|A z - z|^2 = tr (A - I)'(A - I) / 4."""
    a = matrix()
    stretch, turn = polar(a)
    found = factors(z, z @ a.T)
    numbers = found.numbers()
    return {
        "linear_least": numbers["least"],
        "linear_least_closed_form": float(np.trace((stretch - np.eye(2)) @ (stretch - np.eye(2)))) / 4,
        "linear_moved": numbers["moved"],
        "linear_moved_closed_form": float(((a - np.eye(2)) ** 2).sum()) / 4,
        "linear_error": float(np.sqrt(((found.rearranged - z @ turn.T) ** 2).sum(1).mean())),
        "linear_angle": numbers["angle"],
        "linear_left_over": numbers["left_over"],
        "turn": float(np.degrees(TURN)),
    }


def _drawn(name: str, found: Factors) -> dict[str, np.ndarray]:
    values = {"image": found.image, "rearranged": found.rearranged}
    return {f"{name}/{key}": value.astype(np.float32) for key, value in values.items()}


def _means(each: pd.DataFrame, marks: list[int]) -> pd.DataFrame:
    """Means over seeds at the first and the last step, and the share of the movement that is transport."""
    ends = each[each["step"].isin([marks[0], marks[-1]])]
    keys = ["way", "start", "step"]
    grouped = ends.drop(columns="seed").groupby(keys, sort=False)
    spread = grouped["rearrangement"].std().rename("spread")
    means = grouped.mean().join(spread).reset_index()
    # a map that moves nothing has no share of it
    return means.assign(share=means["least"] / means["moved"].where(means["moved"] > 1e-9))


def _facts(means: pd.DataFrame) -> dict[str, Any]:
    keys = ("w2", "share", "rearrangement", "left_over", "alignment", "reversed", "folded", "torn", "moved", "least")
    facts: dict[str, Any] = {}
    for row in means.to_dict("records"):
        when = "first" if row["step"] == 0 else "last"
        facts |= {f"{row['way']}/{row['start']}/{when}/{key}": float(row[key]) for key in keys}
    return {name: value for name, value in facts.items() if np.isfinite(value)}
