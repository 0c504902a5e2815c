"""Reconstruction error: what an autoencoder's training states of itself (An et al. 2020, AE-OT, Table 1)."""

from __future__ import annotations

from otbench.metrics.base import IMAGES, Metric


def _l2(name: str, title: str, label: str, description: str) -> Metric:
    return Metric(
        name,
        title,
        "squared intensity",
        "lower",
        IMAGES,
        "An et al. 2020, AE-OT: a new generative model based on extended semi-discrete optimal transport",
        description,
        uses="model",
        label=label,
        scale="log",
    )


METRICS = (
    _l2(
        "l2",
        "Reconstruction error",
        "L2 on test images, per value",
        "Mean squared error per pixel of the test images' reconstructions, on [0, 1].",
    ),
    _l2(
        "l2_train",
        "Reconstruction error, training",
        "L2 on training images, per value",
        "The same of the training images.",
    ),
    _l2(
        "l2_before",
        "Reconstruction error before freezing",
        "L2 on test images before freezing, per value",
        "The test images', before the encoder is frozen.",
    ),
    _l2(
        "l2_before_train",
        "Reconstruction error before freezing, training",
        "L2 on training images before freezing, per value",
        "The same of the training images.",
    ),
)
