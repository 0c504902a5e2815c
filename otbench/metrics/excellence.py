"""Excellence by proxy: the share of images that a classifier recognises as surely as it does real ones.

It stands in for the excellence rate of the OTVAE report, which is people's judgement (see `otbench.ratings`): an image
counts where the classifier's confidence is at least the quantile that 95 % of held-out real images reach.

score: `excellence_proxy`.
"""

from __future__ import annotations

import numpy as np

from otbench.features.store import REAL_PASS
from otbench.metrics.base import IMAGES, Metric, Parts, Setting


def excellence_proxy(confidence: np.ndarray, threshold: float) -> float:
    """Share of images that the classifier recognises.

    Args:
        confidence: Largest probability (n,) that the classifier gives to a class of each image.
        threshold: Confidence that the share `REAL_PASS` of the held-out real images reaches.

    Returns:
        Share in [0, 1] of the images whose confidence is at least the threshold.
    """
    return float(np.mean(confidence >= threshold))


def _image_parts(setting: Setting) -> Parts:
    parts: Parts = {"n_generated": setting.n, "real_pass": REAL_PASS}
    return parts | ({"confidence": f"{setting.info['threshold']:.4f}"} if "threshold" in setting.info else {})


METRICS = (
    Metric(
        "excellence_proxy",
        "Excellence proxy",
        "share",
        "higher",
        IMAGES,
        "after Cui, OTVAE report (its rate is a human's judgement)",
        "Share of images that the classifier recognises as surely as it does 95 % of held-out real ones.",
        of_images=lambda view: excellence_proxy(view.generated.confidence, view.known.info["threshold"]),
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
