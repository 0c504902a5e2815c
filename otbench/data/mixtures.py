"""Mixtures of Gaussians in the plane, which sets of points are drawn from."""

from __future__ import annotations

import numpy as np

from otbench.data.base import DataSet, Mixture

TEST = 100_000


def grid_modes(values: list[float]) -> np.ndarray:
    """Modes of a grid: all pairs of the values.

    Args:
        values: Coordinates of the grid on each axis.

    Returns:
        Centres (len(values)^2, 2) float64.
    """
    return np.array([(x, y) for x in values for y in values], dtype=np.float64)


def ring_modes(count: int, radius: float) -> np.ndarray:
    """Modes of a ring: points evenly spaced on a circle, the first on the positive x axis.

    Args:
        count: Number of modes.
        radius: Radius of the circle.

    Returns:
        Centres (count, 2) float64.
    """
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def mixture(name: str, title: str, source: str, centres: np.ndarray, sigma: float, n: int, seed: int) -> DataSet:
    """A data set drawn from equally heavy Gaussians.

    Args:
        name: Name of the data set.
        title: Title of the data set in tables.
        source: Where the setting comes from.
        centres: Centres (K, 2) of the Gaussians.
        sigma: Standard deviation per axis.
        n: Number of training points.
        seed: Seed of the draws.

    Returns:
        Data set of `n` training points and TEST test points, with the mixture as its truth.
    """
    truth = Mixture(centres, sigma, np.full(len(centres), 1 / len(centres)))
    generator = np.random.default_rng(seed)
    return DataSet(name, truth.sample(n, generator), truth.sample(TEST, generator), truth, title, source)
