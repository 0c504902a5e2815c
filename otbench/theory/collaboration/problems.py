"""Generated and real measures, and the optimal map between them where it has a closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from otbench.data.base import Mixture
from otbench.data.mixtures import ring_modes
from otbench.transport import Source, box

Sampler = Callable[[int, np.random.Generator], np.ndarray]
Map = Callable[[np.ndarray], np.ndarray]

SHIFT = np.array([2.0, 1.0])
MATRIX = np.array([[1.5, 0.5], [0.5, 0.8]])
OFFSET = np.array([1.0, -1.0])
MODES, RADIUS, SIGMA = 8, 2.0, 0.1
TRUTH = Mixture(ring_modes(MODES, RADIUS), SIGMA, np.full(MODES, 1 / MODES))


@dataclass(frozen=True)
class Problem:
    """A generated measure and a real one in the plane.

    generated, real: (n, generator) -> points (n, 2) float64. source: the generated law where it is uniform on a square,
    for exact cells. optimal: the Monge map for the quadratic cost, where known. title: for tables.
    """

    name: str
    title: str
    generated: Sampler
    real: Sampler
    source: Source | None = None
    optimal: Map | None = None


def problem(name: str) -> Problem:
    """Problem of a name.

    Args:
        name: translation, affine, ring or collapsed.

    Returns:
        Problem with its samplers and, where there is a closed form, its optimal map.
    """
    if name == "translation":
        return _pushed(name, f"translation by ({SHIFT[0]:g}, {SHIFT[1]:g})", lambda x: x + SHIFT)
    if name == "affine":
        # The gradient of a convex quadratic function is optimal between any law and its image (Brenier).
        return _pushed(name, "affine map, symmetric positive definite", lambda x: x @ MATRIX + OFFSET)
    if name == "ring":
        return Problem(name, "square to a ring of 8 modes", square, ring, box([-1.0, -1.0], [1.0, 1.0]))
    return Problem(name, "2 modes of 8 (collapsed) to all 8", lambda n, draw: modes(n, draw, 2), ring)


def square(n: int, draw: np.random.Generator) -> np.ndarray:
    """Points uniform on [-1, 1]^2.

    Args:
        n: Number of points.
        draw: Random stream.

    Returns:
        Points (n, 2).
    """
    return draw.uniform(-1, 1, (n, 2))


def modes(n: int, draw: np.random.Generator, count: int) -> np.ndarray:
    """Points of the first few of the ring's modes.

    Args:
        n: Number of points.
        draw: Random stream.
        count: Number of modes, drawn with equal chance.

    Returns:
        Points (n, 2).
    """
    return TRUTH.centres[draw.integers(0, count, n)] + SIGMA * draw.standard_normal((n, 2))


def ring(n: int, draw: np.random.Generator) -> np.ndarray:
    """Points of 8 Gaussians on a circle of radius 2, standard deviation 0.1.

    Args:
        n: Number of points.
        draw: Random stream.

    Returns:
        Points (n, 2).
    """
    return modes(n, draw, MODES)


def _pushed(name: str, title: str, optimal: Map) -> Problem:
    return Problem(
        name, title, square, lambda n, draw: optimal(square(n, draw)), box([-1.0, -1.0], [1.0, 1.0]), optimal
    )
