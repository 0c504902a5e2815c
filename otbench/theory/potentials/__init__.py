"""Two potentials, one map: Kantorovich's dual, Brenier's heights and Newton on exact cells, on the same problems.

AE-OT paper (Lei et al. 2020), Theorem 3.10, Eq. 16 and Theorem 4.2; OTVAE report, chapter 4, Eq. 4.22: for the cost
|x - y|^2 / 2 the Brenier potential is u = |x|^2 / 2 - phi, phi Kantorovich's. The source is the uniform square
[-1/2, 1/2]^2, where cells are exact polygons; Kantorovich's problem takes it as pixels, finer and finer.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from otbench.data.base import DataSet
from otbench.theory.findings import Findings
from otbench.theory.potentials import solvers
from otbench.theory.potentials.known import derivatives, known
from otbench.transport import TransportMap, solve
from otbench.transport.newton2d import first_heights
from otbench.utils.progress import Bar

TITLE = "Two potentials, one map"
SOURCE = "Lei et al. 2020, sections 3.3 and 4; OTVAE report, chapter 4"
DATA = False

Side = Annotated[int, Field(ge=2, le=400)]


class Options(BaseModel):
    """What is solved, and how finely."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    targets: int = Field(24, ge=3, le=500, description="target points, uniform in [-1, 1]^2, with random weights")
    sides: tuple[Side, ...] = Field(
        (10, 20, 40, 80), min_length=2, description="pixels a side of the square in Kantorovich's problem, rising"
    )
    tolerance: float = Field(0.01, gt=0, description="mean relative mass error at which the ascent stops")
    discrete: int = Field(60, ge=3, le=300, description="points on each side of the discrete problem")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Semi-discrete and discrete problems, each solved by all methods; see the module.

    Args:
        options: What is solved, and how finely.
        data: Not used.
        seed: Seed of all draws.
        device: Where the stochastic ascent runs.

    Returns:
        Findings with the tables `methods` (a row a method), `pixels` (a row a resolution) and `known` (a row a known
        answer), and as arrays what the figures draw.
    """
    random = np.random.default_rng([seed, 0])
    target = random.uniform(-1, 1, (options.targets, 2))
    weights = 0.5 + random.random(options.targets)
    weights /= weights.sum()
    sides = sorted(set(options.sides))
    with Bar("potentials", len(sides) + 4) as bar:
        newton = solve(target, weights)
        bar.update(1, "ascent")
        record: list[tuple[float, int, np.ndarray]] = []
        asked = {"method": "stochastic", "tolerance": options.tolerance, "seed": seed, "device": device}
        ascent = solve(target, weights, record=record, **asked)
        start = first_heights(target, newton.weights, newton.source.polygon)
        heights, calls = solvers.quasi_newton(target, newton.weights, start)
        rows, grids = [], []
        for done, side in enumerate(sides):
            bar.update(2 + done, f"Kantorovich, {side} x {side} pixels")
            duals = solvers.kantorovich(solvers.pixels(side), np.full(side**2, side**-2.0), target, weights)
            grids.append(duals)
            rows.append(_refined(side, duals, newton))
        bar.update(2 + len(sides), "discrete problem")
        discrete = _discrete(options.discrete, seed)
        bar.update(3 + len(sides), "known answers")
        answers = known(newton, options.discrete, seed)
        slopes = derivatives(newton)
    gradient, from_duals = (
        TransportMap(target, h, newton.weights, newton.source) for h in (heights, grids[-1].heights)
    )
    maps = {"newton": newton, "gradient": gradient, "ascent": ascent, "kantorovich": from_duals}
    methods = _methods(maps, calls, sides[-1])
    rates = {"ascent_rate": solvers.ascent_rate(newton), "ascent_rate_seen": solvers.measured_rate(record, newton)}
    facts = _facts(methods, rows, answers, newton, ascent) | rates | discrete | slopes
    tables = {"methods": methods, "pixels": pd.DataFrame(rows), "known": answers}
    return Findings("potentials", facts, tables, _arrays(newton, from_duals, grids[-1], sides[-1]))


def _refined(side: int, duals: solvers.Solved, newton: TransportMap) -> dict[str, float]:
    """Kantorovich's solution on pixels beside Newton's, exact on the square."""
    cost = solvers.costs(duals.x, duals.y)
    phi, psi = newton.kantorovich(duals.x), newton.kantorovich_target
    apart = newton.brenier(duals.x) - ((duals.x**2).sum(1) / 2 - duals.phi)
    slack, crossed = (
        solvers.slack(cost, duals.phi, duals.psi, duals.plan),
        solvers.slack(cost, phi, psi, duals.plan),
    )
    support = duals.plan > 0
    from_duals = TransportMap(duals.y, duals.heights, newton.weights, newton.source)
    return {
        "side": side,
        "cost": duals.cost,
        "cost_pixels": duals.cost + side**-2 / 12,
        "identity": float(np.ptp(apart) / 2),
        "identity_mean": float(np.abs(apart - np.median(apart)).mean()),
        "moved": solvers.differing(from_duals, newton),
        "violation": max(solvers.violation(cost, duals.phi, duals.psi), 0.0),
        "slack": slack[0],
        "split": int((support.sum(1) > 1).sum()),
        "crossed_violation": max(solvers.violation(cost, phi, psi), 0.0),
        "crossed_slack": crossed[0],
        "crossed_mean": crossed[1],
        "outside": float(duals.plan[np.arange(len(duals.y)) != newton.cell(duals.x)[:, None]].sum()),
    }


def _methods(maps: dict[str, TransportMap], calls: int, side: int) -> pd.DataFrame:
    """A row for each method: exact cost, dual value, mass errors, and what separates it from Newton's answer."""
    points, reference = solvers.pixels(101), maps["newton"]
    rows = [{"method": name} | solvers.judged(transport, reference, points) for name, transport in maps.items()]
    work = {
        "newton": f"{reference.info['steps']} steps",
        "ascent": f"{maps['ascent'].info['points']:,} points",
        "gradient": f"{calls} gradients",
        "kantorovich": f"{side} x {side} pixels",
    }
    return pd.DataFrame(rows).assign(work=[work[name] for name in maps])


def _discrete(points: int, seed: int) -> dict[str, float]:
    """Two clouds, with random weights and with equal ones: Kantorovich by POT, Brenier's heights by HiGHS, and the
    potentials of each tried on the plan of the other.
    """
    random = np.random.default_rng([seed, 1])
    x, y = random.standard_normal((points, 2)), random.uniform(-1, 1, (points, 2))
    uneven = [w / w.sum() for w in 0.5 + random.random((2, points))]
    facts: dict[str, float] = {"discrete_points": points}
    cost = solvers.costs(x, y)
    for name, (mass, weights) in (("discrete", uneven), ("matching", [np.full(points, 1 / points)] * 2)):
        kantorovich, brenier = solvers.kantorovich(x, mass, y, weights), solvers.brenier(x, mass, y, weights)
        facts |= {
            f"{name}_cost": kantorovich.cost,
            f"{name}_cost_gap": abs(kantorovich.cost - brenier.cost),
            f"{name}_violation": max(0.0, *(solvers.violation(cost, s.phi, s.psi) for s in (kantorovich, brenier))),
            f"{name}_slack": solvers.slack(cost, kantorovich.phi, kantorovich.psi, kantorovich.plan)[0],
            f"{name}_crossed_slack": solvers.slack(cost, brenier.phi, brenier.psi, kantorovich.plan)[0],
            f"{name}_split": int(((kantorovich.plan > 0).sum(1) > 1).sum()),
            f"{name}_apart": float(np.ptp(kantorovich.psi - brenier.psi) / 2),
            f"{name}_range": float(np.ptp(kantorovich.psi)),
        }
    return facts


def _facts(methods: pd.DataFrame, rows: list[dict], answers: pd.DataFrame, newton, ascent) -> dict[str, Any]:
    by = methods.set_index("method")
    first, last = rows[0], rows[-1]
    order = np.log(last["side"] / first["side"])
    values = newton.brenier(solvers.pixels(101))
    facts = {
        "targets": len(newton),
        "cost": by.cost["newton"],
        "ascent_tolerance_met": ascent.info["reason"] == "tolerance",
        "ascent_error": float(np.mean(np.abs(ascent.masses() / ascent.weights - 1))),
        "potential_range": float(np.ptp(values)),
        "identity_order": float(np.log(first["identity"] / last["identity"]) / order),
        "moved_order": float(np.log(first["moved"] / max(last["moved"], 1e-300)) / order),
        "known_error": float(answers[answers.method != "ascent"].error.max()),
        "known_error_ascent": float(answers[answers.method == "ascent"].error.max()),
    }
    for name in by.index:
        facts |= {f"{name}_{key}": float(by.loc[name, key]) for key in by.columns if key != "work"}
    return facts | {f"pixels_{key}": value for key, value in last.items()}


def _arrays(newton: TransportMap, other: TransportMap, duals: solvers.Solved, side: int) -> dict[str, np.ndarray]:
    """What the figures draw: cells of both, the dual triangulation, a section through the middle, the difference."""
    polygons = newton.cells.polygons()
    apart = newton.brenier(duals.x) - ((duals.x**2).sum(1) / 2 - duals.phi)
    offset = (apart.max() + apart.min()) / 2
    middle = slice((side // 2) * side, (side // 2 + 1) * side)
    points = duals.x[middle]
    return {
        "target": newton.target,
        "weights": newton.weights,
        "corners": np.concatenate(polygons),
        "counts": np.array([len(corners) for corners in polygons]),
        "pairs": newton.cells.pairs,
        "facets": newton.cells.facets,
        "facets_kantorovich": other.cells.facets,
        "section_x": points,
        "section_u": newton.brenier(points),
        "section_phi": duals.phi[middle] - offset,
        "apart": (apart - offset).reshape(side, side),
    }
