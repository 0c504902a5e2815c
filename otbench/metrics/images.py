"""Scores of images: in the features of each extractor, through the classifier's classes, and of the pixels.

Frechet and kernel distance and the Inception score take every image there is. The metrics that need equal numbers (PRD,
precision, recall, density, coverage) take seeded subsets of as many as both sides have, at most 10,000.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.registry import find
from otbench.metrics import prd
from otbench.metrics.base import Refusals, Score, Setting, scored
from otbench.metrics.registry import METRICS
from otbench.metrics.views import ImageView, PixelView
from otbench.registry import feature_files
from otbench.utils.protocol import protocol

if TYPE_CHECKING:
    from otbench.metrics.reference import Features

PIXELS = "features=pixels"


def chosen(names: list[str], extractors: list[str], last: bool) -> list[tuple[str, str]]:
    """Metric and extractor of each score of images.

    Args:
        names: Names of the metrics.
        extractors: Names of the extractors there are.
        last: Whether it is the last snapshot. Before it the classifier is used alone where there is one, as Inception
            takes its time.

    Returns:
        (metric, extractor) of each score, in the metrics' order; the extractor of pixels is `pixels`.
    """
    pairs = []
    for name in names:
        if METRICS[name].uses == "pixels":
            pairs.append((name, "pixels"))
        elif METRICS[name].uses == "classes" or (not last and "classifier" in extractors):
            pairs.append((name, "classifier"))
        else:
            pairs += [(name, extractor) for extractor in extractors if _sees(name, extractor)]
    return pairs


def _sees(name: str, extractor: str) -> bool:
    """Whether an extractor gives what a metric takes."""
    if not METRICS[name].logits or extractor not in feature_files():
        return True
    return find(extractor).logits


def protocol_of(name: str, extractor: str, start: str, dataset: DataSet, n: int, info: dict[str, Any]) -> str:
    """Protocol under which a metric is computed from n generated images.

    Args:
        name: Name of the metric.
        extractor: Name of the extractor; it is not used, as `start` names it.
        start: How the extractor's protocols start.
        dataset: Data set that the images are measured against.
        n: Number of generated images.
        info: The extractor's part of features.json; empty where that is not known.

    Returns:
        The protocol as `key=value` pairs joined by semicolons.
    """
    return f"{start};{protocol(**METRICS[name].image_parts(Setting(dataset, n, info)))}"


def measure_images(
    dataset: DataSet,
    samples: np.ndarray,
    seed: int,
    names: list[str],
    features: Features | None,
    reconstructions: np.ndarray | None = None,
    curves: dict[str, tuple[np.ndarray, np.ndarray]] | None = None,
    last: bool = True,
    device: str = "cpu",
    refused: Refusals | None = None,
) -> list[Score]:
    """Scores of images under the metrics `names`, one per metric and extractor.

    Args:
        dataset: Data set of images.
        samples: Generated images (n, c, h, w) uint8.
        seed: Seed of the subsets and of PRD's clusterings.
        names: Names of the metrics, all of which apply.
        features: The data set's features; None where no metric needs any.
        reconstructions: The reference images as the model gives them back, (m, c, h, w) uint8 in order, or None.
        curves: Is given each extractor's PRD curve (precision, recall), where PRD is among the metrics.
        last: Whether it is the last snapshot.
        device: Device to compute on, as in `otbench.metrics.measure`.
        refused: Is given why a metric could not be computed, as in `otbench.metrics.measure`.

    Returns:
        The scores, in the order of `chosen`.

    Raises:
        OtbenchError: Where the images have another shape or type, or are fewer than 20, or, without `refused`, a
            metric cannot be computed of them.
    """
    if samples.shape[1:] != dataset.shape or samples.dtype != np.uint8 or len(samples) < prd.CLUSTERS:
        raise OtbenchError(
            f"samples: expected at least {prd.CLUSTERS} uint8 images {dataset.shape} as in data set {dataset.name},"
            f" got {samples.dtype} {samples.shape}"
        )
    extractors = features.extractors if features else {}
    views = {
        name: ImageView(real, dataset, samples, seed, reconstructions, device) for name, real in extractors.items()
    }
    pixels = PixelView(dataset, samples)
    scores = []
    for name, extractor in chosen(names, list(views), last):
        if extractor == "pixels":
            view, start, info = pixels, PIXELS, {}
        else:
            view, start, info = views[extractor], extractors[extractor].protocol, extractors[extractor].info
        text = protocol_of(name, extractor, start, dataset, len(samples), info)
        scores.append(scored(name, text, partial(METRICS[name].of_images, view), refused))
    if curves is not None:
        curves |= {name: view.curve for name, view in views.items() if "curve" in vars(view)}
    return scores
