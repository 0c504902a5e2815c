"""Distances to the training set: against double loops, the null law of C_T, and a memoriser."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from otbench.errors import OtbenchError
from otbench.metrics import memorisation
from otbench.metrics.memorisation import cell_of, cells, data_copying, mann_whitney, memorised, nearest


@pytest.mark.parametrize(("width", "rows"), [(2, 2000), (30, 2000), (30, 3)])
def test_nearest_agrees_with_a_double_loop(width, rows, generator, monkeypatch):
    monkeypatch.setattr(memorisation, "ROWS", rows)  # blocks of 3 samples and 30 training rows
    train, samples = generator.normal(3, 1, (70, width)), generator.normal(3, 2, (40, width))
    expected = [
        min(math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(x, t, strict=True))) for t in train) for x in samples
    ]
    np.testing.assert_allclose(nearest(train, samples), expected, rtol=1e-9)


def test_nearest_of_a_training_sample_is_nought(generator):
    train = generator.normal(size=(50, 20)).astype(np.float32)
    np.testing.assert_allclose(nearest(train, train[::2]), 0, atol=1e-6)
    with pytest.raises(OtbenchError, match="real has 20 columns and generated has 3"):
        nearest(train, train[:, :3])


def direct(test, generated):
    """The z-score pair by pair."""
    m, n = len(generated), len(test)
    wins = sum(1.0 if g > t else 0.5 if g == t else 0.0 for g in generated for t in test)
    return (wins - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def test_the_z_score_agrees_with_a_double_loop(generator):
    test, generated = generator.exponential(size=60), generator.exponential(1.3, size=45)
    assert mann_whitney(test, generated) == pytest.approx(direct(test, generated), abs=1e-12)
    tied = np.round(test, 1), np.round(generated, 1)
    assert len(np.intersect1d(*tied)) > 5
    assert mann_whitney(*tied) == pytest.approx(direct(*tied), abs=1e-12)


def test_cells_weigh_by_their_share_of_the_test_set(generator):
    test, generated = generator.exponential(size=110), generator.exponential(1.3, size=135)
    # cell 2 has too few generated samples, cell 3 too few test ones, and cell 4 no test sample at all
    at = np.repeat([0, 1, 2, 3], [25, 40, 30, 15]), np.repeat([0, 1, 2, 3, 4], [30, 25, 19, 31, 30])
    first, second = (direct(test[at[0] == cell], generated[at[1] == cell]) for cell in (0, 1))
    assert data_copying(test, generated, *at) == pytest.approx((25 * first + 40 * second) / 65, abs=1e-12)
    # where no cell has enough of both, the whole space is one
    assert data_copying(test, generated, at[0], np.full(135, 9)) == pytest.approx(direct(test, generated), abs=1e-12)


def test_the_partition_has_a_cell_for_every_fifty_test_samples(generator):
    middles = np.array([[0.0, 0], [30, 0], [0, 30], [30, 30]])
    train = np.concatenate([generator.normal(middle, 1, (60, 2)) for middle in middles])
    centres = cells(train, 249)
    assert centres.shape == (4, 2)  # 249 // 50
    order = np.lexsort(centres.round(-1).T[::-1])
    np.testing.assert_allclose(centres[order], np.array([[0, 0], [0, 30], [30, 0], [30, 30]]), atol=0.6)
    samples = generator.uniform(-5, 35, (300, 2))
    gap = [[math.dist(x, c) for c in centres] for x in samples]
    np.testing.assert_array_equal(cell_of(centres, samples), np.argmin(gap, axis=1))
    assert len(cells(train, 30)) == 1 and len(cells(train, 10**6)) == 50


def over_cells(train, test, generated):
    centres = cells(train, len(test))
    distance = [nearest(train, side) for side in (test, generated)]
    return data_copying(*distance, *(cell_of(centres, side) for side in (test, generated)))


def test_data_copying_of_fresh_samples_is_a_mean_of_standard_normals(generator):
    found, single = [], []
    for _ in range(300):
        train, test, fresh = (generator.normal(size=(size, 3)) for size in (200, 200, 240))
        found.append(over_cells(train, test, fresh))
        single.append(mann_whitney(nearest(train, test), nearest(train, fresh)))
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(300)
    assert 0.45 < np.std(found) < 0.75  # four cells of like shares: 1/2 where all are in use
    assert abs(np.std(single) - 1) < 0.17 and kstest(single, "norm").pvalue > 1e-3


def test_signs_say_copied_and_underfitted(generator):
    train, test = generator.normal(size=(300, 5)), generator.normal(size=(200, 5))
    copied = train[:200] + 1e-3 * generator.normal(size=(200, 5))
    apart = generator.normal(0, 3, size=(200, 5))
    # every copy nearer than every test point: U = 0, the least value there is
    distance = [nearest(train, side) for side in (test, copied, apart)]
    assert mann_whitney(*distance[:2]) == pytest.approx(-math.sqrt(3 * 200 * 200 / 401), rel=1e-9)
    assert over_cells(train, test, copied) < -6 and over_cells(train, test, apart) > 5
    assert mann_whitney(distance[0], distance[0]) == 0


def test_one_class_of_fresh_samples_is_no_copy(generator):
    """Samples of the densest class lie nearer to the training set than test samples of all classes do."""

    def draw(sizes):
        return np.concatenate(
            [
                generator.normal(20 * k, scale, (size, 2))
                for k, (scale, size) in enumerate(zip((0.2, 2), sizes, strict=True))
            ]
        )

    train, test, one_class = draw((150, 150)), draw((100, 100)), draw((200, 0))
    assert mann_whitney(nearest(train, test), nearest(train, one_class)) < -6
    assert abs(over_cells(train, test, one_class)) < 3


def test_memorised_is_the_share_below_the_quantile():
    real = np.arange(1.0, 102.0)  # 5 % quantile: 6
    assert memorised(real, np.array([0.0, 5.9, 6.0, 7.0])) == 0.5
    assert memorised(real, real) == pytest.approx(5 / 101)
    assert memorised(real, np.zeros(9)) == 1


def test_memorised_of_fresh_samples_is_the_quantile(generator):
    found = []
    for _ in range(200):
        train, test, fresh = (generator.normal(size=(size, 3)) for size in (150, 199, 100))
        found.append(memorised(nearest(train, test), nearest(train, fresh)))
    assert abs(np.mean(found) - 0.05) < 4 * np.std(found) / math.sqrt(200) + 1 / 200
