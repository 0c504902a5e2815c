"""Lengths and energies of curves in a latent space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from otbench.errors import OtbenchError
from otbench.geometry.metric import Metric


def straight(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The straight line (steps + 1, d) between two points (d,), at equal steps."""
    t = torch.linspace(0, 1, steps + 1, dtype=start.dtype, device=start.device)[:, None]
    return start + t * (end - start)


def squared_speeds(metric: Metric, curve: Tensor, order: int = 3) -> tuple[Tensor, Tensor]:
    """s^T M s (T - 1, order) of each step s of a polyline (T, d), at Gauss-Legendre points of it; the weights."""
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
    """The length of a polyline (T, d): the integral of sqrt(g'^T M g'), with `order` points a step.

    "Generative Model Part 0", 1.1. In the units of the data space. Raises OtbenchError for less than two points.
    """
    squares, weights = squared_speeds(metric, curve, order)
    return (squares.sqrt() @ weights).sum()


def energy(metric: Metric, curve: Tensor, order: int = 3) -> Tensor:
    """The energy of a polyline (T, d) run through at equal times in [0, 1]: the integral of g'^T M g'.

    It is never below the squared length, and equal to it where the speed is constant. Differentiable.
    """
    squares, weights = squared_speeds(metric, curve, order)
    return (squares @ weights).sum() * (len(curve) - 1)


def refined(metric: Metric, curve: Tensor, points: int) -> Tensor:
    """The same polyline at `points` points of equal length apart in the metric (points, d)."""
    squares, weights = squared_speeds(metric, curve)
    lengths = squares.sqrt() @ weights
    at = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]).numpy()
    wanted = np.linspace(0, at[-1], points)
    columns = [np.interp(wanted, at, curve[:, axis].numpy()) for axis in range(curve.shape[1])]
    return torch.as_tensor(np.stack(columns, axis=1), dtype=curve.dtype)
