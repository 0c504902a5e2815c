"""What a Wasserstein critic estimates, and what a batch does: both against a distance that is known.

Stanczuk et al. argue that WGANs succeed although, and because, their critic's value is not W1: the distance between two
batches is far above that of their laws, with a bias that depends on the dimension, and a generator that descends it
comes out worse. Here a law is shifted, so that W1 is the shift: critics with a penalty and exact distances of batches
estimate it. Then generators descend either, and are judged by fresh points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.theory.critic_estimates import players
from otbench.theory.critic_estimates.options import Options
from otbench.theory.findings import Findings
from otbench.utils.progress import Bar

TITLE = "What a Wasserstein critic estimates"
SOURCE = "Stanczuk et al. 2021"
DATA = False

PENALTIES = {"gp": False, "lp": True}
"""Penalties of the critics: two-sided and one-sided."""
WAYS = ("batch", "critic")
"""What a generator descends: the exact W1 of two batches, or a critic's value."""
FRESH = 4096


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Estimates of a known W1, and generators that descend two of them.

    Args:
        options: What is estimated, and how much of it.
        data: Not used.
        seed: Seed of all draws.
        device: Not used; all runs on the CPU.

    Returns:
        Findings with the tables `estimates` (a row a dimension and estimate) and `generators`, and as arrays the
        critics' values along training, `curve/<penalty>/<dimension>` (updates,), over the shift.

    Raises:
        OtbenchError: Where a dimension or a batch is too small.
    """
    if min(options.dimensions) < 1 or min(options.batches) < 2 or any(d != 2 and d < 4 for d in options.spaces):
        raise OtbenchError(
            "critic-estimates: expected dimensions from 1, batches from 2, and spaces of 2 or from 4 on, got"
            f" {options.dimensions}, {options.batches} and {options.spaces}"
        )
    arrays: dict[str, np.ndarray] = {}
    with Bar("critic-estimates", len(options.dimensions) + len(options.spaces)) as bar:
        rows: list[dict[str, Any]] = []
        for k, d in enumerate(options.dimensions):
            rows += _estimates(options, d, seed, arrays)
            bar.update(k + 1, f"estimates in {d} dimensions")
        made: list[dict[str, Any]] = []
        for k, d in enumerate(options.spaces):
            made += _generators(options, d, seed)
            bar.update(len(options.dimensions) + k + 1, f"generators in {d} dimensions")
    estimates, generators = pd.DataFrame(rows), pd.DataFrame(made)
    return Findings("critic-estimates", _facts(options, estimates, generators), _tables(estimates, generators), arrays)


def _tables(estimates: pd.DataFrame, generators: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {"estimates": estimates, "generators": generators}


def _estimates(options: Options, d: int, seed: int, arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Every estimate of the shift in one dimension, over the shift; `zero` is that between batches of one law."""
    rows = []
    for n in options.batches:
        draw = np.random.default_rng([seed, d, n])
        values = []
        for _ in range(options.repeats):
            x, y, z = draw.standard_normal((3, n, d))
            moved = y + options.shift * np.eye(d)[0]
            values.append((players.w1(x, moved), players.w1(x, z)))
        mean, spread = np.mean(values, 0) / options.shift, np.std(values, 0, ddof=1) / options.shift
        row = {"dimension": d, "estimate": f"batches of {n}", "value": mean[0], "deviation": spread[0]}
        rows.append(row | {"zero": mean[1]})
    for name, one_sided in PENALTIES.items():
        values, curve = players.shifted(d, options, one_sided, seed, FRESH)
        arrays[f"curve/{name}/{d}"] = curve / options.shift
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
        row = {"dimension": d, "estimate": f"critic, {name}", "value": np.mean(values) / options.shift}
        rows.append(row | {"deviation": deviation / options.shift, "zero": float("nan")})
    return rows


def _generators(options: Options, d: int, seed: int) -> list[dict[str, Any]]:
    """Scores of generators of a mixture in one dimension, and of true samples."""
    law = players.mixture(d)
    draw = np.random.default_rng([seed, d, 1])
    real, other = law.sample(options.judged, draw), law.sample(options.judged, draw)
    rows = [{"space": d, "way": "real", "seed": seed} | players.scores(law, real, other)]
    for way in WAYS:
        samples = players.trained(law, options, way, seed)
        for k, points in enumerate(samples):
            rows.append({"space": d, "way": way, "seed": seed + k} | players.scores(law, real, points))
    return rows


def _facts(options: Options, estimates: pd.DataFrame, generators: pd.DataFrame) -> dict[str, Any]:
    """The numbers that the chapter states."""
    facts: dict[str, Any] = {}
    for _, row in estimates.iterrows():
        facts[f"{row['estimate']}/{row['dimension']}"] = float(row["value"])
        facts[f"{row['estimate']}/{row['dimension']}/zero"] = float(row["zero"])
    for d in options.dimensions:
        zeros = [facts[f"batches of {n}/{d}/zero"] for n in options.batches]
        facts[f"rate/{d}"] = float(np.polyfit(np.log(options.batches), np.log(zeros), 1)[0])
    means = generators.groupby(["space", "way"])[["w1", "spread", "quality"]].mean()
    for (space, way), row in means.iterrows():  # pyright: ignore[reportGeneralTypeIssues]
        facts |= {f"{way}/{space}/{name}": float(row[name]) for name in ("w1", "spread", "quality")}
    low, high = min(options.dimensions), max(options.dimensions)
    least, most = min(options.batches), max(options.batches)
    facts |= {"low": low, "high": high, "least": least, "most": most}
    better = [facts[f"critic/{d}/w1"] < facts[f"batch/{d}/w1"] for d in options.spaces]
    facts |= {"spaces": len(better), "critic_better": sum(better)}
    facts["critic_off"] = max(abs(facts[f"critic, gp/{d}"] - 1) for d in options.dimensions)
    facts["batch_off"] = facts[f"batches of {most}/{high}"] - 1
    return facts
