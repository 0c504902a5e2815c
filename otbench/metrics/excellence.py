"""Excellence by proxy: the share of images that a classifier recognises as surely as it does real ones, and that lie as
near to real ones.

It stands in for the excellence rate of the OTVAE report, which is people's judgement (see `otbench.ratings`).
Confidence alone is fooled: a classifier is sure of a grey blob that resembles nothing. So an image counts where the
classifier's confidence is high enough and its features lie near enough to a training image's. Both limits stand at the
same rank among held-out real images, the one at which 95 % of these pass both.

limits: `limits`; score: `excellence_proxy`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting

if TYPE_CHECKING:
    from otbench.metrics.views import ImageView


REAL_PASS = 0.95
"""Share of held-out real images that pass for excellent: it fixes both limits."""


def limits(confidence: np.ndarray, distance: np.ndarray, share: float = REAL_PASS) -> tuple[float, float]:
    """Least confidence and largest distance at which a share of real images passes both.

    Args:
        confidence: Largest probability (n,) that the classifier gives to a class of each held-out real image.
        distance: Distance (n,) of each of these images to the nearest training image, in features.
        share: Share in (0, 1] of these images that pass.

    Returns:
        Least confidence and largest distance. Both let the same number k of real images pass, the least k with which
        at least the share of them passes both.
    """
    doubt, far = np.sort(-confidence), np.sort(distance)
    # of each image, the number of real ones that pass wherever it does; ties pass together
    rank = np.maximum(np.searchsorted(doubt, -confidence), np.searchsorted(far, distance))
    last = np.sort(rank)[math.ceil(share * len(rank)) - 1]
    return float(-doubt[last]), float(far[last])


def excellence_proxy(confidence: np.ndarray, distance: np.ndarray, least: float, reach: float) -> float:
    """Share of images that the classifier recognises and that lie near real ones.

    Args:
        confidence: Largest probability (n,) that the classifier gives to a class of each image.
        distance: Distance (n,) of each image to the nearest training image, in features.
        least: Least confidence that counts.
        reach: Largest distance that counts.

    Returns:
        Share in [0, 1] of the images that keep both limits.
    """
    return float(np.mean((confidence >= least) & (distance <= reach)))


def _of_images(view: ImageView) -> float:
    least, reach = limits(view.known.held_out.confidence, view.real.held_out_distance)
    return excellence_proxy(view.generated.confidence, view.distance, least, reach)


def _image_parts(setting: Setting) -> Parts:
    return {"n_generated": setting.n, "n_train": setting.n_train, "real_pass": REAL_PASS, "likeness": "nearest"}


METRICS = (
    Metric(
        "excellence_proxy",
        "Excellence proxy",
        "share",
        "higher",
        IMAGES,
        "after Cui, OTVAE report (its rate is a human's judgement)",
        "Share of images recognised as surely, and as near to a training image, as 95 % of held-out real ones are.",
        of_images=_of_images,
        image_parts=_image_parts,
        cheap=IMAGES,
        ideal=lambda dataset, n: REAL_PASS,
        uses="classes",
        label="Excellence (proxy), %",
        factor=100,
        digits=1,
        scale="logit",
        counted=True,
    ),
)
