"""How the transport scales: what a mass error costs in points, time and memory, and what it is worth in samples.

AE-OT paper (Lei et al. 2020), section 4 (masses by Monte Carlo, first-order steps in high dimension) and the slides'
further problems ("the computation complexity of OT map"). The solver is `otbench.transport.solve` as it comes: exact
Newton in the plane, stochastic steps beyond (in the plane both are shown). The source is the cube [-1/2, 1/2]^d.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.theory.findings import Findings
from otbench.theory.scaling.generation import POOL, SCORES, generation
from otbench.theory.scaling.problem import Codes, floor, peak
from otbench.transport import solve
from otbench.transport.sampling import sampled
from otbench.utils.progress import Bar

TITLE = "How the transport scales"
SOURCE = "Lei et al. 2020, section 4; slides, further problems"
DATA = False

Count = Annotated[int, Field(ge=20, le=200_000)]
Width = Annotated[int, Field(ge=2, le=1024)]
Level = Annotated[float, Field(gt=0, le=2)]


class Options(BaseModel):
    """Which problems are solved, how well, and how samples are scored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    targets: tuple[Count, ...] = Field((250, 1000, 3000), min_length=2, description="numbers of targets n")
    dimensions: tuple[Width, ...] = Field((2, 8, 32), min_length=1, description="dimensions d")
    modes: int = Field(10, ge=1, le=1000, description="Gaussians in the mixture that targets are drawn from")
    tolerance: float = Field(0.1, gt=0, description="mean relative mass error at which the stochastic solver stops")
    cap: float = Field(1000, ge=1, description="source points a target at which it stops in any case")
    memory: bool = Field(True, description="count the memory that solving holds")
    seeds: int = Field(2, ge=1, le=100, description="seeds")
    levels: tuple[Level, ...] = Field((1, 0.5, 0.2, 0.1, 0.05), min_length=2, description="mass errors scored")
    codes: int = Field(1000, ge=40, le=200_000, description="targets of the map that generates")
    latent: int = Field(8, ge=2, le=1024, description="their dimension")
    samples: int = Field(1000, ge=40, le=20_000, description="samples and held-out points in a score")

    @field_validator("levels")
    @classmethod
    def falling(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        """Levels from the worst to the best, each once.

        Args:
            levels: Mass errors, in any order.

        Returns:
            Mass errors, falling.
        """
        return tuple(sorted(set(levels), reverse=True))


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Resources over n and d, the floor of the mass estimate, and the scores of samples against the mass error.

    Every number but the seconds is the seed's alone.

    Args:
        options: Which problems are solved, how well, and how samples are scored.
        data: Not used.
        seed: Seed of the first repetition; the others follow by one.
        device: Where the stochastic solver runs.

    Returns:
        Findings with the tables `resources` (a row a solve), `floor`, `samples` (a row a level or baseline and seed)
        and `summary` (their means).

    Raises:
        OtbenchError: Where there are fewer than two targets a mode.
    """
    if min(options.codes, *options.targets) < 2 * options.modes:
        raise OtbenchError(f"theory scaling: {options.modes} modes need at least {2 * options.modes} targets each")
    cells = [
        (d, n, seed + k) for d in options.dimensions for n in sorted(options.targets) for k in range(options.seeds)
    ]
    rows, scores = [], []
    with Bar("scaling", len(cells) + options.seeds + 1) as bar:
        for done, (d, n, run_seed) in enumerate(cells):
            bar.update(done, f"d = {d}, n = {n:,}")
            rows += _solved(options, d, n, run_seed, options.memory and run_seed == seed, device)
        for k in range(options.seeds):
            bar.update(len(cells) + k, "samples")
            law = Codes.made(options.latent, options.modes, seed + k)
            asked = (options.codes, options.levels, options.samples, seed + k, device, options.cap)
            scores.append(generation(law, *asked))
        bar.update(len(cells) + options.seeds, "floor")
        floors = floor_table(min(options.targets), options.modes, seed)
    resources, samples = pd.DataFrame(rows), pd.concat(scores, ignore_index=True)
    means = summary(samples)
    facts = _resource_facts(resources, options) | _score_facts(means, options)
    facts["floor_error"] = float((floors.measured / floors.expected - 1).abs().max())
    tables = {"resources": resources, "floor": floors, "samples": samples, "summary": means}
    return Findings("scaling", facts, tables, {})


def _solved(options: Options, d: int, n: int, seed: int, weigh: bool, device: str) -> list[dict[str, Any]]:
    """A row for each solver of one problem; weigh: count its memory too, in a run of its own."""
    target = Codes.made(d, options.modes, seed).draw(n, np.random.default_rng([seed, n]))
    rows = []
    for method in ("exact", "stochastic") if d == 2 else ("stochastic",):
        asked: dict[str, Any] = {"method": method, "seed": seed, "device": device}
        if method == "stochastic":
            asked |= {"tolerance": options.tolerance, "max_points": options.cap * n}
        began = time.perf_counter()
        transport = solve(target, **asked)
        seconds = time.perf_counter() - began
        mib = float("nan")
        if weigh:
            mib = weight(target, asked, n) / 2**20
        certificate = transport.certificate()
        rows.append(
            {
                "dimension": d,
                "targets": n,
                "seed": seed,
                "method": "newton" if method == "exact" else "stochastic",
                "error": certificate["map_mean_cell_error"],
                "error_high": certificate.get("map_mean_cell_error_high", certificate["map_mean_cell_error"]),
                "floor": certificate.get("map_mean_cell_error_floor", 0.0),
                "met": bool(certificate["map_tolerance_met"]),
                "points": transport.info.get("points", 0) / n,
                "seconds": seconds,
                "mib": mib,
            }
        )
    return rows


def weight(target: np.ndarray, asked: dict[str, Any], n: int) -> int:
    """Peak memory of a solve.

    A stochastic solve is cut short: what it holds does not grow with its steps.

    Args:
        target: Targets (n, d).
        asked: Options of `solve`, with `method`.
        n: Number of targets.

    Returns:
        Bytes.
    """
    short: dict[str, Any] = asked | ({"max_points": 2 * max(2048, n)} if asked["method"] == "stochastic" else {})
    with peak() as memory:
        solve(target, **short)
    return memory.total


def floor_table(n: int, modes: int, seed: int, most: int = 1024) -> pd.DataFrame:
    """Mean relative error that an exact map seems to have when its masses are counted, and what counting alone gives.

    The map is in the plane, by Newton; its masses are counted on 4, 16, ... points a cell.

    Args:
        n: Number of targets.
        modes: Gaussians in the mixture of targets.
        seed: Seed of the targets and of the counts.
        most: Points a cell, at most.

    Returns:
        A row a count: per (points a cell), measured, expected.
    """
    exact = solve(Codes.made(2, modes, seed).draw(n, np.random.default_rng([seed, n])))
    rows = []
    per = 4
    while per <= most:
        counted = sampled(exact, per * n, seed + per)
        error = np.abs(counted.mass / exact.weights - 1).mean()
        rows.append({"per": counted.points / n, "measured": float(error), "expected": floor(n, counted.points)})
        per *= 4
    return pd.DataFrame(rows)


def summary(samples: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of every level and baseline.

    Args:
        samples: Rows of `generation`, of all seeds.

    Returns:
        A row a level or baseline, with the standard error of W2 as w2_error (missing for one seed).
    """
    keys = ["source", "label"]
    grouped = samples.groupby(keys, sort=False)
    means = grouped[["level", "error", "empty", "points", "kept", *SCORES]].mean().reset_index()
    spread = grouped["w2"].sem().to_numpy() if samples.seed.nunique() > 1 else np.full(len(means), np.nan)
    return means.assign(w2_error=spread)


def slope(x: pd.Series, y: pd.Series) -> float:
    """Power p of the least-squares fit log y = p log x + c.

    Args:
        x: Positive values (n,).
        y: Values (n,).

    Returns:
        Power; NaN below two different x, or where a y is not positive.
    """
    if x.nunique() < 2 or (y <= 0).any():
        return float("nan")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _resource_facts(rows: pd.DataFrame, options: Options) -> dict[str, Any]:
    facts: dict[str, Any] = {"tolerance": options.tolerance, "cap": options.cap, "seeds": options.seeds}
    facts |= {"modes": options.modes, "most": int(rows.targets.max()), "least": int(rows.targets.min())}
    facts["wide"] = int(rows.dimension.max())
    facts["has_plane"] = bool((rows.dimension == 2).any())
    newton = rows[rows.method == "newton"]
    plane = rows[(rows.method == "stochastic") & (rows.dimension == 2)]
    high = rows[(rows.method == "stochastic") & (rows.dimension > 2)]
    if len(newton):
        top = newton[newton.targets == facts["most"]]
        facts |= {"newton_error": float(newton.error.max()), "newton_seconds": float(top.seconds.mean())}
        facts |= {"plane_error": float(plane[plane.targets == facts["most"]].error.mean())}
        facts |= {"plane_met": float(plane.met.mean()), "plane_points": float(plane.points.max())}
        facts["newton_slope"] = slope(newton.targets, newton.seconds)
    facts["has_high"] = bool(len(high))
    if len(high):
        widest = high[high.dimension == facts["wide"]]
        biggest = widest[widest.targets == facts["most"]]
        facts |= {
            "met": float(high.met.mean()),
            "points_low": float(high.points.min()),
            "points_high": float(high.points.max()),
            "points_slope": slope(widest.targets, widest.points * widest.targets),
            "seconds_slope": slope(widest.targets, widest.seconds),
            "seconds_high": float(biggest.seconds.mean()),
            "mib_high": float(biggest.mib.mean()),
            "mib_slope": slope(widest.targets[widest.mib > 0], widest.mib[widest.mib > 0]),
            "plan_mib": 40 * facts["most"] ** 2 / 2**20,
            "floor_high": float(high.floor.max()),
        }
    return facts


def _score_facts(told: pd.DataFrame, options: Options) -> dict[str, Any]:
    maps, others = told[told.source == "map"], told[told.source == "baseline"].set_index("label")
    best, worst = maps.iloc[maps.error.argmin()], maps.iloc[maps.error.argmax()]
    facts: dict[str, Any] = {"codes": options.codes, "latent": options.latent, "samples": options.samples}
    for name, row in (("best", best), ("worst", worst)):
        facts |= {f"{name}_{key}": float(row[key]) for key in ("error", "empty", "kept", *SCORES)}
    for label, row in others.iterrows():
        facts |= {f"{label}_{key}": float(row[key]) for key in ("kept", *SCORES)}
    # The largest error at which nine tenths of what the best map gains over the worst are there.
    most = 0.1 * worst["w2"] + 0.9 * best["w2"]
    facts["gained_w2"] = float(maps.error[maps.w2 <= max(most, best["w2"])].max())
    # Real draws are stratified, so their reverse KL is none.
    drawn = told[told.label != "real"]
    facts["ranks_alike"] = float(drawn.w2.rank().corr(drawn.reverse_kl.rank()))
    facts["kl_floor"] = (options.modes - 1) / (2 * POOL * options.samples)
    return facts
