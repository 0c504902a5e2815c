"""pyOMT's sets of points in the plane: grid, ring and Swiss roll (code of An et al. 2020, demo1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otbench.data.base import DataSet
from otbench.data.mixtures import TEST, grid_modes, mixture, ring_modes

NAMES = {
    "grid-pyomt": "25 Gaussians at {0, +-2, +-4}^2 / 2.828 with standard deviation 0.05 / 2.828; 256 training points "
    "(pyOMT).",
    "ring-pyomt": "8 Gaussians of standard deviation 0.02 / 1.414 on a circle of radius 2 / 1.414; 256 training points "
    "(pyOMT).",
    "swissroll": "Columns 0 and 2 of scikit-learn's Swiss roll with noise 0.25, divided by 7.5; 256 training points "
    "(pyOMT).",
}
SOURCE = "code of An et al. 2020 (pyOMT), demo1; family of Gulrajani et al. 2017's toy sets"


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """A set of points, drawn afresh.

    Args:
        name: Name of the set, `grid-pyomt`, `ring-pyomt` or `swissroll`.
        root: Not needed.
        unverified: Not needed.

    Returns:
        The data set.
    """
    if name == "grid-pyomt":
        centres = grid_modes([-4, -2, 0, 2, 4]) / 2.828
        return mixture(name, "2D grid at pyOMT's scale", SOURCE, centres, 0.05 / 2.828, 256, 103)
    if name == "ring-pyomt":
        return mixture(name, "2D ring at pyOMT's scale", SOURCE, ring_modes(8, 2 / 1.414), 0.02 / 1.414, 256, 104)
    train, test = _swissroll(256, 105), _swissroll(TEST, 106)
    return DataSet(name, train, test, None, "Swiss roll in the plane", SOURCE)


def _swissroll(n: int, seed: int) -> np.ndarray:
    from sklearn.datasets import make_swiss_roll

    points, _ = make_swiss_roll(n, noise=0.25, random_state=seed)
    return (points[:, [0, 2]] / 7.5).astype(np.float32)
