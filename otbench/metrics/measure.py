"""From samples to scores: every metric that applies to a data set, shared work done once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics import images, prd
from otbench.metrics.base import Score, Setting, check_rows
from otbench.metrics.registry import METRICS, applicable
from otbench.metrics.views import PointView
from otbench.utils.protocol import protocol

if TYPE_CHECKING:
    from otbench.metrics.reference import Features

MIN_POINTS = prd.CLUSTERS
"""PRD's clusters need as many points; fewer would say little under any metric."""


def _protocol_of(name: str, dataset: DataSet, n: int) -> str:
    """The protocol under which `measure` computes a metric from n generated points."""
    return protocol(features="coordinates", **METRICS[name].point_parts(Setting(dataset, n)))


def expected(
    dataset: DataSet,
    n: int,
    last: bool = True,
    features: Features | str | Path | None = None,
    metrics: Sequence[str] | None = None,
    reconstructs: bool = False,
) -> list[tuple[str, str]]:
    """(metric, protocol) of each score that `measure` gives n samples, in its order, without any samples.

    This is what a cell that failed or is missing should have had. features: of images, the features folder or what
    `open_features` read of it; a folder that is not there counts as one with a classifier, whose hash is not known.
    """
    if dataset.kind == "points":
        return [(name, _protocol_of(name, dataset, n)) for name in applicable(dataset, metrics, last=last)]
    known = _extractors(features)
    names = applicable(dataset, metrics, list(known), reconstructs, last)
    found = []
    for name, extractor in images.chosen(names, list(known), last):
        info = known.get(extractor, {})
        start = info.get("protocol", f"features={extractor}")
        found.append((name, images.protocol_of(name, extractor, start, dataset, n, info)))
    return found


def _extractors(features: Features | str | Path | None) -> dict[str, dict]:
    if features is None:
        return {}
    if isinstance(features, str | Path):
        from otbench.features.store import read_info

        if not (Path(features) / "features.json").exists():
            return {"classifier": {}}
        return read_info(features)["extractors"]
    return features.info["extractors"]


def check_features(dataset: DataSet, features: Features | None, metrics: Sequence[str] | None = None) -> None:
    """Raise OtbenchError where metrics (None: all) are to be measured of images, need features, and there are none."""
    if (
        dataset.kind == "images"
        and features is None
        and set(applicable(dataset, metrics)) - set(applicable(dataset, metrics, extractors=()))
    ):
        raise OtbenchError(
            f"data set {dataset.name} holds images, expected its features: make them with `otbench features` and"
            " give their folder (--features)"
        )


def check_device(device: str) -> None:
    """Raise OtbenchError where metrics cannot be computed on the device."""
    if device != "cpu":
        from otbench.metrics import torch_backend

        torch_backend.place(device)


def measure(
    dataset: DataSet,
    samples: np.ndarray,
    seed: int = 0,
    metrics: Sequence[str] | None = None,
    features: Features | None = None,
    reconstructions: np.ndarray | None = None,
    curves: dict[str, tuple[np.ndarray, np.ndarray]] | None = None,
    last: bool = True,
    device: str = "cpu",
) -> list[Score]:
    """Scores of samples, points (n, d) or images (n, c, h, w), in registry order, under every metric that applies.

    seed picks the real samples and PRD's clusterings; keep it fixed over models, so that all meet the same ones.
    metrics: only those of these that apply. features: of images, the data set's features (`open_features`); each
    extractor gives a score of its own. reconstructions: the reference images as the model gives them back, in order.
    curves: is given PRD's curves (precision, recall) by extractor (`coordinates` of points), where PRD is measured.
    last: False for a snapshot before the last, which gets the cheap metrics alone. device: where distances, clusters,
    kernels and roots are computed; `cpu` for NumPy and scikit-learn, else `otbench.metrics.torch_backend`'s, where
    scores are the same to rounding and so is the protocol.

    Raises OtbenchError on samples of a wrong shape, fewer than 20, or not finite, on an unknown metric, on images
    without features where a metric needs them, and on a device that is not there.
    """
    check_device(device)
    if dataset.kind == "images":
        extractors = list(features.extractors) if features else []
        names = applicable(dataset, metrics, extractors, reconstructions is not None, last)
        check_features(dataset, features, metrics)
        return images.measure_images(dataset, samples, seed, names, features, reconstructions, curves, last, device)
    names = applicable(dataset, metrics, last=last)
    samples = check_rows(samples, "samples", MIN_POINTS)
    if samples.shape[1:] != dataset.shape:
        raise OtbenchError(
            f"samples have {samples.shape[1]} columns, expected {dataset.shape[0]} as in data set {dataset.name}"
        )
    view = PointView(dataset, samples, seed, device)
    scores = [Score(name, METRICS[name].of_points(view), _protocol_of(name, dataset, len(samples))) for name in names]
    if curves is not None and "curve" in vars(view):
        curves["coordinates"] = view.curve
    return scores


def floors(dataset: DataSet, n: int) -> dict[str, float]:
    """What a perfect sampler is expected to score on n points, for the metrics where that has a closed form.

    A floor where lower is better, a ceiling where higher is: a sampler that averages beyond it does not draw from the
    law, be it that its modes are too narrow or that its counts follow the training points.
    """
    found = {name: METRICS[name].ideal(dataset, n) for name in applicable(dataset) if METRICS[name].ideal}
    return {name: value for name, value in found.items() if np.isfinite(value)}
