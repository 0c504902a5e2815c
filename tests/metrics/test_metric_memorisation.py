"""Distances to the training set: against double loops, the null law of C_T, and a memoriser."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from otbench.errors import OtbenchError
from otbench.metrics import memorisation
from otbench.metrics.memorisation import data_copying, memorised, nearest


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
    """C_T pair by pair."""
    m, n = len(generated), len(test)
    wins = sum(1.0 if g > t else 0.5 if g == t else 0.0 for g in generated for t in test)
    return (wins - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def test_data_copying_agrees_with_a_double_loop(generator):
    test, generated = generator.exponential(size=60), generator.exponential(1.3, size=45)
    assert data_copying(test, generated) == pytest.approx(direct(test, generated), abs=1e-12)
    tied = np.round(test, 1), np.round(generated, 1)
    assert len(np.intersect1d(*tied)) > 5
    assert data_copying(*tied) == pytest.approx(direct(*tied), abs=1e-12)


def test_data_copying_of_fresh_samples_is_standard_normal(generator):
    found = []
    for _ in range(400):
        train, test, fresh = (generator.normal(size=(size, 3)) for size in (200, 80, 60))
        found.append(data_copying(nearest(train, test), nearest(train, fresh)))
    assert abs(np.mean(found)) < 4 / math.sqrt(400) and abs(np.std(found) - 1) < 0.15
    assert kstest(found, "norm").pvalue > 1e-3


def test_signs_say_copied_and_underfitted(generator):
    train, test = generator.normal(size=(300, 5)), generator.normal(size=(200, 5))
    real = nearest(train, test)
    copied = nearest(train, train[:200] + 1e-3 * generator.normal(size=(200, 5)))
    apart = nearest(train, generator.normal(0, 3, size=(200, 5)))
    # every copy nearer than every test point: U = 0, the least value there is
    assert data_copying(real, copied) == pytest.approx(-math.sqrt(3 * 200 * 200 / 401), rel=1e-9)
    assert data_copying(real, apart) > 10
    assert data_copying(real, real) == 0


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
