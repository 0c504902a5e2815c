"""Does a better map give better samples? One target, maps of falling mass error, and the samples of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from otbench.metrics.frechet import frechet, statistics
from otbench.metrics.reverse_kl import reverse_kl
from otbench.metrics.wasserstein import w2
from otbench.theory.scaling.problem import Codes
from otbench.transport import AngleRule, TransportMap, angle_threshold, solve
from otbench.transport.extension import extended_at
from otbench.transport.sampling import sampled

SCORES = ("w2", "frechet", "reverse_kl", "outside", "spread")
POOL = 16
"""Samples are thinned from so many times as many: see `thinned`."""
BASELINES = ("real", "target", "neighbours", "unextended", "scrambled")


def generation(
    codes: Codes, n: int, levels: tuple[float, ...], samples: int, seed: int, device: str, cap: float
) -> pd.DataFrame:
    """Scores of the samples of maps of falling mass error, and of baselines.

    The solver goes on from two starts, all heights zero and its own affine start, and reports its averaged heights on
    the way; of these, each level gets the map whose error is nearest to it (in the logarithm). Baselines: a fresh draw
    of the law (real); targets drawn at random (target), so masses are perfect and there is no map; the same mixed with
    their nearest targets (neighbours); the best map without the extension (unextended); and the extension of the best
    map with its targets permuted (scrambled), which has the same masses but is not optimal.

    Args:
        codes: Law of the targets.
        n: Number of targets.
        levels: Mean relative mass errors, falling.
        samples: Number of held-out points; scores are of POOL times as many samples.
        seed: Seed of all draws.
        device: Where the solver runs.
        cap: Source points a target at which the solver stops if it has not reached the least level.

    Returns:
        A row for each level and for each baseline: error found, share of source points kept, scores.
    """
    random = np.random.default_rng([seed, 7])
    target, held_out = codes.draw(n, random), codes.draw(samples, random)
    many = POOL * samples
    maps, best = _on_the_way(target, levels, seed, device, cap)
    rule = angle_threshold(best)
    rows = []
    for level, transport in zip(levels, maps, strict=True):
        x, share = _extended(transport, rule, many, np.random.default_rng([seed, 8]))
        numbers = transport.info | {"kept": share}
        rows.append(
            {"source": "map", "label": f"{100 * level:g} %", "level": level} | numbers | scored(codes, held_out, x)
        )
    for name in BASELINES:
        x, share = _baseline(name, codes, best, rule, many, np.random.default_rng([seed, 9]))
        # A real draw and drawn targets have no cells.
        error = best.info["error"] if name in ("unextended", "scrambled") else float("nan")
        numbers = {"error": error, "empty": 0.0, "points": 0.0, "kept": share}
        rows.append({"source": "baseline", "label": name, "level": error} | numbers | scored(codes, held_out, x))
    return pd.DataFrame(rows).assign(seed=seed, modes=rule.modes)


def scored(codes: Codes, held: np.ndarray, x: np.ndarray) -> dict[str, float]:
    """Scores of samples against held-out points and against the law itself.

    Args:
        codes: The law.
        held: Held-out points (k, d), k <= m.
        x: Samples (m, d).

    Returns:
        w2: exact, between the held-out points and as many samples, thinned by modes; frechet: to the law's moments;
        reverse_kl: of the modes' shares to their weights, in nats; outside: share beyond the radius that holds 99 % of
        a mode; spread: mean squared distance to the nearest centre, within that radius, over that of a whole mode.
    """
    mode, distance = codes.nearest(x)
    dimension = codes.centres.shape[1]
    within = distance <= codes.radius
    return {
        "w2": w2(held, thinned(x, mode, len(held))),
        "frechet": frechet(codes.moments, statistics(x)),
        "reverse_kl": reverse_kl(np.bincount(mode, minlength=len(codes.weights)), codes.weights),
        "outside": float(1 - within.mean()),
        "spread": float((distance[within] ** 2).mean() / dimension) if within.any() else float("nan"),
    }


def thinned(x: np.ndarray, mode: np.ndarray, k: int) -> np.ndarray:
    """Samples evenly spaced in the order of their modes.

    The modes' shares stay as they are among all m, to within one of k, so that the noise of a small draw between modes
    does not hide the map's own error.

    Args:
        x: Samples (m, d).
        mode: Their modes (m,).
        k: Number of samples to take, k <= m.

    Returns:
        Samples (k, d).
    """
    return x[np.argsort(mode, kind="stable")[(np.arange(k) * len(x)) // k]]


def _on_the_way(target, levels, seed: int, device: str, cap: float) -> tuple[list[TransportMap], TransportMap]:
    """The maps nearest to the levels, and the best of all."""
    n, reports = len(target), []
    common = {"method": "stochastic", "tolerance": min(levels), "seed": seed, "device": device}
    # From heights zero most cells are empty; some hundred points a target bring it to where the affine start begins.
    for start, most in ((np.zeros(n), 60 * n), (None, cap * n)):
        record: list = []
        last = solve(target, start=start, record=record, batch=2048, max_points=most, **common)
        reports += [(points, heights) for _, points, heights in record[::2]] + [(last.info["points"], last.heights)]
    maps = []
    for points, heights in reports:
        transport = TransportMap(target, heights, last.weights, last.source, {"tolerance": min(levels)})
        certificate = transport.certificate(points=50 * n)
        error, empty = certificate["map_mean_cell_error"], certificate["map_empty_cells"]
        maps.append(replace(transport, info={"error": error, "empty": empty, "points": points / n}))
    errors = np.log([max(transport.info["error"], 1e-9) for transport in maps])
    return [maps[int(np.abs(errors - np.log(level)).argmin())] for level in levels], maps[int(errors.argmin())]


def _extended(one: TransportMap, rule: AngleRule, m: int, random, values: np.ndarray | None = None):
    """m samples of the paper's extension (Algorithm 2) and the share of source points kept; values: targets in place of
    the map's own, (n, d).
    """
    centroids = sampled(one, 50 * len(one), 1).centroids
    # Equal targets would share a cell; the codes here are all different.
    filled = np.isfinite(centroids).all(1)
    cells = (np.flatnonzero(filled), centroids[filled])
    used = one if values is None else TransportMap(values, one.heights, one.weights, one.source)
    samples, tried, accepted = [], 0, 0
    while accepted < m and tried < 200 * m:
        x = one.source.sample(m, random)
        samples.append(extended_at(used, x, rule, cells)[0])
        tried, accepted = tried + m, accepted + len(samples[-1])
    return np.concatenate(samples)[:m], accepted / tried


def _baseline(name: str, codes: Codes, best: TransportMap, rule: AngleRule, m: int, random) -> tuple[np.ndarray, float]:
    if name == "real":
        return codes.draw(m, random), 1.0
    if name == "unextended":
        return best(best.source.sample(m, random)), 1.0
    if name == "scrambled":
        return _extended(best, rule, m, random, best.target[random.permutation(len(best))])
    chosen = random.integers(len(best), size=m)
    if name == "target":
        return best.target[chosen], 1.0
    from scipy.spatial import cKDTree

    _, near = cKDTree(best.target).query(best.target[chosen], k=min(len(best), best.dimension + 1))
    weight = random.dirichlet(np.ones(near.shape[1]), size=m)
    return (weight[:, :, None] * best.target[near]).sum(1), 1.0
