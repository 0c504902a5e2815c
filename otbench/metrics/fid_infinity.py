"""Frechet distance at infinitely many generated samples (Chong, Forsyth 2020): the bias in n extrapolated away.

The expectation of FID at n generated samples is, to first order, FID_inf + a / n. Here FID is computed on the first n
rows of one seeded shuffle at 15 sizes between a third of the rows and all of them, and the line in 1 / n is fitted by
least squares; its value at 1 / n = 0 is the score. The real side stays as it is, as in the paper, whose sizes start at
5,000 of 50,000 samples; its own bias remains.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from otbench.metrics import frechet
from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_pair, split_parts

SIZES, SMALLEST = 15, 3
"""Number of sizes, and by what the number of rows is divided for the smallest."""


def sizes(n: int) -> np.ndarray:
    """Numbers of generated rows at which the distance is computed.

    Args:
        n: Number of generated rows.

    Returns:
        Sizes (15,) from n / 3 to n, or fewer where some would be the same.
    """
    return np.unique(np.linspace(max(2, n // SMALLEST), n, SIZES).astype(int))


def fid_infinity(real: dict[str, np.ndarray], generated: np.ndarray, seed: int = 0, device: str = "cpu") -> float:
    """Frechet distance extrapolated to infinitely many generated samples.

    Args:
        real: `frechet.statistics` of the real features.
        generated: Generated features (m, d).
        seed: Seed of the shuffle.
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        Distance in squared units of the features; the extrapolation can fall below zero.
    """
    rows = np.asarray(generated, np.float64)[np.random.default_rng(seed).permutation(len(generated))]
    numbers = sizes(len(rows))
    values = [frechet.frechet(real, frechet.statistics(rows[:n], device), device) for n in numbers]
    if len(numbers) == 1:
        return float(values[0])
    return float(np.polyfit(1 / numbers, values, 1)[1])


def of_features(real: np.ndarray, generated: np.ndarray, seed: int = 0) -> float:
    """`fid_infinity` of two feature arrays.

    Args:
        real: Real features (n, d), at least two rows.
        generated: Generated features (m, d), at least six rows.
        seed: Seed of the shuffle.

    Returns:
        Distance in squared units of the features.
    """
    real, generated = check_pair(real, generated, least=2 * SMALLEST)
    return fid_infinity(frechet.statistics(real), generated, seed)


def settings(n_generated: int) -> Parts:
    """What the protocol states of the extrapolation.

    Args:
        n_generated: Number of generated rows.

    Returns:
        Parts `sizes` and `from`.
    """
    numbers = sizes(n_generated)
    return {"sizes": len(numbers), "from": int(numbers[0])}


def _of_images(view: Any) -> float:
    return fid_infinity(view.real.reference_statistics, view.generated.features, view.seed, view.device)


def _parts(setting: Setting) -> Parts:
    return split_parts(setting) | settings(setting.n)


METRICS = (
    Metric(
        "fid_infinity",
        "Frechet distance at infinity",
        "squared feature units",
        "lower",
        IMAGES,
        "Chong and Forsyth 2020, Effectively unbiased FID and Inception score",
        "Frechet distance extrapolated to infinitely many generated images by a line in 1/n; it can fall below zero.",
        of_images=_of_images,
        image_parts=_parts,
        label="Fréchet distance at infinity",
        significant=3,
        on_request=True,
    ),
)
