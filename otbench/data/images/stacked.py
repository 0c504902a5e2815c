"""Stacked MNIST: three random digits as the channels of one image, so that there are 1,000 modes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otbench.data.base import DataSet
from otbench.data.images import mnist
from otbench.data.images.splits import Labelled

#: images of each split and the seed that its digits are picked with; the count of validation images is the test's
COUNTS = {"train": (128_000, 301), "test": (26_000, 302), "validation": (26_000, 303)}
SOURCE = (
    "; stacked as in Lin et al. 2018 (PacGAN), VEEGAN's setting: 128,000 training images and 26,000 to compare with, "
    "but of digits of the same split alone, where the code picks from training and test digits together"
)


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """Stacked MNIST, (128,000 + 26,000 + 26,000, 3, 28, 28), from `root`/mnist/.

    Each channel is a digit picked with replacement from the same split of `mnist`; the class of an image is the number
    of three figures that its channels make, 0 to 999.
    """
    return stacked(name, mnist.load("mnist", root, unverified), COUNTS)


def stacked(name: str, digits: DataSet, counts: dict[str, tuple[int, int]]) -> DataSet:
    """`counts[split]` = (images, seed) stacks of the grey images in each split of `digits`, which has ten classes."""
    splits: dict[str, Labelled] = {}
    for split, (count, seed) in counts.items():
        images, labels = digits.splits[split][:, 0], digits.labels[split]
        # this generator of NumPy is frozen: the stacks stay the same for good
        picked = np.random.RandomState(seed).randint(len(images), size=(count, 3))
        splits[split] = images[picked], labels[picked] @ np.array([100, 10, 1])
    return DataSet(
        name=name,
        title="Stacked MNIST",
        source=digits.source + SOURCE,
        labels={split: labels for split, (_, labels) in splits.items()},
        classes=tuple(f"{number:03d}" for number in range(1000)),
        **{split: images for split, (images, _) in splits.items()},
    )
