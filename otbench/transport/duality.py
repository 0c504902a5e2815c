"""Duality: the dual value of heights, the distance that it gives, and how far a map is from its own dual."""

from __future__ import annotations

import numpy as np

from otbench.transport.envelope import Envelope
from otbench.transport.sampling import sampled


def dual(transport: Envelope, points: int = 1_000_000, seed: int = 1) -> float:
    """Dual value E(h) = mean of u - <weights, h>, to be minimised; its least value is the largest mean of <x, T(x)>.

    Args:
        transport: Map whose heights are valued.
        points: Number of fresh source points where cells are not exact.
        seed: Seed of the source points.

    Returns:
        Dual value, in units of <x, y>.
    """
    if transport.exact:
        cells, (first, _) = transport.cells, transport.groups
        mean = (cells.first * transport.target[first]).sum() + cells.sizes @ transport.heights[first]
        mean = mean / cells.sizes.sum()
    else:
        mean = sampled(transport, points, seed).mean_potential
    return float(mean - transport.weights @ transport.heights)


def wasserstein(transport: Envelope, points: int = 1_000_000, seed: int = 1) -> float:
    """W2 between source and target by duality: W2^2 = E|x|^2 + sum nu_i |y_i|^2 - 2 E(h), exact up to the dual gap.

    Args:
        transport: Map between the two.
        points: Number of fresh source points where cells are not exact.
        seed: Seed of the source points.

    Returns:
        Distance W2, in units of x.
    """
    # About the two means the large parts cancel before they are squared.
    a, b = transport.source.mean, transport.weights @ transport.target
    spread = np.trace(transport.source.covariance) + transport.weights @ ((transport.target - b) ** 2).sum(1)
    inner = dual(transport, points, seed) - a @ b
    return float(np.sqrt(max(0.0, ((a - b) ** 2).sum() + spread - 2 * inner)))


def transport_cost(transport: Envelope, mass: np.ndarray, centroids: np.ndarray) -> float:
    """Mean |x - T(x)|^2 over the source, whose second moment is known exactly.

    Args:
        transport: Map T.
        mass: Masses (k,) of the distinct targets' cells, summing to 1.
        centroids: Centres of mass (k, d) of the cells; NaN for an empty cell.

    Returns:
        Cost, in units of |x - y|^2.
    """
    first, _ = transport.groups
    # About the mean of the target, so that a far target costs no digits.
    y = transport.target[first]
    about = mass @ y
    inner = (mass[:, None] * np.nan_to_num(centroids) * (y - about)).sum()
    mean = transport.source.mean
    spread = np.trace(transport.source.covariance) + ((mean - about) ** 2).sum()
    return float(spread + mass @ ((y - about) ** 2).sum(1) - 2 * inner)


def dual_gap(transport: Envelope, mass: np.ndarray, centroids: np.ndarray) -> float:
    """Cost of a feasible plan less the dual value; an upper bound of how far either is from optimal.

    The plan follows the map but sends the surplus e_i = (w_i - nu_i)+ of each cell, spread evenly over it, to the
    deficits d_j in proportion: gap = 2 sum_ij e_i d_j / m [<b_i, y_i> + h_i - <b_i, y_j> - h_j], b_i the cells'
    centroids; no term is negative as b_i lies in its cell.

    Args:
        transport: Map whose heights and targets are compared.
        mass: Masses w (k,) of the distinct targets' cells, summing to 1.
        centroids: Centres of mass b (k, d) of the cells; NaN for an empty cell.

    Returns:
        Gap, in units of |x - y|^2, never negative.
    """
    first, _ = transport.groups
    y, h = transport.target[first], transport.heights[first]
    y = y - (y.max(0) + y.min(0)) / 2
    difference = mass - transport.group_weights
    surplus, deficit = np.maximum(difference, 0), np.maximum(-difference, 0)
    moved = surplus.sum()
    if moved <= 0:
        return 0.0
    b = np.nan_to_num(centroids)
    here = surplus @ ((b * y).sum(1) + h)
    there = (surplus @ b) @ (deficit @ y) / moved + deficit @ h
    return float(max(0.0, 2 * (here - there)))
