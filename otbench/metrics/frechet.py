"""Frechet distance between Gaussians fitted to two feature sets (FID: Heusel et al. 2017), by torch-fidelity.

statistics: `statistics`; score: `frechet`. Deterministic. With fewer rows than columns the estimate is far too high:
the protocol states both.
"""

from __future__ import annotations

import numpy as np

from otbench.metrics.base import check_pair


def statistics(features: np.ndarray) -> dict[str, np.ndarray]:
    """Mean (d,) and covariance (d, d), with n - 1, of features (n, d)."""
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics

    found = fid_features_to_statistics(torch.from_numpy(np.array(features, np.float64)))
    return {"mu": found["mu"], "sigma": np.atleast_2d(found["sigma"])}  # a single column's covariance comes as a scalar


def frechet(real: dict[str, np.ndarray], generated: dict[str, np.ndarray]) -> float:
    """|mu_r - mu_g|^2 + tr(S_r + S_g - 2 (S_r S_g)^1/2); at rounding level it can fall just below zero."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    return float(fid_statistics_to_metric(real, generated, verbose=False)[KEY_METRIC_FID])


def fid(real: np.ndarray, generated: np.ndarray) -> float:
    """Frechet distance of real (n, d) and generated (m, d) features; raises OtbenchError on arrays that do not fit."""
    real, generated = check_pair(real, generated, least=2)
    return frechet(statistics(real), statistics(generated))
