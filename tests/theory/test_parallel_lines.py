"""Two parallel lines: closed forms, exact plans and what a discriminator can and cannot say."""

import math

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.parallel_lines import losses
from otbench.theory.parallel_lines.training import Play, train
from tests.conftest import smoke

TINY = smoke("parallel-lines")


def test_closed_forms_at_a_shift_and_at_none():
    assert losses.exact(-0.3) == {
        "w1": 0.3,
        "sliced": pytest.approx(0.6 / math.pi),
        "js": pytest.approx(math.log(2)),
        "kl": math.inf,
        "tv": 1.0,
    }
    assert set(losses.exact(0.0).values()) == {0.0}


@pytest.mark.parametrize("theta", [-1.0, -0.3, 0.5])
def test_w1_of_samples_lies_between_theta_and_theta_plus_the_heights_own(theta):
    draw = np.random.default_rng(3)
    real, generated = losses.line(0.0, 300, draw), losses.line(theta, 300, draw)
    value, slope = losses.transport(real, generated)
    heights = np.abs(np.sort(real[:, 1]) - np.sort(generated[:, 1])).mean()  # W1 in one dimension
    assert abs(theta) <= value <= abs(theta) + heights
    assert value == pytest.approx(abs(theta), rel=0.03)
    assert slope == pytest.approx(np.sign(theta), abs=0.05)
    assert losses.sliced(real, generated) == pytest.approx(2 * abs(theta) / math.pi, rel=0.03)


def test_slope_is_the_derivative_of_w1():
    draw = np.random.default_rng(4)
    real, generated = losses.line(0.0, 60, draw), losses.line(0.05, 60, draw)
    step = np.array([1e-6, 0.0])
    up, down = (losses.transport(real, generated + sign * step)[0] for sign in (1, -1))
    assert losses.transport(real, generated)[1] == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_chance_is_what_samples_of_one_line_give():
    draw = np.random.default_rng(0)
    values = [np.abs(np.sort(draw.random(400)) - np.sort(draw.random(400))).mean() for _ in range(2000)]
    assert np.mean(values) == pytest.approx(losses.chance(400), rel=0.03)


def test_histogram_sees_a_shift_only_beyond_its_cells():
    draw = np.random.default_rng(5)
    real = losses.line(0.0, 500, draw)
    apart = losses.histogram(real, losses.line(0.06, 500, draw), 10)
    assert apart == {"js": pytest.approx(math.log(2)), "kl": math.inf, "tv": pytest.approx(1.0)}
    same = losses.histogram(real, losses.line(0.04, 500, draw), 10)
    assert same["js"] < 0.02 and same["kl"] < 0.1
    assert losses.histogram(real, real, 10) == {"js": 0.0, "kl": 0.0, "tv": 0.0}


def test_discriminator_reaches_log_2_and_its_minimax_slope_dies():
    told = losses.discriminators([0.0, 0.8], 2, [0, 300], 64, 16, torch.Generator().manual_seed(0))
    assert told["js"][-1, 1] == pytest.approx(math.log(2), abs=0.01)
    assert (told["js"] <= math.log(2)).all()
    assert np.abs(told["js"][-1, 0]).max() < 0.02
    assert np.abs(told["minimax"][-1, 1]).max() < 0.1
    assert told["ns"][-1, 1].min() > 1


def test_wgan_finds_the_line_where_a_minimax_gan_stays():
    play = Play(150, 5, 0.02, 2e-3, 32, 16, 0.1, 1.0)
    ends = {
        game: np.abs(train(game, [1.0], 2, play, torch.Generator().manual_seed(0))[-1]) for game in ("minimax", "gp")
    }
    assert ends["gp"].max() < 0.1
    assert ends["minimax"].min() > 0.5


def test_tiny_run_has_its_tables_and_is_reproducible(tmp_path):
    first, second, other = (compute("parallel-lines", TINY, seed=seed) for seed in (0, 0, 1))
    assert first.facts == second.facts != other.facts
    for name, value in first.arrays.items():
        np.testing.assert_array_equal(value, second.arrays[name])
    table = first.tables["losses"]
    assert table["theta"].tolist() == [0.0, 0.1, 0.5]
    np.testing.assert_allclose(table["w1"][1:], [0.1, 0.5], rtol=0.3)
    assert table["kl_exact"].tolist() == [0.0, math.inf, math.inf]
    assert len(first.tables["training"]) == 4 * 2
    assert first.arrays["path_gp"].shape == (11, 2, 2)
    assert (first.arrays["path_gp"][0] == [[-0.5, -0.5], [0.5, 0.5]]).all()


@pytest.mark.parametrize(("options", "said"), [({"offsets": [0.0]}, "offsets"), ({"theta": 1}, "no such option")])
def test_wrong_options_are_refused_with_a_sentence(options, said):
    with pytest.raises(OtbenchError, match=said):
        configure("parallel-lines", options)
