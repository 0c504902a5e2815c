"""Authenticity share (Alaa et al. 2022): generated samples that are no close copies of a training sample.

A generated sample is authentic where it lies farther from its nearest training sample i than i from the nearest other
training sample. That is the paper's definition; its code asks each training sample for its nearest generated one
instead, which is another number.

A perfect sampler does not score 1: of exchangeable points a generated one fails where it and its nearest neighbour are
each other's nearest, which on a line happens to two thirds of all points, in the plane to 62 %, and to fewer in more
dimensions. Read it beside the row of held-out data; it is no score to rank by.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_pair
from otbench.metrics.neighbours import block_rows, distances


def _nearest(rows: np.ndarray, train: np.ndarray, itself: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Place of, and distance to, the nearest training row of each row; a row is not compared with `itself`."""
    place, distance = np.empty(len(rows), np.int64), np.empty(len(rows))
    step = block_rows(len(train))
    for start in range(0, len(rows), step):
        part = np.arange(start, min(start + step, len(rows)))
        block = distances(rows[part], train)
        if itself is not None:
            block[np.arange(len(part)), itself[part]] = np.inf
        place[part] = block.argmin(axis=1)
        distance[part] = block[np.arange(len(part)), place[part]]
    return place, distance


def authenticity(train: np.ndarray, generated: np.ndarray) -> float:
    """Share of generated rows that are authentic.

    Args:
        train: Training rows (n, d), at least two.
        generated: Generated rows (m, d), at least two.

    Returns:
        Share in [0, 1].

    Source: Alaa et al. (2022), section 4.3.
    """
    train, generated = check_pair(train, generated, least=2)
    centre = train.mean(axis=0)
    train, generated = train - centre, generated - centre
    place, distance = _nearest(generated, train)
    used, where = np.unique(place, return_inverse=True)
    _, gap = _nearest(train[used], train, used)
    return float((distance > gap[where]).mean())


def _of_images(view: Any) -> float:
    return authenticity(view.known.train, view.generated.features)


def _parts(setting: Setting) -> Parts:
    return {"n_train": setting.n_train, "n_generated": setting.n, "split": "train"}


METRICS = (
    Metric(
        "authenticity",
        "Authenticity share",
        "share",
        "none",
        IMAGES,
        "Alaa et al. 2022, How faithful is your synthetic data?",
        "Share of images farther from their nearest training image than that one from any other training image.",
        of_images=_of_images,
        image_parts=_parts,
        label="Authentic, %",
        factor=100,
        digits=1,
        scale="logit",
        counted=True,
        on_request=True,
    ),
)
