"""Means, deviations and intervals against scipy, closed forms and simulated values."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from otbench.statistics.intervals import bootstrap, deviation, mean, standard_error, student

VALUES = [0.7, 1.9, 0.2, 3.1, 1.1, 0.9, 2.2, 0.4]


def test_moments_against_scipy() -> None:
    assert mean(VALUES) == pytest.approx(np.mean(VALUES))
    assert deviation(VALUES) == pytest.approx(stats.tstd(VALUES))
    assert standard_error(VALUES) == pytest.approx(stats.sem(VALUES))


def test_too_few_values_give_no_figure() -> None:
    assert math.isnan(mean([])) and math.isnan(deviation([1.0])) and math.isnan(standard_error([]))
    assert not student([1.0]).known
    assert not bootstrap([1.0, 2.0]).known
    assert not bootstrap([1.0, math.inf, 2.0]).known


def test_student_against_scipy() -> None:
    expected = stats.t.interval(0.95, len(VALUES) - 1, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    found = student(VALUES)
    assert (found.low, found.high) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [0.3, 0.1, 0.9, 0.5], [2.0, 7.0, 1.0, 8.0, 2.5]])
def test_few_values_are_resampled_exactly(values: list[float]) -> None:
    means = sorted(np.mean(one) for one in product(values, repeat=len(values)))
    found = bootstrap(values)
    assert found.low == pytest.approx(next(one for one in means if np.mean(np.array(means) <= one + 1e-12) >= 0.025))
    assert found.high == pytest.approx(next(one for one in means if np.mean(np.array(means) <= one + 1e-12) >= 0.975))


def test_three_seeds_span_their_range() -> None:
    found = bootstrap([0.66, 0.71, 0.77])  # each end is 1 of 27 resamples, 3.7 %
    assert (found.low, found.high) == pytest.approx((0.66, 0.77))


def test_bias_corrected_interval_against_scipy() -> None:
    values = np.random.default_rng(3).exponential(size=15)  # skewed, so that the correction matters
    expected = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="BCa", rng=1).confidence_interval
    plain = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="percentile", rng=1).confidence_interval
    found = bootstrap(values)
    width = expected.high - expected.low
    assert abs(found.low - expected.low) < 0.03 * width and abs(found.high - expected.high) < 0.04 * width
    assert expected.high - plain.high > 0.05 * width  # else this would not tell the two apart


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert (bootstrap([25.0] * 8).low, bootstrap([25.0] * 8).high) == (25.0, 25.0)
    assert (student([25.0] * 3).low, student([25.0] * 3).high) == (25.0, 25.0)


def test_the_interval_is_the_same_every_time() -> None:
    assert bootstrap(VALUES) == bootstrap(list(VALUES))


@pytest.mark.parametrize(("n", "expected"), [(3, 0.76), (5, 0.84), (10, 0.89), (20, 0.92)])
def test_coverage_is_what_the_documentation_says(n: int, expected: float) -> None:
    rng = np.random.default_rng(n)
    samples = rng.normal(size=(800, n))
    found = [bootstrap(one) for one in samples]
    assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(expected, abs=0.045)
    wide = [student(one) for one in samples]
    assert np.mean([one.low <= 0 <= one.high for one in wide]) == pytest.approx(0.95, abs=0.025)
