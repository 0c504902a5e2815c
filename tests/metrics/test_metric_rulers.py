"""The newer metrics, each against its formula written out plainly and against a closed form."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import betabinom, wasserstein_distance

from otbench.errors import OtbenchError
from otbench.metrics import METRICS, frechet
from otbench.metrics.authenticity import authenticity
from otbench.metrics.clipped import clipped_coverage, clipped_density, expected_coverage
from otbench.metrics.fid_infinity import of_features, sizes
from otbench.metrics.sliced import directions, sliced_w2
from otbench.metrics.vendi import vendi

NEW = ("fid_infinity", "clipped_density", "clipped_coverage", "sliced_w2", "vendi", "authenticity")


def test_they_are_registered_and_measured_on_request_alone():
    for name in NEW:
        assert (
            METRICS[name].on_request and METRICS[name].paper and METRICS[name].direction in ("higher", "lower", "none")
        )


def plain_fid(real, generated):
    s, t = np.cov(real.T), np.cov(generated.T)
    gap = real.mean(0) - generated.mean(0)
    return gap @ gap + np.trace(s + t - 2 * sqrtm(s @ t).real)


def test_fid_at_infinity_is_the_line_through_plain_distances(generator):
    real, generated = generator.standard_normal((200, 4)), generator.standard_normal((90, 4)) + 0.3
    rows = generated[np.random.default_rng(5).permutation(90)]
    numbers = [int(value) for value in np.linspace(30, 90, 15)]
    assert sizes(90).tolist() == numbers
    design = np.stack([np.ones(15), 1 / np.array(numbers)], axis=1)
    values = [plain_fid(real, rows[:n]) for n in numbers]
    expected = np.linalg.lstsq(design, values, rcond=None)[0][0]
    assert of_features(real, generated, seed=5) == pytest.approx(expected, abs=1e-8)


def test_fid_at_infinity_takes_away_the_bias_of_one_law(generator):
    d, n = 16, 600
    real = generator.standard_normal((20_000, d))
    pairs = [generator.standard_normal((n, d)) for _ in range(12)]
    plain = np.mean([frechet.fid(real, part) for part in pairs])
    corrected = np.mean([of_features(real, part) for part in pairs])
    assert plain > 0.1 and abs(corrected) < 0.25 * plain, "the true distance is 0"


def plain_clipped_density(real, generated, k=5):
    d = cdist(real, real)
    radius = np.sort(d, axis=1)[:, k]
    radius = np.clip(radius, 0, np.median(radius))
    balls = list(enumerate(zip(real, radius, strict=True)))

    def around(points, same):
        inside = [
            [cdist([c], [p])[0, 0] <= r for i, (c, r) in balls if not (same and i == j)] for j, p in enumerate(points)
        ]
        return np.mean([min(sum(row), k) / k for row in inside])

    return min(1, around(generated, same=False) / around(real, same=True))


def test_clipped_density_is_its_formula_and_1_on_real_data(generator):
    real, generated = generator.standard_normal((60, 3)), generator.standard_normal((40, 3)) * 1.4
    assert clipped_density(real, generated) == pytest.approx(plain_clipped_density(real, generated), abs=1e-12)
    assert clipped_density(real, real + 100) == 0
    wide = generator.standard_normal((80, 30))  # distances from scalar products
    assert clipped_density(wide, wide.copy()) == 1


def test_clipped_density_reads_as_a_share_and_outliers_do_not_lift_it(generator):
    real, good = generator.standard_normal((800, 4)), generator.standard_normal((800, 4))
    good[:240] += 50
    assert clipped_density(real, good) == pytest.approx(0.7, abs=0.04)
    far = np.vstack([real, generator.standard_normal((40, 4)) * 300])  # their balls hold everything
    assert clipped_density(far, good) == pytest.approx(0.7, abs=0.05)


def test_expected_coverage_is_the_mean_over_the_beta_binomial():
    for n, m in ((30, 12), (200, 3), (50, 0)):
        j = np.arange(m + 1)
        expected = (np.minimum(j, 5) / 5 * betabinom.pmf(j, m, 5, n - 5)).sum()
        assert expected_coverage(n, np.array([m]))[0] == pytest.approx(expected, abs=1e-12)
    # of exchangeable points: n balls of 5 of n-1 others; simulated
    draw, total = np.random.default_rng(0), []
    for _ in range(400):
        real, generated = draw.random((30, 1)), draw.random((20, 1))
        radius = np.sort(cdist(real, real), axis=1)[:, 5]
        total.append(np.minimum((cdist(real, generated) < radius[:, None]).sum(1), 5).mean() / 5)
    assert np.mean(total) == pytest.approx(expected_coverage(30, np.array([20]))[0], abs=0.01)


def test_clipped_coverage_is_its_formula_and_reads_as_a_share(generator):
    real, generated = generator.standard_normal((50, 3)), generator.standard_normal((40, 3)) * 0.7
    radius = np.sort(cdist(real, real), axis=1)[:, 5]
    nearest = np.sort(cdist(real, generated), axis=1)[:, :5]  # the authors': of the five nearest, those in the ball
    y = (nearest < radius[:, None]).mean()
    shares = [
        (np.minimum(np.arange(m + 1), 5) / 5 * betabinom.pmf(np.arange(m + 1), m, 5, 45)).sum() for m in range(41)
    ]
    assert clipped_coverage(real, generated) == pytest.approx(np.searchsorted(shares, y) / 41, abs=1e-12)
    real, good = generator.standard_normal((900, 2)), generator.standard_normal((900, 2))
    good[:360] += 60
    assert clipped_coverage(real, good) == pytest.approx(0.6, abs=0.06)


def test_sliced_w2_is_the_mean_over_its_directions(generator):
    real, generated = generator.standard_normal((40, 5)) + 1e3, generator.standard_normal((40, 5)) * 2 + 1e3
    angles = directions(5, 3, 20)
    assert np.allclose(np.linalg.norm(angles, axis=1), 1)
    plain = [np.mean((np.sort(real @ a) - np.sort(generated @ a)) ** 2) for a in angles]
    assert sliced_w2(real, generated, 3, 20) == pytest.approx(5 * np.mean(plain), rel=1e-9)
    with pytest.raises(OtbenchError, match="40 real and 30 generated rows"):
        sliced_w2(real, generated[:30])


def test_sliced_w2_of_a_shift_a_scaling_and_a_line(generator):
    x, shift = generator.standard_normal((500, 8)), np.array([3.0, 0, 0, 0, 0, 0, 0, 4.0])
    assert sliced_w2(x, x) == 0
    assert sliced_w2(x, x + shift) == pytest.approx(25, rel=0.1), "|shift|^2, as the Frechet distance"
    assert sliced_w2(x, 3 * (x - x.mean(0)) + x.mean(0)) == pytest.approx(4 * x.var(0).sum(), rel=0.05)
    line = generator.standard_normal((300, 1)), generator.exponential(size=(300, 1))
    squared = np.mean((np.sort(line[0][:, 0]) - np.sort(line[1][:, 0])) ** 2)
    assert sliced_w2(*line) == pytest.approx(squared, rel=1e-12)
    assert wasserstein_distance(line[0][:, 0], line[1][:, 0]) ** 2 <= squared  # W1 is at most W2


def test_vendi_counts_orthogonal_groups(generator):
    groups = np.repeat(np.eye(6), 10, axis=0) * generator.uniform(1, 5, (60, 1))
    assert vendi(groups) == pytest.approx(6)
    assert vendi(np.ones((20, 3))) == pytest.approx(1)
    assert vendi(np.vstack([groups, np.zeros((1, 6))])) == pytest.approx(
        np.exp(-6 * (10 / 61) * np.log(10 / 61) - np.log(1 / 61) / 61)
    ), "a row of zeros is a kind of its own"


@pytest.mark.parametrize("shape", [(15, 40), (40, 7)])
def test_vendi_is_the_entropy_of_the_whole_kernel(generator, shape):
    x = generator.standard_normal(shape)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvals(unit @ unit.T / len(x)).real
    values = values[values > 1e-12]
    assert vendi(x) == pytest.approx(np.exp(-np.sum(values * np.log(values))), rel=1e-9)


def test_authenticity_is_its_definition(generator):
    train, generated = generator.standard_normal((60, 3)), generator.standard_normal((50, 3))
    authentic = []
    for g in generated:
        i = min(range(60), key=lambda k: np.linalg.norm(g - train[k]))
        gap = min(np.linalg.norm(train[i] - train[k]) for k in range(60) if k != i)
        authentic.append(np.linalg.norm(g - train[i]) > gap)
    assert authenticity(train, generated) == pytest.approx(np.mean(authentic))
    assert authenticity(train, train[:30]) == 0 and authenticity(train, train + 50) == 1


@pytest.mark.parametrize(("d", "mutual"), [(1, 2 / 3), (2, 6 * np.pi / (8 * np.pi + 3 * np.sqrt(3)))])
def test_authenticity_of_a_perfect_sampler_is_the_share_of_points_without_mutual_neighbours(generator, d, mutual):
    train, generated = generator.random((3000, d)), generator.random((3000, d))
    assert authenticity(train, generated) == pytest.approx(1 - mutual, abs=0.035)
