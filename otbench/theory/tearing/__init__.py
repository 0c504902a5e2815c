"""Tearing: what continuous-time maps do with the mass at a singular set, where the optimal map would tear.

Lei et al. (2020), section 5.2, say of continuous maps that they cover what lies between the modes. A flow is one: with
any number of steps it is a continuous map of connected noise, so that some of its mass must lie between separate modes,
the more the less it stretches. Here flow matching, OT-CFM, rectified flow and DDPM stand beside AE-OT, which cuts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from otbench.data.base import DataSet, Mixture
from otbench.metrics.mode_mixture import ideal, mode_mixture, on_bridge
from otbench.metrics.modes import RADIUS, assign
from otbench.theory.findings import Findings
from otbench.utils.progress import Bar

if TYPE_CHECKING:
    import torch

    from otbench.models.flows import ContinuousModel

TITLE = "Tearing: continuous time at a singular set"
SOURCE = (
    "Lei et al. 2020, sections 3.4 and 5.2, on Lipman et al. 2023, Tong et al. 2024, Liu et al. 2023, Ho et al. 2020"
)
DATA = False

PROBLEMS = ("two", "ring")
"""Two modes at a distance of 2, and eight on the unit circle."""
TRAINING, SHOWN = 20_000, 2000
CUT = "ae-ot"


class Options(BaseModel):
    """What is computed, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    sigma: float = Field(0.05, gt=0, le=0.1, description="Standard deviation of a mode.")
    counts: tuple[int, ...] = Field(
        (1, 2, 4, 8, 16, 32, 100), min_length=1, description="Numbers of evaluations (Euler steps, DDIM steps)."
    )
    seeds: int = Field(1, ge=1, description="Networks of each model.")
    steps: int = Field(500, ge=1, description="Steps of training of a flow; rectified flow has two.")
    batch: int = Field(128, ge=2, description="Points in a batch.")
    rate: float = Field(3e-3, gt=0, description="Adam's learning rate.")
    width: int = Field(64, ge=1, description="Width of the three hidden layers.")
    pairs: int = Field(5000, ge=1, description="Pairs of rectified flow's reflow.")
    samples: int = Field(1500, ge=50, description="Points of every map on which it is judged.")
    probes: int = Field(200, ge=20, description="Points at which the search for the largest stretching begins.")
    targets: int = Field(512, ge=2, description="Target points of AE-OT's map.")

    def model_post_init(self, _: object) -> None:
        """Raises ValueError where a number of evaluations is below 1 or above DDPM's 1,000 steps."""
        if min(self.counts) < 1 or max(self.counts) > 1000:
            raise ValueError("counts must lie between 1 and 1,000")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Mass between the modes against evaluations and stretching, of every model on both problems.

    Args:
        options: What is computed, and how much of it.
        data: Not used.
        seed: Seed of the first networks; the others follow by one.
        device: Not used; all runs on the CPU.

    Returns:
        Findings with the tables `each` (a row a problem, model, seed and number of evaluations) and `means` (over the
        seeds), and as arrays the points of the last number, of the first seed.
    """
    from otbench.theory.tearing.maps import MODELS, trained

    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    chosen = {key: getattr(options, key) for key in ("batch", "rate", "width", "pairs")}
    with Bar("tearing", len(PROBLEMS) * (len(MODELS) + 1)) as bar:
        for place, name in enumerate(PROBLEMS):
            points = problem(name, options.sigma, seed)
            for k, model in enumerate(MODELS):
                seeds = [seed + s for s in range(options.seeds)]
                net = trained(model, points, seeds, options.steps, chosen)
                rows += _measured(net, model, points, options, arrays)
                bar.update(place * (len(MODELS) + 1) + k + 1, f"{name}, {model}")
            rows += _cut(points, options, seed, arrays)
            bar.update((place + 1) * (len(MODELS) + 1), f"{name}, {CUT}")
    each = pd.DataFrame(rows)
    keys = ["problem", "model", "evaluations"]
    means = each.drop(columns="seed").groupby(keys, sort=False).mean().reset_index()
    return Findings("tearing", _facts(options, each, means), {"means": means, "each": each}, arrays)


def problem(name: str, sigma: float, seed: int) -> DataSet:
    """Points with separate modes.

    Args:
        name: One of PROBLEMS.
        sigma: Standard deviation of a mode.
        seed: Seed of the points.

    Returns:
        Data set with its true mixture.
    """
    angles = 2 * np.pi * np.arange(2 if name == "two" else 8) / (2 if name == "two" else 8)
    centres = np.stack([np.cos(angles), np.sin(angles)], 1)
    truth = Mixture(centres, sigma, np.full(len(centres), 1 / len(centres)))
    draw = np.random.default_rng([seed, PROBLEMS.index(name)])
    return DataSet(name, truth.sample(TRAINING, draw), truth.sample(1000, draw), truth, name, "theory")


def gap_of(truth: Mixture) -> float:
    """Distance between neighbouring modes, each as a disk of three standard deviations.

    Args:
        truth: Mixture with its modes in order round a circle.

    Returns:
        The distance.
    """
    return float(np.linalg.norm(truth.centres[0] - truth.centres[1]) - 2 * RADIUS * truth.sigma)


def _scores(points: np.ndarray, data: DataSet, lipschitz: float) -> dict[str, float]:
    """Shares of points (n, 2) on a bridge and outside all modes, and the least share outside for a stretching."""
    from otbench.theory.tearing.maps import half, least

    truth = data.truth
    assert truth is not None
    near = assign(points, truth)
    inside = half(near.mode, near.high_quality, len(truth.centres))
    return {
        "between": mode_mixture(on_bridge(points, near, truth)),
        "outside": float(1 - near.high_quality.mean()),
        "stretching": lipschitz,
        "least": least(inside, gap_of(truth), lipschitz) if np.isfinite(lipschitz) else 0.0,
    }


def _measured(
    model: ContinuousModel, name: str, data: DataSet, options: Options, arrays: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    import torch

    from otbench.models.base import noise
    from otbench.theory.tearing.maps import at, stretching
    from otbench.utils.rng import generator

    streams: list[torch.Generator] = [generator(seed, "samples") for seed in model.seeds]
    x, rows = noise((options.samples, 2), streams, torch.device("cpu")), []
    for count in options.counts:
        made = at(model, count)
        y, stretched = made(x).numpy(), stretching(made, x[:, : options.probes], model.seeds[0])
        for r, seed in enumerate(model.seeds):
            row = {"problem": data.name, "model": name, "seed": seed, "evaluations": count}
            rows.append(row | _scores(y[r], data, float(stretched[r])))
        if count == options.counts[-1]:
            arrays[f"{data.name}/{name}"] = y[0, :SHOWN].astype(np.float32)
    return rows


def _cut(data: DataSet, options: Options, seed: int, arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Rows of AE-OT with the paper's rule, which has no evaluations and no bound of stretching: it jumps."""
    from otbench.models.points.ae_ot import AEOT, AEOTConfig
    from otbench.utils.rng import generator

    model = AEOT(
        AEOTConfig.model_validate({"targets": options.targets}), data, [seed + s for s in range(options.seeds)]
    )
    model.solve()
    y = model.draw(options.samples, [generator(s, "samples") for s in model.seeds]).numpy()
    arrays |= {f"{data.name}/{CUT}": y[0, :SHOWN].astype(np.float32)}
    arrays |= {f"{data.name}/real": data.train[:SHOWN]}
    return [
        {"problem": data.name, "model": CUT, "seed": s, "evaluations": 0} | _scores(y[r], data, float("nan"))
        for r, s in enumerate(model.seeds)
    ]


def _facts(options: Options, each: pd.DataFrame, means: pd.DataFrame) -> dict[str, Any]:
    facts: dict[str, Any] = {"seeds": options.seeds, "steps": options.steps, "samples": options.samples}
    facts |= {"sigma": options.sigma, "most": max(options.counts), "fewest": min(options.counts)}
    continuous = each[each["model"] != CUT]
    # three standard errors of a share, as the samples are few
    error = 3 * np.sqrt(continuous["least"].clip(lower=1e-4) / options.samples)
    facts |= {
        "maps": len(continuous),
        "holding": int((continuous["outside"] >= continuous["least"] - error).sum()),
    }
    for name in PROBLEMS:
        data = problem(name, options.sigma, 0)
        assert data.truth is not None
        facts |= {f"{name}/gap": gap_of(data.truth), f"{name}/ideal": float(ideal(data, options.samples))}
        rows = means[means["problem"] == name]
        for model, part in rows.groupby("model", sort=False):
            part = part.sort_values("evaluations")
            for when, row in (("fewest", part.iloc[0]), ("most", part.iloc[-1])):
                for score in ("between", "outside", "stretching", "least"):
                    if np.isfinite(row[score]):
                        facts[f"{name}/{model}/{when}/{score}"] = float(row[score])
    return facts
