"""Squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (KID: Binkowski et al. 2018), by torch-fidelity.

Mean and standard deviation over random subsets. The subsets overlap, so the deviation describes the spread at the
subset size; it is no standard error of the mean, and it is nought where a subset is the whole set.
"""

from __future__ import annotations

import numpy as np

from otbench.metrics.base import check_pair

SUBSETS, SUBSET_SIZE = 100, 1000


def subset_size(n_real: int, n_generated: int, largest: int = SUBSET_SIZE) -> int:
    """1,000 rows, or as many as the smaller set has."""
    return min(largest, n_real, n_generated)


def kid(
    real: np.ndarray, generated: np.ndarray, seed: int = 0, subsets: int = SUBSETS, largest: int = SUBSET_SIZE
) -> tuple[float, float]:
    """Mean and standard deviation of the unbiased estimate over `subsets` seeded subsets; it can fall below zero."""
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    real, generated = check_pair(real, generated, least=2)
    found = kid_features_to_metric(
        torch.from_numpy(np.array(real)),
        torch.from_numpy(np.array(generated)),
        kid_subsets=subsets,
        kid_subset_size=subset_size(len(real), len(generated), largest),
        rng_seed=seed,
        verbose=False,
    )
    return float(found[KEY_METRIC_KID_MEAN]), float(found[KEY_METRIC_KID_STD])
