"""Lengths and energies of curves in a latent space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from otbench.errors import OtbenchError
from otbench.geometry.metric import Metric


def straight(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The straight line between two points, at equal steps.

    Args:
        start: First point (d,).
        end: Last point (d,).
        steps: Number of steps.

    Returns:
        Polyline (steps + 1, d), ends included.
    """
    t = torch.linspace(0, 1, steps + 1, dtype=start.dtype, device=start.device)[:, None]
    return start + t * (end - start)


def squared_speeds(metric: Metric, curve: Tensor, order: int = 3) -> tuple[Tensor, Tensor]:
    """Squared lengths s^T M s of each step s of a polyline, the metric taken at Gauss-Legendre points of the step.

    Args:
        metric: Metric of the latent space.
        curve: Polyline (T, d).
        order: Number of Gauss-Legendre points of each step.

    Returns:
        Values s^T M s (T - 1, order) and the points' weights (order,), summing to 1.

    Raises:
        OtbenchError: Where the curve has fewer than two points, or not the shape (T, d).
    """
    if curve.ndim != 2 or len(curve) < 2:
        raise OtbenchError(f"a curve needs two points or more, of shape (T, d), got {tuple(curve.shape)}")
    at, weights = np.polynomial.legendre.leggauss(order)
    where = torch.as_tensor((at + 1) / 2, dtype=curve.dtype, device=curve.device)[:, None]
    step = curve[1:] - curve[:-1]
    points = curve[:-1, None] + where * step[:, None]
    of = metric(points.reshape(-1, curve.shape[1])).reshape(len(step), order, *(2 * curve.shape[1:]))
    squares = torch.einsum("ti,tqij,tj->tq", step, of, step).clamp_min(0)
    return squares, torch.as_tensor(weights / 2, dtype=curve.dtype, device=curve.device)


def curve_length(metric: Metric, curve: Tensor, order: int = 3) -> Tensor:
    """The length of a polyline: the integral of sqrt(g'^T M g').

    Args:
        metric: Metric of the latent space.
        curve: Polyline (T, d).
        order: Number of Gauss-Legendre points of each step.

    Returns:
        Length, a scalar tensor, in the units of the data space.

    Raises:
        OtbenchError: Where the curve has fewer than two points.

    Source: "Generative Model Part 0", 1.1.
    """
    squares, weights = squared_speeds(metric, curve, order)
    return (squares.sqrt() @ weights).sum()


def energy(metric: Metric, curve: Tensor, order: int = 3) -> Tensor:
    """The energy of a polyline run through at equal times in [0, 1]: the integral of g'^T M g'. Differentiable.

    Args:
        metric: Metric of the latent space.
        curve: Polyline (T, d).
        order: Number of Gauss-Legendre points of each step.

    Returns:
        Energy, a scalar tensor; never below the squared length, and equal to it where the speed is constant.

    Raises:
        OtbenchError: Where the curve has fewer than two points.
    """
    squares, weights = squared_speeds(metric, curve, order)
    return (squares @ weights).sum() * (len(curve) - 1)


def refined(metric: Metric, curve: Tensor, points: int) -> Tensor:
    """The same polyline at points of equal length apart in the metric.

    Args:
        metric: Metric of the latent space.
        curve: Polyline (T, d), on the CPU.
        points: Number of points of the result.

    Returns:
        Polyline (points, d), ends included.
    """
    squares, weights = squared_speeds(metric, curve)
    lengths = squares.sqrt() @ weights
    at = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]).numpy()
    places = np.linspace(0, at[-1], points)
    columns = [np.interp(places, at, curve[:, axis].numpy()) for axis in range(curve.shape[1])]
    return torch.as_tensor(np.stack(columns, axis=1), dtype=curve.dtype)
