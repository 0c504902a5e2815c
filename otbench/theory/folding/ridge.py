"""The singular set of a map in space from sampled source points: points of its facets, their jumps and their area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otbench.transport import TransportMap
from otbench.transport.sampling import highest_at

BLOCK = 100_000


@dataclass(frozen=True)
class Ridge:
    """The facets across which a map jumps by more than a threshold.

    points (m, 3) of the facets, spread evenly over their area, with the jumps (m,) across them; pairs: their number;
    facets: the number of all pairs of neighbours seen; area, in units of x squared; jumps_of_pairs (pairs,); touching:
    mass of the cells that have such a facet; ordinary: largest jump below the threshold.
    """

    points: np.ndarray
    jumps: np.ndarray
    pairs: int
    facets: int
    area: float
    jumps_of_pairs: np.ndarray
    touching: float
    ordinary: float


def ridge(transport: TransportMap, threshold: float, volume: float, layer: float, samples: int, seed: int) -> Ridge:
    """Ridge of the Brenier potential from fresh source points.

    A source point in cell i whose second highest plane is j lies (u_i - u_j) / |y_i - y_j| from the facet between them;
    those within `layer` of a facet, projected onto it, are spread evenly over the facets, and their share times volume
    / (2 layer) is the facets' area, to first order in the layer.

    Args:
        transport: Map whose facets are looked for.
        threshold: Distance between two targets above which their facet counts as singular.
        volume: Volume of the source.
        layer: Largest distance of a source point from its facet.
        samples: Number of source points.
        seed: Seed of their draw.

    Returns:
        Facets across which the map jumps by more than the threshold.
    """
    projected, second, distance, seen = [], [], [], []
    generator = np.random.default_rng(seed)
    y, h = transport.target, transport.heights
    first, _ = transport.groups
    for begin in range(0, samples, BLOCK):
        x = transport.source.sample(min(BLOCK, samples - begin), generator)
        i, j = first[highest_at(transport, x, 2)].T
        step = y[i] - y[j]
        apart = np.linalg.norm(step, axis=1)
        away = ((x * step).sum(1) + h[i] - h[j]) / apart
        seen.append(np.unique(np.sort(np.stack([i, j], axis=1), axis=1), axis=0))
        near = (away < layer) & (apart > threshold)
        projected.append(x[near] - (away / apart)[near, None] * step[near])
        second.append(np.sort(np.stack([i, j], axis=1)[near], axis=1))
        distance.append(apart[near])
    pairs = np.unique(np.concatenate(seen), axis=0)
    jumps = np.linalg.norm(y[pairs[:, 0]] - y[pairs[:, 1]], axis=1)
    above = jumps > threshold
    points, hit = np.concatenate(projected), np.unique(np.concatenate(second))
    mass = float(transport.weights[hit].sum())
    ordinary = float(jumps[~above].max()) if (~above).any() else float("nan")
    area = volume * len(points) / samples / (2 * layer)
    return Ridge(points, np.concatenate(distance), int(above.sum()), len(pairs), area, jumps[above], mass, ordinary)
