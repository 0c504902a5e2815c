"""Stacked digits: three random digits as the channels of one image, so that there are 1,000 modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.data.images import digits as small
from otbench.data.images import mnist
from otbench.data.images.splits import Labelled

NAMES = {
    "stacked-mnist": "Three random MNIST digits as the channels of one image, 1,000 modes; 128,000 to train on.",
    "stacked-digits": "As stacked-mnist, of scikit-learn's digits at 16x16; 12,800 to train on; needs no download.",
}


Counts = dict[str, tuple[int, int]]
#: images of each split and the seed that its digits are picked with
COUNTS: Counts = {"train": (128_000, 301), "test": (26_000, 302), "validation": (26_000, 303)}
SMALL_COUNTS: Counts = {"train": (12_800, 311), "test": (5_000, 312), "validation": (5_000, 313)}
#: the split that models are compared with holds every mode equally often: KL is taken to the uniform law
EVEN = ("test",)
NOTE = "; stacked after Lin et al. 2018 (PacGAN), VEEGAN's setting: "
SAME_SPLIT = (
    "of digits of the same split alone, where the code picks from training and test digits together; all 1,000 modes "
    "equally often in the test split, as the paper's KL is to the uniform law"
)


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """Stacked MNIST, or, with no download, stacked digits.

    Each channel is a digit picked with replacement from the same split of the grey set; the class of an image is the
    number of three figures that its channels make, 0 to 999.

    Args:
        name: Name of the set, `stacked-mnist` or `stacked-digits`.
        root: Folder whose folder mnist holds MNIST's files, which are downloaded where they are not there;
            `stacked-digits` does not need it.
        unverified: Whether to let in files whose checksum is not the publisher's.

    Returns:
        Data set (128,000 + 26,000 + 26,000, 3, 28, 28) of MNIST, or (12,800 + 5,000 + 5,000, 3, 16, 16) of
        scikit-learn's
        digits.

    Raises:
        OtbenchError: Where a file is damaged or not the publisher's.
        WorkFailed: Where a download fails.
    """
    if name == "stacked-digits":
        note = f"{NOTE}12,800 training images and 5,000 to compare with, {SAME_SPLIT}"
        return stacked(name, small.load("digits", root, unverified), SMALL_COUNTS, EVEN, "stacked digits 16x16", note)
    note = f"{NOTE}128,000 training images and 26,000 to compare with, {SAME_SPLIT}"
    return stacked(name, mnist.load("mnist", root, unverified), COUNTS, EVEN, "Stacked MNIST", note)


def stacked(
    name: str,
    digits: DataSet,
    counts: Counts,
    even: tuple[str, ...] = (),
    title: str = "",
    note: str = f"{NOTE}{SAME_SPLIT}",
) -> DataSet:
    """Stacks of three grey images of each split as the channels of one image.

    Args:
        name: Name of the data set.
        digits: Grey images of ten classes.
        counts: (Number of images, seed) of each split.
        even: Splits in which all 1,000 classes come equally often (up to one image, where 1,000 does not divide the
            count); in the others they come as often as chance has it.
        title: Title of the data set in tables; default: its name.
        note: What to add to the source of the grey images.

    Returns:
        The data set.
    """
    splits: dict[str, Labelled] = {}
    for split, (count, seed) in counts.items():
        images, labels = digits.splits[split][:, 0], digits.labels[split]
        # this generator of NumPy is frozen: the stacks stay the same for good
        draw = np.random.RandomState(seed)
        rows = evenly(labels, count, draw) if split in even else draw.randint(len(images), size=(count, 3))
        splits[split] = images[rows], labels[rows] @ np.array([100, 10, 1])
    arrays: dict[str, Any] = {split: images for split, (images, _) in splits.items()}
    return DataSet(
        name=name,
        title=title or name,
        source=digits.source + note,
        labels={split: labels for split, (_, labels) in splits.items()},
        classes=tuple(f"{number:03d}" for number in range(1000)),
        **arrays,
    )


def evenly(labels: np.ndarray, count: int, draw: np.random.RandomState) -> np.ndarray:
    """Rows of digits that make all 1,000 triples of labels equally often.

    The order of triples is random; of the digits with a label each is as likely as the others.

    Args:
        labels: Labels (n,) of the digits, 0 to 9.
        count: Number of triples.
        draw: Generator of the picks.

    Returns:
        Rows (count, 3) of the digits.
    """
    triples = draw.permutation(count) % 1000
    digits = np.stack([triples // 100, triples // 10 % 10, triples % 10], axis=1)
    order, sizes = np.argsort(labels, kind="stable"), np.bincount(labels, minlength=10)
    within = np.floor(draw.random_sample(digits.shape) * sizes[digits]).astype(np.int64)
    return order[(np.cumsum(sizes) - sizes)[digits] + within]
