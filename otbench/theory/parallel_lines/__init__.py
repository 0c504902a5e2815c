"""Two parallel lines: W1, JS, KL and total variation, what each tells a generator, and GAN against WGAN on them.

Everything is small and runs on the CPU, whatever the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field

from otbench.theory.findings import Fact, Findings
from otbench.theory.parallel_lines import losses
from otbench.theory.parallel_lines.training import GAMES, Play, train

if TYPE_CHECKING:
    from otbench.data.base import DataSet

TITLE = "Parallel lines: which loss sees a shift"
SOURCE = "Arjovsky et al. 2017, Example 1 and Theorem 2, as told in the slides"
DATA = False

SETTLED = 0.05
"""A run has settled where |theta| stays below this throughout the last fifth of its steps."""

Positive = Annotated[float, Field(gt=0)]


class Options(BaseModel):
    """What is computed, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    offsets: list[Positive] = Field(
        [0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0], min_length=1, description="|theta|; both signs are used, and 0."
    )
    seeds: int = Field(5, ge=2, description="Repetitions of every estimate, with samples and weights of their own.")
    samples: int = Field(500, ge=20, description="Points of each line for the estimates from samples.")
    bins: int = Field(20, ge=1, description="Histogram cells for a unit of length.")
    discriminator_steps: int = Field(1000, ge=10, description="Steps of the discriminators for a fixed theta.")
    width: int = Field(32, ge=2, description="Hidden units of both layers of discriminator and critic.")
    batch: int = Field(64, ge=2, description="Real, and generated, points of every step; fresh ones each time.")
    starts: list[float] = Field([-1.0, -0.5, 0.25, 1.0], min_length=1, description="Where theta starts.")
    steps: int = Field(400, ge=10, description="Steps of theta in the training of GAN and WGAN.")
    critic_steps: int = Field(5, ge=1, description="Discriminator's or critic's steps for each step of theta.")
    rate: float = Field(0.02, gt=0, description="Learning rate of theta: plain gradient descent.")
    critic_rate: float = Field(2e-3, gt=0, description="Learning rate of discriminator and critic: Adam.")
    clip: float = Field(0.1, gt=0, description="Bound on the critic's weights in the WGAN that clips them.")
    penalty: float = Field(1.0, gt=0, description="Weight of the gradient penalty.")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Losses and slopes over theta beside their closed forms, and theta along the training of GANs and WGANs.

    Args:
        options: What is computed, and how much of it.
        data: Not used.
        seed: Seed of all draws.
        device: Not used; all runs on the CPU.

    Returns:
        Findings with the tables `losses`, `slopes` (a row an offset) and `training` (a row a game and start), and as
        arrays the estimates over theta and the paths of theta.
    """
    offsets = sorted(set(options.offsets))
    thetas = [-value for value in reversed(offsets)] + [0.0] + offsets
    marks = _marks(options.discriminator_steps)
    draw, streams = np.random.default_rng([seed, 1]), _streams(seed)
    sampled = losses.from_samples(thetas, options.samples, options.bins, options.seeds, draw)
    trained = losses.discriminators(thetas, options.seeds, marks, options.batch, options.width, streams("fixed"))
    play = Play(
        options.steps,
        options.critic_steps,
        options.rate,
        options.critic_rate,
        options.batch,
        options.width,
        options.clip,
        options.penalty,
    )
    paths = {game: train(game, options.starts, options.seeds, play, streams(game)) for game in GAMES}
    tables = {
        "losses": _losses(offsets, sampled, trained),
        "slopes": _slopes(offsets, sampled, trained),
        "training": _training(options.starts, paths),
    }
    facts = {**_facts(tables, options), **_far(offsets, marks, trained)}
    arrays = {"thetas": np.array(thetas), "marks": np.array(marks), "starts": np.array(options.starts)}
    arrays |= {f"sampled_{name}": value for name, value in sampled.items()}
    arrays |= {f"trained_{name}": value for name, value in trained.items()}
    arrays |= {f"path_{game}": path.astype(np.float32) for game, path in paths.items()}
    return Findings("parallel-lines", facts, tables, arrays)


def _streams(seed: int):
    """A stream of random numbers for each purpose, all from one seed."""
    names = ("fixed", *GAMES)
    return lambda name: torch.Generator().manual_seed(1000 * seed + names.index(name))


def _marks(steps: int) -> list[int]:
    """Numbers of steps, evenly apart in logarithm, at which discriminators are asked."""
    return sorted({0, *(int(round(value)) for value in np.geomspace(3, steps, 13))})


def _folded(values: np.ndarray, sign: float = 1.0) -> list[np.ndarray]:
    """(2k + 1, S) over theta -> for 0 and each offset the values of both signs, those of -theta times `sign`."""
    middle = len(values) // 2
    pairs = (np.concatenate([values[middle + k], sign * values[middle - k]]) for k in range(1, middle + 1))
    return [values[middle], *pairs]


def _row(name: str, values: np.ndarray) -> dict[str, float]:
    return {name: float(values.mean()), f"{name}_se": float(values.std(ddof=1) / np.sqrt(len(values)))}


def _losses(offsets: list[float], sampled: dict, trained: dict) -> pd.DataFrame:
    """Each loss over |theta|: closed form, estimates, standard errors; KL: the share of estimates that are infinite."""
    rows: list[dict[str, float]] = []
    folded = {name: _folded(sampled[name]) for name in ("w1", "sliced", "js", "tv", "kl")}
    bound = _folded(trained["js"][-1])
    for at, theta in enumerate([0.0, *offsets]):
        closed = {f"{name}_exact": value for name, value in losses.exact(theta).items()}
        row = {"theta": theta, **closed, **_row("js_bound", bound[at])}
        for name in ("w1", "sliced", "js", "tv"):
            row |= _row(name, folded[name][at])
        rows.append({**row, "kl_infinite": float(np.isinf(folded["kl"][at]).mean())})
    return pd.DataFrame(rows)


def _slopes(offsets: list[float], sampled: dict, trained: dict) -> pd.DataFrame:
    """The slope of each loss away from the real line: what a step of gradient descent goes back by."""
    rows = []
    slopes = {
        "w1": _folded(sampled["slope"], -1),
        "minimax": _folded(trained["minimax"][-1], -1),
        "ns": _folded(trained["ns"][-1], -1),
    }
    for at, theta in enumerate([0.0, *offsets]):
        if theta:
            row = {"theta": theta, "w1_exact": 1.0, "js_exact": 0.0}
            for name, values in slopes.items():
                row |= _row(name, values[at])
            rows.append(row)
    return pd.DataFrame(rows)


def _training(starts: list[float], paths: dict[str, np.ndarray]) -> pd.DataFrame:
    """|theta| over the last fifth of the steps: its mean over steps and seeds, and the share of seeds that settled."""
    rows = []
    for game, path in paths.items():
        last = np.abs(path[-(len(path) // 5) :])
        for at, start in enumerate(starts):
            settled = last[:, at].max(0) < SETTLED
            rows.append(
                {
                    "game": GAMES[game],
                    "start": start,
                    **_row("end", last[:, at].mean(0)),
                    "moved": float(np.abs(path[-1, at] - start).mean()),
                    "settled": float(settled.mean()),
                }
            )
    return pd.DataFrame(rows)


def _facts(tables: dict[str, pd.DataFrame], options: Options) -> dict[str, Fact]:
    table, training = tables["losses"], tables["training"]
    least, greatest = table.iloc[1], table.iloc[-1]
    away = table.iloc[1:]
    facts: dict[str, Fact] = {
        "theta_least": float(least["theta"]),
        "theta_greatest": float(greatest["theta"]),
        "w1_error_greatest": float(abs(greatest["w1"] - greatest["theta"])),
        "w1_error_least": float(abs(least["w1"] - least["theta"])),
        "w1_at_zero": float(table.iloc[0]["w1"]),
        "w1_at_zero_expected": losses.chance(options.samples),
        "sliced_ratio": float(greatest["sliced"] / greatest["theta"]),
        "js_histogram_least": float(least["js"]),
        "js_histogram_greatest": float(greatest["js"]),
        "tv_histogram_greatest": float(greatest["tv"]),
        "kl_infinite": float(away["kl_infinite"].mean()),
        "js_bound_greatest": float(greatest["js_bound"]),
        "js_bound_least": float(least["js_bound"]),
        "slope_w1_greatest": float(tables["slopes"].iloc[-1]["w1"]),
        "slope_w1_least": float(tables["slopes"].iloc[0]["w1"]),
        "histogram_cell": 1 / options.bins,
        "settled_within": SETTLED,
    }
    for game, title in GAMES.items():
        rows = training[training["game"] == title]
        facts[f"settled_{game}"] = float(rows["settled"].mean())
        facts[f"end_{game}"] = float(rows["end"].mean())
        facts[f"moved_far_{game}"] = float(rows.loc[rows["start"].abs().idxmax(), "moved"])
    facts["start_far"] = float(training.loc[training["start"].abs().idxmax(), "start"])
    return facts


def _far(offsets: list[float], marks: list[int], trained: dict[str, np.ndarray]) -> dict[str, Fact]:
    """At the offset next to 0.4: both slopes of a GAN's generator, where they are greatest and at the last step."""
    at = int(np.argmin(np.abs(np.array(offsets) - 0.4)))
    facts: dict[str, Fact] = {"followed": float(offsets[at]), "marks_last": marks[-1]}
    for name in ("minimax", "ns"):
        means = np.array([_folded(values, -1)[at + 1].mean() for values in trained[name]])
        facts |= {f"{name}_peak": float(means.max()), f"{name}_peak_step": marks[int(means.argmax())]}
        facts[f"{name}_last"] = float(means[-1])
    return facts
