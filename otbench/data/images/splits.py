"""How images are put into splits."""

from __future__ import annotations

from typing import Any

import numpy as np

Labelled = tuple[np.ndarray, np.ndarray]


def permutation(n: int, seed: int) -> np.ndarray:
    """A random order. NumPy has frozen this older generator, so a split stays the same for good.

    Args:
        n: Number of rows.
        seed: Seed of the order.

    Returns:
        The numbers 0 .. n - 1 in that order, (n,).
    """
    return np.random.RandomState(seed).permutation(n)


def carved(train: Labelled, test: Labelled, validation: int) -> dict[str, Any]:
    """The splits and labels of a `DataSet` from a publisher's two splits.

    The last rows of the training split become the validation split, so that real images are left that neither a model
    nor the real side of a metric has.

    Args:
        train: Images (n, c, h, w) and labels (n,) to train on.
        test: Images (n, c, h, w) and labels (n,) of the test split.
        validation: Number of training rows that become the validation split.

    Returns:
        Images by split, and under `labels` the labels (n,) int64 by split.
    """
    cut = len(train[0]) - validation
    parts = {
        "train": (train[0][:cut], train[1][:cut]),
        "test": test,
        "validation": (train[0][cut:], train[1][cut:]),
    }
    labels = {split: values.astype(np.int64) for split, (_, values) in parts.items()}
    return {split: images for split, (images, _) in parts.items()} | {"labels": labels}
