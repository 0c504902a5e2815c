"""VEEGAN's set of points in 1,200 dimensions (Srivastava et al. 2017, section 4.1), as far as it is published."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otbench.data.base import DataSet, Mixture

NAMES = {
    "synthetic-1200": "10 Gaussians, wide in 700 directions of 1,200; high quality within 10 sigma; 10,000 training "
    "points (VEEGAN).",
}
SOURCE = "Srivastava et al. 2017 (VEEGAN), section 4.1; places and width of the modes chosen here"
MODES, DIRECTIONS, DIMENSION, COUNT = 10, 700, 1200, 10_000
#: deviation of the centres and of the points about them, in every direction
CENTRES, SIGMA = 1.0, 0.1
#: a point is of high quality within so many sigmas of its mode
RADIUS = 10.0


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """Ten 700-dimensional Gaussians embedded in 1,200 dimensions, drawn afresh.

    The paper gives no more than that and the radius of ten standard deviations. Here the 700 directions are a random
    subspace, the same for all modes; centres are drawn from N(0, I) in it and points have a deviation of 0.1 about
    them: modes are about 37 apart, and points 2.6 from their own, which is 26 sigma. A true sample is therefore never
    of high quality by the paper's rule read literally (a deviation in each direction), and a model that is, has
    Gaussians narrower than the data's.

    Args:
        name: Name of the set, `synthetic-1200`.
        root: Not needed.
        unverified: Not needed.

    Returns:
        The data set.
    """
    generator = np.random.default_rng(107)
    basis, _ = np.linalg.qr(generator.standard_normal((DIMENSION, DIRECTIONS)))
    centres = CENTRES * generator.standard_normal((MODES, DIRECTIONS)) @ basis.T
    truth = Mixture(centres, SIGMA, np.full(MODES, 1 / MODES), RADIUS, basis)
    train, test = truth.sample(COUNT, generator), truth.sample(COUNT, generator)
    return DataSet(name, train, test, truth, "10 Gaussians in 1,200 dimensions", SOURCE)
