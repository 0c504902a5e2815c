"""Meaningful losses: both estimators on laws whose distances are known, and the games at a small size."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.nets.dcgan import Discriminator, Generator
from otbench.nets.image_layers import BatchNorm
from otbench.nets.replicas import Replicas
from otbench.theory import compute
from otbench.theory.meaningful_loss import GENERATORS, judge, ranked
from otbench.theory.meaningful_loss.players import (
    Critics,
    Discriminators,
    Perceptron,
    PlayersConfig,
    generators,
    jensen_shannon,
    scores,
    steepest,
    trained_on,
    wasserstein,
    without_normalisation,
)

TINY = {
    "seeds": 1,
    "steps": 8,
    "critic_steps": 2,
    "judge_steps": 3,
    "batch": 4,
    "latent": 3,
    "width": 2,
    "hidden": 4,
    "checkpoints": 4,
    "samples": 20,
    "sheets": [0.5, 1.0],
    "shown": 3,
}


def images(seed: int = 0, n: int = 60, side: int = 8) -> DataSet:
    """Grey noise of random brightness."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 255, (n, 1, 1, 1)) * rng.uniform(0.5, 1, (n, 1, side, side))
    return DataSet("noise", values[: n // 2].astype(np.uint8), values[n // 2 :].astype(np.uint8))


@pytest.mark.parametrize("gap", [0.5, 2.0])
def test_the_divergence_of_two_gaussians_is_that_of_the_integral(gap):
    rng = np.random.default_rng(0)
    real, generated = rng.standard_normal(200_000), gap + rng.standard_normal(200_000)
    p, q = norm(0, 1).pdf, norm(gap, 1).pdf

    def integrand(x):
        return 0.5 * (p(x) * np.log(2 * p(x) / (p(x) + q(x))) + q(x) * np.log(2 * q(x) / (p(x) + q(x))))

    # the optimal discriminator's logit is log p / q
    logits = [torch.from_numpy(gap**2 / 2 - gap * x) for x in (real, generated)]
    assert jensen_shannon(*logits) == pytest.approx(quad(integrand, -12, 12 + gap)[0], abs=2e-3)


def test_the_divergence_is_log_2_apart_0_at_a_guess_and_below_0_where_worse():
    sure, none = torch.full((5,), 40.0), torch.zeros(5)
    assert jensen_shannon(sure, -sure) == pytest.approx(math.log(2))
    assert jensen_shannon(none, none) == pytest.approx(0)
    assert jensen_shannon(-sure / 40, sure / 40) < 0


def test_the_distance_of_a_translation_is_its_length():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((500, 3)))
    shift = torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64)
    potential = -shift / shift.norm()
    assert wasserstein(x @ potential, (x + shift) @ potential) == pytest.approx(3.0)


def test_a_trained_critic_over_its_slope_bounds_a_known_distance_from_below():
    data = images()
    model = Critics(PlayersConfig(latent=2, width=4, batch=8, clip=0.05, rate=1e-3), data, [0])
    real, fake = torch.full((1, 8, 1, 8, 8), 0.75), torch.full((1, 8, 1, 8, 8), 0.25)
    for _ in range(60):
        model.descend(discriminator=model.discriminator(fake).mean(1) - model.discriminator(real).mean(1))
        for tensor in model.discriminator.parameters():
            tensor.data.clamp_(-0.05, 0.05)
    estimate = wasserstein(model.discriminator(real), model.discriminator(fake))
    slope, truth = steepest(model.discriminator, real[0], fake[0], 50), 0.5 * 8
    assert 0.2 * truth < estimate / slope <= truth * 1.001


def between_constants(kind: type, rate: float) -> Critics | Discriminators:
    """A game of images of 191 / 255 against a generator that only makes those of 1 / 2: W1 is 8 times the gap."""
    white = np.full((20, 1, 8, 8), 191, np.uint8)
    config = PlayersConfig(generator="MLP", latent=2, width=4, hidden=3, batch=4, clip=0.05, rate=rate)
    model = kind(config, DataSet("constant", white, white), [0])
    for tensor in model.generator.parameters():
        tensor.data.zero_()
    return model


def asked(model: Critics | Discriminators, steps: int) -> tuple[float, float]:
    """The estimate of its kind, and the slope, after so many updates of the judge."""
    copy = trained_on(model, steps)
    real, fake = torch.full((1, 1, 8, 8), 191 / 255), torch.full((1, 1, 8, 8), 0.5)
    estimate = wasserstein if isinstance(model, Critics) else jensen_shannon
    return estimate(scores(copy, real), scores(copy, fake)), steepest(copy, real, fake, 50)


def test_a_judge_trained_longer_comes_closer_to_a_known_distance():
    model = between_constants(Critics, 1e-3)
    found = [asked(model, steps) for steps in (0, 10, 40, 120)]
    estimates = [estimate for estimate, _ in found]
    assert estimates == sorted(estimates) and estimates[3] > 10 * abs(estimates[0])
    truth = 8 * (191 / 255 - 0.5)
    shares = [estimate / slope / truth for estimate, slope in found]
    assert shares[0] < shares[3] and 0.5 < shares[3] <= 1.001
    # the weights are at their bounds: more updates add nothing
    assert estimates[3] == pytest.approx(asked(model, 160)[0], rel=0.02)


def test_a_judge_trained_longer_tells_two_disjoint_laws_apart():
    model = between_constants(Discriminators, 5e-3)
    found = [asked(model, steps)[0] for steps in (0, 20, 200)]
    assert found == sorted(found)
    assert found[2] == pytest.approx(math.log(2), abs=0.02)


@pytest.mark.parametrize("kind", [Critics, Discriminators])
def test_judging_leaves_the_game_as_it_was_and_0_steps_the_judge(kind):
    model = kind(PlayersConfig(latent=3, width=2, hidden=4, batch=4), images(), [2])
    before = {(n, k): v.clone() for n, r in model.networks.items() for k, v in r.state().items()}
    judged, same = trained_on(model, 3).state(), trained_on(model, 0).state()
    for (name, key), value in before.items():
        assert torch.equal(value, model.networks[name].state()[key])
    own = {key: value for (name, key), value in before.items() if name == "discriminator"}
    assert all(torch.equal(own[key], same[key]) for key in own)
    assert not all(torch.equal(own[key], judged[key]) for key in own)


def test_the_slope_of_a_linear_critic_is_its_weights_norm():
    def linear() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1), torch.nn.Flatten(0))

    critic = Replicas(linear, [0], "critic", torch.device("cpu"))
    found = steepest(critic, torch.rand(3, 1, 2, 2), torch.rand(5, 1, 2, 2), 3)
    assert found == pytest.approx(float(critic.module[1].weight.detach().norm()))


def test_w1_of_shifted_images_is_the_shift():
    data = images()
    made = judge(data, 20, 0)
    darker = (made.held // 2).astype(np.uint8)
    assert made.w1(made.held) == pytest.approx(0, abs=1e-6)
    assert made.frechet(made.held) == pytest.approx(0, abs=1e-6)
    constant = np.full_like(made.held, 255)
    expected = np.sqrt(((255.0 - made.held) ** 2).sum((1, 2, 3))).mean() / 255
    assert made.w1(constant) == pytest.approx(expected, rel=1e-5)
    assert 0 < made.w1(darker) < made.w1(constant)


def test_networks_are_what_they_are_called():
    shape, z = (3, 28, 28), torch.randn(2, 5)
    built = {name: build() for name, build in generators(shape, 5, 2, 8).items()}
    assert tuple(built) == GENERATORS
    assert all(network(z).shape == (2, *shape) for network in built.values())
    norms = {name: sum(isinstance(m, BatchNorm) for m in network.modules()) for name, network in built.items()}
    assert norms["DCGAN"] > 0 and norms["DCGAN without BatchNorm"] == 0 and norms["MLP"] == 0
    assert isinstance(built["MLP"], Perceptron) and isinstance(built["DCGAN"], Generator)
    assert not any(isinstance(m, BatchNorm) for m in without_normalisation(Discriminator(shape, 2)).modules())


def test_both_games_start_from_the_same_networks():
    config = PlayersConfig(latent=3, width=2, hidden=4)
    one, other = (kind(config, images(), [4]) for kind in (Critics, Discriminators))
    for name, network in one.networks.items():
        for key, value in network.state().items():
            assert torch.equal(value, other.networks[name].state()[key])


def test_tiny_options_run_and_repeat():
    first, second = (compute("meaningful-loss", TINY, images()) for _ in range(2))
    for name, value in first.arrays.items():
        assert np.array_equal(value, second.arrays[name], equal_nan=True), name
    assert first.arrays["estimate"].shape == (2, 3, 1, 4)
    assert first.arrays["sheets"].shape == (2, 3, 2, 3, 1, 8, 8)
    assert np.isnan(first.arrays["slope"][1]).all() and (first.arrays["slope"][0] > 0).all()
    assert (first.arrays["estimate"][1] <= math.log(2)).all()
    pd.testing.assert_frame_equal(first.tables["correlations"], second.tables["correlations"])
    assert len(first.tables["checkpoints"]) == 24


def test_the_game_does_not_depend_on_its_judge():
    short, none = (compute("meaningful-loss", {**TINY, "judge_steps": k}, images()) for k in (3, 0))
    for name in ("as_is", "w1", "frechet", "sheets"):
        assert np.array_equal(short.arrays[name], none.arrays[name]), name
    assert np.array_equal(none.arrays["estimate"], none.arrays["as_is"])
    assert not np.array_equal(short.arrays["estimate"], short.arrays["as_is"])


def test_correlation_is_of_ranks():
    assert ranked(np.array([1.0, 2.0, 5.0]), np.array([0.0, 10.0, 11.0])) == pytest.approx(1)
    assert math.isnan(ranked(np.ones(3), np.arange(3.0)))
    assert math.isnan(ranked(np.full(3, np.nan), np.arange(3.0)))


def test_wrong_options_are_told():
    with pytest.raises(OtbenchError, match="sheets must be fractions"):
        compute("meaningful-loss", {**TINY, "sheets": [1.5]}, images())
    with pytest.raises(OtbenchError, match="option 'steps'"):
        compute("meaningful-loss", {"steps": 0}, images())
