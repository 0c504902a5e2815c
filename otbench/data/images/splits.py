"""How images are put into splits."""

from __future__ import annotations

import numpy as np

Labelled = tuple[np.ndarray, np.ndarray]


def permutation(n: int, seed: int) -> np.ndarray:
    """A random order of 0 .. n - 1. NumPy has frozen this older generator, so a split stays the same for good."""
    return np.random.RandomState(seed).permutation(n)


def carved(train: Labelled, test: Labelled, validation: int) -> dict:
    """The splits and labels of a `DataSet` from a publisher's two, each images (n, c, h, w) and labels (n,).

    The last `validation` rows of the training split become the validation split, so that real images are left that
    neither a model nor the real side of a metric has.
    """
    cut = len(train[0]) - validation
    parts = {
        "train": (train[0][:cut], train[1][:cut]),
        "test": test,
        "validation": (train[0][cut:], train[1][cut:]),
    }
    labels = {split: values.astype(np.int64) for split, (_, values) in parts.items()}
    return {split: images for split, (images, _) in parts.items()} | {"labels": labels}
