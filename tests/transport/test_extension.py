"""Extension and rejection: modes found, none mixed, at every scale; and the rules by hand."""

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError, WorkFailed
from otbench.transport import AngleRule, angle_threshold, angles, extend, solve

MIXTURES = ("grid", "grid-pyomt", "ring", "ring-pyomt")


def judged(samples, centres, sigma):
    """Modes captured, share of high quality (within 3 sigma), share beyond 6 sigma of every mode."""
    distance = np.linalg.norm(samples[:, None] - centres, axis=2)
    nearest, away = distance.argmin(1), distance.min(1) / sigma
    return len(np.unique(nearest[away < 3])), np.mean(away < 3), np.mean(away > 6)


@pytest.mark.parametrize("rule", ["paper", "pyomt", "pyomt-mass"])
@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_mode_and_nothing_between(mixture, name, rule, seed):
    centres, sigma, y = mixture(name, seed)
    samples = extend(solve(y), 2500, rule=rule, generator=seed)
    modes, quality, between = judged(samples, centres, sigma)
    assert samples.shape == (2500, 2)
    assert modes == len(centres)
    assert between == 0
    assert quality > 0.98


@pytest.mark.parametrize("name", MIXTURES)
def test_threshold_lies_between_the_modes(mixture, name):
    centres, _, y = mixture(name)
    found = solve(y)
    rule = angle_threshold(found)
    assert rule.modes == len(centres)
    mode = np.linalg.norm(y[:, None] - centres, axis=2).argmin(1)
    i, j = np.triu_indices(len(y), 1)
    other = mode[i] != mode[j]
    assert rule.angles(y, i[other], j[other]).min() > rule.threshold
    pairs = found.neighbours()
    own = pairs[mode[pairs[:, 0]] == mode[pairs[:, 1]]]
    assert np.mean(angles(found, own, rule) <= rule.threshold) == 1


def test_threshold_does_not_depend_on_scale_or_place(mixture):
    _, _, y = mixture("grid", n=256)
    rules = [angle_threshold(solve(z)) for z in (y, 0.01 * y, 100 * y + [1000, -500])]
    assert [r.threshold for r in rules] == pytest.approx([rules[0].threshold] * 3, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "angle"), [("grid", 0.1645), ("grid-pyomt", 0.2971), ("ring", 0.548), ("ring-pyomt", 0.636)]
)
def test_the_papers_angles_do_depend_on_scale(mixture, name, angle):
    """Least angle between the centres of two modes, as the paper measures it: no threshold suits both grids."""
    centres, _, _ = mixture(name)
    i, j = np.triu_indices(len(centres), 1)
    assert AngleRule(np.inf).angles(centres, i, j).min() == pytest.approx(angle, abs=1e-3)


def test_swiss_roll_is_not_rejected(swiss_roll):
    found = solve(swiss_roll)
    samples, told = extend(found, 1000, generator=0, details=True)
    assert angle_threshold(found).modes == 1
    assert told["kept"] > 0.7
    # Samples stay near the roll: no bridge over the space between its turns.
    away = np.linalg.norm(samples[:, None] - swiss_roll, axis=2).min(1)
    assert np.quantile(away, 0.99) < 0.1


def test_one_gaussian_has_one_mode():
    y = np.random.default_rng(0).standard_normal((400, 2))
    assert angle_threshold(solve(y)).modes == 1


def test_angle_of_two_normals_by_hand():
    found = solve([[0.0, 0], [1, 0], [0, 1]])
    # (0, 0, -1) and (1, 0, -1) are 45 degrees apart; (1, 0, -1) and (0, 1, -1) have cosine 1/2.
    assert angles(found, np.array([[0, 1], [1, 2]])) == pytest.approx([np.pi / 4, np.pi / 3])


def test_paper_rule_by_hand():
    """Four quarters with centroids at (+-1/4, +-1/4): the three nearest to x and their inverse distances."""
    found = solve([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])
    samples, told = extend(found, threshold=np.pi, generator=3, points=200, details=True)
    x = found.source.sample(200, np.random.default_rng(3))
    distance = np.linalg.norm(x[:, None] - found.target / 4, axis=2)
    weight = 1 / distance
    weight[np.arange(200), distance.argmax(1)] = 0
    expected = weight @ found.target / weight.sum(1, keepdims=True)
    assert told["kept"] == 1
    assert samples == pytest.approx(expected, abs=1e-9)


def test_pyomt_keeps_each_ordered_pair_once():
    found = solve([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])
    samples, told = extend(found, rule="pyomt", threshold=np.pi, generator=0, details=True)
    # Neighbours on the four sides, in both orders; the opposite quarter is never second.
    assert told["pairs"] == len(samples) == 8
    on_a_side = np.isclose(np.abs(samples), 1).any(1)
    assert on_a_side.all()


def test_pyomt_image_rule_is_a_quarter_and_three():
    found = solve([[0.0, 0], [4, 0]])
    assert extend(found, rule="pyomt-image", threshold=np.pi, generator=0).tolist() == [[3.0, 0.0]]


def test_mass_is_kept_without_deduplication(mixture):
    centres, _, y = mixture("grid", seed=4)
    samples = extend(solve(y), 20_000, rule="pyomt-mass", generator=0)
    own = np.bincount(np.linalg.norm(y[:, None] - centres, axis=2).argmin(1), minlength=25) / len(y)
    new = np.bincount(np.linalg.norm(samples[:, None] - centres, axis=2).argmin(1), minlength=25) / len(samples)
    assert np.sum(new * np.log(new / own)) < 0.01


def test_generators(mixture):
    _, _, y = mixture("ring", n=100)
    found = solve(y)
    by_seed = extend(found, 10, generator=5)
    assert (by_seed == extend(found, 10, generator=np.random.default_rng(5))).all()
    generator = torch.Generator().manual_seed(5)
    first, second = extend(found, 10, generator=generator), extend(found, 10, generator=generator)
    assert (first != second).any()
    assert (first == extend(found, 10, generator=torch.Generator().manual_seed(5))).all()


@pytest.mark.parametrize("rule", ["paper", "pyomt", "pyomt-mass", "dirichlet"])
def test_one_point_gives_that_point(rule):
    assert extend(solve([[3.0, 4.0]]), 5, rule=rule) == pytest.approx(np.tile([3.0, 4.0], (5, 1)))


def test_dirichlet_mixes_two_cells_uniformly():
    samples = extend(solve([[0.0, 0], [1, 0]]), 4000, rule="dirichlet", generator=0)
    assert samples[:, 0].mean() == pytest.approx(0.5, abs=0.03)
    assert samples[:, 0].var() == pytest.approx(1 / 12, abs=0.01)


def test_bad_requests():
    found = solve(np.random.default_rng(0).random((20, 2)))
    with pytest.raises(OtbenchError, match="rule"):
        extend(found, 5, rule="best")
    with pytest.raises(OtbenchError, match="at least one"):
        extend(found, 0)
    with pytest.raises(OtbenchError, match="positive angle"):
        extend(found, 5, threshold=-1.0)
    with pytest.raises(OtbenchError, match="generator"):
        extend(found, 5, generator="seed")
    with pytest.raises(WorkFailed, match="raise it"):
        extend(found, 5, threshold=1e-9)
    with pytest.raises(WorkFailed, match="raise it"):
        extend(found, 5, rule="pyomt", threshold=1e-9)
