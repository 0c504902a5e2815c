"""Modes, high-quality share, reverse KL and mode mixture against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import xlogy
from scipy.stats import binom, chi2, entropy

from otbench.data.base import DataSet, Mixture
from otbench.metrics import floors, measure
from otbench.metrics.mode_mixture import ideal, on_bridge
from otbench.metrics.modes import assign, histogram, ideal_modes, modes, within_radius
from otbench.metrics.reverse_kl import reverse_kl


def scores(dataset, samples, metrics=None):
    return {score.metric: score.value for score in measure(dataset, samples, metrics=metrics)}


CHEAP = "modes high_quality reverse_kl reverse_kl_train reverse_kl_hq reverse_kl_hq_train mode_mixture".split()


def test_assign_agrees_with_brute_force(grid, generator):
    points = generator.uniform(-6, 6, (500, 2))
    distance = np.linalg.norm(points[:, None] - grid.truth.centres, axis=2)
    found = assign(points, grid.truth)
    order = np.argsort(distance, axis=1)
    np.testing.assert_array_equal(found.mode, order[:, 0])
    np.testing.assert_array_equal(found.second, order[:, 1])
    np.testing.assert_allclose(found.distance, distance.min(axis=1) / 0.05, rtol=1e-12)


def test_three_sigma_is_strict():
    truth = Mixture(np.array([[0.0, 0.0], [100.0, 0.0]]), 1.0, np.array([0.5, 0.5]))
    points = np.array([[3.0, 0.0], [np.nextafter(3.0, 0), 0.0], [0.0, -3.0], [97.0 + 1e-9, 0.0]])
    found = assign(points, truth)
    assert found.high_quality.tolist() == [False, True, False, True]
    assert histogram(found, 2).tolist() == [3, 1]
    assert histogram(found, 2, high_quality_only=True).tolist() == [1, 1]
    assert modes(histogram(found, 2, high_quality_only=True)) == 2


def test_a_mode_with_only_bad_points_is_not_captured(grid):
    samples = np.repeat(grid.truth.centres, 4, axis=0) + np.array([0.2, 0.0])
    found = scores(grid, samples, CHEAP)
    assert found["modes"] == 0 and found["high_quality"] == 0
    assert found["reverse_kl"] == pytest.approx(0, abs=1e-12)
    assert found["reverse_kl_hq"] == found["reverse_kl_hq_train"] == math.inf


@pytest.mark.parametrize("dimension", [1, 2, 3, 7])
def test_within_radius_is_the_chi_square_law(dimension):
    assert within_radius(dimension) == pytest.approx(chi2.cdf(9, dimension), rel=1e-12)


def test_perfect_sampler_is_of_high_quality_at_98_89_percent(grid, ring, generator):
    expected = 1 - math.exp(-4.5)
    for dataset in (grid, ring):
        n = 400_000
        # ring: its float32 points carry a relative rounding of 6e-8 / 0.01, far below the Monte Carlo error
        found = scores(dataset, dataset.truth.sample(n, generator), ["high_quality"])["high_quality"]
        assert abs(found - expected) < 4 * math.sqrt(expected * (1 - expected) / n)
        assert floors(dataset, 2_500)["high_quality"] == pytest.approx(0.98889, abs=5e-6)


@pytest.mark.parametrize("name", ["grid", "ring"])
def test_kl_floors_of_a_perfect_sampler(name, request, generator):
    dataset = request.getfixturevalue(name)
    n, draws = 2_500, 300
    names = [metric for metric in CHEAP if metric.startswith("reverse_kl")]
    dataset = DataSet(name, dataset.train[:2_500].copy(), dataset.test, dataset.truth)
    found = []
    for _ in range(draws):
        dataset.train[:] = dataset.truth.sample(len(dataset.train), generator)
        found.append(list(scores(dataset, dataset.truth.sample(n, generator), names).values()))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / math.sqrt(draws)
    expected = np.array([floors(dataset, n)[metric] for metric in names])
    assert (np.abs(mean - expected) < 4 * error + 0.005 * expected).all()
    k = len(dataset.truth.centres)
    assert expected[0] == pytest.approx((k - 1) / (2 * n))
    assert expected[1] == pytest.approx((k - 1) / 2 * (1 / n + 1 / 2_500))


def test_kl_floor_agrees_with_the_exact_binomial_mean(grid):
    n, k = 2_500, 25
    counts = np.arange(n + 1)
    exact = k * np.sum(binom.pmf(counts, n, 1 / k) * xlogy(counts / n, counts / n * k))
    assert floors(grid, n)["reverse_kl"] == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("kept", [1, 3, 12, 25])
def test_collapse_to_k_modes_scores_ln_of_25_over_k(grid, kept):
    found = scores(grid, np.tile(grid.truth.centres[:kept], (60, 1)), CHEAP)
    assert found["modes"] == kept
    assert found["reverse_kl"] == found["reverse_kl_hq"] == pytest.approx(math.log(25 / kept), abs=1e-12)
    share = histogram(assign(grid.train, grid.truth), 25)[:kept] / len(grid.train)
    assert found["reverse_kl_train"] == pytest.approx(-np.mean(np.log(kept * share)), abs=1e-12)


def test_reverse_kl_reference_with_an_empty_mode_is_infinite_only_where_points_are():
    assert reverse_kl([1, 1], [1, 0]) == math.inf
    assert reverse_kl([1, 0], [1, 0]) == 0
    assert reverse_kl([1, 0], [1, 1]) == pytest.approx(math.log(2))
    assert reverse_kl([0, 0], [1, 1]) == math.inf


@given(
    hnp.arrays(np.int64, 6, elements=st.integers(0, 1000)).filter(lambda counts: counts.sum() > 0),
    hnp.arrays(np.int64, 6, elements=st.integers(1, 1000)),
    st.permutations(range(6)),
    st.integers(1, 50),
)
def test_reverse_kl_is_a_divergence(counts, reference, order, factor):
    value = reverse_kl(counts, reference)
    assert value == pytest.approx(entropy(counts, reference), abs=1e-12)
    assert value >= 0 and reverse_kl(reference, reference * factor) == pytest.approx(0, abs=1e-14)
    assert reverse_kl(counts[order], reference[order]) == pytest.approx(value, abs=1e-12)


def test_modes_found_by_few_points(grid, generator):
    n = 40
    found = [scores(grid, grid.truth.sample(n, generator), ["modes"])["modes"] for _ in range(400)]
    assert abs(np.mean(found) - ideal_modes(grid, n)) < 4 * np.std(found) / 20
    assert ideal_modes(grid, 2_500) == pytest.approx(25, abs=1e-12)


def test_mode_mixture_counts_bridges_between_neighbours(grid):
    steps = np.linspace(0, 1, 101)[:, None]
    bridge = (1 - steps) * np.array([0.0, 0.0]) + steps * np.array([2.0, 0.0])
    # within 0.15 of either end (eight steps of 0.02, the one at 0.14 the last) a point belongs to the mode
    assert scores(grid, bridge, CHEAP)["mode_mixture"] == pytest.approx((101 - 16) / 101)
    assert scores(grid, bridge + np.array([0.0, 0.149]), CHEAP)["mode_mixture"] > 0.8
    # above it only the eight points at either end count, on the bridges that cross it there
    assert scores(grid, bridge + np.array([0.0, 0.151]), CHEAP)["mode_mixture"] == pytest.approx(16 / 101)
    middle = (1 - steps) * np.array([0.2, 0.2]) + steps * np.array([1.8, 1.8])
    assert scores(grid, middle, CHEAP)["mode_mixture"] == 0  # a diagonal joins no two neighbours


def test_mode_mixture_needs_the_foot_strictly_between_the_modes():
    truth = Mixture(np.array([[0.0, 0.0], [20.0, 0.0]]), 1.0, np.array([0.5, 0.5]))
    points = np.array([[-5.0, 0.0], [0.0, 3.0], [3.0, 0.0], [10.0, 2.9], [10.0, 3.0], [17.5, 0.0], [25.0, 0.0]])
    assert on_bridge(points, assign(points, truth), truth).tolist() == [0, 0, 1, 1, 0, 0, 0]
    alone = Mixture(truth.centres[:1], 1.0, np.ones(1))
    assert not on_bridge(points, assign(points, alone), alone).any()


@pytest.mark.parametrize(("name", "level"), [("grid", 0.0098), ("ring", 0.0081)])
def test_mode_mixture_of_true_samples_is_their_tail(name, level, request, generator):
    dataset, n = request.getfixturevalue(name), 400_000
    found = scores(dataset, dataset.truth.sample(n, generator), ["mode_mixture"])["mode_mixture"]
    expected = floors(dataset, n)["mode_mixture"]
    assert expected == pytest.approx(level, abs=5e-5) and expected < math.exp(-4.5)
    assert abs(found - expected) < 4 * math.sqrt(expected / n)


def test_mode_mixture_of_noise_is_the_area_of_the_bridges(grid, generator):
    n = 100_000
    found = scores(grid, generator.uniform(-4.5, 4.5, (n, 2)), ["mode_mixture"])["mode_mixture"]
    # 40 strips between neighbours, 0.3 wide and 2 long, less the half discs at both ends
    area = 40 * (0.3 * 2 - math.pi * 0.15**2)
    assert abs(found - area / 81) < 4 * math.sqrt(0.25 / n)


def test_mode_mixture_ideal_is_left_open_outside_the_plane():
    truth = Mixture(np.eye(3), 0.01, np.full(3, 1 / 3))
    dataset = DataSet("three", np.zeros((9, 3), np.float32), np.zeros((9, 3), np.float32), truth)
    assert math.isnan(ideal(dataset, 100)) and "mode_mixture" not in floors(dataset, 100)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-100, 100), st.floats(-math.pi, math.pi))
def test_mode_metrics_do_not_depend_on_scale_place_or_turn(scale, shift, angle):
    points = np.random.default_rng(3).normal(size=(200, 2))
    centres = np.array([[1.0, 0.0], [-1.0, 0.3], [0.1, 1.2]])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    truth = Mixture(centres, 0.2, np.full(3, 1 / 3))
    moved = Mixture(scale * centres @ turn.T + shift, 0.2 * scale, truth.weights)
    here, there = assign(points, truth), assign(scale * points @ turn.T + shift, moved)
    np.testing.assert_array_equal(here.mode, there.mode)
    np.testing.assert_allclose(here.distance, there.distance, rtol=1e-6)
