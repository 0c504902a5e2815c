"""The hierarchical method of Lei et al. 2020 (section 4): transport to clusters' centres, then within their cells.

The targets are put into clusters; a map T0 from the source to the clusters' mass centres, each as heavy as its cluster,
has cells V_k; in each V_k a second map goes to the cluster's own targets. The whole, x -> the target of cluster k(x)
that the second map of that cell has, gives every target its mass. It is not the optimal map: the borders of the V_k are
those of the centres, and the pieces together are the gradient of no convex function. A point costs a comparison with K
centres and with the n / K targets of one cluster, in place of all n.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from otbench.errors import OtbenchError
from otbench.transport.draws import Draws
from otbench.transport.kernel import best, best_of
from otbench.transport.map import TransportMap
from otbench.transport.sources import Source
from otbench.transport.stochastic import solve_stochastic

#: points of one pass
CHUNK = 65_536
#: share of the tolerance that the map to the centres may miss: no second map can make it good
FIRST = 0.3


@dataclass(frozen=True)
class Hierarchy:
    """Clusters of targets and the cells that the first map gives them.

    first: map from the source to the clusters' centres (K, d); members: the targets of every cluster, indices.
    """

    first: TransportMap
    members: list[np.ndarray]

    def parts(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Which points lie in the cell of which cluster.

        Args:
            x: Points (m, d).

        Returns:
            Indices of the points in each V_k, K tensors.
        """
        cluster = self.first.cell(x)
        order = cluster.argsort(stable=True)
        return list(order.split(torch.bincount(cluster, minlength=len(self.members)).tolist()))


class WithinCells(Draws):
    """Source points and the targets that the second maps send them to; what `solve_stochastic` asks of `Draws`."""

    def __init__(self, target: np.ndarray, law: Source, device: str, seed: int, hierarchy: Hierarchy) -> None:
        super().__init__(target, law, device, "plain", seed)
        self.hierarchy = hierarchy
        self.rows = [torch.as_tensor(rows, device=device) for rows in hierarchy.members]

    def best(
        self, h: torch.Tensor, size: int, generator: torch.Generator | None = None, half: int | None = None
    ) -> torch.Tensor:
        """Targets that fresh points are sent to, indices (size,); `half` has no meaning here."""
        x = self.points(size, generator)
        return self.sent(x, h)

    def sent(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """Targets of given points.

        Args:
            x: Points (m, d) about the source's mean.
            h: Heights (n,) inside.

        Returns:
            Indices (m,).
        """
        index, low = torch.empty(len(x), dtype=torch.int64, device=x.device), h.float()
        for mine, rows in zip(self.hierarchy.parts(x + self.shift), self.rows, strict=True):
            if len(mine):
                index[mine] = rows[best(x[mine], self.y[rows], low[rows])[1]]
        return index

    def gap(self, h: torch.Tensor, size: int) -> float:
        """Mean gap between the two highest planes of a point's own cluster; clusters of one target have none."""
        x, low = self.points(size, self.other), h.float()
        gaps = [torch.zeros(0, device=x.device)]
        for mine, rows in zip(self.hierarchy.parts(x + self.shift), self.rows, strict=True):
            if len(mine) and len(rows) > 1:
                top, _ = best_of(x[mine], self.y[rows], low[rows], 2)
                gaps.append(top[:, 0] - top[:, 1])
        every = torch.cat(gaps)
        return float(every.mean()) if len(every) else 0.0

    def moments(self, h: torch.Tensor, points: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Masses of the targets, sums of the points sent to each, and the mean of <x, T(x)>.

        Args:
            h: Heights (n,) inside.
            points: Number of fresh points.

        Returns:
            Counts (n,), sums (n, d) about the source's mean, and the mean inner product with the centred targets.
        """
        counts = torch.zeros(len(h), dtype=torch.int64, device=h.device)
        sums = torch.zeros((len(h), self.law.dimension), dtype=torch.float64, device=h.device)
        inner, done = 0.0, 0
        while done < points:
            x = self.points(min(CHUNK, points - done), self.other)
            index = self.sent(x, h)
            counts += torch.bincount(index, minlength=len(h))
            sums.index_add_(0, index, x.double())
            inner += float((x * self.y[index]).sum(dtype=torch.float64))
            done += len(x)
        return counts.cpu().numpy(), sums.cpu().numpy(), inner / points


@dataclass(frozen=True)
class Solved:
    """The two maps as one: heights (n,) within the clusters, centroids (n, d) of the targets' pieces of the source
    (NaN where no point fell) and the certificate of the whole.
    """

    heights: np.ndarray
    centroids: np.ndarray
    certificate: dict[str, float]


def solve_hierarchical(
    target: np.ndarray,
    law: Source,
    clusters: int | None = None,
    tolerance: float = 0.1,
    seed: int = 0,
    points: int | None = None,
    device: str | None = None,
) -> Solved:
    """Transport to the centres of clusters, then within their cells (Lei et al. 2020, section 4).

    How targets are put into clusters and how the maps are solved is not in the paper: k-means here, and the suite's
    stochastic solver for both steps, all second maps at once.

    Args:
        target: Target points (n, d), all equally heavy.
        law: Source of the map.
        clusters: Number K of clusters; None: the root of n.
        tolerance: Mean relative error of the targets' masses.
        seed: Seed of clusters and points.
        points: Number of fresh points of the certificate; None: 200 a target, 200,000 at least.
        device: Device of the solver; default: the GPU where there is one.

    Returns:
        Heights, whose differences count within a cluster alone, centroids and certificate.

    Raises:
        OtbenchError: Where there are more clusters than targets.
    """
    began = time.perf_counter()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    n = len(target)
    hierarchy = clustered(target, law, clusters or max(1, math.isqrt(n)), FIRST * tolerance, seed, device)
    draws = WithinCells(target, law, device, seed, hierarchy)
    weights, drawn = np.full(n, 1 / n), points or max(200 * n, 200_000)
    heights, info, error = _second(draws, weights, tolerance, seed, drawn)
    seconds = time.perf_counter() - began
    inside = draws.inward(heights)
    counts, sums, inner = draws.moments(inside, drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        centroids = np.where(counts[:, None] > 0, sums / counts[:, None], np.nan) + law.mean
    mass = counts / drawn
    about = target - draws.middle
    # mean |x - T|^2 = E|x - c|^2 + E|T - m|^2 - 2 E<x - c, T - m> + what the two means add
    cross = 2 * float((mass @ about) @ (draws.middle - law.mean))
    apart = float(((draws.middle - law.mean) ** 2).sum())
    cost = float(np.trace(law.covariance)) + float(mass @ (about**2).sum(1)) - 2 * inner + cross + apart
    numbers = {"map_mean_cell_error": error, "map_max_cell_error": float(np.abs(mass * n - 1).max())}
    numbers |= {"map_empty_cells": float((counts == 0).sum()), "map_cost": cost, "map_points": float(drawn)}
    numbers |= {"map_tolerance": tolerance, "map_tolerance_met": float(error <= tolerance), "map_exact": 0.0}
    numbers |= {"map_clusters": float(len(hierarchy.members)), "map_seconds": seconds}
    numbers |= {"map_steps": float(info["steps"]), "map_solver_points": float(info["points"])}
    return Solved(joined(heights, draws, hierarchy), centroids, numbers)


def _second(
    draws: WithinCells, weights: np.ndarray, tolerance: float, seed: int, points: int
) -> tuple[np.ndarray, dict[str, Any], float]:
    """Heights of the second maps, what happened and their error on many points; goes on where it stopped too early."""
    goal, heights, seen, error = tolerance, None, 0, math.inf
    nu, info = torch.as_tensor(weights, device=draws.device), {}
    for _ in range(4):
        words = {"heights": heights, "seen": seen, "seed": seed, "device": draws.device, "draws": draws}
        heights, info = solve_stochastic(draws.target, weights, draws.law, goal, **words)
        error, seen = draws.error(draws.inward(heights), nu, points), int(info["points"])
        if error <= tolerance:
            break
        goal *= 0.7
    assert heights is not None
    return heights, info, error


def clustered(target: np.ndarray, law: Source, clusters: int, tolerance: float, seed: int, device: str) -> Hierarchy:
    """Clusters of the targets (k-means), and the map to their mass centres.

    Args:
        target: Target points (n, d).
        law: Source of the map.
        clusters: Number K of clusters.
        tolerance: Mean relative error of the clusters' masses.
        seed: Seed of clusters and points.
        device: Device of the solver.

    Returns:
        The map and the targets of every cluster.

    Raises:
        OtbenchError: Where there are more clusters than targets.
    """
    from sklearn.cluster import KMeans

    from otbench.transport.solve import solve

    if not 1 <= clusters <= len(target):
        raise OtbenchError(f"solve: expected 1 to {len(target)} clusters, got {clusters}")
    label = KMeans(clusters, n_init=1, random_state=seed % 2**32).fit(target).labels_
    members = [rows for k in range(clusters) if len(rows := np.flatnonzero(label == k))]
    centres = np.stack([target[rows].mean(0) for rows in members])
    masses = np.array([len(rows) for rows in members]) / len(target)
    first = solve(centres, masses, law, tolerance, method="stochastic", seed=seed, device=device)
    return Hierarchy(first, members)


def joined(heights: np.ndarray, draws: WithinCells, hierarchy: Hierarchy, points: int = CHUNK) -> np.ndarray:
    """Heights made comparable between clusters: on its own cell each cluster's potential has the mean of its centre's.

    Only for what asks for one potential over all targets, such as the order of planes at a point.

    Args:
        heights: Heights (n,) whose differences count within a cluster.
        draws: Points, and the cells that they fall into.
        hierarchy: Clusters and the map to their centres.
        points: Number of fresh points.

    Returns:
        Heights (n,) of mean zero.
    """
    x = draws.points(points, draws.other) + draws.shift
    out = heights.copy()
    for mine, rows, k in zip(hierarchy.parts(x), hierarchy.members, range(len(hierarchy.members)), strict=True):
        if len(mine) == 0:
            continue
        part = x[mine].double().cpu().numpy()
        plane = part @ hierarchy.first.target[k] + hierarchy.first.heights[k]
        value = (part @ draws.target[rows].T + heights[rows]).max(1)
        out[rows] += plane.mean() - value.mean()
    return out - out.mean()
