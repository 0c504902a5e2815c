"""Shortest paths through a graph over the latent space: distances between many points, and starts for geodesics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from torch import Tensor

from otbench.errors import OtbenchError
from otbench.geometry.geodesics import POINTS, Geodesic, measured
from otbench.geometry.metric import Metric

#: straight segments whose lengths are computed at once
CHUNK = 1_000


@dataclass(frozen=True)
class LatentGraph:
    """Points of a latent space, joined to their neighbours; an edge weighs the length of its straight segment.

    nodes (n, d) float64. weights: sparse (n, n), symmetric, lengths in the metric. A path in the graph is a curve, so
    its distances are never below the geodesic ones.
    """

    nodes: np.ndarray
    weights: csr_array

    def distances(self, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Lengths of the shortest paths between nodes.

        Args:
            sources: Indices (s,) of the nodes where paths start.
            targets: Indices (t,) of the nodes where paths end.

        Returns:
            Lengths (s, t), in the metric; infinite where no path joins two nodes.
        """
        return dijkstra(self.weights, directed=False, indices=sources)[:, targets]

    def path(self, source: int, target: int) -> np.ndarray:
        """The shortest path between two nodes.

        Args:
            source: Index of the first node.
            target: Index of the last node.

        Returns:
            Nodes (T, d) of the path, ends included.

        Raises:
            OtbenchError: Where no path joins the two nodes.
        """
        _, before = dijkstra(self.weights, directed=False, indices=source, return_predecessors=True)
        steps = [target]
        while steps[-1] != source:
            if before[steps[-1]] < 0:
                raise OtbenchError("graph: no path joins the two points: take more neighbours")
            steps.append(int(before[steps[-1]]))
        return self.nodes[steps[::-1]]


def grid(low: np.ndarray, high: np.ndarray, points: int) -> np.ndarray:
    """The nodes of a regular grid over a box, ends included.

    Args:
        low: Lower corner (d,).
        high: Upper corner (d,).
        points: Number of nodes along each axis.

    Returns:
        Nodes (points^d, d).
    """
    axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def latent_graph(metric: Metric, nodes: np.ndarray, neighbours: int, backbone: int = 0) -> LatentGraph:
    """The graph that joins each node to its nearest neighbours, edges weighed by the metric.

    On a grid 24 neighbours are the 5 x 5 block: paths are then at most 2.8 % too long where the metric is as even as
    the grid is, and longer where it favours one axis.

    Args:
        metric: Metric of the latent space.
        nodes: Points (n, d).
        neighbours: Number of nearest nodes that each node is joined to.
        backbone: Every node is joined to its nearest `neighbours` / 2 of that many first nodes (a grid, say) besides,
            so that a dense group of points is not cut off; 0 leaves this out.

    Returns:
        Graph over the nodes, whose edges weigh the lengths of their straight segments.

    Raises:
        OtbenchError: Where there are no more nodes than neighbours.
    """
    if len(nodes) <= neighbours:
        raise OtbenchError(f"graph: {neighbours} neighbours need more nodes than that, got {len(nodes)}")
    edges = [_nearest(nodes, nodes, neighbours + 1)]
    if backbone:
        edges.append(_nearest(nodes, nodes[:backbone], min(neighbours // 2 + 1, backbone)))
    pairs = np.concatenate(edges)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    points = torch.from_numpy(np.asarray(nodes, dtype=np.float64))
    lengths = segment_lengths(metric, points[pairs[:, 0]], points[pairs[:, 1]]).numpy()
    # A zero would be no edge at all in a sparse matrix: points that coincide are a hair apart.
    lengths = np.maximum(lengths, 1e-12)
    weights = csr_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(len(nodes), len(nodes)))
    return LatentGraph(points.numpy(), (weights + weights.T).tocsr())


def segment_lengths(metric: Metric, starts: Tensor, ends: Tensor, order: int = 2) -> Tensor:
    """Lengths in the metric of straight segments.

    Args:
        metric: Metric of the latent space.
        starts: First ends (n, d).
        ends: Last ends (n, d).
        order: Number of Gauss-Legendre points of each segment.

    Returns:
        Lengths (n,).
    """
    at, weights = np.polynomial.legendre.leggauss(order)
    total = starts.new_zeros(len(starts))
    with torch.no_grad():
        for first in range(0, len(starts), CHUNK):
            rows = slice(first, first + CHUNK)
            step = ends[rows] - starts[rows]
            for where, weight in zip((at + 1) / 2, weights / 2, strict=True):
                of = metric(starts[rows] + where * step)
                total[rows] += weight * torch.einsum("ni,nij,nj->n", step, of, step).clamp_min(0).sqrt()
    return total


def geodesic_graph(
    metric: Metric, graph: LatentGraph, start: Tensor, end: Tensor, neighbours: int = 24, smooth: bool = True
) -> Geodesic:
    """The shortest path through a graph between two points, as a curve.

    Args:
        metric: Metric of the latent space.
        graph: Graph over the latent space.
        start: First point (d,) float64.
        end: Last point (d,) float64.
        neighbours: Number of nearest nodes that each of the two points is joined to.
        smooth: Whether a mean over 3 points and a cubic spline take off the corners; the spline's times are the lengths
            along the path, so that it may start `geodesic_bvp` or `geodesic_energy`.

    Returns:
        The curve and its length.

    Raises:
        OtbenchError: Where no path joins the two points.

    Source: Arvanitidis et al. 2018, there over 100 k-means centres and 5 neighbours.
    """
    ends = torch.stack([start, end])
    to = _nearest(ends.numpy(), graph.nodes, min(neighbours, len(graph.nodes)))
    lengths = segment_lengths(metric, ends[to[:, 0]], torch.from_numpy(graph.nodes)[to[:, 1]]).numpy()
    n = len(graph.nodes)
    rows, columns = to[:, 0] + n, to[:, 1]
    old = graph.weights.tocoo()
    weights = csr_array(
        (
            np.concatenate([old.data, np.maximum(lengths, 1e-12)]),
            (np.concatenate([old.coords[0], rows]), np.concatenate([old.coords[1], columns])),
        ),
        shape=(n + 2, n + 2),
    )
    path = LatentGraph(np.concatenate([graph.nodes, ends.numpy()]), weights).path(n, n + 1)
    if not smooth or len(path) < 4:
        return measured(metric, torch.from_numpy(np.ascontiguousarray(path)))
    path[1:-1] = (path[:-2] + path[1:-1] + path[2:]) / 3
    steps = segment_lengths(metric, torch.from_numpy(path[:-1].copy()), torch.from_numpy(path[1:].copy())).numpy()
    times = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-12))])
    curve = CubicSpline(times / times[-1], path)(np.linspace(0, 1, POINTS))
    return measured(metric, torch.from_numpy(curve))


def _nearest(points: np.ndarray, nodes: np.ndarray, count: int) -> np.ndarray:
    """Pairs (of a point, of one of its nearest nodes) (m, 2)."""
    _, index = cKDTree(nodes).query(points, k=count)
    index = np.asarray(index).reshape(len(points), -1)
    return np.stack([np.repeat(np.arange(len(points)), index.shape[1]), index.ravel()], axis=1)
