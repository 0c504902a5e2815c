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

    curve (T, d) float64. length: in the metric. converged: whether the solver met its tolerance. note: its message.
    """

    curve: np.ndarray
    length: float
    converged: bool = True
    note: str = ""


def measured(metric: Metric, curve: Tensor, converged: bool = True, note: str = "") -> Geodesic:
    """A curve as a `Geodesic`, with its length in the metric.

    Args:
        metric: Metric of the latent space.
        curve: Polyline (T, d), on the CPU.
        converged: Whether the solver met its tolerance.
        note: The solver's message.

    Returns:
        The curve and its length.
    """
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
    """A geodesic between two points, from the geodesic equation as a boundary-value problem.

    The equation of second order is one of first order in (g, g'), solved by collocation (`scipy.integrate.solve_bvp`).
    Jacobians are automatic.

    Args:
        metric: Metric of the latent space.
        start: First point (d,) float64.
        end: Last point (d,) float64.
        guess: Curve (T, d) at equal times that the solver starts from; default: the straight line.
        nodes: Number of nodes at the start.
        tolerance: Tolerance of the relative residuals.
        limit: Largest number of nodes.

    Returns:
        A stationary curve, which need not be the shortest; where the solver fails, the guess, with `converged` false.

    Raises:
        OtbenchError: Where the ends are not two finite points of one shape (d,).

    Source: Arvanitidis et al. 2018 (30 nodes, tolerance 0.1, at most 1,000 nodes, the straight line on failure).
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

    zero, unit = np.zeros((d, d)), np.eye(d)
    first, last = np.block([[unit, zero], [zero, zero]]), np.block([[zero, zero], [unit, zero]])
    try:
        with torch.no_grad(), np.errstate(all="ignore"):
            solution = solve_bvp(
                function,
                lambda left, right: np.concatenate([left[:d] - a, right[:d] - b]),
                t,
                np.concatenate([line.numpy().T, velocity.T]),
                fun_jac=derivative,
                bc_jac=lambda left, right: (first, last),
                tol=tolerance,
                max_nodes=limit,
            )
    # torch documents its error, but its types do not export it
    except (torch.linalg.LinAlgError, np.linalg.LinAlgError, ValueError) as error:  # pyright: ignore[reportPrivateImportUsage]
        return measured(metric, line, False, f"no solution: {error}")
    if not solution.success or not np.isfinite(solution.y).all():
        return measured(metric, line, False, solution.message)
    curve = torch.from_numpy(solution.sol(np.linspace(0, 1, POINTS))[:d].T.copy())
    return measured(metric, curve, True, solution.message)


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
    """The cubic spline of least energy between two points, by L-BFGS.

    Being of least energy, it has constant speed and least length among the curves near the first.

    Args:
        metric: Metric of the latent space.
        start: First point (d,) float64.
        end: Last point (d,) float64.
        guess: Curve (T, d) at equal times that the search starts from; default: the straight line.
        knots: Number of free points between the ends that the spline passes through.
        steps: Number of steps that the energy is summed over; with few of them the spline finds gaps between them where
            the metric varies fast.
        iterations: Largest number of iterations.
        order: Number of Gauss-Legendre points of each step.

    Returns:
        The spline; `converged` tells whether the gradient or the gain of a step fell below tolerance in `iterations`
        iterations.

    Raises:
        OtbenchError: Where the ends are not two finite points of one shape (d,).
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
    points = torch.cat([start[None], inner.detach(), end[None]])
    curve = torch.from_numpy(_basis(knots + 2, POINTS)).to(start.dtype) @ points
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
