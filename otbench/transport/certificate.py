"""The certificate of a map: numbers that anyone can recompute from the map alone."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from otbench.transport.duality import dual, dual_gap, transport_cost, wasserstein
from otbench.transport.envelope import Envelope
from otbench.transport.sampling import Sampled, sampled

CONFIDENCE = 0.95


def certificate(transport: Envelope, points: int | None = None, seed: int = 1) -> dict[str, float]:
    """How far a map is from optimal transport onto its weights.

    Where cells are not exact, all of it comes from `points` fresh points: the mean error has its Monte-Carlo floor
    taken out (map_mean_cell_error_raw is before, _floor the floor), and _low and _high bound the mean error, the
    largest error (simultaneously over cells) and the dual value at 95 per cent. The tolerance is on the largest error
    where the solver was exact, on the mean error of a stochastic solve whose cells are exact, and else on the upper
    bound of the mean error.

    Args:
        transport: Map to certify.
        points: Number of fresh source points where cells are not exact; default: as many as `enough` says.
        seed: Seed of the source points.

    Returns:
        Numbers by name, all floats:
        map_max_cell_error, map_mean_cell_error: largest and mean |w_i - nu_i| / nu_i over distinct targets;
        map_empty_cells;
        map_marginal_chi2: sum (w_i - nu_i)^2 / nu_i;
        map_dual_value: E(h) = mean u - <nu, h>;
        map_cost: mean |x - T(x)|^2 of the map as it is;
        map_dual_gap: cost of a plan with the right marginals less the dual value (both for |x - y|^2), >= 0, zero only
        at the optimum;
        map_w2;
        map_tolerance, map_tolerance_met (1 or 0), where the map has a tolerance;
        map_exact (1 where no sampling was involved).
    """
    if transport.exact:
        return _exact(transport)
    first, _ = transport.groups
    drawn = sampled(transport, points or enough(len(first), transport.info.get("tolerance") or 0.05), seed)
    return _sampled(transport, drawn)


def enough(n: int, tolerance: float) -> int:
    """Number of points on which n cells' mean error can be told from the tolerance.

    Their noise adds n / N to the mean squared error, known up to a factor 1 + (2 / n)^1/2; N makes the unknown part
    tolerance^2 / 24, so that a mean error near the tolerance is known to 1/48 of it.

    Args:
        n: Number of cells.
        tolerance: Mean relative cell error.

    Returns:
        Number of points N, at most 2,000,000 or 20 a cell.
    """
    return int(min(max(200_000, 4 * n, 24 * (2 * n) ** 0.5 / tolerance**2), max(2_000_000, 20 * n)))


def _exact(transport: Envelope) -> dict[str, float]:
    cells, weights = transport.cells, transport.group_weights
    mass = cells.sizes / cells.sizes.sum()
    error = np.abs(mass - weights) / weights
    numbers = {
        "map_max_cell_error": error.max(),
        "map_mean_cell_error": error.mean(),
        "map_empty_cells": (mass == 0).sum(),
        "map_marginal_chi2": (error**2 * weights).sum(),
        "map_dual_value": dual(transport),
        "map_dual_gap": dual_gap(transport, mass, cells.centroids),
        "map_cost": transport_cost(transport, mass, cells.centroids),
        "map_w2": wasserstein(transport),
        "map_exact": 1.0,
    }
    # A stochastic solve was asked for a mean error, also where the certificate can be exact.
    stochastic = transport.info.get("method") == "stochastic"
    return _judged(transport, numbers, numbers["map_mean_cell_error" if stochastic else "map_max_cell_error"])


def _sampled(transport: Envelope, drawn: Sampled) -> dict[str, float]:
    weights, points = transport.group_weights, drawn.points
    counts, mass = drawn.counts.sum(0), drawn.mass
    error = np.abs(mass - weights) / weights
    mean, spread, floor = _mean_error(drawn.counts, weights)
    tail = (1 - CONFIDENCE) / (2 * len(weights))
    low = np.where(counts > 0, beta.ppf(tail, counts, points - counts + 1), 0.0)
    high = beta.ppf(1 - tail, counts + 1, np.maximum(points - counts, 1e-9))
    inside = np.maximum(0, np.maximum(low - weights, weights - high)) / weights
    outside = np.maximum(high - weights, weights - low) / weights
    value = drawn.mean_potential - float(transport.weights @ transport.heights)
    half = 2.131 * drawn.potentials.std(ddof=1) / np.sqrt(len(drawn.potentials))
    spread_all = transport.source.second_moment + transport.weights @ (transport.target**2).sum(1)
    numbers = {
        "map_max_cell_error": error.max(),
        "map_max_cell_error_low": inside.max(),
        "map_max_cell_error_high": outside.max(),
        "map_mean_cell_error": mean,
        "map_mean_cell_error_low": max(0.0, mean - 2.131 * spread),
        "map_mean_cell_error_high": mean + 2.131 * spread,
        "map_mean_cell_error_raw": error.mean(),
        "map_mean_cell_error_floor": floor,
        "map_empty_cells": (counts == 0).sum(),
        "map_marginal_chi2": (counts * (counts - 1.0) / (points * (points - 1.0)) / weights).sum() - 1,
        "map_dual_value": value,
        "map_dual_value_low": value - half,
        "map_dual_value_high": value + half,
        "map_dual_gap": dual_gap(transport, mass, drawn.centroids),
        "map_cost": transport_cost(transport, mass, drawn.centroids),
        "map_w2": np.sqrt(max(0.0, spread_all - 2 * value)),
        "map_points": points,
        "map_exact": 0.0,
    }
    return _judged(transport, numbers, numbers["map_mean_cell_error_high"])


def _judged(transport: Envelope, numbers: dict[str, float], error: float) -> dict[str, float]:
    tolerance = transport.info.get("tolerance")
    if tolerance is not None:
        numbers |= {"map_tolerance": tolerance, "map_tolerance_met": error <= tolerance}
    return {name: float(value) for name, value in numbers.items()}


def _mean_error(counts: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Mean relative cell error without its Monte-Carlo floor, the standard error of that, and the floor; counts (G, k).

    Noise of standard deviation s on a relative error e of comparable spread adds in squares: mean|e + noise|^2 =
    mean|e|^2 + floor^2 (exact where e is normal over cells), floor = mean of sqrt(2 / pi) s_i. The standard error is
    the jackknife's over groups of points.
    """

    def corrected(total: np.ndarray) -> tuple[float, float]:
        points = total.sum()
        mass = total / points
        floor = np.sqrt(2 / np.pi) * np.mean(np.sqrt(np.maximum(mass, 1 / points) / points) / weights)
        raw = np.mean(np.abs(mass - weights) / weights)
        return float(np.sqrt(max(0.0, raw**2 - floor**2))), float(floor)

    everything = counts.sum(0)
    mean, floor = corrected(everything)
    left_out = np.array([corrected(everything - row)[0] for row in counts])
    groups = len(counts)
    return mean, float(np.sqrt((groups - 1) / groups * ((left_out - left_out.mean()) ** 2).sum())), floor
