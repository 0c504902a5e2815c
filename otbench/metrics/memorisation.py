"""Does a model give training data back? Two answers from distances to the nearest training sample, in features.

Both compare a generated sample's distance to the training set with that of held-out real data, which is what a model
that generalises should show.

- `memorised`: the share of generated samples nearer to a training sample than 95 % of the test set is. A perfect
  sampler scores 0.05, a memoriser 1.
- `data_copying`: C_T of Meehan, Chaudhuri, Dasgupta 2020 (A non-parametric test to detect data-copying in generative
  models): in every cell of a partition of the training set, the Mann-Whitney z-score of the generated distances
  against the test's, then the mean over cells, each with its share of the test set. Every cell's is about N(0, 1) for
  a perfect sampler; far below 0 where samples lie nearer to the training set than fresh data do (data-copying), far
  above 0 where they lie farther (underfitting). A cell compares like with like, so that a model that draws only
  classes whose images lie close together is not taken for a copy. It is no score to rank by: noise is far above 0.

statistics: `nearest`, `cells`; scores: `memorised`, `data_copying`.
"""

from __future__ import annotations

import math

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_pair
from otbench.metrics.neighbours import ROWS, distances

QUANTILE = 0.05
"""Share of the test set that lies as near to the training set as what counts as memorised."""
PER_CELL = 50
"""Samples of a cell on average, of the smaller side: they fix the number of cells, one for fewer than twice as many."""
MOST_CELLS = 50
LEAST = 20
"""Test samples, and generated ones, without which a cell is left out (the threshold tau of Meehan et al.)."""
PARTITION_ROWS = 10_000
"""Training samples that the partition is made of, at most."""


def nearest(train: np.ndarray, samples: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Distance of each sample to the nearest training sample.

    Args:
        train: Features (n, d) of training samples.
        samples: Features (m, d).
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        Euclidean distances (m,) float64.
    """
    train, samples = check_pair(train, samples)
    centre = train.mean(axis=0)
    train, samples = train - centre, samples - centre
    if device != "cpu":
        from otbench.metrics import torch_backend

        return torch_backend.nearest(train, samples, device)
    # blocks of both: all training images of a large set against all samples would not fit in memory
    rows = range(0, len(samples), ROWS)
    columns = range(0, len(train), 10 * ROWS)
    distance = np.full(len(samples), np.inf)
    for row in rows:
        part = slice(row, row + ROWS)
        for column in columns:
            block = distances(samples[part], train[column : column + 10 * ROWS])
            distance[part] = np.minimum(distance[part], block.min(axis=1))
    return distance


def memorised(test_distance: np.ndarray, generated_distance: np.ndarray, quantile: float = QUANTILE) -> float:
    """Share of generated samples nearer to the training set than a quantile of the test set is.

    Args:
        test_distance: Distances (n,) of the test samples to the nearest training sample.
        generated_distance: Distances (m,) of the generated samples to the nearest training sample.
        quantile: Share of the test set that lies below the threshold.

    Returns:
        Share in [0, 1] of generated distances strictly below the quantile.
    """
    return float(np.mean(generated_distance < np.quantile(test_distance, quantile)))


def cells(train: np.ndarray, samples: int) -> np.ndarray:
    """Centres of the partition of the feature space: k-means of the training samples.

    Args:
        train: Features (n, d) of training samples, of which the first 10,000 are used.
        samples: Number of samples of the smaller side, on which the number of cells depends.

    Returns:
        Centres (k, d) float64 of one cell for every 50 samples, from 1 to 50.
    """
    from sklearn.cluster import KMeans

    train = train[:PARTITION_ROWS].astype(np.float64)
    number = min(max(samples // PER_CELL, 1), MOST_CELLS, len(train))
    return KMeans(number, n_init=1, random_state=0).fit(train).cluster_centers_


def cell_of(centres: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Cell of each sample: its nearest centre.

    Args:
        centres: Centres (k, d) of the cells.
        samples: Features (n, d).

    Returns:
        Indices (n,) of the cells.
    """
    samples = samples.astype(np.float64)
    blocks = [distances(samples[row : row + ROWS], centres) for row in range(0, len(samples), ROWS)]
    return np.concatenate(blocks).argmin(axis=1)


def mann_whitney(test_distance: np.ndarray, generated_distance: np.ndarray) -> float:
    """(U - mn/2) / sqrt(mn (m + n + 1) / 12), U the number of pairs (generated, test) where generated is farther.

    Args:
        test_distance: Distances (n,) of the test samples to the nearest training sample.
        generated_distance: Distances (m,) of the generated samples to the nearest training sample.

    Returns:
        z-score; ties count one half, so that equal samples score 0.
    """
    from scipy.stats import rankdata

    m, n = len(generated_distance), len(test_distance)
    ranks = rankdata(np.concatenate([generated_distance, test_distance]))
    larger = ranks[:m].sum() - m * (m + 1) / 2
    return float((larger - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12))


def data_copying(
    test_distance: np.ndarray, generated_distance: np.ndarray, test_cell: np.ndarray, generated_cell: np.ndarray
) -> float:
    """C_T: the mean of the cells' z-scores, weighted by their shares of the test set.

    Args:
        test_distance: Distances (n,) of the test samples to the nearest training sample.
        generated_distance: Distances (m,) of the generated samples to the nearest training sample.
        test_cell: Cells (n,) of the test samples.
        generated_cell: Cells (m,) of the generated samples.

    Returns:
        Mean z-score over the cells that hold at least 20 samples of each side; where none does, the z-score of the
        whole space as one cell.

    Source: Meehan et al. (2020), section 4, C_T over the cells Pi_tau.
    """
    scores, weights = [], []
    for cell in np.unique(generated_cell):
        test, generated = test_distance[test_cell == cell], generated_distance[generated_cell == cell]
        if min(len(test), len(generated)) >= LEAST:
            scores.append(mann_whitney(test, generated))
            weights.append(len(test))
    if not scores:
        return mann_whitney(test_distance, generated_distance)
    return float(np.average(scores, weights=weights))


def _parts(setting: Setting) -> Parts:
    return {"n_train": setting.n_train, "n_real": setting.n_real, "n_generated": setting.n, "split": "test"}


def _memorised_parts(setting: Setting) -> Parts:
    return _parts(setting) | {"quantile": QUANTILE}


def _copying_parts(setting: Setting) -> Parts:
    return _parts(setting) | {"cells": f"kmeans-{PER_CELL}", "least": LEAST}


METRICS = (
    Metric(
        "memorised",
        "Memorised share",
        "share",
        "none",
        IMAGES,
        "after Meehan et al. 2020, A non-parametric test to detect data-copying",
        "Share of images nearer to a training image, in features, than 95 % of the test images are; above 5 % copies.",
        of_images=lambda view: memorised(view.real.reference_distance, view.distance),
        image_parts=_memorised_parts,
        ideal=lambda dataset, n: QUANTILE,
        label="Memorised, %",
        factor=100,
        digits=1,
        scale="logit",
        counted=True,
    ),
    Metric(
        "data_copying",
        "Data-copying score C_T",
        "standard deviations",
        "none",
        IMAGES,
        "Meehan et al. 2020, A non-parametric test to detect data-copying",
        "z-score of distances to the training set against the test images', over cells; far below 0 copies.",
        of_images=lambda view: data_copying(view.real.reference_distance, view.distance, *view.cells),
        image_parts=_copying_parts,
        ideal=lambda dataset, n: 0.0,
        label="Data copying, C_T",
        digits=1,
    ),
)
