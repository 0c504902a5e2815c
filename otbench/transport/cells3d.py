"""Exact Laguerre cells in a box of space, and the heights that give them their masses, through the package `sdot`.

sdot (optional; Python 3.12 or newer, `pip install sdot "jax[cpu]"`) cuts the cells and runs the
damped Newton method; here are the change of units, the certificate's numbers and the errors. The planes <x, y_i> +
h_i are the power diagram of the points p_i = y_i with weights w_i = 2 h_i + |y_i|^2.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.sources import Source

MISSING = 'exact cells in space need the package sdot (Python 3.12 or newer: pip install sdot "jax[cpu]")'


@dataclass(frozen=True)
class Cells3d:
    """Laguerre cells of n points in a box: sizes (n,), their volumes; first (n, 3), integrals of x; pairs (E, 2)
    neighbouring cells, i < j; facet_areas (E,).
    """

    sizes: np.ndarray
    first: np.ndarray
    pairs: np.ndarray
    facet_areas: np.ndarray
    facets: None = None

    @property
    def centroids(self) -> np.ndarray:
        """Centres of mass (n, 3); NaN where a cell is empty."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.sizes[:, None] > 0, self.first / self.sizes[:, None], np.nan)


def can(law: Source) -> bool:
    """Whether cells of a source can be exact here: a box of three dimensions, and sdot at work.

    Args:
        law: Source of the map.

    Returns:
        True where `cells_in_box` and `newton3d` can take the source.
    """
    return law.kind == "box" and law.dimension == 3 and available()


@functools.cache
def available() -> bool:
    """Whether sdot works on this machine (it needs jax, and a compiler at first use).

    Returns:
        Outcome of one trial on two points, kept for the process.
    """
    if importlib.util.find_spec("sdot") is None:
        return False
    try:
        cells = _diagram(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([0, -0.2]), -np.full(3, 0.5), np.ones(3))
        return bool(np.allclose(cells.sizes, [0.7, 0.3], atol=1e-12))
    except Exception as error:  # Many things can be missing, none of which should stop a solve that sampling can do.
        logging.getLogger(__name__).warning("sdot does not work here (%s); cells in space are sampled", error)
        return False


@dataclass(frozen=True)
class _Units:
    """Points and box at the origin and of about unit size, so that rounding has one scale: x = centre + size x', y =
    middle + spread y', and scores divided by size spread.
    """

    middle: np.ndarray
    spread: float
    centre: np.ndarray
    size: float

    @classmethod
    def of(cls, target: np.ndarray, law: Source) -> _Units:
        spread = float(np.max(np.ptp(target, axis=0))) or 1.0
        edge = float(np.max(law.high - law.low))
        return cls((target.max(0) + target.min(0)) / 2, spread, (law.low + law.high) / 2, edge)

    def points(self, target: np.ndarray) -> np.ndarray:
        return (target - self.middle) / self.spread

    def tilt(self, target: np.ndarray) -> np.ndarray:
        return (target - self.middle) @ self.centre

    def inward(self, target: np.ndarray, heights: np.ndarray) -> np.ndarray:
        return (heights + self.tilt(target)) / (self.spread * self.size)

    def outward(self, target: np.ndarray, heights: np.ndarray) -> np.ndarray:
        return heights * (self.spread * self.size) - self.tilt(target)

    def box(self, law: Source) -> tuple[np.ndarray, np.ndarray]:
        return (law.low - self.centre) / self.size, (law.high - law.low) / self.size


def cells_in_box(target: np.ndarray, heights: np.ndarray, law: Source) -> Cells3d:
    """Laguerre cells in a box of space, exact, in double precision.

    Args:
        target: Target points (n, 3), all different.
        heights: Heights (n,), in units of <x, y>.
        law: Source, a box of three dimensions.

    Returns:
        Cells of the n points.
    """
    units = _Units.of(target, law)
    cells = _diagram(units.points(target), units.inward(target, heights), *units.box(law))
    volume = units.size**3
    first = volume * (units.size * cells.first + cells.sizes[:, None] * units.centre)
    return Cells3d(volume * cells.sizes, first, cells.pairs, units.size**2 * cells.facet_areas)


def _diagram(p: np.ndarray, h: np.ndarray, low: np.ndarray, edges: np.ndarray) -> Cells3d:
    from sdot import PowerDiagram, box_half_spaces  # pyright: ignore[reportMissingImports]  # optional

    n = len(p)
    if n == 1:
        volume = float(np.prod(edges))
        empty = np.empty((0, 2), int)
        return Cells3d(np.array([volume]), volume * (low + edges / 2)[None], empty, np.empty(0))
    domain = box_half_spaces(low, low + edges)
    diagram = PowerDiagram(p, 2 * (h - h.mean()) + (p**2).sum(1), boundaries=domain, kernel_dtype="FP64")
    sizes, first, _ = (np.asarray(part, float) for part in diagram.moments)
    counts, others, values = (np.asarray(part) for part in diagram.hessian_rows())
    shared = (np.arange(others.shape[1]) < counts[:, None]) & (others >= 0)
    i = np.repeat(np.arange(n), shared.sum(1))
    j, rate = others[shared].astype(int), values[shared]
    # Each facet comes once from either side; d mass_i / d w_j = area / (2 |p_i - p_j|).
    once = (i < j) & (rate > 0)
    pairs = np.stack([i[once], j[once]], axis=1)
    return Cells3d(sizes, first, pairs, 2 * rate[once] * np.linalg.norm(p[pairs[:, 0]] - p[pairs[:, 1]], axis=1))


def newton3d(
    target: np.ndarray,
    weights: np.ndarray,
    law: Source,
    heights: np.ndarray | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 200,
    time_limit: float | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Heights whose cells in space have the wished masses, by damped Newton.

    Args:
        target: Target points (n, 3), all different.
        weights: Wished masses nu (n,), summing to 1.
        law: Source, a box of three dimensions.
        heights: Heights (n,) of a warm start; none by default.
        tolerance: Largest relative cell error, max_i |w_i - nu_i| / nu_i.
        max_steps: Largest number of Newton steps.
        time_limit: Seconds, looked at between runs of five steps; None is no limit.

    Returns:
        Heights (n,) and what happened; the error is that of the cells computed anew from the heights, not sdot's own
        figure.

    Raises:
        OtbenchError: Where sdot fails.
    """
    from sdot import Box, SumOfDiracs, ot_solve  # pyright: ignore[reportMissingImports]  # optional

    began = time.perf_counter()
    units = _Units.of(target, law)
    p = units.points(target)
    low, edges = units.box(law)
    square = (p**2).sum(1)
    start = None if heights is None else 2 * units.inward(target, heights) + square
    density, diracs = Box(origin=low, frame=edges), SumOfDiracs(p, weights)
    steps, chunk, reason = 0, max_steps if time_limit is None else 5, "tolerance"
    # No aggregation: it places planes between near-duplicates better than any weights say, and heights are our answer.
    # Half of the tolerance leaves room for the change of units.
    options = {"tol": 0.5 * tolerance * weights.min(), "aggregate": False, "on_failure": "ignore"}
    while True:
        try:
            solution = ot_solve(diracs, density, max_iter=min(chunk, max_steps - steps), weights0=start, **options)
        except Exception as error:
            raise OtbenchError(
                f"solve: sdot failed ({type(error).__name__}: {error}); method='stochastic' needs no sdot"
            ) from error
        start, taken = np.asarray(solution.weights, float), int(solution.stats["nb_iter"])
        steps += taken
        if solution.converged:
            break
        if taken < chunk or steps >= max_steps:
            reason = "steps" if steps >= max_steps else "rounding"
            break
        if time_limit is not None and time.perf_counter() - began > time_limit:
            reason = "time"
            break
    h = units.outward(target, (start - square) / 2)
    h = h - weights @ h
    mass = cells_in_box(target, h, law).sizes / np.prod(law.high - law.low)
    error = float(np.max(np.abs(mass - weights) / weights))
    if reason == "tolerance" and error > tolerance:
        reason = "rounding"
    return h, {
        "method": "newton-3d (sdot)", "error": error, "steps": steps, "seconds": time.perf_counter() - began,
        "reason": reason,
    }  # fmt: skip
