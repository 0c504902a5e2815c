"""Numbers of seeds against statsmodels and simulated tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from otbench.statistics.power import power, seeds_to_resolve


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.5, 8.0])
@pytest.mark.parametrize("level", [0.05, 0.005])
def test_power_against_statsmodels(effect: float, level: float) -> None:
    for n in (2, 3, 10, 50):
        expected = TTestIndPower().power(effect, n, level, ratio=1.0)
        if math.isnan(expected):  # statsmodels gives none where the other side's tail is too small
            freedom, shift = 2 * (n - 1), effect * math.sqrt(n / 2)
            expected = stats.nct.sf(stats.t.ppf(1 - level / 2, freedom), freedom, shift)
        assert power(n, effect * 3.0, (3.0, 3.0), level) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_seeds_against_statsmodels(effect: float, level: float) -> None:
    expected = TTestIndPower().solve_power(effect, alpha=level, power=0.8, ratio=1.0)
    assert seeds_to_resolve(effect, (1.0, 1.0), level) == math.ceil(expected)


def test_textbook_figure() -> None:
    assert seeds_to_resolve(0.5, (1.0, 1.0)) == 64  # Cohen 1988, table 2.4.1: d = 0.5, 80 %, 5 %
    assert seeds_to_resolve(0.8, (1.0, 1.0)) == 26


def test_unequal_spreads_against_simulation() -> None:
    n = int(seeds_to_resolve(1.0, (0.5, 2.0)))
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 0.5, (4000, n)), rng.normal(1, 2.0, (4000, n))
    assert np.mean(stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05) == pytest.approx(
        0.8, abs=0.03
    )


def test_edges() -> None:
    assert seeds_to_resolve(0.0, (1.0, 1.0)) == math.inf
    assert seeds_to_resolve(0.01, (1.0, 1.0)) == math.inf  # some 157,000
    assert seeds_to_resolve(0.01, (1.0, 1.0), most=10**6) == pytest.approx(156_979, abs=5)
    assert seeds_to_resolve(1.0, (0.0, 0.0)) == 2
    assert seeds_to_resolve(1e6, (1.0, 1.0)) == 2
    assert math.isnan(seeds_to_resolve(math.inf, (1.0, 1.0)))
