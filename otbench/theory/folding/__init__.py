"""Folding in space: optimal transport from the solid ball to solids that are not convex, interpolated on the way.

Lei et al. (2020), section 5.2: rho_t = [(1 - t) id + t grad u]_# mu between a solid ball and a solid, whose singular
set is where the map tears the ball.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from otbench.theory.findings import Findings
from otbench.theory.folding.ridge import Ridge, ridge
from otbench.theory.folding.solids import AXES, SHIFT, TITLES, VOLUME, solid
from otbench.utils.progress import Bar

if TYPE_CHECKING:
    from otbench.data.base import DataSet
    from otbench.theory.shared.quantise import Quantised
    from otbench.transport import TransportMap

TITLE = "Folding in space: from a ball to solids that are not convex"
SOURCE = "Lei et al. 2020, section 5.2 and Fig. 11; McCann's interpolation"
DATA = False

#: jumps of fewer spacings of the target cannot be distinguished from the sampling
COARSE = 3.0
#: thickness of the layer round the facets whose share of the ball measures their area
LAYER = 0.01
SHOWN = 3000


class Options(BaseModel):
    """What is computed, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    solids: tuple[Literal["star", "hare", "torus", "ellipsoid"], ...] = Field(
        ("star", "hare", "torus", "ellipsoid"), description="Targets; the ellipsoid is the one with a known answer."
    )
    mesh: str | None = Field(None, description="File of a closed mesh, a further target (needs trimesh and rtree).")
    points: int = Field(1000, ge=50, description="Target points of each solid.")
    tolerance: float = Field(0.1, gt=0, le=1, description="Mean relative error of the cells' masses.")
    jump: float = Field(
        0.5, gt=0, description="Distance between targets from which a facet is singular (ball: radius 1)."
    )
    times: tuple[float, ...] = Field(
        (0.0, 0.25, 0.5, 0.75, 1.0), min_length=1, description="Times of the interpolation."
    )
    samples: int = Field(200_000, ge=1000, description="Source points from which singular facets are found.")
    particles: int = Field(500, ge=10, description="Cells between which W2 is computed by linear programming.")

    def model_post_init(self, _: object) -> None:
        """Raises ValueError where there is nothing to do or a time lies outside [0, 1]."""
        if not self.solids and not self.mesh:
            raise ValueError("solids must not be empty without a mesh")
        if min(self.times) < 0 or max(self.times) > 1:
            raise ValueError("times must lie between 0 and 1")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Transport to every solid, its interpolation, its singular set, and what is known of each.

    Args:
        options: What is computed, and how much of it.
        data: Not used.
        seed: Seed of all draws.
        device: Where the stochastic solver runs.

    Returns:
        Findings with the tables `solids` (a row a solid) and `geodesic` (a row a solid and time), and for each solid
        centres of cells, targets and points of the singular set (m, 3) float32 as arrays.
    """
    from otbench.transport import solve

    names = [*options.solids, *(["mesh"] if options.mesh else [])]
    facts: dict[str, Any] = {"jump": options.jump, "tolerance": options.tolerance, "points": options.points}
    rows, steps, arrays = [], [], {"times": np.array(options.times)}
    with Bar("folding", len(names)) as bar:
        for k, name in enumerate(names):
            target = solid(name, options.points, np.random.default_rng([seed, k]), options.mesh)
            transport = solve(
                target.points, target.weights, "ball", options.tolerance, "stochastic", seed=seed, device=device
            )
            threshold = max(options.jump, COARSE * target.spacing)
            singular = ridge(transport, threshold, VOLUME, LAYER, options.samples, seed + 2)
            row, centres = _measured(name, transport, target, singular, seed)
            full = np.flatnonzero(~np.isnan(centres[:, 0]))
            cells = full[_drawn_few(len(full), options.particles, seed)]
            steps += interpolated(name, centres[cells], target.points[cells], target.weights[cells], options.times)
            rows.append(row | {"threshold": threshold})
            facts |= _facts(name, row, singular, transport, seed)
            arrays |= _arrays(name, centres, target.points, singular, seed)
            bar.update(k + 1, TITLES[name])
    tables = {"solids": pd.DataFrame(rows), "geodesic": pd.DataFrame(steps)}
    return Findings("folding", facts | _facts_of_paths(tables["geodesic"]), tables, arrays)


def interpolated(
    name: str, x: np.ndarray, y: np.ndarray, weights: np.ndarray, times: tuple[float, ...]
) -> list[dict[str, Any]]:
    """W2 from the start along McCann's interpolation beside t W2, and the least ratio of distances.

    Points move along (1 - t) x + t y. As x -> y is the gradient of a convex function, W2 grows in proportion to t
    (McCann 1997), and no two points come nearer than 1 - t times their distance at the start.

    Args:
        name: Name of the solid.
        x: Points at time 0 (k, 3).
        y: Points at time 1 (k, 3).
        weights: Masses (k,), in any unit.
        times: Times in [0, 1].

    Returns:
        Rows, one a time: solid, time, `w2` (by linear programming), `straight` (t W2), `stretch` (least ratio of
        distances to those at the start) and `bound` (1 - t).
    """
    import ot
    from scipy.spatial.distance import pdist

    mass = weights / weights.sum()
    whole = float(np.sqrt(mass @ ((x - y) ** 2).sum(1)))
    apart, rows = pdist(x), []
    for t in times:
        z = (1 - t) * x + t * y
        squared = ot.emd2(mass, mass, ot.dist(x, z), numItermax=2_000_000)
        rows.append(
            {"solid": name, "time": t, "w2": float(np.sqrt(max(0.0, squared))), "straight": t * whole,
             "stretch": float((pdist(z) / apart).min()), "bound": 1 - t}
        )  # fmt: skip
    return rows


def _drawn_few(n: int, k: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng([seed, 7]).permutation(n)[:k])


def _measured(
    name: str, transport: TransportMap, target: Quantised, found: Ridge, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """The solid's row of the table, and the centres of its cells (n, 3), NaN where a cell is empty."""
    from otbench.transport.certificate import certificate

    numbers = certificate(transport, seed=seed + 1)
    centres = transport.centroids(400_000, seed + 1)
    empty = np.isnan(centres[:, 0])
    jumps = found.jumps_of_pairs
    missing = float("nan")
    return {
        "solid": name,
        "title": TITLES[name],
        "points": len(target.points),
        "spacing": target.spacing,
        "w2": numbers["map_w2"],
        "w2_squared": numbers["map_w2"] ** 2,
        "cost": numbers["map_cost"],
        "gap": numbers["map_dual_gap"],
        "quantisation": target.error,
        "mean_error": numbers["map_mean_cell_error"],
        "max_error": numbers["map_max_cell_error"],
        "empty": int(empty.sum()),
        "facets": found.facets,
        "singular": found.pairs,
        "area": found.area,
        "touching": found.touching,
        "ordinary": found.ordinary,
        "median_jump": float(np.median(jumps)) if len(jumps) else missing,
        "widest": float(jumps.max()) if len(jumps) else missing,
    }, centres


def _facts(name: str, row: dict[str, Any], found: Ridge, transport: TransportMap, seed: int) -> dict[str, Any]:
    keys = ("w2", "cost", "mean_error", "empty", "quantisation", "spacing", "singular", "facets", "area", "touching")
    facts = {f"{name}_{key}": row[key] for key in keys}
    if row["singular"]:
        facts |= {f"{name}_median_jump": row["median_jump"], f"{name}_widest": row["widest"]}
    if name == "ellipsoid":
        facts["ellipsoid_closed_form"] = float(np.sqrt(((1 - AXES) ** 2).sum() / 5 + (SHIFT**2).sum()))
    where = {"star": _from_planes, "torus": _from_axis}.get(name)
    if where and len(found.points):
        anywhere = transport.source.sample(20_000, np.random.default_rng([seed, 9]))
        facts[f"{name}_ridge_away"] = float(np.median(where(found.points)))
        facts[f"{name}_anywhere_away"] = float(np.median(where(anywhere)))
    return facts


def _from_axis(x: np.ndarray) -> np.ndarray:
    """Distance from the torus's axis of rotation, where by symmetry its map can only jump."""
    return np.hypot(x[:, 0], x[:, 2])


def _from_planes(x: np.ndarray) -> np.ndarray:
    """Distance from the nearest of the three half planes midway between the arms, where by symmetry the map jumps."""
    turn = np.mod(np.arctan2(x[:, 0], x[:, 2]), 2 * np.pi / 3) - np.pi / 3
    return np.hypot(x[:, 0], x[:, 2]) * np.abs(np.sin(turn))


def _facts_of_paths(steps: pd.DataFrame) -> dict[str, Any]:
    moving = steps[steps["straight"] > 0]
    return {
        "geodesic_error": float((moving["w2"] / moving["straight"] - 1).abs().max()) if len(moving) else 0.0,
        "stretch_holds": bool((steps["stretch"] >= steps["bound"] - 1e-9).all()),
        "times": len(steps["time"].unique()),
    }


def _arrays(name: str, centres: np.ndarray, points: np.ndarray, found: Ridge, seed: int) -> dict[str, np.ndarray]:
    rows = _drawn_few(len(found.points), SHOWN, seed)
    return {
        f"{name}/centres": centres[~np.isnan(centres[:, 0])].astype(np.float32),
        f"{name}/target": points[~np.isnan(centres[:, 0])].astype(np.float32),
        f"{name}/ridge": found.points[rows].astype(np.float32),
        f"{name}/jumps": found.jumps[rows].astype(np.float32),
        f"{name}/jumps_of_pairs": found.jumps_of_pairs.astype(np.float32),
    }
