"""Targets in the plane for the study of singular sets, and the diagrams that lead to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from otbench.theory.shared.quantise import DENSE, Quantised, quantise, uniform_in
from otbench.transport import Source, TransportMap, box, polygon, singular_set, solve

TARGETS = ("ellipse", "clusters", "dumbbell", "annulus", "holed")
TITLES = {
    "ellipse": "ellipse (convex)",
    "clusters": "two clusters",
    "dumbbell": "dumbbell",
    "annulus": "ring",
    "holed": "notched, with hole",
}
AXES = (1.2, 0.6)
#: of the two clusters: distance of the centres from the origin, and radius; half height of the dumbbell's bar
AWAY, RADIUS, BAR = 0.9, 0.5, 0.12
#: of the ring: radius of its hole, and outer radius
HOLE, OUTER = 0.5, 1.0
CORNERS = 256
#: jumps of fewer spacings of the target cannot be distinguished from the sampling
COARSE = 3.0


@dataclass(frozen=True)
class Case:
    """One target with its exact map.

    target: the quantised law; transport: the map onto it; pairs (E, 2), jumps (E,), facets (E, 2, 2): all inner facets;
    singular (E,): which of them the map jumps across; rule: what the angle rule of the library finds instead (modes,
    length).
    """

    name: str
    target: Quantised
    transport: TransportMap
    pairs: np.ndarray
    jumps: np.ndarray
    facets: np.ndarray
    singular: np.ndarray
    modes: int
    rule_length: float

    @property
    def lengths(self) -> np.ndarray:
        """Lengths of the facets (E,)."""
        return np.linalg.norm(self.facets[:, 1] - self.facets[:, 0], axis=1)

    @property
    def ridge(self) -> np.ndarray:
        """The singular facets (S, 2, 2)."""
        return self.facets[self.singular]


def source_of(name: str) -> Source:
    """Source about the origin.

    Args:
        name: square for the square of side 2, else the unit disk, as a polygon of 256 corners.

    Returns:
        Uniform law on it.
    """
    if name == "square":
        return box([-1, -1], [1, 1])
    turn = 2 * np.pi * np.arange(CORNERS) / CORNERS
    return polygon(np.stack([np.cos(turn), np.sin(turn)], axis=1))


def inside(name: str, y: np.ndarray) -> np.ndarray:
    """Whether points lie in the target's support.

    Args:
        name: One of TARGETS.
        y: Points (m, 2).

    Returns:
        Booleans (m,).
    """
    a, b = y.T
    if name == "ellipse":
        return (a / AXES[0]) ** 2 + (b / AXES[1]) ** 2 <= 1
    if name == "annulus":
        return (np.hypot(a, b) >= HOLE) & (np.hypot(a, b) <= OUTER)
    clusters = np.hypot(np.abs(a) - AWAY, b) <= RADIUS
    if name == "clusters":
        return clusters
    if name == "dumbbell":
        return clusters | ((np.abs(a) <= AWAY) & (np.abs(b) <= BAR))
    # Like the AE-OT paper's Fig. 5: one inner hole off the middle, and the outline drawn in on one side.
    hole = ((a - 0.3) / 0.25) ** 2 + (b / 0.5) ** 2 < 1
    notch = (a < -0.25) & (np.abs(b) < 0.45 * (-0.25 - a))
    return (np.hypot(a, b) <= 1) & ~hole & ~notch


def outside_by(name: str, y: np.ndarray) -> np.ndarray:
    """Distance from points to the support of the clusters or the ring.

    Args:
        name: clusters or annulus.
        y: Points (m, 2).

    Returns:
        Distances (m,), 0 inside.
    """
    r = np.hypot(*y.T)
    if name == "annulus":
        return np.maximum(0, np.maximum(HOLE - r, r - OUTER))
    return np.maximum(0, np.hypot(np.abs(y[:, 0]) - AWAY, y[:, 1]) - RADIUS)


def quantised(name: str, n: int, generator: np.random.Generator) -> Quantised:
    """Quantised uniform law on the target; the clusters are each other's mirror image.

    Args:
        name: One of TARGETS.
        n: Number of points, at most.
        generator: Random stream.

    Returns:
        Points (k, 2), k <= n, with weights (k,).
    """
    high = np.array([1.5, 1.1])
    low = np.array([0.0, -1.1]) if name == "clusters" else -high
    count = n // 2 if name == "clusters" else n
    dense, size = uniform_in(lambda y: inside(name, y), low, high, DENSE * count, generator)
    law = quantise(dense, count, size)
    if name != "clusters":
        return law
    points, weights, dense = (np.concatenate([v, v]) for v in (law.points, law.weights / 2, dense))
    points[: len(points) // 2, 0] *= -1
    dense[: len(dense) // 2, 0] *= -1
    return Quantised(points, weights, 2 * size, law.error, dense)


def solved(name: str, source: Source, n: int, jump: float, generator: np.random.Generator) -> Case:
    """Exact map onto a target, with its facets.

    Args:
        name: One of TARGETS.
        source: Source of the map.
        n: Number of target points, at most.
        jump: Singular are facets whose targets stand further apart than this and than three spacings, which ordinary
            neighbours in a quantised law do not.
        generator: Random stream.

    Returns:
        Target, map and facets.
    """
    target = quantised(name, n, generator)
    transport = solve(target.points, target.weights, source)
    every, ruled = singular_set(transport, 0.0), singular_set(transport)
    assert every.facets is not None
    singular = every.jumps > max(jump, COARSE * target.spacing)
    return Case(
        name, target, transport, every.pairs, every.jumps, every.facets, singular, ruled.rule.modes, ruled.length
    )


def counts(transport: TransportMap, tolerance: float = 1e-9) -> tuple[int, int, int]:
    """Vertices, edges and cells of the power diagram in the source's polygon.

    Args:
        transport: Map from a polygon.
        tolerance: Distance between ends of facets below which they are one vertex, in units of the source's size.

    Returns:
        V, E and F, with V - E + F = 1 (Euler, without the outside).
    """
    owner, start, end = transport.cells.segments
    ends = np.concatenate([start, end])
    size = float(np.max(np.ptp(ends, axis=0)))
    close = cKDTree(ends).query_pairs(tolerance * size, output_type="ndarray")
    graph = coo_matrix((np.ones(len(close)), (close[:, 0], close[:, 1])), shape=(len(ends), len(ends)))
    _, vertex = connected_components(graph, directed=False)
    sides = np.sort(vertex.reshape(2, -1).T, axis=1)
    edges = np.unique(sides[sides[:, 0] != sides[:, 1]], axis=0)
    return len(np.unique(edges)), len(edges), len(np.unique(owner[sides[:, 0] != sides[:, 1]]))


def distance_to(facets: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Distance from points to the nearest of some segments.

    Args:
        facets: Ends of the segments (S, 2, 2).
        x: Points (m, 2).

    Returns:
        Distances (m,), infinite where there is no segment.
    """
    nearest = np.full(len(x), np.inf)
    for a, b in facets:
        step = b - a
        share = np.clip((x - a) @ step / max(step @ step, 1e-300), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(x - a - share[:, None] * step, axis=1))
    return nearest


def outside_share(case: Case, steps: int = 41) -> float:
    """Share of the singular dual edges' length that lies outside the target's support.

    Args:
        case: Target with its exact map.
        steps: Points on each edge that are tried.

    Returns:
        Share; NaN where there are no singular edges.
    """
    a, b = (case.transport.target[case.pairs[case.singular, c]] for c in (0, 1))
    if not len(a):
        return float("nan")
    t = (np.arange(steps) + 0.5)[:, None, None] / steps
    out = ~inside(case.name, ((1 - t) * a + t * b).reshape(-1, 2)).reshape(steps, -1)
    return float(np.average(out.mean(0), weights=case.jumps[case.singular]))
