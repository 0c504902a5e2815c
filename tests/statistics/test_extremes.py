"""The law of a comparison with the best: against scipy's studentised range and Dunnett's test, and simulated means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from otbench.statistics.extremes import critical, tail


@pytest.mark.parametrize(
    ("t", "models", "freedom"),
    [(3.0, 31, 62.0), (6.0, 6, 4.0), (30.0, 31, 2.0), (2.0, 3, 12.0), (20.0, 6, 1.0), (3.0, 6, math.inf)],
)
def test_all_models_give_the_studentised_range(t: float, models: int, freedom: float) -> None:
    expected = stats.studentized_range.sf(math.sqrt(2) * t, models, freedom)
    assert tail(t, models, models, freedom) == pytest.approx(expected, rel=0.004, abs=1e-6)


def test_two_models_give_student_s_t() -> None:
    for freedom in (1, 2, 4, 30):
        assert tail(2.5, 2, 2, freedom) == pytest.approx(2 * stats.t.sf(2.5, freedom), rel=1e-4)
        assert critical(2, 2, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-4)


@pytest.mark.parametrize("groups", [2, 5])
def test_one_model_gives_dunnett_s_one_sided_test(groups: int) -> None:
    rng = np.random.default_rng(groups)
    samples, control = rng.normal(0.8, 1, (groups, 4)), rng.normal(size=4)
    found = stats.dunnett(*samples, control=control, alternative="greater", rng=0)
    mine = tail(np.maximum(found.statistic, 0), groups + 1, 1, 3 * (groups + 1))
    positive = found.statistic > 0
    assert positive.any() and mine[positive] == pytest.approx(found.pvalue[positive], abs=2e-3)


@pytest.mark.parametrize(("models", "place", "freedom"), [(6, 2, 5), (31, 4, 12), (31, 20, 62)])
def test_places_between_against_simulation(models: int, place: int, freedom: int) -> None:
    rng = np.random.default_rng(place)
    means = rng.normal(size=(40_000, models))
    deviation = np.sqrt(rng.chisquare(freedom, 40_000) / freedom)
    t = (means.max(1) - means[:, :place].min(1)) / deviation / math.sqrt(2)
    assert np.mean(t > critical(models, place, freedom)) == pytest.approx(0.05, abs=0.004)


def test_critical_values_are_those_of_the_tail_and_grow_with_the_place() -> None:
    for models, place, freedom, level in ((31, 3, 4.3, 0.05), (6, 6, 1.0, 0.05), (12, 12, 300.0, 0.001)):
        assert tail(critical(models, place, freedom, level), models, place, freedom) == pytest.approx(level, rel=1e-3)
    values = [critical(31, place, 62.0) for place in (1, 2, 5, 31)]
    assert values == sorted(values) and values[0] == pytest.approx(2.828, abs=2e-3)
