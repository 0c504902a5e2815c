"""Exact semi-discrete transport in the plane: damped Newton on the heights (Kitagawa, Merigot and Thibert, 2019)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from otbench.transport.cells2d import Cells, laguerre


@dataclass(frozen=True)
class Solution:
    """Heights (n,), the cells under them, the largest relative cell error, Newton steps, seconds, why the solver
    stopped, and the error that rounding the heights alone may cause (`rounding`).
    """

    heights: np.ndarray
    cells: Cells
    error: float
    steps: int
    seconds: float
    reason: str
    rounding: float

    @property
    def info(self) -> dict[str, Any]:
        """What happened, as plain values."""
        names = ("error", "steps", "seconds", "reason", "rounding")
        return {"method": "newton-2d"} | {name: getattr(self, name) for name in names}


def first_heights(target: np.ndarray, weights: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Heights under which every cell has mass: h_i = -f(y_i).

    f is convex, with gradients at the targets inside the polygon. W_i then holds the point grad f(y_i), since <x, y> -
    f(y) is largest at y_i there. On an axis-parallel box f is separable and its derivative nearly the coordinate's
    quantile map, which is the answer for a product target; on another polygon f is a multiple of |y - m|^2 / 2.

    Args:
        target: Target points (n, 2), all different.
        weights: Wished masses (n,), summing to 1.
        polygon: Corners (V, 2) of the source's support, convex and counter-clockwise.

    Returns:
        Heights (n,), in units of <x, y>.
    """
    low, high = polygon.min(0), polygon.max(0)
    if len(polygon) == 4 and np.all((polygon == low) | (polygon == high)):
        parts = (_quantile_potential(target[:, c], weights, low[c], high[c]) for c in range(2))
        return -sum(parts, np.zeros(len(target)))
    centre = polygon.mean(0)
    edge = np.roll(polygon, -1, axis=0) - polygon
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1)[:, None]
    offset = target - (target.max(0) + target.min(0)) / 2
    room = ((polygon - centre) * normal).sum(1)
    reach = (offset @ normal.T).max(0)
    factor = 0.9 * np.min(room / np.maximum(reach, 1e-12 * reach.max() + 1e-300))
    return -(offset @ centre) - 0.5 * factor * (offset**2).sum(1)


def _quantile_potential(
    y: np.ndarray, weights: np.ndarray, low: float, high: float, straight: float = 0.1
) -> np.ndarray:
    """Integral at every y of an increasing map into (low, high): the middle of y's quantile interval, mixed with a
    straight line.
    """
    level, where = np.unique(y, return_inverse=True)
    mass = np.bincount(where, weights=weights)
    middle = np.cumsum(mass) - mass / 2
    extent = level[-1] - level[0]
    line = (level - level[0]) / extent * 0.98 + 0.01 if extent > 0 else np.full(1, 0.5)
    x = low + (high - low) * ((1 - straight) * middle + straight * line)
    steps = np.diff(level) * (x[1:] + x[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])[where]


def newton(
    target: np.ndarray,
    weights: np.ndarray,
    polygon: np.ndarray,
    heights: np.ndarray | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 200,
    time_limit: float | None = None,
) -> Solution:
    """Heights whose cells in the plane have the wished masses, by damped Newton.

    Every step solves the Laplacian of facet length / |y_i - y_j| and is halved until each cell keeps half of the
    smallest mass seen at the start and the residual falls. It stops early, and says so in `reason`, where rounding or
    the time limit ends progress.

    Args:
        target: Target points (n, 2), all different.
        weights: Wished masses nu (n,), positive, summing to 1.
        polygon: Corners (V, 2) of the source's support, convex and counter-clockwise.
        heights: Heights (n,) of a warm start, used where all its cells have mass; none by default.
        tolerance: Largest relative cell error, max_i |w_i - nu_i| / nu_i.
        max_steps: Largest number of Newton steps.
        time_limit: Seconds; None is no limit.

    Returns:
        Heights, their cells and what happened.
    """
    began = time.perf_counter()
    total = _area(polygon)
    h, cells = _begin(target, weights, polygon, heights)
    mass = cells.areas / total
    floor = min(mass.min(), weights.min()) / 2
    error, reason, step = _error(mass, weights), "tolerance", 0
    while error > tolerance:
        if step >= max_steps or (time_limit is not None and time.perf_counter() - began > time_limit):
            reason = "steps" if step >= max_steps else "time"
            break
        direction = _direction(target, cells, total, weights - mass)
        # Near what rounding allows, much shorter steps will not do better than the whole one.
        halvings = 40 if error > 16 * rounding(target, weights, h - weights @ h, cells, total) else 4
        update = _damped(target, weights, polygon, h, direction, mass, floor, total, halvings)
        if update is None:
            reason = "rounding"
            break
        h, cells, mass = update
        error, step = _error(mass, weights), step + 1
    h = h - weights @ h
    floor = rounding(target, weights, h, cells, total)
    return Solution(h, cells, error, step, time.perf_counter() - began, reason, floor)


def rounding(target: np.ndarray, weights: np.ndarray, heights: np.ndarray, cells: Cells, total: float) -> float:
    """Largest relative cell error that rounding each height to the nearest double may cause.

    Moving h_i by e moves the facet between i and j by e / |y_i - y_j|, and so the mass of cell i by e length / (|y_i -
    y_j| area); e is at most half of the spacing of doubles at h_i. No solver whose answer is heights in double
    precision can promise less.

    Args:
        target: Target points (n, 2), all different.
        weights: Wished masses (n,), summing to 1.
        heights: Heights (n,), in units of <x, y>.
        cells: Cells under the heights.
        total: Area of the polygon.

    Returns:
        Relative error.
    """
    if len(target) == 1:
        return 0.0
    i, j = cells.pairs.T
    half = np.spacing(np.abs(heights)) / 2
    moved = cells.lengths / (np.linalg.norm(target[i] - target[j], axis=1) * total) * (half[i] + half[j])
    mass = np.bincount(i, weights=moved, minlength=len(target)) + np.bincount(j, weights=moved, minlength=len(target))
    return float((mass / weights).max())


def _begin(target, weights, polygon, heights) -> tuple[np.ndarray, Cells]:
    if heights is not None:
        cells = laguerre(target, heights, polygon)
        if cells.areas.min() > 0:
            return heights.copy(), cells
    h = first_heights(target, weights, polygon)
    return h, laguerre(target, h, polygon)


def _error(mass: np.ndarray, weights: np.ndarray) -> float:
    return float(np.max(np.abs(mass - weights) / weights))


def _area(polygon: np.ndarray) -> float:
    p, q = polygon - polygon[0], np.roll(polygon, -1, axis=0) - polygon[0]
    return float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / 2)


def _direction(target: np.ndarray, cells: Cells, total: float, residual: np.ndarray) -> np.ndarray:
    """Newton direction: solves sum_j k_ij (d_i - d_j) = residual_i with k_ij = facet length / (|y_i - y_j| area),
    mean of d zero.
    """
    n = len(target)
    if n == 1:
        return np.zeros(1)
    i, j = cells.pairs.T
    k = cells.lengths / (np.linalg.norm(target[i] - target[j], axis=1) * total)
    diagonal = np.bincount(i, weights=k, minlength=n) + np.bincount(j, weights=k, minlength=n)
    # One height is fixed: that of the best connected cell, whose equation follows from the others.
    fixed = int(np.argmax(diagonal))
    row = np.concatenate([i, j, np.arange(n)])
    column = np.concatenate([j, i, np.arange(n)])
    value = np.concatenate([-k, -k, diagonal])
    place = np.arange(n) - (np.arange(n) > fixed)
    keep = (row != fixed) & (column != fixed)
    matrix = csc_matrix((value[keep], (place[row[keep]], place[column[keep]])), shape=(n - 1, n - 1))
    # Jacobi scaling keeps one scale where facets or distances differ by many orders of magnitude.
    scale = 1 / np.sqrt(np.delete(diagonal, fixed))
    matrix = matrix.multiply(scale[:, None]).multiply(scale[None, :]).tocsc()
    factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solved = scale * factor.solve(scale * np.delete(residual, fixed))
    direction = np.insert(solved, fixed, 0.0)
    return direction - direction.mean()


def _damped(target, weights, polygon, h, direction, mass, floor, total, most):
    """The first of the steps 1, 1/2, 1/4, ... that keeps every cell above the floor and lowers the residual; None
    where none does.
    """
    if not np.isfinite(direction).all():
        return None
    residual = np.linalg.norm((mass - weights) / np.sqrt(weights))
    largest, rounding = np.abs(direction).max(), 4 * np.finfo(float).eps * np.abs(h - h.mean()).max()
    for halvings in range(most):
        share = 0.5**halvings
        if halvings and share * largest < rounding:
            return None
        trial = h + share * direction
        cells = laguerre(target, trial, polygon)
        shares = cells.areas / total
        if (
            shares.min() >= floor
            and np.linalg.norm((shares - weights) / np.sqrt(weights)) <= (1 - share / 2) * residual
        ):
            return trial, cells, shares
    return None
