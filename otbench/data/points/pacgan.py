"""PacGAN's sets of points in the plane: grid and ring (Lin et al. 2018, section 4.1)."""

from __future__ import annotations

from pathlib import Path

from otbench.data.base import DataSet
from otbench.data.mixtures import grid_modes, mixture, ring_modes

NAMES = {
    "grid": "25 Gaussians at {-4, -2, 0, 2, 4}^2 with standard deviation 0.05; 100,000 training points (PacGAN).",
    "ring": "8 Gaussians on the unit circle with standard deviation 0.01; 100,000 training points (PacGAN).",
}
SOURCE = "Lin et al. 2018 (PacGAN), section 4.1; code of the paper"


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """A set of points, drawn afresh from its mixture.

    Args:
        name: Name of the set, `grid` or `ring`.
        root: Not needed.
        unverified: Not needed.

    Returns:
        The data set.
    """
    if name == "grid":
        return mixture(name, "2D grid, 25 Gaussians", SOURCE, grid_modes([-4, -2, 0, 2, 4]), 0.05, 100_000, 101)
    return mixture(name, "2D ring, 8 Gaussians", SOURCE, ring_modes(8, 1.0), 0.01, 100_000, 102)
