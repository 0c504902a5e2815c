"""Inception score (Salimans et al. 2016), by torch-fidelity: exp E[KL(p(y|x) || p(y))], mean over splits.

It looks at generated images alone. Salimans et al. take 50,000 images in ten splits; a split below 1,000 images
estimates p(y) too roughly and lowers the score, so fewer images get fewer splits.
"""

from __future__ import annotations

import numpy as np

from otbench.metrics.base import check_rows

MOST_SPLITS, SPLIT_ROWS = 10, 1000


def splits(n: int) -> int:
    """Ten, or as many as leave 1,000 images in each, at least one."""
    return min(MOST_SPLITS, max(1, n // SPLIT_ROWS))


def inception_score(logits: np.ndarray, seed: int = 0) -> float:
    """Mean over the splits of n shuffled rows of logits (n, K), in float64; between 1 and K."""
    import torch
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    logits = check_rows(logits, "logits", least=1)
    found = isc_features_to_metric(torch.from_numpy(np.array(logits)), splits(len(logits)), True, seed)
    return float(found[KEY_METRIC_ISC_MEAN])
