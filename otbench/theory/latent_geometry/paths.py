"""Geodesics between chosen codes, found in three ways, beside straight lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from otbench.geometry import (
    LatentGraph,
    Metric,
    curve_length,
    geodesic_bvp,
    geodesic_energy,
    geodesic_graph,
    straight,
)
from otbench.geometry.geodesics import POINTS
from otbench.theory.latent_geometry.vae import Trained
from otbench.utils.progress import Bar

#: nodes at the start of a boundary-value solve from a curve that is nearly right
NODES = 51


@dataclass(frozen=True)
class Solvers:
    """How far solvers go: relative residual and most nodes of boundary-value ones, most iterations of the energy's."""

    tolerance: float
    nodes: int
    iterations: int


@dataclass(frozen=True)
class Paths:
    """Lengths, a row a pair and metric, and the curves (pairs, 101, 2) by name: straight and each metric's best."""

    lengths: pd.DataFrame
    curves: dict[str, np.ndarray]


def chosen(labels: np.ndarray, codes: np.ndarray, pairs: int, generator: np.random.Generator) -> np.ndarray:
    """Random pairs of codes, further apart than the median, every other of one class.

    Args:
        labels: Classes (n,).
        codes: Codes (n, 2).
        pairs: Number of pairs, at most.
        generator: Random stream.

    Returns:
        Places of the two codes of each pair (pairs, 2).
    """
    drawn = generator.integers(0, len(codes), size=(4000, 2))
    apart = np.linalg.norm(codes[drawn[:, 0]] - codes[drawn[:, 1]], axis=1)
    same = labels[drawn[:, 0]] == labels[drawn[:, 1]]
    kinds = []
    for kind in (False, True):
        rows = drawn[(same == kind) & (apart > 0)]
        away = apart[(same == kind) & (apart > 0)]
        kinds.append(rows[away >= np.median(away)] if len(away) else rows)
    picked = [kinds[i % 2][i // 2] for i in range(pairs) if i // 2 < len(kinds[i % 2])]
    return np.array(picked).reshape(-1, 2)


def paths(
    trained: Trained,
    metrics: dict[str, Metric],
    joined: dict[str, LatentGraph],
    pairs: np.ndarray,
    solvers: Solvers,
) -> Paths:
    """Geodesics between pairs of test codes under every metric, in every way.

    The graph's path starts the energy, as the straight line does, and the shorter of the two is kept; that starts one
    boundary-value solve, and the straight line another, as in Arvanitidis et al. (2018).

    Args:
        trained: Autoencoder with its codes.
        metrics: Metrics by name.
        joined: Graphs by the metric's name.
        pairs: Places of test codes (pairs, 2).
        solvers: How far the solvers go.

    Returns:
        Lengths, a row a pair and metric, and the curves.
    """
    rows, curves = [], {name: [] for name in ("straight", *metrics)}
    total = len(pairs) * len(metrics)
    with Bar("latent geometry, geodesics", total) as bar:
        for number, pair in enumerate(pairs):
            start, end = (torch.from_numpy(trained.test_codes[place]) for place in pair)
            curves["straight"].append(straight(start, end, POINTS - 1).numpy())
            for name, metric in metrics.items():
                row, curve = _solved(metric, joined[name], start, end, solvers)
                rows.append({"pair": number + 1, "metric": name, **row})
                curves[name].append(curve)
                bar.update(len(rows))
    return Paths(pd.DataFrame(rows), {name: np.stack(parts) for name, parts in curves.items()})


def _solved(
    metric: Metric, graph: LatentGraph, start: Tensor, end: Tensor, solvers: Solvers
) -> tuple[dict[str, float | bool], np.ndarray]:
    """Lengths of one pair in every way, and the shortest curve found."""
    line = float(curve_length(metric, straight(start, end, POINTS - 1)))
    rough = geodesic_graph(metric, graph, start, end, smooth=False)
    smooth = geodesic_graph(metric, graph, start, end)
    starts = (smooth.curve, None)
    energies = [geodesic_energy(metric, start, end, guess=guess, iterations=solvers.iterations) for guess in starts]
    best = min(energies, key=lambda path: path.length)
    polished = geodesic_bvp(metric, start, end, best.curve, NODES, solvers.tolerance, solvers.nodes)
    plain = geodesic_bvp(metric, start, end, None, 30, solvers.tolerance, solvers.nodes)
    shortest = min((best, polished) if polished.converged else (best,), key=lambda path: path.length)
    row = {
        "straight": line,
        "graph": rough.length,
        "smoothed": smooth.length,
        "energy": best.length,
        "bvp": polished.length if polished.converged else float("nan"),
        "bvp_straight": plain.length if plain.converged else float("nan"),
        "speed": uneven(metric, polished.curve) if polished.converged else float("nan"),
    }
    return row, shortest.curve


def uneven(metric: Metric, curve: np.ndarray) -> float:
    """Unevenness of a curve's speed at equal times; 0 for a geodesic.

    Args:
        metric: Metric of the latent plane.
        curve: Points (T, 2) at equal times.

    Returns:
        Standard deviation of the speed over its mean.
    """
    points = torch.from_numpy(np.ascontiguousarray(curve))
    steps = torch.stack([curve_length(metric, points[i : i + 2]) for i in range(len(points) - 1)])
    return float(steps.std() / steps.mean())


def emptiness(curves: np.ndarray, codes: np.ndarray) -> float:
    """Distance in the latent plane from curves to the training codes.

    Args:
        curves: Points (pairs, T, 2).
        codes: Training codes (n, 2).

    Returns:
        Mean over the points of the distance to the nearest code.
    """
    away, _ = cKDTree(codes).query(curves.reshape(-1, 2))
    return float(away.mean())
