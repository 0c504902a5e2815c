"""Modes captured and high-quality share.

Every point belongs to its nearest mode, and is of high quality strictly within three sigma of it.

PacGAN (Lin et al. 2018, section 4.1) after VEEGAN (Srivastava et al. 2017). features: `assign`; statistics:
`histogram`; scores: `modes`, `high_quality`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otbench.data.base import DataSet, Mixture
from otbench.metrics.base import BOTH, POINTS, Metric, Parts, Setting, mode_parts

RADIUS = 3.0
"""A point nearer than this many standard deviations (strictly) to its mode is of high quality."""


@dataclass(frozen=True)
class Assignment:
    """Nearest modes of points.

    mode (n,): index of the nearest mode. second (n,): of the next nearest, without meaning where there is one mode
    only. distance (n,): to the nearest mode, in sigmas. radius: within which a point is of high quality.
    """

    mode: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    radius: float = RADIUS

    @property
    def high_quality(self) -> np.ndarray:
        """(n,) bool: strictly within the radius of the nearest mode, three sigma in the plane."""
        return self.distance < self.radius


def assign(points: np.ndarray, truth: Mixture) -> Assignment:
    """Assign points to the nearest mode.

    For isotropic modes of one sigma Mahalanobis is Euclidean over sigma.

    Args:
        points: Points (n, d).
        truth: The true mixture, whose centres are the modes.

    Returns:
        Nearest and second nearest mode of each point, and the distance to the nearest in sigmas.
    """
    from scipy.spatial import cKDTree

    count = len(truth.centres)
    distance, index = cKDTree(truth.centres).query(np.asarray(points, np.float64), k=[1, min(2, count)])
    return Assignment(index[:, 0], index[:, 1], distance[:, 0] / truth.sigma, truth.radius)


def histogram(assignment: Assignment, count: int, high_quality_only: bool = False) -> np.ndarray:
    """Number of points per mode.

    Args:
        assignment: The points' nearest modes.
        count: Number of modes.
        high_quality_only: Whether points of high quality alone are counted.

    Returns:
        Counts (count,) int64.
    """
    mode = assignment.mode[assignment.high_quality] if high_quality_only else assignment.mode
    return np.bincount(mode, minlength=count)


def modes(high_quality_counts: np.ndarray) -> float:
    """Number of modes captured.

    Args:
        high_quality_counts: Number of high-quality points per mode (K,); of images, of all per class.

    Returns:
        Number of modes that hold at least one of these points.
    """
    return float(np.count_nonzero(high_quality_counts))


def high_quality(assignment: Assignment) -> float:
    """Share of the points that are of high quality.

    Args:
        assignment: The points' nearest modes.

    Returns:
        Share in [0, 1].
    """
    return float(assignment.high_quality.mean())


def within_radius(dimension: int, radius: float = RADIUS) -> float:
    """P(|x| < r) for x ~ N(0, I_d), the chi-square law with d degrees of freedom at r^2.

    Args:
        dimension: Dimension d.
        radius: Radius r.

    Returns:
        Probability; 1 - exp(-4.5) in the plane.
    """
    from scipy.special import gammainc

    return float(gammainc(dimension / 2, radius**2 / 2))


def ideal_high_quality(dataset: DataSet, n: int) -> float:
    """Expected high-quality share of a perfect sampler, whatever n; modes are taken to be many sigmas apart.

    Args:
        dataset: Data set with its true mixture.
        n: Number of generated points; it does not matter.

    Returns:
        Share in [0, 1].
    """
    assert dataset.truth is not None
    return within_radius(dataset.truth.directions, dataset.truth.radius)


def ideal_modes(dataset: DataSet, n: int) -> float:
    """Expected number of modes captured by a perfect sampler: sum_k 1 - (1 - w_k P(|x| < r))^n.

    Of images the weights are the reference's share of each class, and every image counts.

    Args:
        dataset: Data set with its true mixture, or with labels.
        n: Number of generated samples.

    Returns:
        Number of modes, K up to rounding at n = 2,500; NaN without labels.
    """
    if dataset.truth is None:
        labels = dataset.labels_of("reference")
        if labels is None:
            return float("nan")
        share = np.bincount(labels) / len(labels)
    else:
        share = dataset.truth.weights * within_radius(dataset.truth.directions, dataset.truth.radius)
    with np.errstate(divide="ignore"):  # a single class has share 1
        return float(-np.expm1(n * np.log1p(-share)).sum())


PACGAN = "Lin et al. 2018, PacGAN"


def _image_parts(setting: Setting) -> Parts:
    return {"n_generated": setting.n, "classes": setting.info.get("classes", len(setting.dataset.classes))}


METRICS = (
    Metric(
        "modes",
        "Modes captured",
        "modes",
        "higher",
        BOTH,
        PACGAN,
        "Modes with a point within three sigma; of images, the classes that the classifier finds among them.",
        of_points=lambda view: modes(view.mode_counts(view.assignment, True)),
        of_images=lambda view: modes(view.class_counts(view.generated)),
        point_parts=mode_parts,
        image_parts=_image_parts,
        needs_modes=True,
        cheap=BOTH,
        ideal=ideal_modes,
        uses="classes",
        label="Modes",
        digits=1,
    ),
    Metric(
        "high_quality",
        "High-quality share",
        "share",
        "higher",
        POINTS,
        PACGAN,
        "Share of points within three sigma of the nearest mode; true samples reach 98.89 % in the plane.",
        of_points=lambda view: high_quality(view.assignment),
        point_parts=mode_parts,
        needs_modes=True,
        cheap=POINTS,
        ideal=ideal_high_quality,
        label="High quality, %",
        factor=100,
        digits=2,
        scale="logit",
        counted=True,
    ),
)
