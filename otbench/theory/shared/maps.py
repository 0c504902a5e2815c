"""Maps from transport plans, extended to new source points: entropic, nearest, OTVAE's, interpolated, semi-discrete.

A map takes source points (m, d) to points (m, d); a row of NaN says that the point was rejected.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree
from scipy.special import logsumexp

from otbench.errors import WorkFailed
from otbench.metrics.wasserstein import import_ot
from otbench.transport import DiscretePlan, TransportMap, angle_threshold
from otbench.transport.extension import cell_centroids, extended_at

Map = Callable[[np.ndarray], np.ndarray]


def entropic(source: np.ndarray, target: np.ndarray, share: float, tolerance: float = 1e-4) -> Map:
    """Entropic map T(x) = sum_j w_j(x) y_j with w_j ~ exp((g_j - |x - y_j|^2) / eps).

    g is the dual potential of POT's stabilised Sinkhorn. At the source points themselves this is the plan's barycentric
    projection.

    Args:
        source: Source points (n, d).
        target: Target points (m, d).
        share: Regularisation eps, as a share of the mean cost.
        tolerance: Error of the plan's marginal at which Sinkhorn stops.

    Returns:
        Map.

    Source: Pooladian and Niles-Weed (2021).
    """
    ot = import_ot()
    cost = ot.dist(source, target)
    mean = float(cost.mean())
    scaling = sinkhorn(cost / mean, share, tolerance)

    def at(x: np.ndarray) -> np.ndarray:
        weight = scaling - ot.dist(x, target) / (mean * share)
        return np.exp(weight - logsumexp(weight, axis=1, keepdims=True)) @ target

    return at


def sinkhorn(cost: np.ndarray, regularisation: float, tolerance: float = 1e-4) -> np.ndarray:
    """Scaling vector of the entropic plan diag(u) exp(-cost / eps) diag(v) between uniform weights.

    POT's stabilised Sinkhorn, started from the potentials of ten times the regularisation, and so on from 1 down: from
    zero a small one would underflow.

    Args:
        cost: Costs (n, m).
        regularisation: eps, in the unit of the cost.
        tolerance: Error of the second marginal, as a Euclidean norm, at which it stops.

    Returns:
        log v (m,).

    Raises:
        WorkFailed: Where it ends without finite numbers.
    """
    ot = import_ot()
    a, b = (np.full(k, 1 / k) for k in cost.shape)
    start, stages = None, [regularisation]
    while stages[-1] * 10 <= 1:
        stages.append(stages[-1] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for eps in reversed(stages):
            _, log = ot.bregman.sinkhorn_stabilized(
                a, b, cost, eps, numItermax=5_000, stopThr=tolerance, warmstart=start, log=True, warn=False
            )
            start = log["warmstart"]
    if not np.isfinite(log["logv"]).all():
        raise WorkFailed(f"sinkhorn: no finite potential at regularisation {regularisation:g}; raise it")
    return log["logv"]


def nearest(plan: DiscretePlan) -> Map:
    """Map to the barycentric image of the nearest of the plan's source points.

    Args:
        plan: Plan between two point sets.

    Returns:
        Map.
    """
    tree, image = cKDTree(plan.source), plan.image()
    return lambda x: image[tree.query(x)[1]]


def dirichlet(plan: DiscretePlan, seed: int) -> Map:
    """OTVAE's extension: a random convex combination of the images of the two nearest source points.

    Args:
        plan: Plan between two point sets.
        seed: Seed of the combinations.

    Returns:
        Map, random from call to call.
    """
    draw = np.random.default_rng(seed)
    return lambda x: plan.extend(x, 2, draw)


def interpolated(plan: DiscretePlan) -> Map:
    """Interpolation of the plan's barycentric images by radial functions (SciPy, kernel r).

    Args:
        plan: Plan between two point sets.

    Returns:
        Map, continuous and exact at the source points.
    """
    return RBFInterpolator(plan.source, plan.image(), kernel="linear", degree=1)


def rejecting(transport: TransportMap) -> Map:
    """AE-OT's extension: piecewise linear between cells, source points on the singular set rejected.

    Args:
        transport: Semi-discrete map.

    Returns:
        Map, NaN where a point is rejected.
    """
    angle, centroids = angle_threshold(transport), cell_centroids(transport)

    def at(x: np.ndarray) -> np.ndarray:
        made = np.full(x.shape, np.nan)
        values, fine = extended_at(transport, x, angle, centroids)
        made[fine] = values
        return made

    return at
