"""Intervals cover a known rate as often as they say, and have their closed form's values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from otbench.ratings.intervals import clustered, wilson

SESSIONS = 300
LEAST, MOST = binom.ppf([0.001, 0.999], SESSIONS, 0.95) / SESSIONS  # what 95 % may come out as


def test_wilson_is_its_formula() -> None:
    """Wilson 1927, for 7 of 20."""
    count, n, z = 7, 20, 1.959963984540054
    share = count / n
    centre, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert wilson(count, n) == pytest.approx(((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)))
    assert wilson(0, 10)[0] == 0 and wilson(10, 10)[1] == 1


def test_wilson_covers_the_rate_of_independent_answers() -> None:
    """Over 300 sessions of 96 answers at each of five rates, to within a binomial error of 95 %."""
    random = np.random.default_rng(0)
    for rate in (0.1, 0.3, 0.5, 0.8, 0.95):
        counts = random.binomial(96, rate, SESSIONS)
        spans = [wilson(count, 96) for count in counts]
        assert LEAST <= np.mean([low <= rate <= high for low, high in spans]) <= MOST


def panel(
    random: np.random.Generator, raters: int, images: int, base: float, spread: tuple[float, float]
) -> np.ndarray:
    """Answers of a panel whose raters and images differ, on the logit scale, with these standard deviations."""
    own = base + spread[0] * random.normal(size=(raters, 1)) + spread[1] * random.normal(size=(1, images))
    return (random.random((raters, images)) < expit(own)).astype(float)


def true_rate(base: float, spread: tuple[float, float]) -> float:
    """The rate over all raters and images: the mean of the logistic function of a normal variable, by quadrature."""
    at, weights = np.polynomial.hermite_e.hermegauss(80)
    return float(weights @ expit(base + math.hypot(*spread) * at) / weights.sum())


@pytest.mark.parametrize(
    ("raters", "images", "base", "spread"),
    [(3, 24, 0.0, (0.5, 1.0)), (6, 30, -1.0, (0.5, 1.0)), (8, 40, 0.5, (0.8, 0.8)), (20, 20, 1.0, (0.5, 0.5))],
)
def test_bootstrap_covers_the_rate_of_raters_and_images_that_differ(
    raters: int, images: int, base: float, spread: tuple[float, float]
) -> None:
    """Over 300 panels, to within a binomial error of 95 %; Wilson's, for independent answers, falls short."""
    random, rate = np.random.default_rng(1), true_rate(base, spread)
    panels = [panel(random, raters, images, base, spread) for _ in range(SESSIONS)]
    spans = [clustered(one, draws=400) for one in panels]
    assert LEAST <= np.mean([low <= rate <= high for low, high in spans]) <= MOST
    alone = [wilson(one.sum(), one.size) for one in panels]
    assert np.mean([low <= rate <= high for low, high in alone]) < LEAST


def test_bootstrap_covers_independent_answers_too() -> None:
    random = np.random.default_rng(2)
    spans = [clustered(panel(random, 8, 40, 0.4, (0, 0)), draws=400) for _ in range(SESSIONS)]
    assert np.mean([low <= expit(0.4) <= high for low, high in spans]) >= LEAST


def test_raters_that_copy_one_another_count_once() -> None:
    """Six raters with equal answers tell no more of the images than one: the interval is near that of 40 answers."""
    one = (np.arange(40) % 2).astype(float)
    low, high = clustered(np.tile(one, (6, 1)))
    alone = wilson(20, 40)
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.15)


def test_bootstrap_without_anything_to_resample() -> None:
    assert clustered(np.ones((1, 30))) is None and clustered(np.ones((4, 1))) is None
    assert clustered(np.zeros((4, 12))) == wilson(0, 12)  # answers about one image count as one


def test_bootstrap_leaves_out_what_nobody_answered_and_repeats_itself() -> None:
    answers = panel(np.random.default_rng(3), 5, 20, 0.0, (0.5, 0.5))
    wider = np.full((6, 22), np.nan)
    wider[:5, :20] = answers
    assert clustered(wider) == clustered(answers) == clustered(answers)
