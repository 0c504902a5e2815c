"""Scores of two feature arrays, wherever the features come from: what `otbench score` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.metrics import authenticity, clipped, fid_infinity, frechet, kernel, neighbours, prd, sliced, vendi
from otbench.metrics.base import check_pair
from otbench.utils.protocol import protocol

FEATURE_METRICS = ["fid", "kid", "prd_f8", "prd_f1_8", "precision", "recall", "density", "coverage"]
ON_REQUEST = ["fid_infinity", "sliced_w2", "clipped_density", "clipped_coverage", "vendi", "authenticity"]
"""Those that are computed where they are asked for by name; authenticity takes the real side for the training data."""
MIN_ROWS = prd.CLUSTERS
LARGEST = 1e50
"""Largest absolute value of a feature: the cubic kernel takes its sixth power, which must stay a number."""


def score_features(
    real: np.ndarray,
    generated: np.ndarray,
    seed: int = 0,
    metrics: Sequence[str] | None = None,
    features: str = "given",
    kid_subsets: int = kernel.SUBSETS,
) -> dict[str, Any]:
    """Score generated features against real ones.

    PRD and the sliced distance compare equal numbers: where n and m differ, as many rows of the longer as the shorter
    has, drawn with `seed`; all other metrics take all rows. FID is never below zero; KID is unbiased,
    and of near laws below zero as often as above.

    Args:
        real: Real features (n, d), at least 20 rows.
        generated: Generated features (m, d), at least 20 rows.
        seed: Seed of the subsets and of PRD's clusterings.
        metrics: Names of FEATURE_METRICS and ON_REQUEST; None for all of the former.
        features: Name of the extractor in the protocol.
        kid_subsets: Number of subsets of the kernel distance.

    Returns:
        {metric: value, ..., "kid_sd": value, "protocol": {metric: text}}, ready for JSON.

    Raises:
        OtbenchError: Where a metric is unknown, or the arrays are not finite real matrices of one width with at least
            20 rows each and no value beyond 1e50.
    """
    targets, known = FEATURE_METRICS if metrics is None else metrics, FEATURE_METRICS + ON_REQUEST
    unknown = [name for name in targets if name not in known]
    if unknown:
        raise OtbenchError(f"no feature metric is called {unknown[0]!r}, expected one of {', '.join(known)}")
    real, generated = check_pair(real, generated, least=MIN_ROWS)
    for name, values in (("real", real), ("generated", generated)):
        if (largest := float(np.abs(values).max())) > LARGEST:
            raise OtbenchError(f"{name}: expected values up to {LARGEST:g}, got {largest:g}; scale both sides alike")
    scores: dict[str, float] = {}
    if {"prd_f8", "prd_f1_8"} & set(targets):
        size = min(len(real), len(generated))
        ours, theirs = (_subset(values, size, seed) for values in (real, generated))
        scores["prd_f8"], scores["prd_f1_8"] = prd.f_pair(*prd.prd(ours, theirs, seed))
    if "fid" in targets:
        scores["fid"] = max(0.0, frechet.library_fid(real, generated))  # rounding alone brings it below zero
    if "kid" in targets:
        scores["kid"], scores["kid_sd"] = kernel.library_kid(real, generated, seed, kid_subsets)
    if {"precision", "recall"} & set(targets):
        scores["precision"], scores["recall"] = neighbours.library_precision_recall(real, generated)
    if {"density", "coverage"} & set(targets):
        counts = neighbours.statistics(real, generated)
        scores["density"], scores["coverage"] = neighbours.density(counts), neighbours.coverage(counts)
    scores |= {name: _on_request(name, real, generated, seed) for name in ON_REQUEST if name in targets}
    names = [name for name in known if name in targets]
    result: dict[str, Any] = {name: scores[name] for name in names}
    if "kid" in targets:
        result["kid_sd"] = scores["kid_sd"]
    common = {"features": features, "width": real.shape[1], "n_real": len(real), "n_generated": len(generated)}
    extra = {name: _settings(name, len(real), len(generated), kid_subsets, seed) for name in names}
    result["protocol"] = {name: protocol(**common | extra[name]) for name in names}
    return result


def _on_request(name: str, real: np.ndarray, generated: np.ndarray, seed: int) -> float:
    """One of the metrics that are computed where they are asked for."""
    if name == "fid_infinity":
        return fid_infinity.of_features(real, generated, seed)
    if name == "sliced_w2":
        size = min(len(real), len(generated))
        return sliced.sliced_w2(_subset(real, size, seed), _subset(generated, size, seed), seed)
    if name == "vendi":
        return vendi.vendi(generated)
    functions = {
        "clipped_density": clipped.clipped_density,
        "clipped_coverage": clipped.clipped_coverage,
        "authenticity": authenticity.authenticity,
    }
    return functions[name](real, generated)


def _subset(values: np.ndarray, size: int, seed: int) -> np.ndarray:
    """`size` rows in their order, drawn with the seed; all where there are no more."""
    if len(values) == size:
        return values
    return values[np.sort(np.random.default_rng(seed).choice(len(values), size, replace=False))]


def _settings(name: str, n_real: int, n_generated: int, kid_subsets: int, seed: int) -> dict[str, object]:
    if name == "kid":
        return {"subsets": kid_subsets, "subset_size": kernel.subset_size(n_real, n_generated), "seed": seed}
    if name.startswith("prd"):
        size = min(n_real, n_generated)
        drawn = {"n_real": size, "n_generated": size, "subset_seed": seed} if n_real != n_generated else {}
        return drawn | prd.SETTINGS
    if name == "sliced_w2":
        size = min(n_real, n_generated)
        return {"n_real": size, "n_generated": size, "directions": sliced.DIRECTIONS, "seed": seed}
    if name == "fid_infinity":
        return fid_infinity.settings(n_generated) | {"seed": seed}
    if name == "vendi":
        return {"kernel": "cosine"}
    if name in ("precision", "recall"):
        return {"k": neighbours.K_PRECISION}
    return {"k": neighbours.K_DENSITY} if name.endswith(("density", "coverage")) else {}
