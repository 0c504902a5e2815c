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
    """Points spread evenly over a set, from a scrambled Halton sequence, and the set's size.

    The sequence's moments are far nearer to the uniform law's than those of independent points.

    Args:
        inside: Whether points (k, d) lie in the set, (k,).
        low: Lowest corner of a box that holds the set (d,).
        high: Highest corner of that box (d,).
        m: Number of points.
        generator: Random stream of the scrambling.

    Returns:
        Points (m, d), and the set's area or volume.

    Raises:
        OtbenchError: Where the set fills less than a thousandth of the box.
    """
    points, accepted, tried = [], 0, 0
    sequence = qmc.Halton(len(low), seed=generator)
    while accepted < m:
        x = low + (high - low) * sequence.random(2 * m)
        x = x[inside(x)]
        accepted, tried = accepted + len(x), tried + 2 * m
        points.append(x)
        if tried > 100 * m and accepted < tried / 1000:
            raise OtbenchError(
                f"target: of {tried:,} points of its box only {accepted:,} lie inside; expected a solid set"
            )
    return np.concatenate(points)[:m], float(np.prod(high - low) * accepted / tried)


def quantise(dense: np.ndarray, n: int, size: float) -> Quantised:
    """Few weighted points for a law, by Lloyd's iteration from the first points of a dense sample.

    Args:
        dense: Points of the law (m, d), m >= n.
        n: Number of points, at most; those with an empty cell are left out.
        size: Area or volume of the set.

    Returns:
        Points with their masses.
    """
    points = dense[:n].copy()
    for _ in range(ROUNDS):
        nearest = cKDTree(points).query(dense)[1]
        count = np.bincount(nearest, minlength=n)
        total = np.stack([np.bincount(nearest, column, n) for column in dense.T], axis=1)
        points = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)
    distance, nearest = cKDTree(points).query(dense)
    count = np.bincount(nearest, minlength=n)
    occupied = count > 0
    error = float(np.sqrt((distance**2).mean()))
    return Quantised(points[occupied], count[occupied] / len(dense), size, error, dense)
