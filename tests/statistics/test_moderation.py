"""Variances drawn together over models: against Smyth's formulas, and on variances of which the law is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from otbench.statistics.moderation import _inverse_trigamma, moderate


def test_trigamma_is_inverted() -> None:
    x = np.array([0.05, 0.5, 3.0, 400.0])
    assert _inverse_trigamma(special.polygamma(1, x)) == pytest.approx(x, rel=1e-6)


def test_equal_variances_are_pooled() -> None:
    found = moderate(np.array([1.0, 1.1, 0.9, 1.0]), np.array([2.0, 4.0, 4.0, 4.0]))
    assert np.isinf(found.prior).all() and (found.freedom == 14).all()
    pooled = (2 * 1.0 + 4 * 1.1 + 4 * 0.9 + 4 * 1.0) / 14
    assert found.variance == pytest.approx([pooled, 1.1, pooled, pooled])


def test_the_law_of_the_variances_is_found_again() -> None:
    """True variances s0² d0 / chi²(d0) with s0² = 3, d0 = 6, of 3,000 models with 5 seeds."""
    rng = np.random.default_rng(0)
    variance = 3 * 6 / rng.chisquare(6, 3000) * rng.chisquare(4, 3000) / 4
    found = moderate(variance, 4.0)
    assert found.prior[0] == pytest.approx(6, rel=0.15)
    low = variance.argmin()
    usual = (found.variance[low] * (found.prior[0] + 4) - 4 * variance[low]) / found.prior[0]
    assert 2.6 < usual < 4.0 and found.freedom[0] == pytest.approx(found.prior[0] + 4)


def test_an_unruly_model_neither_rules_nor_hides() -> None:
    variance = np.array([*np.linspace(0.5, 1.5, 30), 400.0])
    found = moderate(variance, 2.0)
    assert found.variance[-1] == 400.0
    assert found.variance[:-1].max() < 2.5


def test_models_without_spread_get_what_is_usual() -> None:
    found = moderate(np.array([0.0, 0.0, 0.0, 1.0, 2.0]), 2.0)
    assert found.variance[:3] == pytest.approx([1.5] * 3) and found.freedom == pytest.approx([4.0] * 5)
    assert (moderate(np.zeros(4), 2.0).variance == 0).all()


def test_many_comparisons_at_once_are_each_its_own() -> None:
    variance = np.random.default_rng(1).gamma(0.5, 1.0, size=(3, 7))
    variance[1, :2] = 0.0
    together = moderate(variance, 3.0)
    for row in range(3):
        alone = moderate(variance[row], 3.0)
        assert together.variance[row] == pytest.approx(alone.variance)
        assert together.freedom[row] == pytest.approx(alone.freedom)
