"""The extrapolation of a distance to infinitely many samples, on Gaussians whose distance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import linregress

from otbench.statistics.extrapolation import extrapolate


def frechet(first: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    """The Frechet distance of samples (n, d) to a Gaussian."""
    own = np.cov(first, rowvar=False)
    return float(
        ((first.mean(0) - mean) ** 2).sum() + np.trace(own + covariance - 2 * np.real(sqrtm(own @ covariance)))
    )


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_true_distance_of_gaussians_is_reached(shift: float) -> None:
    rng, d = np.random.default_rng(0), 8
    mean = np.full(d, shift)  # the distance of N(0, I) and N(mean, I) is |mean|^2
    n = np.tile([200, 400, 800, 1600], 40)
    values = np.array([frechet(rng.normal(size=(count, d)), mean, np.eye(d)) for count in n])
    found = extrapolate(n, values, np.repeat(np.arange(40), 4))
    assert found is not None
    assert abs(found.limit - d * shift**2) < 3 * found.error and found.error < 0.05
    if not shift:  # the mean's part is d / n, that of the trace d (d + 1) / (4 n), to leading order
        assert found.slope == pytest.approx(d + d * (d + 1) / 4, rel=0.15)


def test_an_exact_line_by_hand() -> None:
    n = np.array([100, 200, 400])
    found = extrapolate(n, 3 + 50 / n)
    assert found is not None
    assert (found.limit, found.slope, found.groups) == (pytest.approx(3.0), pytest.approx(50.0), 1)
    assert found.error == pytest.approx(0.0, abs=1e-6)
    assert found.at(np.array([100, np.inf])) == pytest.approx([3.5, 3.0])


def test_one_group_has_the_regression_s_error() -> None:
    n, values = np.array([100, 200, 400, 800]), np.array([3.6, 3.2, 3.15, 3.05])
    found, peer = extrapolate(n, values), linregress(1 / n, values)
    assert found is not None
    assert found.limit == pytest.approx(peer.intercept) and found.error == pytest.approx(peer.intercept_stderr)


def test_groups_are_averaged() -> None:
    n = np.array([100, 200, 100, 200, 100])
    values = np.array([3.0, 2.0, 5.0, 4.0, 9.0])  # limits 1 and 3; the third group has one n
    found = extrapolate(n, values, np.array([0, 0, 1, 1, 2]))
    assert found is not None
    assert (found.limit, found.error, found.groups) == (pytest.approx(2.0), pytest.approx(1.0), 2)


def test_two_points_have_no_error_and_one_no_line() -> None:
    found = extrapolate(np.array([100, 200]), np.array([3.0, 2.0]))
    assert found is not None and math.isnan(found.error)
    assert extrapolate(np.array([100, 100]), np.array([3.0, 2.0])) is None
