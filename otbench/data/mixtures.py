"""Mixtures of Gaussians in the plane, which sets of points are drawn from."""

from __future__ import annotations

import numpy as np

from otbench.data.base import DataSet, Mixture

TEST = 100_000


def grid_modes(values: list[float]) -> np.ndarray:
    """All pairs of the values, (len(values)^2, 2)."""
    return np.array([(x, y) for x in values for y in values], dtype=np.float64)


def ring_modes(count: int, radius: float) -> np.ndarray:
    """`count` points evenly spaced on a circle, (count, 2), the first on the positive x axis."""
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def mixture(name: str, title: str, source: str, centres: np.ndarray, sigma: float, n: int, seed: int) -> DataSet:
    """A data set of `n` training points and TEST others, drawn from equally heavy Gaussians about `centres` (K, 2)."""
    truth = Mixture(centres, sigma, np.full(len(centres), 1 / len(centres)))
    generator = np.random.default_rng(seed)
    return DataSet(name, truth.sample(n, generator), truth.sample(TEST, generator), truth, title, source)
