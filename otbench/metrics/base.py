"""What a metric is, and what a score is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError


@dataclass(frozen=True)
class Metric:
    """What is to be known of a metric without computing it.

    direction: `higher` or `lower` is better, or `none` where neither is. kinds: data it is defined on (`points`,
    `images`). needs_modes: of points, it needs the true mixture. cheap: the kinds on which it is also computed at the
    snapshots before the last. ideal(dataset, n): what a perfect sampler is expected to score on n samples, or None.
    uses: what it takes of images, one of

    - `features`: each extractor's, a score each;
    - `classes`: what the classifier that is trained on the data set sees;
    - `reconstructions`: features of the reference images as the model gives them back;
    - `pixels`: the images themselves;
    - `model`: nothing, as it is a number that the model's training states of itself (`certificate`).
    """

    name: str
    title: str
    unit: str
    direction: str
    kinds: tuple[str, ...]
    paper: str
    description: str
    needs_modes: bool = False
    cheap: tuple[str, ...] = ()
    ideal: Callable[[DataSet, int], float] | None = None
    uses: str = "features"

    def applies_to(
        self, dataset: DataSet, extractors: Sequence[str] = ("classifier",), reconstructs: bool = False
    ) -> bool:
        """Whether `measure` can compute this metric on the data set with these extractors of image features.

        reconstructs: whether there are reconstructions.
        """
        if dataset.kind not in self.kinds:
            return False
        if dataset.kind == "points":
            return dataset.truth is not None or not self.needs_modes
        there = {
            "features": bool(extractors),
            "classes": "classifier" in extractors,
            "reconstructions": bool(extractors) and reconstructs,
            "pixels": True,
            "model": False,
        }
        return there[self.uses]


@dataclass(frozen=True)
class Score:
    """One value of one metric and the protocol it was measured under; unequal protocols must not share a column."""

    metric: str
    value: float
    protocol: str


def check_rows(values: np.ndarray, name: str, least: int = 1) -> np.ndarray:
    """Return `values` (n, d) as float64.

    Raise OtbenchError where it is not a finite real matrix of at least `least` rows.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] == 0:
        raise OtbenchError(f"{name}: expected an array of shape (n, d), got shape {values.shape}")
    if values.dtype.kind not in "fiu":
        raise OtbenchError(f"{name}: expected real numbers, got dtype {values.dtype}")
    if len(values) < least:
        raise OtbenchError(f"{name}: expected at least {least} rows, got {len(values)}")
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise OtbenchError(f"{name}: {bad} of {len(values)} rows hold NaN or infinite values, expected finite numbers")
    return values.astype(np.float64, copy=False)


def check_pair(real: np.ndarray, generated: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return both arrays as float64 (n, d) and (m, d).

    Raise OtbenchError where either is wrong or the widths differ.
    """
    real, generated = check_rows(real, "real", least), check_rows(generated, "generated", least)
    if real.shape[1] != generated.shape[1]:
        raise OtbenchError(
            f"real has {real.shape[1]} columns and generated has {generated.shape[1]}, expected the same number"
        )
    return real, generated


PAIR_POINTS, PAIR_IMAGES = 2500, 10_000
"""Most rows of either side that the metrics of pairs use (W2, PRD, those of neighbours).

The papers' numbers of evaluation points in the plane and of images.
"""


def pair_size(dataset: DataSet, n: int) -> int:
    """Rows on either side of a pairwise metric: as many as both have, at most 2,500 points or 10,000 images."""
    return min(n, len(dataset.reference), PAIR_POINTS if dataset.kind == "points" else PAIR_IMAGES)
