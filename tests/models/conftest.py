"""Small images in four classes that every model of images can be trained on in a moment."""

from __future__ import annotations

import numpy as np
import pytest

from otbench.data.base import DataSet


def four_pictures(n: int = 120, shape: tuple[int, int, int] = (1, 16, 16), seed: int = 0) -> DataSet:
    """One bright quarter of the image a class, with noise; n training images, 60 of test and 40 of validation."""
    draw = np.random.default_rng(seed)

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        label = draw.integers(4, size=count)
        images = draw.integers(0, 60, (count, *shape))
        h, w = shape[1] // 2, shape[2] // 2
        for image, k in zip(images, label, strict=True):
            image[:, (k // 2) * h : (k // 2 + 1) * h, (k % 2) * w : (k % 2 + 1) * w] += draw.integers(120, 190)
        return images.astype(np.uint8), label.astype(np.int64)

    parts = {name: split(count) for name, count in (("train", n), ("test", 60), ("validation", 40))}
    return DataSet(
        "quarters",
        parts["train"][0],
        parts["test"][0],
        title="quarters",
        source="test",
        validation=parts["validation"][0],
        labels={name: label for name, (_, label) in parts.items()},
        classes=("a", "b", "c", "d"),
    ).check()


@pytest.fixture(scope="session")
def pictures() -> DataSet:
    """120 training images of 16x16 pixels."""
    return four_pictures()
