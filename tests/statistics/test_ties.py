"""Tests of models against the best one: against scipy and statsmodels, and their error rates on simulated seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from otbench.statistics.ties import EXACT_VALUES, NONE, PERMUTATION, WELCH, against_best, holm, reachable, sign_flip

RNG = np.random.default_rng


@pytest.mark.parametrize("n", [3, 6, 10, 12])
def test_sign_flips_against_scipy(n: int) -> None:
    differences = RNG(n).normal(0.5, 1, size=n)
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip(differences) == pytest.approx(expected.pvalue)


def test_sign_flips_by_hand() -> None:
    assert sign_flip([1.0, 2.0, 3.0]) == 2 / 8  # only +++ and --- are as far
    assert sign_flip([1.0, 2.0, -3.0]) == 1.0
    assert sign_flip([0.1 + 0.2, 0.3, 0.3]) == 2 / 8  # 0.1 + 0.2 is not 0.3, yet it is no further


def test_many_pairs_are_flipped_at_random() -> None:
    differences = RNG(0).normal(0.4, 1, size=30)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=50_000, rng=1)
    assert sign_flip(differences, flips=50_000) == pytest.approx(expected.pvalue, abs=0.006)
    assert sign_flip(differences) == pytest.approx(expected.pvalue, abs=0.012)
    assert sign_flip(np.full(40, 1.0)) == pytest.approx(1 / 10_000)


def test_holm_against_statsmodels() -> None:
    p = RNG(1).uniform(0, 0.1, size=15)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm(np.array([math.nan, 0.01, 0.04])) == pytest.approx([math.nan, 0.02, 0.04], nan_ok=True)


def test_welch_against_scipy() -> None:
    values = np.full((4, 5), math.nan)
    values[0], values[1], values[2, :3], values[3, 0] = RNG(0).normal(size=5), RNG(1).normal(1, 3, size=5), (1, 2, 4), 9
    found = against_best(values, 0)
    assert found.tests == (NONE, WELCH, WELCH, NONE)
    for row in (1, 2):
        other = values[row][~np.isnan(values[row])]
        assert found.p[row] == pytest.approx(stats.ttest_ind(other, values[0], equal_var=False).pvalue)
        assert found.differences[row] == pytest.approx(other.mean() - values[0].mean())
    assert found.adjusted[1:3] == pytest.approx(multipletests(found.p[1:3], method="holm")[1])
    assert found.size == 2


def test_pairs_are_the_seeds_that_both_have() -> None:
    values = RNG(2).normal(size=(2, 12))
    values[0, :2] = math.nan
    values[1, 11] = math.nan
    found = against_best(values, 0)
    assert found.pairs[1] == 9 and found.tests[1] == PERMUTATION
    assert found.p[1] == pytest.approx(sign_flip(values[1, 2:11] - values[0, 2:11]))


def test_a_test_that_cannot_tell_is_not_used() -> None:
    assert [n for n in range(2, 12) if reachable(n, 1)] == list(range(6, 12))  # 2 / 2^6 = 0.031
    assert [n for n in range(2, 12) if reachable(n, 10)] == [9, 10, 11]  # 2 / 2^9 = 0.0039 <= 0.005
    values = RNG(3).normal(size=(11, 8))
    assert set(against_best(values, 0).tests[1:]) == {WELCH}
    assert set(against_best(values[:3], 0).tests[1:]) == {PERMUTATION}
    assert set(against_best(values[:3], 0, paired=False).tests[1:]) == {WELCH}


def test_the_test_is_said() -> None:
    few, many = RNG(4).normal(size=(3, 3)), RNG(5).normal(size=(3, 10))
    assert against_best(few, 0).said == "Welch's t test, Holm (3 seeds are too few for a permutation test so corrected)"
    assert against_best(many, 0).said == "paired permutation test, Holm"
    many[2, 4:] = math.nan
    assert against_best(many, 0).said == (
        "paired permutation test, Holm; Welch's t test where 4 seeds are too few for a permutation test so corrected"
    )


def test_values_without_spread_differ_where_their_means_do() -> None:
    values = np.array([[25.0] * 3, [25.0] * 3, [24.0] * 3, [math.inf, 1.0, 2.0], [24.5, 25.0, 25.5]])
    found = against_best(values, 0)
    assert found.tests[1:] == (EXACT_VALUES, EXACT_VALUES, EXACT_VALUES, WELCH)
    assert found.p[1:] == pytest.approx([1.0, 0.0, 0.0, 1.0])
    assert found.tied == [1, 4]


def test_one_seed_ties_only_equal_values() -> None:
    found = against_best(np.array([[2.0], [3.0], [2.0]]), 0)
    assert found.tied == [2] and found.size == 0 and found.said == ""


@pytest.mark.parametrize(("k", "n"), [(2, 3), (2, 8), (10, 3), (10, 10)])
def test_the_true_best_is_left_out_at_most_at_the_level(k: int, n: int) -> None:
    rng, out = RNG(10 * k + n), 0
    for _ in range(600):
        values = rng.normal(size=(k, n))
        found = against_best(values, int(values.mean(axis=1).argmin()))
        out += found.best != 0 and 0 not in found.tied  # all are equal, so row 0 is as good as any
    assert out / 600 <= 0.05


def test_a_large_difference_is_found() -> None:
    values = RNG(6).normal(size=(5, 5))
    values[1:] += 10
    assert against_best(values, 0).tied == []
