"""From samples to scores: every metric that applies to a data set, shared work done once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics import images, prd
from otbench.metrics.base import Refusals, Score, Setting, check_rows, scored
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
    """Metric and protocol of each score that `measure` gives n samples, without any samples.

    These are the scores that a cell that failed or is missing should have had.

    Args:
        dataset: Data set that samples are measured against.
        n: Number of generated samples.
        last: False for a snapshot before the last, which gets the cheap metrics alone.
        features: Of images, the features folder or what `open_features` read of it; None for no extractor. A folder
            that is not there counts as one with a classifier whose hash is not known.
        metrics: Names of the metrics to choose from; None for all.
        reconstructs: Whether the samples come with reconstructions.

    Returns:
        (metric, protocol) of each score, in the order of `measure`.
    """
    if dataset.kind == "points":
        return [(name, _protocol_of(name, dataset, n)) for name in applicable(dataset, metrics, last=last)]
    extractors = _extractors(features)
    names = applicable(dataset, metrics, list(extractors), reconstructs, last)
    pairs = []
    for name, extractor in images.chosen(names, list(extractors), last):
        info = extractors.get(extractor, {})
        start = info.get("protocol", f"features={extractor}")
        pairs.append((name, images.protocol_of(name, extractor, start, dataset, n, info)))
    return pairs


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
    """Refuse images without features where a metric needs them.

    Args:
        dataset: Data set that samples are measured against.
        features: The data set's features, or None.
        metrics: Names of the metrics to be measured; None for all.

    Raises:
        OtbenchError: Where metrics are to be measured of images, need features, and there are none.
    """
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
    """Refuse a device that metrics cannot be computed on.

    Args:
        device: `cpu`, or a device of `otbench.metrics.torch_backend`.

    Raises:
        OtbenchError: Where torch cannot use the device here.
    """
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
    refused: Refusals | None = None,
) -> list[Score]:
    """Scores of samples under every metric that applies.

    Args:
        dataset: Data set that the samples are measured against.
        samples: Points (n, d) or images (n, c, h, w) uint8.
        seed: Seed of the choice of real samples and of PRD's clusterings; keep it fixed over models, so that all meet
            the same ones.
        metrics: Names of metrics, of which those that apply are measured; None for all.
        features: Of images, the data set's features (`open_features`); each extractor gives a score of its own.
        reconstructions: The reference images as the model gives them back, in order, or None.
        curves: Is given PRD's curves (precision, recall) by extractor (`coordinates` of points), where PRD is measured.
        last: False for a snapshot before the last, which gets the cheap metrics alone.
        device: Where distances, clusters, kernels and roots are computed: `cpu` for NumPy and scikit-learn, else a
            device of `otbench.metrics.torch_backend`, where scores are the same to rounding and so is the protocol.
        refused: Is given why a metric could not be computed, whose score is then NaN; None where that is an error.

    Returns:
        The scores, in registry order.

    Raises:
        OtbenchError: Where samples have a wrong shape, are fewer than 20 or not finite, a metric is unknown or needs
            features of images that are not given, the device is not there, or, without `refused`, a metric cannot be
            computed of these samples.
    """
    check_device(device)
    if dataset.kind == "images":
        extractors = list(features.extractors) if features else []
        names = applicable(dataset, metrics, extractors, reconstructions is not None, last)
        check_features(dataset, features, metrics)
        options = (features, reconstructions, curves, last, device, refused)
        return images.measure_images(dataset, samples, seed, names, *options)
    names = applicable(dataset, metrics, last=last)
    samples = check_rows(samples, "samples", MIN_POINTS)
    if samples.shape[1:] != dataset.shape:
        raise OtbenchError(
            f"samples have {samples.shape[1]} columns, expected {dataset.shape[0]} as in data set {dataset.name}"
        )
    view = PointView(dataset, samples, seed, device)
    protocols = {name: _protocol_of(name, dataset, len(samples)) for name in names}
    scores = [scored(name, protocols[name], partial(METRICS[name].of_points, view), refused) for name in names]
    if curves is not None and "curve" in vars(view):
        curves["coordinates"] = view.curve
    return scores


def floors(dataset: DataSet, n: int) -> dict[str, float]:
    """Expected scores of a perfect sampler, for the metrics where they have a closed form.

    A floor where lower is better, a ceiling where higher is: a sampler that averages beyond it does not draw from the
    law, be it that its modes are too narrow or that its counts follow the training points.

    Args:
        dataset: Data set that samples are measured against.
        n: Number of generated samples.

    Returns:
        Metric -> expected score, finite ones alone.
    """
    ideals = {name: METRICS[name].ideal(dataset, n) for name in applicable(dataset) if METRICS[name].ideal}
    return {name: value for name, value in ideals.items() if np.isfinite(value)}
