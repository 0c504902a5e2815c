"""Transport between two point clouds through POT, and OTVAE's extension of it to new source points."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial import cKDTree

from otbench.errors import OtbenchError, WorkFailed
from otbench.transport.extension import numpy_generator
from otbench.transport.solve import checked
from otbench.transport.sources import Source, named

# The network simplex holds the cost, the plan and its own arrays: about 40 bytes a pair of points in float64.
BYTES_PER_PAIR = 40
MEMORY = 4e9


@dataclass(frozen=True)
class DiscretePlan:
    """A transport plan between point clouds for the cost |x - y|^2.

    source (n, d); target (m, d); plan (n, m), sparse, of total mass one; cost: its transport cost; info: what was
    solved, and what was left out.
    """

    source: np.ndarray
    target: np.ndarray
    plan: csr_matrix
    cost: float
    info: dict[str, Any] = field(default_factory=dict)

    def image(self) -> np.ndarray:
        """Barycentric images of the source points: the matched target points where the plan is a matching.

        Returns:
            Images (n, d).
        """
        mass = np.asarray(self.plan.sum(axis=1)).ravel()
        return (self.plan @ self.target) / mass[:, None]

    def extend(self, x: np.ndarray, k: int = 2, generator: Any = None) -> np.ndarray:
        """OTVAE's extension: a new point gets a random convex combination of the images of its nearest source points.

        Args:
            x: New source points (q, d).
            k: Number of nearest source points; their weights are Dirichlet(1, ..., 1).
            generator: Draws the weights: a numpy or torch Generator, or a seed.

        Returns:
            Points (q, d).

        Raises:
            OtbenchError: Where x has another shape, or k is below one.
        """
        x = np.asarray(x, float)
        if x.ndim != 2 or x.shape[1] != self.source.shape[1]:
            raise OtbenchError(f"extend: expected source points (q, {self.source.shape[1]}), got {x.shape}")
        k = min(k, len(self.source))
        if k < 1:
            raise OtbenchError("extend: expected at least one neighbour")
        _, near = cKDTree(self.source).query(x, k=k)
        weight = numpy_generator(generator).dirichlet(np.ones(k), size=len(x))
        return (weight[:, :, None] * self.image()[near.reshape(len(x), k)]).sum(1)


def plan(
    source: Any,
    target: Any,
    weights: Any = None,
    method: str = "exact",
    regularisation: float = 0.01,
    memory: float = MEMORY,
    seed: int = 0,
) -> DiscretePlan:
    """The optimal plan from uniform mass on the source to weights on the target, for |x - y|^2.

    Args:
        source: Source points (n, d).
        target: Target points (m, d).
        weights: Weights (m,) of the target, positive, in any unit; uniform by default.
        method: exact (POT's network simplex) or sinkhorn (entropic, in the log domain).
        regularisation: Entropic regularisation of sinkhorn, in units of the mean cost.
        memory: Bytes that the n m pairs may take. Where they need more, both clouds are subsampled without replacement
            to the largest sizes that fit, in proportion, and info["subsampled"] says from what to what: the plan is
            then exact for the subsamples.
        seed: Seed of the subsamples.

    Returns:
        Plan of total mass one, and its cost.

    Raises:
        OtbenchError: Where the input is wrong.
        WorkFailed: Where POT does not converge.
    """
    import ot

    x, _ = checked(source)
    y, nu = checked(target, weights)
    if x.shape[1] != y.shape[1]:
        raise OtbenchError(f"plan: source points have {x.shape[1]} coordinates and target points {y.shape[1]}")
    if method not in ("exact", "sinkhorn"):
        raise OtbenchError(f"plan: method must be exact or sinkhorn, got {method!r}")
    info: dict[str, Any] = {"method": method}
    share = np.sqrt(memory / (BYTES_PER_PAIR * len(x) * len(y)))
    if share < 1:
        random = np.random.default_rng(seed)
        i = np.sort(random.choice(len(x), max(1, int(share * len(x))), replace=False))
        j = np.sort(random.choice(len(y), max(1, int(share * len(y))), replace=False))
        info["subsampled"] = {"source": [len(x), len(i)], "target": [len(y), len(j)]}
        x, y, nu = x[i], y[j], nu[j] / nu[j].sum()
    mu = np.full(len(x), 1 / len(x))
    cost = ot.dist(x, y)
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        if method == "exact":
            coupling = ot.emd(mu, nu, cost, numItermax=max(1_000_000, 50 * (len(x) + len(y))))
        else:
            coupling = ot.sinkhorn(mu, nu, cost, regularisation * cost.mean(), method="sinkhorn_log", numItermax=10_000)
    if any("converge" in str(w.message) or "numItermax" in str(w.message) for w in messages):
        raise WorkFailed(f"plan: POT's {method} solver did not converge ({messages[-1].message})")
    value = float((coupling * cost).sum())
    return DiscretePlan(x, y, coo_matrix(coupling).tocsr(), value, info)


def otvae_samples(
    transport: DiscretePlan, m: int, source: str | Source = "gaussian", k: int = 2, generator: Any = None
) -> np.ndarray:
    """New codes of OTVAE: fresh source points, extended from their nearest neighbours.

    Args:
        transport: Plan from samples of the source to the codes.
        m: Number of codes.
        source: Law that the plan's source came from: a name or a Source.
        k: Number of nearest source points of each new one.
        generator: Draws points and weights: a numpy or torch Generator, or a seed.

    Returns:
        Codes (m, d).
    """
    draw = numpy_generator(generator)
    x = named(source, transport.source.shape[1]).sample(m, draw)
    return transport.extend(x, k, draw)
