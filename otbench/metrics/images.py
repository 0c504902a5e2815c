"""Scores of images: in the features of each extractor, through the classifier's classes, and of the pixels.

Frechet and kernel distance and the Inception score take every image there is. The metrics that need equal numbers (PRD,
precision, recall, density, coverage) take seeded subsets of as many as both sides have, at most 10,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics import prd
from otbench.metrics.base import Score, Setting
from otbench.metrics.registry import METRICS
from otbench.metrics.views import ImageView, PixelView
from otbench.utils.protocol import protocol

if TYPE_CHECKING:
    from otbench.metrics.reference import Features

PIXELS = "features=pixels"


def chosen(names: list[str], extractors: list[str], last: bool) -> list[tuple[str, str]]:
    """(metric, extractor) for each score of images, in the metrics' order; the extractor of pixels is `pixels`.

    Before the last snapshot the classifier's alone where there is one, as Inception takes its time.
    """
    found = []
    for name in names:
        if METRICS[name].uses == "pixels":
            found.append((name, "pixels"))
        elif METRICS[name].uses == "classes" or (not last and "classifier" in extractors):
            found.append((name, "classifier"))
        else:
            found += [(name, extractor) for extractor in extractors]
    return found


def protocol_of(name: str, extractor: str, start: str, dataset: DataSet, n: int, info: dict[str, Any]) -> str:
    """The protocol under which a metric is computed from n generated images.

    start: how the extractor's protocols start; info: its part of features.json, empty where that is not known.
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
) -> list[Score]:
    """Scores of images (n, c, h, w) uint8 under the metrics `names`, one a metric and extractor.

    curves: is given each extractor's PRD curve (precision, recall), where PRD is among the metrics. device: as in
    `measure`. Raises OtbenchError on images of another shape or type, and fewer than 20.
    """
    if samples.shape[1:] != dataset.shape or samples.dtype != np.uint8 or len(samples) < prd.CLUSTERS:
        raise OtbenchError(
            f"samples: expected at least {prd.CLUSTERS} uint8 images {dataset.shape} as in data set {dataset.name},"
            f" got {samples.dtype} {samples.shape}"
        )
    known = features.extractors if features else {}
    views = {name: ImageView(one, dataset, samples, seed, reconstructions, device) for name, one in known.items()}
    pixels = PixelView(dataset, samples)
    found = []
    for name, extractor in chosen(names, list(views), last):
        if extractor == "pixels":
            view, start, info = pixels, PIXELS, {}
        else:
            view, start, info = views[extractor], known[extractor].protocol, known[extractor].info
        value = METRICS[name].of_images(view)
        found.append(Score(name, value, protocol_of(name, extractor, start, dataset, len(samples), info)))
    if curves is not None:
        curves |= {name: view.curve for name, view in views.items() if "curve" in vars(view)}
    return found
