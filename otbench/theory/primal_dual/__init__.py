"""VAE as primal, GAN as dual: both objectives along optimisation, above and below a transport cost that is known.

The primal is an encoder: a plan whose second marginal is the data's, and whose first, the codes', should be the prior.
The dual is a critic: a potential and its c-transform. Both are computed without sampling, first between Gaussians
(W2^2, closed forms), then between two point sets (W2^2 and W1, POT). Everything runs on the CPU, whatever the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field

from otbench.theory.findings import Fact, Findings
from otbench.theory.primal_dual import discrete, gaussian

if TYPE_CHECKING:
    from otbench.data.base import DataSet

TITLE = "VAE as primal, GAN as dual"
SOURCE = "Generative Model Part 0, section 2 (after Genevay, Peyré and Cuturi 2017)"
DATA = False

TOLERANCE = 1e-9
"""Relative rounding error that a bound may have before it counts as broken."""

KEPT = 150
"""Steps of a curve that are kept, evenly apart in logarithm."""

Positive = Annotated[float, Field(gt=0)]


class Options(BaseModel):
    """What is computed, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    seeds: int = Field(3, ge=1, description="Starts of every optimisation; the problem is the same for all.")
    dimension: int = Field(3, ge=1, le=32, description="Dimension of data and latent space of the Gaussians.")
    gaussian_steps: int = Field(300, ge=10, description="Steps between Gaussians; learning rate 0.05, Adam.")
    weights: list[Positive] = Field(
        [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0],
        min_length=2,
        description="Weights lambda of the relaxed constraint, between Gaussians.",
    )
    weight_steps: int = Field(1000, ge=10, description="Steps for each weight; learning rate 0.05, Adam.")
    points: int = Field(64, ge=4, description="Generated points, and data points.")
    point_steps: int = Field(1200, ge=10, description="Steps between point sets; learning rate 0.01, Adam.")
    penalty: float = Field(10.0, gt=0, description="Weight lambda of the relaxed constraint, between point sets.")
    width: int = Field(64, ge=4, multiple_of=2, description="Hidden units of both layers of encoder and critics.")


@dataclass(frozen=True)
class Bound:
    """One objective along optimisation, (steps + 1, R); side: above, below, or neither where it bounds nothing."""

    problem: str
    name: str
    side: str
    series: np.ndarray
    exact: float

    @property
    def slack(self) -> float:
        """How far, in units of the exact value, the worst iterate stays on its side; negative where it is broken."""
        apart = (self.series - self.exact) / self.exact
        return float(apart.min() if self.side == "above" else -apart.max())

    def row(self) -> dict[str, float | str]:
        """Row of the table of bounds, all in units of the exact value.

        Returns:
            problem, bound, side, certified (yes or no), first and last value (means over starts), least and greatest of
            the last, and slack (NaN where it bounds nothing).
        """
        last = self.series[-1] / self.exact
        certified = self.side != "neither"
        row = {
            "problem": self.problem,
            "bound": self.name,
            "side": self.side,
            "certified": "yes" if certified else "no",
        }
        ends = {"first": float(self.series[0].mean() / self.exact), "last": float(last.mean())}
        ends |= {"least": float(last.min()), "greatest": float(last.max())}
        return {**row, **ends, "slack": self.slack if certified else float("nan")}


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Bounds along optimisation beside the exact cost, and what a weight on the relaxed constraint does to them.

    Args:
        options: What is computed, and how much of it.
        data: Not used.
        seed: Seed of the problems and of all starts.
        device: Not used; all runs on the CPU.

    Returns:
        Findings with the tables `bounds` (a row a bound) and `relaxed` (a row a weight), and as arrays each bound's
        curve over the exact cost, with its steps.
    """
    streams = iter(torch.Generator().manual_seed(1000 * seed + at) for at in range(100))
    problem = gaussian.problem(options.dimension, next(streams))
    relaxed, bounds = _relaxed(problem, options, streams), _between_gaussians(problem, options, streams)
    bounds.append(relaxed.pop("curve"))
    facts = _gaussian_facts(problem, bounds, relaxed["table"])
    for name, squared in (("w2", True), ("w1", False)):
        cloud = discrete.points(options.points, squared, np.random.default_rng([seed, 2]))
        cloud_bounds, cloud_facts = _between_points(cloud, name, options, streams)
        bounds += cloud_bounds
        facts |= cloud_facts
    certified = [bound for bound in bounds if bound.side != "neither"]
    facts |= {
        "iterates": sum(bound.series.size for bound in certified),
        "broken": sum(_broken(bound) for bound in certified),
        "slack": min(bound.slack for bound in certified),
    }
    tables = {"bounds": pd.DataFrame([bound.row() for bound in bounds]), "relaxed": relaxed["table"]}
    arrays = {}
    for bound in bounds:
        at = _kept(len(bound.series))
        arrays[f"steps/{bound.problem}/{bound.name}"] = at
        arrays[f"curve/{bound.problem}/{bound.name}"] = bound.series[at] / bound.exact
    return Findings("primal-dual", facts, tables, arrays)


def _between_gaussians(problem: gaussian.Problem, options: Options, streams) -> list[Bound]:
    steps, exact = options.gaussian_steps, problem.w2_squared()
    above = gaussian.feasible(problem, options.seeds, steps, 0.05, next(streams))
    below = gaussian.dual(problem, options.seeds, steps, 0.05, next(streams))
    return [
        Bound("gaussian", "encoder, constraint met", "above", above, exact),
        Bound("gaussian", "critic, quadratic", "below", below, exact),
    ]


def _relaxed(problem: gaussian.Problem, options: Options, streams) -> dict:
    """A row for each weight with WAE's and VAE's objective and what they consist of, all over the exact cost."""
    weights, exact = torch.tensor(sorted(options.weights), dtype=torch.float64), problem.w2_squared()
    table: dict[str, np.ndarray] = {"weight": weights.numpy()}
    for name, each in (("wae", False), ("vae", True)):
        series, above = gaussian.penalised(problem, weights, each, options.weight_steps, 0.05, next(streams))
        table[f"{name}_objective"] = series["loss"][-1] / exact
        table[f"{name}_cost"] = series["cost"][-1] / exact
        table[f"{name}_kl"] = series["kl"][-1]
        table[f"{name}_repaired"] = above / exact
        if not each:
            at = int(np.argmin(np.abs(np.log(weights.numpy() / 10))))
            name_of = f"encoder, penalty {float(weights[at]):g}"
            curve = Bound("gaussian", name_of, "neither", series["loss"][:, [at]], exact)
    table["vae_known"] = np.array([problem.vae(float(weight)) for weight in weights]) / exact
    return {"table": pd.DataFrame(table), "curve": curve}


def _gaussian_facts(problem: gaussian.Problem, bounds: list[Bound], relaxed: pd.DataFrame) -> dict[str, Fact]:
    above, below = bounds[0].series[-1], bounds[1].series[-1]
    exact, first, last = bounds[0].exact, relaxed.iloc[0], relaxed.iloc[-1]
    over = relaxed[relaxed["vae_objective"] > 1]
    return {
        "gaussian_exact": exact,
        "gaussian_above": float(above.max() / exact),
        "gaussian_below": float(below.min() / exact),
        "gaussian_gap": float((above.max() - below.min()) / exact),
        "independent": problem.independent() / exact,
        "weight_first": float(first["weight"]),
        "weight_last": float(last["weight"]),
        "wae_first": float(first["wae_objective"]),
        "wae_last": float(last["wae_objective"]),
        "wae_greatest": float(relaxed["wae_objective"].max()),
        "repaired_least": float(relaxed["wae_repaired"].min()),
        "repaired_slack": float(relaxed[["wae_repaired", "vae_repaired"]].min().min() - 1),
        "vae_last": float(last["vae_objective"]),
        "vae_cost_last": float(last["vae_cost"]),
        "vae_over_from": float(over["weight"].min()) if len(over) else float("nan"),
        "vae_error": float((relaxed["vae_objective"] / relaxed["vae_known"] - 1).abs().max()),
    }


def _between_points(
    cloud: discrete.Points, name: str, options: Options, streams
) -> tuple[list[Bound], dict[str, Fact]]:
    """Bounds between point sets for one cost; name: w2 or w1."""
    seeds, steps, width, exact = options.seeds, options.point_steps, options.width, cloud.exact()
    plan = discrete.encoder(cloud, options.penalty, seeds, steps, 0.01, width, next(streams))
    free = discrete.heights(cloud, seeds, steps, 0.05, next(streams))
    net, printed = discrete.critic(cloud, seeds, steps, 0.01, width, next(streams))
    bounds = [
        Bound(name, "encoder, brought to the prior", "above", plan["rounded"], exact),
        Bound(name, f"encoder, penalty {options.penalty:g}", "neither", plan["loss"], exact),
        Bound(name, "heights, c-transform", "below", free, exact),
        Bound(name, "critic, c-transform", "below", net, exact),
    ]
    if name == "w1":
        for pairs, title in ((False, "critic, 1-Lipschitz, ReLU"), (True, "critic, 1-Lipschitz, sorted pairs")):
            series = discrete.lipschitz(cloud, pairs, seeds, steps, 0.01, width // 2, next(streams))
            bounds.append(Bound(name, title, "below", series, exact))
    ends = {bound.name: float(bound.series[-1].mean() / exact) for bound in bounds}
    facts: dict[str, Fact] = {
        f"{name}_exact": exact,
        f"{name}_above": ends["encoder, brought to the prior"],
        f"{name}_penalised": ends[f"encoder, penalty {options.penalty:g}"],
        f"{name}_off": float(plan["off"][-1].mean()),
        f"{name}_heights": ends["heights, c-transform"],
        f"{name}_critic": ends["critic, c-transform"],
        f"{name}_printed": printed / exact,
    }
    if name == "w1":
        facts["w1_relu"] = ends["critic, 1-Lipschitz, ReLU"]
        facts["w1_pairs"] = ends["critic, 1-Lipschitz, sorted pairs"]
    return bounds, facts


def _broken(bound: Bound) -> int:
    apart = (bound.series - bound.exact) / bound.exact
    return int(((apart if bound.side == "above" else -apart) < -TOLERANCE).sum())


def _kept(length: int) -> np.ndarray:
    return np.unique(np.geomspace(1, length, KEPT).round().astype(int)) - 1
