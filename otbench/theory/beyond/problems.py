"""Problems for maps from a simple source to points: two with a closed form, one with modes, one of digits' codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from otbench.data.base import Mixture
from otbench.theory.collaboration.problems import TRUTH as RING
from otbench.transport import Source, box, gaussian

PROBLEMS = ("gaussian", "gaussian-8", "ring", "digits")


@dataclass(frozen=True)
class Problem:
    """A source and real points of one law: train (n, d), and reference and held-out points (m, d) that no map sees.

    optimal: the Monge map in closed form, where known. modes: the true mixture, where there is one.
    """

    name: str
    source: Source
    train: np.ndarray
    reference: np.ndarray
    held_out: np.ndarray
    optimal: Callable[[np.ndarray], np.ndarray] | None = None
    modes: Mixture | None = None


def problem(name: str, points: int, dimension: int, seed: int) -> Problem:
    """Problem of a name, drawn afresh.

    Args:
        name: One of PROBLEMS.
        points: Real points of each part; of the digits, training codes at most (reference and held-out codes: their own
            test and validation splits).
        dimension: PCA components of the digits; the other problems have their own dimension.
        seed: Seed of the draws.

    Returns:
        Problem with its source, its points and, where known, its optimal map or modes.
    """
    draw = np.random.default_rng([seed, PROBLEMS.index(name)])
    if name == "digits":
        return _digits(points, dimension, draw)
    if name == "ring":
        train, reference, held_out = (RING.sample(points, draw).astype(float) for _ in range(3))
        return Problem(name, box([-1.0, -1.0], [1.0, 1.0]), train, reference, held_out, modes=RING)
    root, mean = square_root(2 if name == "gaussian" else 8)
    train, reference, held_out = (draw.standard_normal((points, len(mean))) @ root + mean for _ in range(3))
    return Problem(name, gaussian(len(mean)), train, reference, held_out, optimal=lambda x: x @ root + mean)


def square_root(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Square root of the Gaussian target's covariance, and its mean.

    Standard deviations are 0.5 to 1.5 along rotated axes. From N(0, I) the Monge map is x -> m + S^(1/2) x (Bures).

    Args:
        d: Dimension.

    Returns:
        S^(1/2) (d, d) and mean m (d,).
    """
    axes, _ = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))
    return axes * np.linspace(0.5, 1.5, d) @ axes.T, np.linspace(-1, 1, d)


def _digits(points: int, dimension: int, draw: np.random.Generator) -> Problem:
    """Digits as the first principal components of the training images, divided by one number: mean variance 1."""
    from sklearn.decomposition import PCA

    from otbench.data import load

    data = load("digits")
    assert data.validation is not None
    train, test, validation = (part.reshape(len(part), -1) / 255.0 for part in (data.train, data.test, data.validation))
    fitted = PCA(dimension, svd_solver="full").fit(train)
    scale = np.sqrt(fitted.explained_variance_.mean())
    parts = [fitted.transform(part) / scale for part in (train, test, validation)]
    rows = draw.permutation(len(parts[0]))[: max(points, dimension + 2)]
    return Problem("digits", gaussian(dimension), parts[0][rows], parts[1], parts[2])
