"""W2, PRD, precision, recall, density and coverage against brute force and limiting cases."""

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from otbench.errors import OtbenchError, WorkFailed
from otbench.metrics import neighbours, prd, wasserstein
from otbench.metrics.wasserstein import w2


def test_w2_in_one_dimension_is_the_sorted_coupling(generator):
    real, generated = generator.normal(size=(300, 1)), generator.exponential(size=(300, 1))
    expected = math.sqrt(np.mean((np.sort(real[:, 0]) - np.sort(generated[:, 0])) ** 2))
    assert w2(real, generated) == pytest.approx(expected, rel=1e-10)


def test_w2_of_a_translation_is_its_length(generator):
    real = generator.normal(size=(400, 2))
    assert w2(real, real + np.array([3.0, 4.0])) == pytest.approx(5, rel=1e-10)
    assert w2(real, real[::-1]) == pytest.approx(0, abs=1e-7)
    assert w2(np.ones((30, 2)), np.ones((30, 2))) == 0


def test_w2_is_the_optimal_assignment_and_symmetric(grid, generator):
    real, generated = grid.truth.sample(300, generator), generator.uniform(-4, 4, (300, 2))
    costs = cdist(real, generated, "sqeuclidean")
    expected = math.sqrt(costs[linear_sum_assignment(costs)].mean())
    assert w2(real, generated) == pytest.approx(expected, rel=1e-10)
    assert w2(generated, real) == pytest.approx(expected, rel=1e-10)


def test_w2_between_unequal_numbers_splits_mass():
    assert w2(np.array([[0.0], [1.0]]), np.array([[0.0], [0.5], [1.0]])) == pytest.approx(math.sqrt(1 / 3 * 0.25))


@settings(max_examples=20, deadline=None)
@given(st.integers(-12, 12), st.floats(-5, 5))
def test_w2_scales_and_forgets_a_common_shift(power, shift):
    stream = np.random.default_rng(5)
    real, generated = stream.normal(size=(40, 2)), stream.normal(1, 2, size=(40, 2))
    scale = 10.0**power
    assert w2(scale * (real + shift), scale * (generated + shift)) == pytest.approx(scale * w2(real, generated), 1e-7)


def test_w2_that_does_not_converge_is_an_error(monkeypatch, generator):
    monkeypatch.setattr(wasserstein, "MAX_ITERATIONS", 3)
    with pytest.raises(WorkFailed, match="no optimal plan for"):
        w2(generator.normal(size=(200, 2)), generator.normal(size=(200, 2)))


def test_pot_is_imported_without_leaving_its_switches_behind():
    before = dict(os.environ)
    wasserstein.import_ot()
    assert dict(os.environ) == before


def independent_curve(p, q, angles):
    """PRD straight from the definition, point by point."""
    points = []
    for angle in np.linspace(1e-10, math.pi / 2 - 1e-10, angles):
        slope = math.tan(angle)
        alpha = math.fsum(min(slope * a, b) for a, b in zip(p, q, strict=True))
        points.append((min(alpha, 1.0), min(alpha / slope, 1.0)))
    return np.array(points).T


def independent_prd(real, generated, seed):
    """(F8, F1/8) by the authors' protocol: scikit-learn's k-means, and a nearest-centre assignment of its own."""
    from sklearn.cluster import MiniBatchKMeans

    curves = []
    for run in range(10):
        model = MiniBatchKMeans(n_clusters=20, n_init=10, batch_size=100, random_state=seed + run)
        model.fit(np.vstack([real, generated]))
        shares = [
            np.array([(cdist(x, model.cluster_centers_).argmin(axis=1) == k).mean() for k in range(20)])
            for x in (real, generated)
        ]
        curves.append(independent_curve(*shares, 1001))
    precision, recall = np.mean(curves, axis=0)
    return [
        max((1 + b * b) * p * r / (b * b * p + r + 1e-10) for p, r in zip(precision, recall, strict=True))
        for b in (8, 1 / 8)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["grid", "digits"])
def test_prd_agrees_with_an_independent_computation(what, grid, generator):
    """Means over seeds agree within the spread over seeds, and the spreads within a factor of two and a half."""
    if what == "grid":
        real, generated = grid.truth.sample(400, generator), 0.9 * grid.truth.sample(400, generator)[:, ::-1] + 0.3
    else:
        from sklearn.datasets import load_digits

        images = load_digits().data[generator.permutation(1797)] / 16
        real, generated = images[:800], images[800:1600] + generator.normal(0, 0.1, (800, 64))
    theirs = np.array([independent_prd(real, generated, 10 * seed) for seed in range(8)])
    ours = np.array([prd.f_pair(*prd.prd(real, generated, seed)) for seed in range(20)])
    spread = theirs.std(axis=0, ddof=1)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 1.5 * spread + 1e-4).all()
    assert (ours.std(axis=0, ddof=1) < 2.5 * spread + 1e-4).all() and (theirs < 0.995).all()


def test_prd_of_the_histograms_by_the_definition(grid, generator):
    real, generated = grid.truth.sample(400, generator), 0.9 * grid.truth.sample(400, generator)[:, ::-1] + 0.3
    pairs = list(zip(*prd.histograms(real, generated, 5), strict=True))
    assert len(pairs) == 10 and not np.array_equal(*pairs[0])
    precision, recall = np.mean([independent_curve(p, q, 1001) for p, q in pairs], axis=0)
    found = prd.prd(real, generated, seed=5)
    np.testing.assert_allclose(found[0], precision, atol=1e-6)
    np.testing.assert_allclose(found[1], recall, atol=1e-6)
    for value, b in zip(prd.f_pair(*found), (8, 1 / 8), strict=True):
        best = max((1 + b * b) * p * r / (b * b * p + r + 1e-10) for p, r in zip(precision, recall, strict=True))
        assert value == pytest.approx(best, abs=1e-6)


def test_prd_limiting_cases(generator):
    real = generator.normal(size=(300, 2))
    assert prd.f_pair(*prd.prd(real, real.copy())) == pytest.approx((1, 1), abs=1e-9)
    assert prd.f_pair(*prd.prd(real, real + 1000)) == pytest.approx((0, 0), abs=1e-9)


def test_prd_tells_lost_modes_from_invented_ones(grid, generator):
    real, centres = grid.truth.sample(1_000, generator), grid.truth.centres
    some = centres[generator.integers(5, size=1_000)] + 0.05 * generator.normal(size=(1_000, 2))
    f8, f1_8 = prd.f_pair(*prd.prd(real, some))
    assert f1_8 > 0.9 and f8 < 0.5, "precise, but of low recall"
    f8, f1_8 = prd.f_pair(*prd.prd(some, real))
    assert f1_8 < 0.5 and f8 > 0.9, "covers all, but imprecise"


def test_prd_curve_closed_form():
    # real uniform on 4 bins, generated on 2 of them: precision min(l / 2, 1), recall min(1 / 2, 1 / l)
    precision, recall = prd.curve(np.full(4, 0.25), np.array([0.5, 0.5, 0, 0]))
    slope = np.tan(np.linspace(1e-10, np.pi / 2 - 1e-10, 1001))
    np.testing.assert_allclose(precision, np.minimum(slope / 2, 1), rtol=1e-12)
    np.testing.assert_allclose(recall, np.minimum(0.5, 1 / slope), rtol=1e-12)
    assert prd.f_beta(np.array([1.0]), np.array([0.5]), 2) == pytest.approx(5 * 0.5 / 4.5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_prd_curve_is_mirrored_by_swapping_the_two(first, second):
    p, q = np.array(first) + 1e-3, np.array(second) + 1e-3
    p, q = p / p.sum(), q / q.sum()
    precision, recall = prd.curve(p, q)
    mirrored = prd.curve(q, p)
    np.testing.assert_allclose(mirrored[1][::-1], precision, atol=1e-6)
    np.testing.assert_allclose(mirrored[0][::-1], recall, atol=1e-6)
    assert (np.diff(precision) >= -1e-12).all() and (np.diff(recall) <= 1e-12).all()


def test_prd_is_seeded(generator):
    real, generated = generator.normal(size=(200, 2)), generator.normal(0.5, 1, size=(200, 2))
    assert np.array_equal(prd.prd(real, generated, seed=1), prd.prd(real, generated, seed=1))
    assert not np.array_equal(prd.prd(real, generated, seed=1), prd.prd(real, generated, seed=11))


def test_prd_refuses_unequal_numbers_and_false_histograms():
    with pytest.raises(OtbenchError, match="30 real and 40 generated rows, expected equal numbers"):
        prd.prd(np.zeros((30, 2)), np.zeros((40, 2)))
    with pytest.raises(OtbenchError, match="above 1.001"):
        prd.curve(np.array([1.0, 1.0]), np.array([1.0, 1.0]))


def brute_force(real, generated):
    """The four metrics from their papers' formulas, one pair at a time."""

    def length(x, y):
        return math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)))

    def reach(points, k):
        return [sorted(length(x, y) for j, y in enumerate(points) if j != i)[k - 1] for i, x in enumerate(points)]

    between = [[length(x, y) for y in generated] for x in real]
    real3, real5, generated3 = reach(real, 3), reach(real, 5), reach(generated, 3)
    n, m = len(real), len(generated)
    precision = sum(any(between[i][j] <= real3[i] for i in range(n)) for j in range(m)) / m
    recall = sum(any(between[i][j] <= generated3[j] for j in range(m)) for i in range(n)) / n
    density = sum(between[i][j] < real5[i] for i in range(n) for j in range(m)) / (5 * m)
    coverage = sum(any(between[i][j] < real5[i] for j in range(m)) for i in range(n)) / n
    return precision, recall, density, coverage


def four(real, generated):
    found = neighbours.statistics(real, generated)
    return tuple(
        score(found) for score in (neighbours.precision, neighbours.recall, neighbours.density, neighbours.coverage)
    )


@pytest.mark.parametrize(("width", "rows"), [(2, 2000), (2, 37), (40, 37)])
def test_neighbour_metrics_agree_with_brute_force(width, rows, generator, monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS", rows)
    real, generated = generator.normal(size=(110, width)), generator.normal(0.4, 0.7, size=(90, width))
    np.testing.assert_allclose(four(real, generated), brute_force(real, generated), atol=1e-12)


@pytest.mark.parametrize("width", [2, 40])
def test_precision_and_recall_agree_with_torch_fidelity(width, generator):
    real, generated = generator.normal(size=(300, width)), generator.normal(0.3, 0.5, size=(250, width))
    found = neighbours.library_precision_recall(real, generated)
    assert found == pytest.approx(four(real, generated)[:2], abs=1e-6)
    assert found[0] > found[1], "a narrow generator is precise and of low recall"
    # far from the origin float32 would drown the distances
    assert neighbours.library_precision_recall(real + 1e5, generated + 1e5) == pytest.approx(found, abs=1e-6)


def test_torch_fidelity_that_swaps_precision_and_recall_is_refused(monkeypatch):
    import torch_fidelity

    monkeypatch.setattr(torch_fidelity, "__version__", "0.3.0")
    with pytest.raises(OtbenchError, match="0.3.0 has precision and recall swapped"):
        neighbours.library_precision_recall(np.zeros((30, 2)), np.zeros((30, 2)))


def test_lost_modes_lower_recall_and_coverage_only(grid, generator):
    real = grid.truth.sample(1_000, generator)
    some = grid.truth.centres[generator.integers(5, size=1_000)] + 0.05 * generator.normal(size=(1_000, 2))
    precision, recall, density, coverage = four(real, some)
    assert precision > 0.9 and density > 0.8
    assert recall < 0.25 and coverage < 0.25


def test_density_and_coverage_of_a_perfect_sampler(generator):
    n, m, draws = 60, 45, 800
    found = [four(generator.normal(size=(n, 2)), generator.normal(size=(m, 2)))[2:] for _ in range(draws)]
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / math.sqrt(draws)
    expected = np.array([1.0, neighbours.ideal_coverage(n, m)])
    assert (np.abs(mean - expected) < 4 * error).all()
    assert neighbours.ideal_coverage(2_500, 2_500) == pytest.approx(1 - 2**-5, abs=1e-3)


def test_neighbour_metrics_of_identical_and_of_distant_sets(generator):
    real = generator.normal(size=(80, 2))
    # an open ball holds its own centre and the four points nearer than the fifth, hence density 1 exactly
    assert four(real, real.copy()) == pytest.approx((1, 1, 1, 1), abs=1e-12)
    assert four(real, real + 1e4) == (0, 0, 0, 0)


def test_neighbours_need_six_rows():
    with pytest.raises(OtbenchError, match="real: expected at least 6 rows, got 5"):
        neighbours.statistics(np.zeros((5, 2)), np.zeros((9, 2)))
