"""What makes SNGAN, WGAN-GP and WGAN-div with the larger networks those models."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from otbench.models import find
from otbench.nets.replicas import Replicas
from otbench.nets.resnet import Block
from otbench.nets.spectral import LayerNorm, Spectral
from otbench.training.trainer import Options, Trainer
from otbench.utils.rng import generator
from tests.models.conftest import four_pictures
from tests.models.small_images import batches, build, close, loud, slopes, sp, taken

PENALISED = ["wgan-gp-standard", "wgan-gp-resnet", "wgan-div", "wgan-div-resnet"]
NAMES = ["sngan", "sngan-resnet", *PENALISED]


class Linear(nn.Module):
    """<w, x>, whose gradient is w everywhere."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(1, 16, 16) / 4)

    def forward(self, x):
        return (x * self.w).sum((1, 2, 3))


class Bowl(nn.Module):
    """s |x|^2 / 2, whose gradient is s x."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return self.s * (x**2).sum((1, 2, 3)) / 2


def with_critic(name, data, critic, **more):
    """The model with another critic, and its first batch."""
    model = build(name, data, critic_steps=1, **more)
    model.discriminator = model.networks["discriminator"] = Replicas(critic, [0], "critic", torch.device("cpu"))
    model.adam("discriminator", ["discriminator"], 1e-4, 0.0)
    (batch,) = batches(model)
    return model, batch


# ------------------------------------------------------------------ SNGAN


SNGANS = [("sngan", "hinge"), ("sngan", "cross-entropy"), ("sngan-resnet", "hinge")]


@pytest.mark.parametrize(("name", "loss"), SNGANS)
def test_sngan_losses_and_gradients_of_the_discriminator(name, loss, pictures):
    model = loud(build(name, pictures, loss=loss, critic_steps=1))
    (batch,) = batches(model)
    g, d = (copy.deepcopy(model.networks[n].module) for n in ("generator", "discriminator"))
    # scores of real and generated images come from the same singular values
    a, b = d(torch.cat([batch["real"][0, 0], g(batch["z"][0, 0]).detach()])).chunk(2)
    if loss == "hinge":
        expected = torch.maximum(torch.zeros(()), 1 - a).mean() + torch.maximum(torch.zeros(()), 1 + b).mean()
    else:
        expected = sp(-a).mean() + sp(b).mean()
    assert model.step(batch)["discriminator"].item() == pytest.approx(expected.item(), rel=1e-4)
    close(taken(model, "discriminator"), slopes(expected, d))


@pytest.mark.parametrize(("name", "loss"), SNGANS)
def test_the_generator_of_sngan_follows_the_discriminator_on_its_own_noise(name, loss, pictures):
    model = loud(build(name, pictures, loss=loss, critic_steps=1, rate=0.05))
    (batch,) = batches(model)
    g, states = copy.deepcopy(model.generator.module), []
    critic = model.discriminator.module
    critic.register_forward_pre_hook(lambda m, x: states.append(copy.deepcopy(m.state_dict())))
    losses = model.step(batch)
    assert len(states) == 2, "one pass for real and generated images, one for the generator"
    assert not torch.equal(states[0]["last.weight"], states[1]["last.weight"])
    d = build(name, pictures).discriminator.module
    d.load_state_dict(states[1])
    scores = d(g(batch["last"][0]))
    expected = -scores.mean() if loss == "hinge" else sp(-scores).mean()
    assert losses["generator"].item() == pytest.approx(expected.item(), rel=1e-4)
    close(taken(model, "generator"), slopes(expected, g))


@pytest.mark.parametrize("name", ["sngan", "sngan-resnet"])
def test_spectral_norms_follow_the_weights_while_they_train(name, pictures):
    model = build(name, pictures, rate=2e-4)
    Trainer(model, 100, [1.0], Options(), None).run()
    layers = [m for m in model.discriminator.module.modules() if isinstance(m, Spectral)]
    assert len(layers) >= 8
    found = []
    for layer in layers:
        used = layer.normalised().detach().numpy().reshape(len(layer.weight), -1)
        plain = layer.weight.detach().numpy().reshape(len(layer.weight), -1)
        found.append(np.linalg.svd(used, compute_uv=False)[0])
        ratio = np.linalg.svd(plain, compute_uv=False)[0] / np.linalg.norm(plain)
        assert np.linalg.norm(used) * ratio == pytest.approx(found[-1], rel=1e-3), "a multiple of the weight"
    # an iteration never finds more than the largest, and little less where the second is close
    assert min(found) > 0.999 and max(found) < 1.25 and np.median(found) < 1.05


# ------------------------------------------------------------------ penalties


@pytest.mark.parametrize("name", PENALISED)
def test_penalty_of_a_linear_critic_is_known(name, pictures):
    model, batch = with_critic(name, pictures, Linear)
    w = model.discriminator.module.w.detach().clone()
    images = copy.deepcopy(model.generator.module)(batch["z"][0, 0]).detach()
    distance = (batch["real"][0, 0] * w).sum((1, 2, 3)).mean() - (images * w).sum((1, 2, 3)).mean()
    losses = model.step(batch)
    # on [-1, 1] an image moves twice as far
    slope = w.norm() / 2
    penalty = (slope - 1) ** 2 if "gp" in name else slope**6
    weight = 10 if "gp" in name else 2
    to_w = (2 * (slope - 1) if "gp" in name else 6 * slope**5) * w / (4 * slope)
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    assert losses["distance"].item() == pytest.approx(distance.item(), rel=1e-3, abs=1e-5)
    assert losses["discriminator"].item() == pytest.approx((weight * penalty - distance).item(), rel=1e-4)
    expected = weight * to_w - (batch["real"][0, 0] - images).mean(0)
    assert torch.allclose(taken(model, "discriminator")[0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", PENALISED)
def test_penalty_is_taken_on_the_segments(name, pictures):
    model, batch = with_critic(name, pictures, Bowl)
    images = copy.deepcopy(model.generator.module)(batch["z"][0, 0]).detach()
    share = batch["where"][0, 0].reshape(-1, 1, 1, 1)
    assert 0 <= share.min() < 0.2 and 0.8 < share.max() < 1
    places = (1 - share) * batch["real"][0, 0] + share * images
    slope = 0.3 * places.flatten(1).norm(dim=1) / 2
    penalty = ((slope - 1) ** 2 if "gp" in name else slope**6).mean()
    assert model.step(batch)["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)


@pytest.mark.parametrize("name", PENALISED)
def test_gradients_are_those_of_a_plain_network(name, pictures):
    model = build(name, pictures, critic_steps=1)
    (batch,) = batches(model)
    g, f = (copy.deepcopy(model.networks[n].module).double() for n in ("generator", "discriminator"))
    real, z, share = (batch[k][0, 0].double() for k in ("real", "z", "where"))
    images = g(z).detach()
    places = (real + share.reshape(-1, 1, 1, 1) * (images - real)).requires_grad_()
    (gradient,) = torch.autograd.grad(f(places).sum(), places, create_graph=True)
    slope = (gradient / 2).square().sum((1, 2, 3)).sqrt()
    penalty = 10 * (slope - 1).square().mean() if "gp" in name else 2 * slope.pow(6).mean()
    expected = penalty - f(real).mean() + f(images).mean()
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(expected.item(), rel=1e-4)
    to_f = torch.autograd.grad(expected, list(f.parameters()), allow_unused=True)
    for mine, other in zip(taken(model, "discriminator"), to_f, strict=True):
        assert (mine - other.float()).norm() <= 1e-3 * other.norm() + 1e-5


def test_options_of_the_penalty_are_taken(pictures):
    model, batch = with_critic("wgan-div", pictures, Linear, k=10.0, p=3.0)
    slope = model.discriminator.module.w.detach().norm() / 2
    losses = model.step(batch)
    assert losses["penalty"].item() == pytest.approx(slope.item() ** 3, rel=1e-4)
    total = losses["discriminator"] + losses["distance"]
    assert total.item() == pytest.approx(10 * slope.item() ** 3, rel=1e-4), "the weight of the authors' code"


# ------------------------------------------------------------------ training


@pytest.mark.parametrize("name", NAMES)
def test_every_update_of_the_discriminator_has_its_own_batch_and_noise(name, pictures):
    model = build(name, pictures, critic_steps=3)
    (stage,) = model.stages()
    assert stage.cost == 3 and Trainer(model, 30, [1.0], Options(), None).plan()[0][1] == 10
    (batch,) = batches(model)
    asked = []
    model.generator.module.register_forward_pre_hook(lambda _, x: asked.append(x[0].clone()))
    stage.step(batch)
    assert [torch.equal(a, b) for a, b in zip(asked, [*batch["z"][0], batch["last"][0]], strict=True)] == [True] * 4
    assert not torch.equal(batch["real"][0, 0], batch["real"][0, 1])
    doubled = name in ("sngan-resnet", "wgan-gp-resnet")
    assert batch["last"].shape == (1, 32 if doubled else 16, 6) and batch["real"].shape[:3] == (1, 3, 16)
    assert batch["z"].std().item() == pytest.approx(1, abs=0.2) and batch["z"].abs().max() > 1.5, "Gaussian noise"


@pytest.mark.parametrize("name", ["sngan", "sngan-resnet"])
def test_rates_fall_in_a_line_where_the_paper_lets_them(name, pictures):
    model = build(name, pictures, rate=1e-3, critic_steps=1)
    seen, step = [], model.step

    def recorded(batch):
        seen.append([o.param_groups[0]["lr"] for o in model.optimisers.values()])
        return step(batch)

    model.step = recorded
    Trainer(model, 5, [1.0], Options(), None).run()
    expected = [1e-3 * (1 - k / 5 if "resnet" in name else 1) for k in range(5)]
    assert np.array(seen) == pytest.approx(np.array([expected, expected]).T)


def test_values_are_the_papers():
    expected = {
        "sngan": (2e-4, 0.5, 0.999, 1, 64, 64, 100_000),
        "sngan-resnet": (2e-4, 0.0, 0.9, 5, 64, 128, 5 * 50_000),
        "wgan-gp-standard": (1e-4, 0.5, 0.9, 5, 64, 64, 5 * 200_000),
        "wgan-gp-resnet": (2e-4, 0.0, 0.9, 5, 64, 128, 5 * 100_000),
        "wgan-div": (2e-4, 0.0, 0.9, 4, 64, 64, 4 * 200_000),
        "wgan-div-resnet": (2e-4, 0.0, 0.9, 4, 64, 128, 4 * 200_000),
    }
    for name, (*values, budget) in expected.items():
        c = find(name, "images").Config()
        assert [c.rate, c.beta1, c.beta2, c.critic_steps, c.batch, c.width] == values and c.latent == 128, name
        assert {find(name, "images").paper_budget(d) for d in ("mnist", "cifar10", "celeba")} == {budget}


def test_rates_and_betas_reach_the_optimisers(pictures):
    for name in NAMES:
        model = build(name, pictures)
        c = model.config
        for optimiser in model.optimisers.values():
            (group,) = optimiser.param_groups
            assert (group["lr"], tuple(group["betas"])) == (c.rate, (c.beta1, c.beta2)), name


def test_networks_are_the_names_own():
    small, large = four_pictures(20), four_pictures(20, (3, 64, 64))

    def kinds(name, data, **more):
        critic = build(name, data, **more).discriminator.module
        return tuple(any(isinstance(m, kind) for m in critic.modules()) for kind in (Block, LayerNorm, Spectral))

    assert kinds("sngan", small) == (False, False, True) and kinds("sngan-resnet", small) == (True, False, True)
    assert kinds("wgan-gp-standard", large) == (False, False, False)
    assert kinds("wgan-gp-resnet", small) == (True, False, False)
    assert kinds("wgan-gp-resnet", large) == (True, True, False), "the code's script for 64x64 normalises by layer"
    assert kinds("wgan-gp-resnet", large, normalisation="none") == (True, False, False)
    assert kinds("wgan-div", small) == (False, True, False) and kinds("wgan-div-resnet", small) == (True, True, False)
    model = build("sngan-resnet", small)
    assert model.generator.module.body[-2].in_channels == 2 * model.discriminator.module.body[0].branch[0].out_channels


def test_samples_come_from_gaussian_noise_in_inference_mode(pictures):
    model = build("sngan", pictures)
    model.step(batches(model)[0])
    z = torch.randn((9, 6), generator=generator(0, "samples"))
    drawn = model.draw(9, [generator(0, "samples")])
    assert torch.allclose(drawn[0], copy.deepcopy(model.generator.module).eval()(z), atol=1e-6)
