"""scikit-learn's digits: 1,797 real handwritten digits that come with the package, brought from 8x8 to 16x16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.data.images.splits import permutation

NAMES = {
    "digits": "scikit-learn's 1,797 handwritten digits brought to 16x16; 797 to train on; needs no download.",
}


SOURCE = (
    "scikit-learn's load_digits, the test part of the UCI set of Alpaydin and Kaynak 1998; "
    "8x8 brought to 16x16 by bilinear interpolation"
)
TRAIN, VALIDATION = 797, 500
SEED = 201


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """The digits, split by a fixed random permutation.

    Args:
        name: Name of the set, `digits`.
        root: Not needed.
        unverified: Not needed.

    Returns:
        Data set (797 + 500 + 500, 1, 16, 16): train, validation and test.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(doubled(digits.images) * 255 / 16).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    order = permutation(len(images), SEED)
    parts = dict(zip(("train", "validation", "test"), np.split(order, [TRAIN, TRAIN + VALIDATION]), strict=True))
    arrays: dict[str, Any] = {split: images[rows] for split, rows in parts.items()}
    return DataSet(
        name=name,
        title="digits 16x16",
        source=SOURCE,
        labels={split: labels[rows] for split, rows in parts.items()},
        classes=tuple("0123456789"),
        **arrays,
    )


def doubled(images: np.ndarray) -> np.ndarray:
    """Images at twice the resolution, bilinear.

    A new pixel's centre lies a quarter of an old pixel from the nearest old centre, so it takes 3/4 of that pixel and
    1/4 of the next; beyond the border the outermost pixel goes on.

    Args:
        images: Images (n, h, w).

    Returns:
        Images (n, 2h, 2w) float64.
    """
    for axis in (1, 2):
        edges = [(0, 0)] * 3
        edges[axis] = (1, 1)
        padded = np.pad(images, edges, mode="edge")
        count = images.shape[axis]
        before, here, after = (padded.take(range(k, k + count), axis) for k in range(3))
        pairs = np.stack([0.25 * before + 0.75 * here, 0.75 * here + 0.25 * after], axis + 1)
        images = pairs.reshape(*images.shape[:axis], 2 * count, *images.shape[axis + 1 :])
    return images
