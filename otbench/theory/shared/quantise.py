"""A uniform law on a set as few weighted points: centres of a centroidal Voronoi tessellation and the cells' masses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc

from otbench.errors import OtbenchError

ROUNDS = 25
DENSE = 40

Inside = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Quantised:
    """Points (n, d) with weights (n,) that stand for a uniform law on a set of size `size` (area or volume).

    error: root mean square distance from the law to the points, which is W2 between the two (up to the even sampling of
    the law), so no W2 to another measure changes by more than that. dense (m, d): the points of the law that were
    quantised.
    """

    points: np.ndarray
    weights: np.ndarray
    size: float
    error: float
    dense: np.ndarray

    @property
    def spacing(self) -> float:
        """Side of the square or cube that holds one point's share of the set."""
        return float((self.size / len(self.points)) ** (1 / self.points.shape[1]))


def uniform_in(inside: Inside, low: np.ndarray, high: np.ndarray, m: int, generator: np.random.Generator):
    """Points (m, d) spread evenly over the set where `inside` says so, and the set's size, from a scrambled Halton
    sequence, whose moments are far nearer to the uniform law's than those of independent points.

    low, high (d,): a box that holds the set. Raises OtbenchError where the set fills less than a thousandth of it.
    """
    found, kept, tried = [], 0, 0
    sequence = qmc.Halton(len(low), seed=generator)
    while kept < m:
        x = low + (high - low) * sequence.random(2 * m)
        x = x[inside(x)]
        kept, tried = kept + len(x), tried + 2 * m
        found.append(x)
        if tried > 100 * m and kept < tried / 1000:
            raise OtbenchError(f"target: of {tried:,} points of its box only {kept:,} lie inside; expected a solid set")
    return np.concatenate(found)[:m], float(np.prod(high - low) * kept / tried)


def quantise(dense: np.ndarray, n: int, size: float) -> Quantised:
    """n points for the law of dense (m, d), m >= n, by Lloyd's iteration from the first n of them."""
    points = dense[:n].copy()
    for _ in range(ROUNDS):
        nearest = cKDTree(points).query(dense)[1]
        count = np.bincount(nearest, minlength=n)
        total = np.stack([np.bincount(nearest, column, n) for column in dense.T], axis=1)
        points = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)
    distance, nearest = cKDTree(points).query(dense)
    count = np.bincount(nearest, minlength=n)
    kept = count > 0
    error = float(np.sqrt((distance**2).mean()))
    return Quantised(points[kept], count[kept] / len(dense), size, error, dense)
