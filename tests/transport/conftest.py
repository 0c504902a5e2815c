"""Targets that several tests use."""

import numpy as np
import pytest

GRID = np.array([(i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)], float)
RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)

# name: centres, standard deviation per axis, number of training points (PacGAN's and pyOMT's scales).
MIXTURES = {
    "grid": (GRID, 0.05, 512),
    "grid-pyomt": (GRID / 2.828, 0.05 / 2.828, 256),
    "ring": (RING, 0.01, 512),
    "ring-pyomt": (2 * RING / 1.414, 0.02 / 1.414, 256),
}


@pytest.fixture
def mixture():
    """A function: centres, standard deviation and points of one of the mixtures."""

    def draw(name, seed=0, n=None):
        centres, sigma, size = MIXTURES[name]
        random = np.random.default_rng(seed)
        n = n or size
        return centres, sigma, centres[random.integers(len(centres), size=n)] + sigma * random.standard_normal((n, 2))

    return draw


@pytest.fixture
def swiss_roll():
    from sklearn.datasets import make_swiss_roll

    return make_swiss_roll(512, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
