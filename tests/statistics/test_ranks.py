"""Ranks, Friedman's test and critical differences against scipy, scikit-posthocs and Demsar's paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scikit_posthocs
from scipy import stats

from otbench.statistics.ranks import Ranks, critical_difference, nemenyi_q, rank


def bars(ranks: Ranks) -> list[tuple[int, int]]:
    """(first, last) positions in the order of average ranks of every longest run of models that are alike."""
    order = np.argsort(ranks.average)
    alike, k = ranks.alike[np.ix_(order, order)], len(order)
    runs = [(a, b) for a in range(k) for b in range(a + 1, k) if alike[a : b + 1, a : b + 1].all()]
    return [(a, b) for a, b in runs if not any(c <= a and b <= d and (c, d) != (a, b) for c, d in runs)]


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_values_of_demsar(k: int, q: float) -> None:
    assert nemenyi_q(k) == pytest.approx(q, abs=1.1e-3)  # table 5a


def test_worked_example_of_demsar() -> None:
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=5e-3)


def test_the_post_hoc_test_of_demsar_s_example() -> None:
    average = np.array([3.143, 2.000, 2.893, 1.964])  # "not powerful enough" at 5 %; at 10 % C4.5 differs from two
    assert bars(Ranks(average, 0.03, critical_difference(4, 14), 14, 0)) == [(0, 3)]
    assert bars(Ranks(average, 0.03, critical_difference(4, 14, 0.10), 14, 0)) == [(0, 2), (2, 3)]


def test_friedman_and_nemenyi_against_peers() -> None:
    values = np.random.default_rng(0).normal(size=(12, 5)) + np.arange(5) * 0.6
    found = rank(values)
    assert found.p == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    p = scikit_posthocs.posthoc_nemenyi_friedman(values).to_numpy()
    apart = np.abs(found.average[:, None] - found.average[None]) > found.critical
    assert (apart == (p < 0.05)).all() and apart.any() and not apart[0, 1] and (found.alike == ~apart).all()


def test_ties_share_their_rank_and_broken_blocks_are_counted() -> None:
    found = rank(np.array([[1.0, 1.0, 2.0], [1.0, 3.0, 2.0], [math.nan, 1.0, 2.0]]))
    assert found.average == pytest.approx([1.25, 2.25, 2.5])
    assert (found.blocks, found.left_out) == (2, 1)


def test_infinite_values_rank_last() -> None:
    assert rank(np.array([[math.inf, 1.0], [3.0, 2.0]])).average == pytest.approx([2.0, 1.0])


def test_nothing_to_rank() -> None:
    found = rank(np.full((2, 3), math.nan))
    assert found.blocks == 0 and np.isnan(found.average).all() and not found.alike.any()
    assert math.isnan(rank(np.ones((4, 3))).p)


def test_bars_are_the_longest_runs() -> None:
    found = Ranks(np.array([4.0, 1.0, 2.0, 5.5, 2.5]), 0.01, 1.6, 10, 0)
    assert bars(found) == [(0, 2), (2, 3), (3, 4)]
