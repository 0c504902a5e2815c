"""What true samples reach: the metrics' own expectation for a perfect sampler, for the data sets of a run."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import lru_cache

import numpy as np

from otbench.report.results import RunResults


def floor(run: RunResults, dataset: str, metric: str) -> float:
    """Expected value of the metric for a perfect sampler under the run's protocol.

    Args:
        run: Gathered run.
        dataset: Name of the data set.
        metric: Name of the metric, with or without `@network`.

    Returns:
        Expectation in the metric's own unit; NaN where none is known.
    """
    about, protocol = run.info["datasets"].get(dataset, {}), run.protocol(dataset, metric)
    metric = metric.partition("@")[0]
    facts = {name: about.get(name) for name in ("centres", "sigma", "weights", "radius", "directions", "n_train")}
    return _ideal(
        metric, json.dumps(facts, sort_keys=True), _count("n_generated", protocol), _count("n_real", protocol)
    )


def within(values: np.ndarray, ideal: float, direction: str) -> np.ndarray:
    """Values held to what a perfect sampler is expected to reach.

    Args:
        values: Values of a metric.
        ideal: What a perfect sampler reaches; NaN where it is not known.
        direction: The better side, `lower` or `higher`.

    Returns:
        The values, those beyond the ideal set to it.
    """
    if math.isnan(ideal):
        return values
    return np.minimum(values, ideal) if direction == "higher" else np.maximum(values, ideal)


def mirrored(values: tuple[float, ...], ideal: float, direction: str) -> tuple[float, ...]:
    """Values by whose order models are compared: those of a mean beyond the ideal fall short by as much instead.

    A model that exceeds a perfect sampler is not better than it: its law is narrower, or its counts follow the
    training points.

    Args:
        values: Values of one model over seeds.
        ideal: What a perfect sampler reaches; NaN where it is not known.
        direction: The better side, `lower` or `higher`.

    Returns:
        The same values, or 2 ideal - value of each.
    """
    if not values or math.isnan(ideal) or not np.all(np.isfinite(values)):
        return values
    beyond = float(np.mean(values)) - ideal
    if (beyond if direction == "higher" else -beyond) <= 0:
        return values
    return tuple(2 * ideal - value for value in values)


def _count(name: str, protocol: str) -> int:
    match = re.search(rf"\b{name}=(\d+)", protocol)
    return int(match[1]) if match else 0


@lru_cache(maxsize=1024)
def _ideal(metric: str, known: str, n_generated: int, n_real: int) -> float:
    from otbench.data.base import DataSet, Mixture
    from otbench.metrics import METRICS

    about, entry = json.loads(known), METRICS.get(metric)
    if entry is None or entry.ideal is None or not n_generated:
        return math.nan
    truth = None
    if about["centres"] and about["sigma"]:
        centres = np.asarray(about["centres"], dtype=float)
        weights = np.asarray(about["weights"] or np.full(len(centres), 1 / len(centres)), dtype=float)
        truth = Mixture(centres, float(about["sigma"]), weights, float(about.get("radius") or Mixture.radius))
        if about.get("directions"):
            # only their number counts here
            truth = replace(truth, basis=np.empty((centres.shape[1], int(about["directions"]))))
    if truth is None and entry.needs_modes:
        return math.nan
    # The expectations need how many points there are, not the points: arrays of one repeated zero hold no memory.
    train, test = (np.broadcast_to(np.float32(0), (int(n or 1), 2)) for n in (about["n_train"] or n_real, n_real))
    return float(entry.ideal(DataSet("", train, test, truth), n_generated))
