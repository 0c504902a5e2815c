"""Sliced Wasserstein distance in features (MIND: Berthet et al. 2026, arXiv 2605.06797, Monge Inception Distance).

Equally many real and generated rows are projected onto 1,000 random directions; on each, sorting gives the squared
Wasserstein-2 distance of the two samples. The score is the mean over directions times the number of features d, so
that a shift of the mean, or a scaling of a round Gaussian, scores what the Frechet distance would. It needs no Gaussian
and no covariance. The factor is this project's reading of the paper, so that figures stand
beside figures of this project alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.metrics.base import BOTH, Metric, Parts, Setting, check_pair, pair_parts

DIRECTIONS, CHUNK = 1000, 50


def directions(d: int, seed: int, count: int = DIRECTIONS) -> np.ndarray:
    """Directions drawn evenly from the unit sphere.

    Args:
        d: Number of features.
        seed: Seed of the directions.
        count: Number of directions.

    Returns:
        Unit vectors (count, d).
    """
    normal = np.random.default_rng([seed, 2]).standard_normal((count, d))
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def sliced_w2(real: np.ndarray, generated: np.ndarray, seed: int = 0, count: int = DIRECTIONS) -> float:
    """d times the mean over directions of the squared Wasserstein-2 distance of the projections.

    Args:
        real: Real rows (n, d).
        generated: Generated rows (n, d).
        seed: Seed of the directions.
        count: Number of directions.

    Returns:
        Squared distance, from 0 up, in squared units of the rows.

    Raises:
        OtbenchError: Where real and generated rows are not equally many.
    """
    real, generated = check_pair(real, generated)
    if len(real) != len(generated):
        raise OtbenchError(f"sliced_w2: {len(real)} real and {len(generated)} generated rows, expected equal numbers")
    centre = real.mean(axis=0)  # differences alone count; far from the origin the products would round them away
    real, generated = real - centre, generated - centre
    total = 0.0
    angles = directions(real.shape[1], seed, count)
    for start in range(0, count, CHUNK):
        part = angles[start : start + CHUNK].T
        total += ((np.sort(real @ part, axis=0) - np.sort(generated @ part, axis=0)) ** 2).mean(axis=0).sum()
    return float(real.shape[1] * total / count)


def _of(view: Any) -> float:
    return sliced_w2(*view.pair, seed=view.seed)


def _parts(setting: Setting) -> Parts:
    return pair_parts(setting) | {"directions": DIRECTIONS}


METRICS = (
    Metric(
        "sliced_w2",
        "Sliced Wasserstein-2, squared",
        "squared units of the rows",
        "lower",
        BOTH,
        "after Berthet et al. 2026, Monge Inception Distance",
        "Squared W2 of projections onto 1,000 random directions, mean times the number of features.",
        of_points=_of,
        of_images=_of,
        point_parts=_parts,
        image_parts=_parts,
        label="Sliced W2, squared",
        significant=3,
        scale="log",
        on_request=True,
    ),
)
