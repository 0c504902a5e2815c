"""Sharpness: the variance of an image's Laplacian (Tolstikhin et al. 2018, Wasserstein auto-encoders).

Their code brings colour to grey, convolves with [[0, 1, 0], [1, -4, 1], [0, 1, 0]] without padding, takes the variance
of the response over each image, and prints the minimum over a batch; the paper's tables average over 1,000 images.
Here the images are on [0, 1] (on [-1, 1] the variance is four times as large) and both numbers are scores of their
own. Sharper is not always better: noise beats every image, so read it beside the real data's value.

statistics: `laplacian_variance`; score: its mean, and its minimum.
"""

from __future__ import annotations

import numpy as np

from otbench.errors import OtbenchError
from otbench.metrics.base import IMAGES, Metric, Parts, Setting

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601, as TensorFlow rounds them)."""


def laplacian_variance(images: np.ndarray) -> np.ndarray:
    """Variance of each image's Laplacian, of intensities on [0, 1].

    Args:
        images: Images (n, c, h, w) uint8 on 0 to 255, c = 1 or 3, h and w at least 3.

    Returns:
        Variances (n,) float64, in squared intensity.

    Raises:
        OtbenchError: Where the images have another shape or type.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or min(images.shape[2:]) < 3 or images.dtype != np.uint8:
        raise OtbenchError(
            f"sharpness: expected uint8 images (n, 1 or 3, h, w) of at least 3x3 pixels, got {images.dtype}"
            f" {images.shape}"
        )
    weights = np.array(GREY if images.shape[1] == 3 else (1.0,)) / 255
    variances = np.empty(len(images))
    for start in range(0, len(images), 1000):
        grey = np.einsum("nchw,c->nhw", images[start : start + 1000].astype(np.float64), weights)
        middle = grey[:, 1:-1, 1:-1]
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        variances[start : start + 1000] = (around - 4 * middle).var(axis=(1, 2))
    return variances


TOLSTIKHIN = "Tolstikhin et al. 2018, Wasserstein auto-encoders"


def _parts(setting: Setting) -> Parts:
    return {"n_generated": setting.n, "range": "0..1"}


METRICS = (
    Metric(
        "sharpness",
        "Sharpness",
        "squared intensity",
        "none",
        IMAGES,
        TOLSTIKHIN,
        "Variance of an image's Laplacian, on [0, 1], mean over images; noise is sharper than any image.",
        of_images=lambda view: float(view.laplacian_variance.mean()),
        image_parts=_parts,
        cheap=IMAGES,
        uses="pixels",
        label="Sharpness, mean",
        significant=3,
        scale="log",
    ),
    Metric(
        "sharpness_min",
        "Sharpness, minimum",
        "squared intensity",
        "none",
        IMAGES,
        TOLSTIKHIN,
        "Variance of the Laplacian of the least sharp image, as the authors' code prints per batch.",
        of_images=lambda view: float(view.laplacian_variance.min()),
        image_parts=_parts,
        uses="pixels",
        label="Sharpness, minimum",
        significant=3,
        scale="log",
    ),
)
