"""Point sets in the plane: PacGAN's grid and ring, and pyOMT's grid, ring and Swiss roll."""

from __future__ import annotations

import numpy as np

from otbench.data.base import DataSet, Mixture

PACGAN = "Lin et al. 2018 (PacGAN), section 4.1; code of the paper"
PYOMT = "code of An et al. 2020 (pyOMT), demo1; family of Gulrajani et al. 2017's toy sets"
TEST = 100_000


def grid_modes(values: list[float]) -> np.ndarray:
    """All pairs of the values, (len(values)^2, 2)."""
    return np.array([(x, y) for x in values for y in values], dtype=np.float64)


def ring_modes(count: int, radius: float) -> np.ndarray:
    """`count` points evenly spaced on a circle, (count, 2), the first on the positive x axis."""
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def _mixture(name: str, title: str, source: str, centres: np.ndarray, sigma: float, n: int, seed: int) -> DataSet:
    truth = Mixture(centres, sigma, np.full(len(centres), 1 / len(centres)))
    generator = np.random.default_rng(seed)
    return DataSet(name, truth.sample(n, generator), truth.sample(TEST, generator), truth, title, source)


def grid() -> DataSet:
    """25 Gaussians at {-4, -2, 0, 2, 4}^2 with standard deviation 0.05; 100,000 training points (PacGAN)."""
    centres = grid_modes([-4, -2, 0, 2, 4])
    return _mixture("grid", "2D grid, 25 Gaussians", PACGAN, centres, 0.05, 100_000, 101)


def ring() -> DataSet:
    """8 Gaussians on the unit circle with standard deviation 0.01; 100,000 training points (PacGAN)."""
    return _mixture("ring", "2D ring, 8 Gaussians", PACGAN, ring_modes(8, 1.0), 0.01, 100_000, 102)


def grid_pyomt() -> DataSet:
    """25 Gaussians at {0, +-2, +-4}^2 / 2.828 with standard deviation 0.05 / 2.828; 256 training points (pyOMT)."""
    centres = grid_modes([-4, -2, 0, 2, 4]) / 2.828
    return _mixture("grid-pyomt", "2D grid at pyOMT's scale", PYOMT, centres, 0.05 / 2.828, 256, 103)


def ring_pyomt() -> DataSet:
    """8 Gaussians of standard deviation 0.02 / 1.414 on a circle of radius 2 / 1.414; 256 training points (pyOMT)."""
    return _mixture("ring-pyomt", "2D ring at pyOMT's scale", PYOMT, ring_modes(8, 2 / 1.414), 0.02 / 1.414, 256, 104)


def swissroll() -> DataSet:
    """Columns 0 and 2 of scikit-learn's Swiss roll with noise 0.25, divided by 7.5; 256 training points (pyOMT)."""
    from sklearn.datasets import make_swiss_roll

    def rows(n: int, seed: int) -> np.ndarray:
        points, _ = make_swiss_roll(n, noise=0.25, random_state=seed)
        return (points[:, [0, 2]] / 7.5).astype(np.float32)

    return DataSet("swissroll", rows(256, 105), rows(TEST, 106), None, "Swiss roll in the plane", PYOMT)


POINTS = {"grid": grid, "ring": ring, "grid-pyomt": grid_pyomt, "ring-pyomt": ring_pyomt, "swissroll": swissroll}
