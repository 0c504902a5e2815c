"""Clipped density and clipped coverage (Salvy, Talbot, Thirion 2025, arXiv 2507.01761).

Density and coverage whose values can be read: no outlier's large ball and no crowd of copies counts more than one good
sample, and a share s of bad samples among good ones scores 1 - s.

- Clipped density: radii (fifth neighbour) are cut at their median; a generated point counts min(balls around it / 5,
  1); the mean is divided by what the real points themselves reach, and cut at 1.
- Clipped coverage: a real point counts min(generated points in its ball / 5, 1). The mean y is turned into the share of
  good samples m / M at which y is expected: f(m) = E[min(J, 5) / 5], J beta-binomial, with m trials and parameters
  (5, N - 5), exact for any law without atoms.

Where y is below f(5) the authors' code counts at least five samples as good; here f is exact down to none.
"""

from __future__ import annotations

import numpy as np

from otbench.metrics.base import BOTH, Metric, Parts, Setting, check_pair, pair_parts
from otbench.metrics.neighbours import K_DENSITY as K
from otbench.metrics.neighbours import block_rows, distances, radii


def _centred(real: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real, generated = check_pair(real, generated, least=K + 1)
    centre = real.mean(axis=0)
    return real - centre, generated - centre


def _counts(centres: np.ndarray, radius: np.ndarray, points: np.ndarray, same: bool) -> np.ndarray:
    """Number of the closed balls (n) around each point (m,); no ball counts its own centre where both are the same."""
    counts = np.zeros(len(points), np.int64)
    step = block_rows(len(points))
    for start in range(0, len(centres), step):
        rows = np.arange(start, min(start + step, len(centres)))
        inside = distances(centres[rows], points) <= radius[rows, None]
        if same:
            inside[np.arange(len(rows)), rows] = False
        counts += inside.sum(axis=0)
    return counts


def clipped_density(real: np.ndarray, generated: np.ndarray) -> float:
    """Clipped density of generated points.

    Args:
        real: Real points (n, d), at least 6.
        generated: Generated points (m, d).

    Returns:
        Score in [0, 1], near 1 for a perfect sampler.

    Source: Salvy et al. (2025).
    """
    real, generated = _centred(real, generated)
    radius = radii(real, (K,))[0]
    # rounding of scalar products must not put a neighbour outside of the ball that it defines
    radius = np.minimum(radius, np.median(radius)) * (1 + 1e-12)
    reached = np.minimum(_counts(real, radius, real, same=True) / K, 1).mean()
    value = np.minimum(_counts(real, radius, generated, same=False) / K, 1).mean()
    return float(min(1.0, value / reached))


def expected_coverage(n_real: int, good: np.ndarray) -> np.ndarray:
    """Expected mean of min(J, 5) / 5, J generated points in a real ball, by the number of good generated points.

    Args:
        n_real: Number N of real points.
        good: Numbers m of good generated points.

    Returns:
        Shares in [0, 1], increasing in m.

    Source: Salvy et al. (2025); P(J = j) is beta-binomial with parameters (5, N - 5).
    """
    from scipy.stats import betabinom

    missing = [(1 - j / K) * betabinom.pmf(j, good, K, n_real - K) for j in range(K)]
    return 1 - np.sum(missing, axis=0)


def clipped_coverage(real: np.ndarray, generated: np.ndarray) -> float:
    """Clipped coverage of real points.

    Args:
        real: Real points (n, d), at least 6.
        generated: Generated points (m, d), at least 6.

    Returns:
        Score in [0, 1]: the share of good samples at which the coverage is expected.

    Source: Salvy et al. (2025).
    """
    real, generated = _centred(real, generated)
    radius = radii(real, (K,))[0]
    covered = np.empty(len(real))
    step = block_rows(len(generated))
    for start in range(0, len(real), step):
        rows = slice(start, min(start + step, len(real)))
        inside = (distances(real[rows], generated) < radius[rows, None]).sum(axis=1)
        covered[rows] = np.minimum(inside, K) / K
    shares = expected_coverage(len(real), np.arange(len(generated) + 1))
    return float(np.searchsorted(shares, covered.mean()) / len(shares))


def _parts(setting: Setting) -> Parts:
    return pair_parts(setting) | {"k": K}


def _metric(name: str, title: str, label: str, description: str, score) -> Metric:
    return Metric(
        name,
        title,
        "1",
        "higher",
        BOTH,
        "Salvy et al. 2025, Clipped density and coverage",
        description,
        of_points=lambda view: score(*view.pair),
        of_images=lambda view: score(*view.pair),
        point_parts=_parts,
        image_parts=_parts,
        label=label,
        scale="logit",
        on_request=True,
    )


METRICS = (
    _metric(
        "clipped_density",
        "Clipped density",
        "Density, clipped",
        "Mean of each generated point's real balls (fifth neighbour, at most the median radius), clipped at 5, over"
        " what real points reach.",
        clipped_density,
    ),
    _metric(
        "clipped_coverage",
        "Clipped coverage",
        "Coverage, clipped",
        "Share of good samples at which the real balls (fifth neighbour) are expected to be as full as they are.",
        clipped_coverage,
    ),
)
