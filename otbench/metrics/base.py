"""What a metric is, and what a score is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError


@dataclass(frozen=True)
class Metric:
    """What is to be known of a metric without computing it.

    direction: `higher` or `lower` is better. kinds: data it is defined on (`points`, `images`). needs_modes: it needs
    the true mixture. cheap: also computed at the snapshots before the last. ideal(dataset, n): what a perfect sampler
    is expected to score on n points, or None.
    """

    name: str
    title: str
    unit: str
    direction: str
    kinds: tuple[str, ...]
    paper: str
    description: str
    needs_modes: bool = False
    cheap: bool = False
    ideal: Callable[[DataSet, int], float] | None = None

    def applies_to(self, dataset: DataSet) -> bool:
        """Whether `measure` can compute this metric on the data set."""
        return dataset.kind in self.kinds and (dataset.truth is not None or not self.needs_modes)


@dataclass(frozen=True)
class Score:
    """One value of one metric and the protocol it was measured under; unequal protocols must not share a column."""

    metric: str
    value: float
    protocol: str


def protocol(**parts: object) -> str:
    """The protocol as `key=value` pairs joined by semicolons, in the order given."""
    return ";".join(f"{key}={value}" for key, value in parts.items())


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
