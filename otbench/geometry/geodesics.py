"""Geodesics between two points: as a boundary-value problem, and as the curve of least energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.integrate import solve_bvp
from scipy.interpolate import CubicSpline
from torch import Tensor

from otbench.errors import OtbenchError
from otbench.geometry.curves import curve_length, energy, straight
from otbench.geometry.metric import Metric, acceleration, along_axes

#: points of the curve that a solver gives back
POINTS = 101


@dataclass(frozen=True)
class Geodesic:
    """A curve that a solver found between two points.

    curve (T, d) float64. length: in the metric. converged: whether the solver met its tolerance. note: what it said.
    """

    curve: np.ndarray
    length: float
    converged: bool = True
    note: str = ""


def measured(metric: Metric, curve: Tensor, converged: bool = True, note: str = "") -> Geodesic:
    """The curve (T, d) as a `Geodesic`, with its length in the metric."""
    with torch.no_grad():
        return Geodesic(curve.detach().numpy(), float(curve_length(metric, curve)), converged, note)


def geodesic_bvp(
    metric: Metric,
    start: Tensor,
    end: Tensor,
    guess: Tensor | np.ndarray | None = None,
    nodes: int = 30,
    tolerance: float = 1e-3,
    limit: int = 1000,
) -> Geodesic:
    """A geodesic from start (d,) to end (d,) float64 that solves the geodesic equation as a boundary-value problem.

    The equation of second order is one of first order in (g, g'), solved by collocation (`scipy.integrate.solve_bvp`)
    from `nodes` nodes on the straight line, or on the curve `guess` (T, d) at equal times, with at most `limit` nodes;
    tolerance: of its relative residuals. Jacobians are automatic. Where it fails, the guess is given back and
    `converged` is false. What it finds is a stationary curve, which need not be the shortest. Arvanitidis et al. 2018
    (30 nodes, tolerance 0.1, at most 1,000 nodes, the straight line on failure).
    """
    d = _checked(start, end)
    t = np.linspace(0, 1, nodes)
    line = straight(start, end, nodes - 1) if guess is None else torch.as_tensor(_at(guess, t), dtype=start.dtype)
    velocity = CubicSpline(t, line.numpy()).derivative()(t)
    a, b = start.numpy(), end.numpy()

    def slope(state: Tensor) -> Tensor:
        return torch.cat([state[:, d:], acceleration(metric, state[:, :d], state[:, d:])], dim=1)

    def function(_: np.ndarray, state: np.ndarray) -> np.ndarray:
        return slope(torch.from_numpy(np.ascontiguousarray(state.T))).numpy().T

    def derivative(_: np.ndarray, state: np.ndarray) -> np.ndarray:
        rows = torch.from_numpy(np.ascontiguousarray(state.T))
        return along_axes(slope, rows)[1].numpy().transpose(1, 2, 0)

    zero, one = np.zeros((d, d)), np.eye(d)
    first, last = np.block([[one, zero], [zero, zero]]), np.block([[zero, zero], [one, zero]])
    try:
        with torch.no_grad(), np.errstate(all="ignore"):
            found = solve_bvp(
                function,
                lambda left, right: np.concatenate([left[:d] - a, right[:d] - b]),
                t,
                np.concatenate([line.numpy().T, velocity.T]),
                fun_jac=derivative,
                bc_jac=lambda left, right: (first, last),
                tol=tolerance,
                max_nodes=limit,
            )
    except (torch.linalg.LinAlgError, np.linalg.LinAlgError, ValueError) as error:
        return measured(metric, line, False, f"no solution: {error}")
    if not found.success or not np.isfinite(found.y).all():
        return measured(metric, line, False, found.message)
    curve = torch.from_numpy(found.sol(np.linspace(0, 1, POINTS))[:d].T.copy())
    return measured(metric, curve, True, found.message)


def geodesic_energy(
    metric: Metric,
    start: Tensor,
    end: Tensor,
    guess: Tensor | np.ndarray | None = None,
    knots: int = 20,
    steps: int = 120,
    iterations: int = 200,
    order: int = 1,
) -> Geodesic:
    """The cubic spline of least energy from start (d,) to end (d,) float64, by L-BFGS.

    The spline passes through `knots` free points between the ends, at first on the straight line, or on the curve
    `guess` (T, d) at equal times; its energy is summed over `steps` steps with `order` points each:
    with few of them it finds gaps between them where the metric varies fast. Being of least
    energy it has constant speed and least length among the curves near the first. converged: whether the gradient or
    the gain of a step fell below tolerance in `iterations` iterations.
    """
    _checked(start, end)
    t = np.linspace(0, 1, knots + 2)
    line = straight(start, end, knots + 1) if guess is None else torch.as_tensor(_at(guess, t), dtype=start.dtype)
    basis = torch.from_numpy(_basis(knots + 2, steps + 1)).to(start.dtype)
    inner = line[1:-1].clone().requires_grad_(True)
    with torch.no_grad():
        scale = float(energy(metric, basis @ line, order)) or 1.0
    search = torch.optim.LBFGS(
        [inner], max_iter=iterations, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        value = energy(metric, basis @ torch.cat([start[None], inner, end[None]]), order) / scale
        value.backward()
        return value

    search.step(closure)
    used = search.state[inner]["n_iter"]
    found = torch.cat([start[None], inner.detach(), end[None]])
    curve = torch.from_numpy(_basis(knots + 2, POINTS)).to(start.dtype) @ found
    return measured(metric, curve, used < iterations, f"{used} iterations")


@lru_cache(maxsize=16)
def _basis(knots: int, points: int) -> np.ndarray:
    """The matrix (points, knots) from a natural cubic spline's values at equal knots to its values at equal times."""
    spline = CubicSpline(np.linspace(0, 1, knots), np.eye(knots), bc_type="natural")
    return np.ascontiguousarray(spline(np.linspace(0, 1, points)))


def _at(curve: Tensor | np.ndarray, t: np.ndarray) -> np.ndarray:
    """A polyline (T, d), run through at equal times, at the times t."""
    points = np.asarray(curve)
    return np.stack([np.interp(t, np.linspace(0, 1, len(points)), column) for column in points.T], axis=1)


def _checked(start: Tensor, end: Tensor) -> int:
    if start.ndim != 1 or start.shape != end.shape:
        raise OtbenchError(
            f"a geodesic needs two points of shape (d,), got {tuple(start.shape)} and {tuple(end.shape)}"
        )
    if not (torch.isfinite(start).all() and torch.isfinite(end).all()):
        raise OtbenchError("a geodesic needs two finite points")
    return len(start)
