"""Newton steps on sampled cells, for targets on which the stochastic steps miss the tolerance.

One gain cannot serve all heights: with a few points a batch overshoots, a cell that fell empty rises by a gain that has
shrunk since, and heights of far clusters need steps that would shake those within a cluster. Newton's matrix knows the
scales. It is the Laplacian of the rates at which mass crosses the facets (Kitagawa, Merigot and Thibert 2019), here
estimated from the points next to a facet, whose two best planes are nearly equally high. An empty cell is first raised
to half of its mass. Every round fits a sample that is new and larger than the last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from otbench.transport.draws import Draws
from otbench.transport.kernel import best, best_of
from otbench.transport.sources import Source

# Points of the last sample: n / (SHARE tolerance)^2, which leaves an error of a third of the tolerance, and at least
# LEAST; the first has FIRST, or 64 a cell, and each is GROWTH times the one before.
SHARE, LEAST, FIRST, GROWTH = 0.42, 2**18, 2**14, 4
# Most points times n times d, which take some seconds a step, and most coordinates that are kept.
WORK, ROOM = 2**36, 2**28
# Share of a cell's points, those next to its facets, from which its rates are estimated, and the fewest of them.
NEAR, FEWEST = 0.2, 8
STEPS, HALVINGS = 30, 10


def last_sample(n: int, dimension: int, tolerance: float) -> int:
    """Number of points of the last sample.

    Args:
        n: Number of cells.
        dimension: Number of coordinates d.
        tolerance: Mean relative cell error that is asked for.

    Returns:
        Number of points; 0 where they would be more than can be worked on.
    """
    size = max(LEAST, int(n / (SHARE * tolerance) ** 2))
    return size if size * n * dimension <= WORK and size * dimension <= ROOM else 0


def refined(
    target: np.ndarray,
    weights: np.ndarray,
    law: Source,
    heights: np.ndarray,
    info: dict[str, Any],
    tolerance: float,
    seed: int,
    time_limit: float | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Heights closer to the weights than given ones, by Newton steps on sampled cells.

    Args:
        target: Target points (n, d), all different.
        weights: Wished masses (n,), summing to 1.
        law: Source of the map.
        heights: Heights (n,) of `solve_stochastic`.
        info: What `solve_stochastic` reported.
        tolerance: Mean relative cell error that is asked for.
        seed: Seed of the solve.
        time_limit: Seconds for the stochastic steps and these together; None is no limit.

    Returns:
        Heights (n,), the given ones where Newton steps do no better, and `info` with what was added.

    Raises:
        ValueError: Where n is beyond `last_sample`.
    """
    began = time.perf_counter()
    until = np.inf if time_limit is None else began + time_limit - info["seconds"]
    draws = Draws(target, law, info["device"], "auto", seed + 2**41)
    before = draws.inward(heights)
    after, steps, points = _rounds(draws, weights, before, tolerance, until)
    nu = torch.as_tensor(weights, dtype=torch.float64, device=before.device)
    checked = max(LEAST, 4 * len(weights))
    old, new = draws.error(before, nu, checked), draws.error(after, nu, checked)
    late = time.perf_counter() > until
    info = info | {
        "error": min(old, new), "newton_steps": steps, "newton_points": points,
        "seconds": info["seconds"] + time.perf_counter() - began,
        "reason": "tolerance" if min(old, new) <= tolerance else "time" if late else "points",
    }  # fmt: skip
    return (draws.outward(after) if new < old else heights), info


def _rounds(
    draws: Draws, weights: np.ndarray, heights: torch.Tensor, tolerance: float, until: float
) -> tuple[torch.Tensor, int, int]:
    """Heights (n,), those inside `draws`, after rounds on ever larger samples; steps taken; points drawn."""
    last = last_sample(len(weights), draws.law.dimension, tolerance)
    if not last:
        raise ValueError("refine: more cells than can be worked on")
    h, steps, points = heights.cpu().numpy(), 0, 0
    size = min(last, max(FIRST, 64 * len(weights)))
    while True:
        sample = _Sample(draws, size, weights)
        h, taken = _newton(sample, h, (0.05 if size == last else 1.0) * tolerance, until)
        steps, points = steps + taken, points + size
        if size == last or time.perf_counter() > until:
            return torch.as_tensor(h - h.mean(), dtype=torch.float64, device=heights.device), steps, points
        size = min(last, GROWTH * size)


@dataclass(frozen=True)
class _Fit:
    """What a sample says of heights (n,): masses (n,), every point's best and second plane and their gap, and how far
    the masses are off: chi2, sum (w_i - nu_i)^2 / nu_i, and error, mean |w_i - nu_i| / nu_i.
    """

    heights: np.ndarray
    mass: np.ndarray
    first: np.ndarray
    second: np.ndarray
    gap: np.ndarray
    chi2: float
    error: float


class _Sample:
    """Fresh source points x (m, d) and the cells they fall into."""

    def __init__(self, draws: Draws, size: int, nu: np.ndarray) -> None:
        self.x, self.y, self.nu = draws.points(size), draws.y, nu

    def low(self, h: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(h, dtype=torch.float32, device=self.x.device)

    def fit(self, h: np.ndarray) -> _Fit:
        value, index = (part.cpu().numpy() for part in best_of(self.x, self.y, self.low(h), 2))
        mass = np.bincount(index[:, 0], minlength=len(h)) / len(index)
        off = mass / self.nu - 1
        gap = value[:, 0] - value[:, 1]
        return _Fit(h, mass, index[:, 0], index[:, 1], gap, float(self.nu @ off**2), float(np.abs(off).mean()))

    def lifted(self, h: np.ndarray, empty: np.ndarray) -> np.ndarray:
        """Heights with those of the empty cells so high that each takes half of its mass from what is there."""
        h, highest = h.copy(), best(self.x, self.y, self.low(h))[0]
        for i in empty:
            plane = self.x @ self.y[i] + float(h[i])
            count = min(len(plane), max(2, round(len(plane) * float(self.nu[i]) / 2)))
            rise = float((highest - plane).kthvalue(count).values)
            h[i] += rise
            highest = torch.maximum(highest, plane + rise)
        return h


def _newton(sample: _Sample, h: np.ndarray, goal: float, until: float) -> tuple[np.ndarray, int]:
    """Heights whose mean relative cell error on the sample is at most the goal, or the best found; steps taken."""
    fit = sample.fit(h)
    for _ in range(3):
        if not (empty := np.flatnonzero(fit.mass == 0)).size:
            break
        fit = sample.fit(sample.lifted(fit.heights, empty))
    for step in range(STEPS):
        if fit.error <= goal or time.perf_counter() > until:
            return fit.heights, step
        update = _damped(sample, fit, _direction(fit, sample.nu))
        if update is None:
            return fit.heights, step
        fit = update
    return fit.heights, STEPS


def _damped(sample: _Sample, fit: _Fit, direction: np.ndarray) -> _Fit | None:
    """The first of the steps 1, 1/2, 1/4, ... that empties no cell and lowers chi2; None where none does."""
    for halvings in range(HALVINGS):
        share = 0.5**halvings
        trial = sample.fit(fit.heights + share * direction)
        if (trial.mass == 0).sum() <= (fit.mass == 0).sum() and trial.chi2 <= (1 - share / 2) * fit.chi2:
            return trial
    return None


def _direction(fit: _Fit, nu: np.ndarray) -> np.ndarray:
    """Newton direction (n,): sum_j k_ij (d_i - d_j) = nu_i - w_i, k_ij the rates across facets; mean zero."""
    n = len(nu)
    rates = _rates(fit, n, NEAR)
    if connected_components(rates, directed=False)[0] > 1:
        # Where no point near a facet joins two groups of cells, the points farther off say roughly what would.
        rates = rates + _rates(fit, n, 1.0)
    total = np.asarray(rates.sum(axis=1)).ravel()
    # A trace of ridge, for cells that nothing joins.
    matrix = diags(total + 1e-9 * max(total.mean(), 1e-300)) - rates
    direction = spsolve(csc_matrix(matrix), nu - fit.mass)
    return np.nan_to_num(direction - direction.mean())


def _rates(fit: _Fit, n: int, share: float) -> csc_matrix:
    """Rates (n, n) at which mass crosses each facet as one of its planes rises, both sides averaged.

    From the `share` of each cell's points that are next to its facets: within a gap of e_i they are the fraction p_ij
    of all, and the rate is p_ij / e_i.
    """
    order = np.lexsort((fit.gap, fit.first))
    cell, gap, other = fit.first[order], fit.gap[order], fit.second[order]
    count = np.bincount(cell, minlength=n)
    start = np.cumsum(count) - count
    used = np.minimum(count, np.maximum(np.ceil(share * count).astype(int), FEWEST))
    near = np.arange(len(cell)) - start[cell] < used[cell]
    width = np.where(used > 0, gap[np.minimum(start + np.maximum(used, 1) - 1, len(gap) - 1)], 1.0)
    width = np.maximum(width, 1e-12 * max(float(gap.max()), 1e-300))
    cell, other = cell[near], other[near]
    rate = coo_matrix((1 / (len(gap) * width[cell]), (cell, other)), shape=(n, n)).tocsc()
    return (rate + rate.T) / 2
