"""Exact Wasserstein-2 distance between two point sets, by POT's network simplex (Flamary et al. 2021).

statistics: `cost`; score: `w2`. The value has the unit of the data. It does not vanish for a perfect sampler: the
modes' counts differ by chance between two finite samples, and the surplus must travel from mode to mode. Two sets of
2,500 true points are about 0.5 apart on the grid and 0.15 on the ring, so read it against the row of held-out data.
"""

from __future__ import annotations

import os
import warnings
from types import ModuleType

import numpy as np

from otbench.errors import WorkFailed
from otbench.metrics.base import POINTS, Metric, check_pair

MAX_ITERATIONS = 20_000_000
"""Bound on simplex pivots: 2,500 x 2,500 takes some 1e5, so reaching it is a failure, not a matter of patience."""


def import_ot() -> ModuleType:
    """Import POT without its torch, jax, tensorflow and cupy backends: they cost seconds to import and serve no array.

    Returns:
        The module `ot`.
    """
    names = [f"POT_BACKEND_DISABLE_{name}" for name in ("PYTORCH", "JAX", "TENSORFLOW", "CUPY")]
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        import ot
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return ot


def cost(real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between real and generated points.

    Args:
        real: Real points (n, d).
        generated: Generated points (m, d).

    Returns:
        Costs (n, m) float64, in squared units of the data.
    """
    from scipy.spatial.distance import cdist

    return cdist(real, generated, "sqeuclidean")


def w2(real: np.ndarray, generated: np.ndarray) -> float:
    """Wasserstein-2 distance sqrt(min over couplings of E|x - y|^2) of two point sets with uniform weights.

    Args:
        real: Real points (n, d).
        generated: Generated points (m, d).

    Returns:
        Distance in units of the data.

    Raises:
        WorkFailed: Where the simplex does not reach an optimal plan.
    """
    costs = cost(*check_pair(real, generated))
    scale = costs.max()
    if scale == 0:
        return 0.0
    ot = import_ot()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same text comes back in the log, where it is turned into an error
        value, log = ot.emd2([], [], costs / scale, numItermax=MAX_ITERATIONS, log=True)
    if log["warning"] is not None:
        raise WorkFailed(f"w2: the network simplex found no optimal plan for {costs.shape} points ({log['warning']})")
    return float(np.sqrt(max(0.0, float(value)) * scale))


METRICS = (
    Metric(
        "w2",
        "Wasserstein-2",
        "data units",
        "lower",
        POINTS,
        "Flamary et al. 2021, POT: Python Optimal Transport",
        "Exact W2 between generated points and as many held-out real points.",
        of_points=lambda view: w2(*view.pair),
        label="W2",
        scale="log",
    ),
)
