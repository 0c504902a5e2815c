"""Mode mixture: the share of all points that lie on a bridge between two modes.

A continuous generator from a connected latent must put some mass between modes (An et al. 2020, AE-OT). Let a be the
nearest mode of a point x and b the second nearest. The point is on a bridge where

- it is outside every mode, |x - a| >= 3 sigma, and
- it lies between the two: the foot of x on the line through a and b is strictly between a and b, and
  |x - foot| < 3 sigma.

Only the two nearest modes count. On the ring and the grid these are neighbours; with every pair of modes the bridges
would fill the plane, and anything would be a mixture.

The value is a share of ALL points, so that it and the high-quality share are parts of one whole, and a sampler that
leaves little outside is not judged by a few points. Read it against two levels. A perfect sampler's own tail beyond
three sigma (1.1 %, most of it towards a neighbour) scores what `ideal` says: 0.98 % on the grid, 0.81 % on the ring.
Noise all over the plane scores the area of the bridges, some 25 % on the grid and 7 % on the ring, so read it beside
the high-quality share.

features: `otbench.metrics.modes.assign`; statistics: `on_bridge`; score: `mode_mixture`.
"""

from __future__ import annotations

import numpy as np

from otbench.data.base import DataSet, Mixture
from otbench.metrics.base import POINTS, Metric, mode_parts
from otbench.metrics.modes import RADIUS, Assignment, assign


def on_bridge(points: np.ndarray, assignment: Assignment, truth: Mixture) -> np.ndarray:
    """Points outside every mode and between their two nearest modes.

    Args:
        points: Points (n, d).
        assignment: The points' nearest modes.
        truth: The true mixture.

    Returns:
        (n,) bool, all False with a single mode.
    """
    points = np.asarray(points, np.float64)
    if len(truth.centres) < 2:
        return np.zeros(len(points), bool)
    near, far = truth.centres[assignment.mode], truth.centres[assignment.second]
    along = far - near
    fraction = np.sum((points - near) * along, axis=1) / np.sum(along**2, axis=1)
    off = np.linalg.norm(points - near - fraction[:, None] * along, axis=1) / truth.sigma
    return ~assignment.high_quality & (fraction > 0) & (fraction < 1) & (off < truth.radius)


def mode_mixture(bridge: np.ndarray) -> float:
    """Share of all points that are on a bridge.

    Args:
        bridge: Which points are on a bridge, (n,) bool.

    Returns:
        Share in [0, 1].
    """
    return float(np.mean(bridge))


def ideal(dataset: DataSet, n: int) -> float:
    """Mass of the true mixture on bridges, hence a perfect sampler's expected score, whatever n.

    Args:
        dataset: Data set with its true mixture.
        n: Number of generated points; it does not matter.

    Returns:
        Mass in [0, 1], by polar quadrature around each mode, to a relative 0.2 %; NaN outside the plane, where it is
        not worked out.
    """
    truth = dataset.truth
    assert truth is not None
    if truth.centres.shape[1] != 2:
        return float("nan")
    # In s = exp(-r^2 / 2) the radial law beyond r = 3 is uniform on (0, exp(-4.5)), so midpoints in s carry equal mass.
    steps = (np.arange(50) + 0.5) / 50
    radius = np.sqrt(RADIUS**2 - 2 * np.log(steps))
    angle = 2 * np.pi * (np.arange(720) + 0.5) / 720
    offsets = (radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)).reshape(-1, 2)
    shares = []
    for centre in truth.centres:
        points = centre + truth.sigma * offsets
        shares.append(on_bridge(points, assign(points, truth), truth).mean())
    return float(np.exp(-(RADIUS**2) / 2) * np.dot(truth.weights, shares))


METRICS = (
    Metric(
        "mode_mixture",
        "Mode mixture",
        "share",
        "lower",
        POINTS,
        "after An et al. 2020, AE-OT",
        "Share of all points outside every mode and between their two nearest modes.",
        of_points=lambda view: mode_mixture(on_bridge(view.samples, view.assignment, view.dataset.truth)),
        point_parts=mode_parts,
        needs_modes=True,
        cheap=POINTS,
        ideal=ideal,
        label="Mode mixture, %",
        factor=100,
        digits=2,
        scale="logit",
        counted=True,
    ),
)
