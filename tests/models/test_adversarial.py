"""What makes each GAN of Lucic et al. that model: losses and gradients against formulas written out by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from otbench.models import find
from otbench.models.images.shared.penalty import slopes as slopes_of
from otbench.training.trainer import Options, Trainer
from tests.models.small_images import batches, build, close, loud, slopes, sp, taken

#: default values of Lucic et al.: rate, beta1, batch normalisation, discriminator updates a step of the generator
STUDY = {
    "mm-gan": (5e-5, 0.0, True, 1),
    "ns-gan": (5e-5, 0.0, True, 1),
    "lsgan": (2e-4, 0.5, True, 1),
    "wgan-gp": (1e-4, 0.5, False, 5),
    "dragan": (1e-4, 0.5, True, 1),
    "began": (1e-4, 0.5, False, 5),
}


class Linear(nn.Module):
    """<w, x> + b, whose gradient is w everywhere."""

    def __init__(self, shape, norm):
        super().__init__()
        w = torch.randn(shape)
        self.w = nn.Parameter(norm * w / w.norm())
        self.b = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return (x * self.w).sum((1, 2, 3)) + self.b


def modules(model):
    return [copy.deepcopy(model.networks[n].module) for n in ("generator", "discriminator")]


def first(batch):
    """The inputs of the first update of the first replica."""
    return {name: values[0, 0] if name != "last" else values[0] for name, values in batch.items()}


# ------------------------------------------------------------------ what they share


@pytest.mark.parametrize("name", STUDY)
def test_defaults_are_the_studys(name, pictures):
    rate, beta1, normalised, steps = STUDY[name]
    config = find(name, "images").Config()
    assert (config.latent, config.batch, config.width) == (64, 64, 64)
    assert (config.rate, config.beta1, config.normalised, config.critic_steps) == (rate, beta1, normalised, steps)
    for optimiser in build(name, pictures).optimisers.values():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"])) == (rate, (beta1, 0.999))
    budgets = {"mnist": 15_625, "fashion-mnist": 15_625, "cifar10": 78_125, "celeba": 101_250}
    assert {d: find(name, "images").paper_budget(d) for d in budgets} == budgets


def test_the_studys_other_values_and_that_the_corrected_forms_are_the_default():
    configs = {name: find(name, "images").Config() for name in STUDY}
    assert configs["wgan-gp"].penalty == configs["dragan"].penalty == 10
    assert configs["wgan-gp"].epsilon == configs["dragan"].epsilon == 0
    assert not configs["dragan"].sigmoid and not configs["dragan"].positive and configs["dragan"].spread == 0.5
    assert not configs["lsgan"].sigmoid
    assert (configs["began"].gamma, configs["began"].k_rate, configs["began"].bounded) == (0.75, 1e-3, True)


@pytest.mark.parametrize("name", STUDY)
def test_every_update_of_the_discriminator_has_its_own_batch(name, pictures):
    model = build(name, pictures, critic_steps=3)
    (stage,) = model.stages()
    assert stage.cost == 3 and Trainer(model, 30, [1.0], Options(), None).plan()[0][1] == 10
    (batch,) = batches(model)
    assert batch["real"].shape[:3] == (1, 3, 16) and not torch.equal(batch["real"][0, 0], batch["real"][0, 1])
    asked, scored, before = [], [], []
    model.generator.module.register_forward_pre_hook(lambda _, x: asked.append(x[0].clone()))
    model.discriminator.module.register_forward_pre_hook(lambda _, x: scored.append(x[0].detach().clone()))
    steps = {n: 0 for n in ("discriminator", "generator")}
    for n, optimiser in model.optimisers.items():
        optimiser.register_step_post_hook(lambda *_, n=n: steps.__setitem__(n, steps[n] + 1))
        before.append([p.detach().clone() for p in model.networks[n].parameters()])
    losses = stage.step(batch)
    assert steps == {"discriminator": 3, "generator": 1}
    each = 3 if name in ("wgan-gp", "dragan") else 2
    assert [torch.equal(scored[each * k], batch["real"][0, k]) for k in range(3)] == [True] * 3
    assert all(torch.equal(a, z) for a, z in zip(asked, batch["z"][0], strict=False))
    if name == "wgan-gp":
        assert torch.equal(asked[3], batch["last"][0]) and not torch.equal(scored[-1], scored[each * 2 + 1])
    else:
        assert len(asked) == 3 and torch.equal(scored[-1], scored[each * 2 + 1]), "on the last update's images"
    assert all(value.shape == (1,) and not value.requires_grad for value in losses.values())
    assert all(any(not torch.equal(a, b) for a, b in zip(old, r.parameters(), strict=True))
               for old, r in zip(before, model.networks.values(), strict=True))  # fmt: skip


def least_squares(f):
    return (
        lambda a, b: ((f(a) - 1) ** 2).mean() / 2 + (f(b) ** 2).mean() / 2,
        lambda b: ((f(b) - 1) ** 2).mean() / 2,
    )


# by name and options: what the discriminator and the generator descend, of scores a of real and b of generated images
FORMULAS = {
    "mm-gan": ({}, (lambda a, b: sp(-a).mean() + sp(b).mean(), lambda b: torch.log(1 - torch.sigmoid(b)).mean())),
    "ns-gan": ({}, (lambda a, b: sp(-a).mean() + sp(b).mean(), lambda b: sp(-b).mean())),
    "lsgan": ({}, least_squares(lambda x: x)),
    "lsgan as published": ({"sigmoid": True}, least_squares(torch.sigmoid)),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_losses_and_gradients_without_penalty(case, pictures):
    options, (loss_d, loss_g) = FORMULAS[case]
    model = loud(build(case.split()[0], pictures, rate=0.05, **options))
    (batch,) = batches(model)
    g, d = modules(model)
    own = first(batch)
    images = g(own["z"])
    a, b = d(own["real"]), d(images.detach())
    to_d = slopes(loss_d(a, b), d)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d(a, b).item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    # the generator's turn comes after the discriminator's step
    after = loss_g(copy.deepcopy(model.discriminator.module)(images))
    assert losses["generator"].item() == pytest.approx(after.item(), rel=1e-4)
    assert abs(after.item() - loss_g(b).item()) > 1e-3, "the discriminator's step shows"
    close(taken(model, "generator"), slopes(after, g))


# ------------------------------------------------------------------ WGAN-GP


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_wgan_gp_with_a_linear_critic(epsilon, pictures):
    model = build("wgan-gp", pictures, critic_steps=1, epsilon=epsilon)
    critic = Linear(pictures.shape, 3.0)
    model.discriminator.module = critic
    model.adam("discriminator", ["discriminator"], 1e-4, 0.5)
    (batch,) = batches(model)
    own = first(batch)
    with torch.no_grad():
        g = copy.deepcopy(model.generator.module)
        apart = own["real"].mean(0) - g(own["z"]).mean(0)
    distance, norm = (critic.w * apart).sum().item(), (9 + epsilon) ** 0.5
    # d/dw of 10 (sqrt(|w|^2 + epsilon) - 1)^2 - <w, apart>
    to_w = 20 * (norm - 1) / norm * critic.w.detach() - apart
    losses = model.step(batch)
    assert losses["distance"].item() == pytest.approx(distance, abs=1e-5)
    assert losses["penalty"].item() == pytest.approx((norm - 1) ** 2, rel=1e-5)
    assert losses["discriminator"].item() == pytest.approx(10 * (norm - 1) ** 2 - distance, rel=1e-5)
    ours, offset = taken(model, "discriminator")
    torch.testing.assert_close(ours, to_w, rtol=1e-4, atol=1e-5)
    assert offset.abs().item() < 1e-6


def test_wgan_gp_losses_and_gradients(pictures):
    model = loud(build("wgan-gp", pictures, critic_steps=1, rate=0.02))
    (batch,) = batches(model)
    g, f = modules(model)
    own = first(batch)
    images = g(own["z"]).detach()
    x = torch.stack([(1 - t) * a + t * b for a, b, t in zip(own["real"], images, own["where"], strict=True)])
    x.requires_grad_()
    steep = [torch.autograd.grad(f(x[k : k + 1])[0], x, create_graph=True)[0].square().sum().sqrt() for k in range(16)]
    loss = f(images).mean() - f(own["real"]).mean() + 10 * torch.stack([(s - 1) ** 2 for s in steep]).mean()
    to_f = torch.autograd.grad(loss, list(f.parameters()), allow_unused=True)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss.item(), rel=1e-4)
    for ours, theirs in zip(taken(model, "discriminator"), to_f, strict=True):
        # the penalty knows nothing of the last bias, and the two means of it cancel
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=1e-4 * float(theirs.abs().max()) + 1e-5)
    score = -copy.deepcopy(model.discriminator.module)(g(own["last"])).mean()
    close(taken(model, "generator"), slopes(score, g))
    assert batch["where"].min() >= 0 and batch["where"].max() < 1 and batch["where"].std() > 0.2


# ------------------------------------------------------------------ DRAGAN


@pytest.mark.parametrize("positive", [False, True])
def test_dragan_asks_around_the_data(positive, pictures):
    model = build("dragan", pictures, seeds=(0, 1), positive=positive)
    (batch,) = batches(model)
    own = {name: values[:, 0] for name, values in batch.items()}
    x, real = model.around(own), own["real"]
    for r in range(2):
        scale = 0.5 * real[r].numpy().std()
        for b in range(16):
            expected = real[r, b] + own["where"][r, b] * scale * own["noise"][r, b]
            assert torch.allclose(x[r, b], expected, atol=1e-6)
        off = (x[r] - real[r]) / scale
        assert off.max() <= 1 + 1e-5 and off.max() > 0.8
        assert (off.min() >= -1e-5) if positive else (off.min() < -0.8 and abs(off.mean()) < 0.1)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_dragan_with_a_linear_discriminator(sigmoid, pictures):
    model = build("dragan", pictures, sigmoid=sigmoid)
    model.discriminator.module = Linear(pictures.shape, 2.0)
    (batch,) = batches(model)
    own = {name: values[:, 0] for name, values in batch.items()}
    with torch.no_grad():
        generated = model.generator(own["z"])
        p = torch.sigmoid(model.discriminator.module(model.around(own)[0]))
        # the gradient of a logit is w, of its sigmoid p (1 - p) w
        steep = 2.0 * (p * (1 - p) if sigmoid else torch.ones(16))
    losses = model.discriminate(own, generated)
    assert losses["penalty"].item() == pytest.approx(((steep - 1) ** 2).mean().item(), rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"sigmoid": True, "positive": True, "epsilon": 1e-4}])
def test_dragan_losses_and_gradients(options, pictures):
    model = loud(build("dragan", pictures, rate=0.02, penalty=3.0, **options))
    (batch,) = batches(model)
    g, d = modules(model)
    own = first(batch)
    images = g(own["z"])
    scale = 0.5 * own["real"].std(correction=0)
    x = own["real"] + own["where"].view(16, 1, 1, 1) * scale * own["noise"]
    x.requires_grad_()
    # as the networks have batch normalisation, the gradient is that of the batch's sum
    scores = torch.sigmoid(d(x)) if options else d(x)
    gradient = torch.autograd.grad(scores.sum(), x, create_graph=True)[0]
    steep = (gradient.square().sum((1, 2, 3)) + options.get("epsilon", 0)).sqrt()
    a, b = d(own["real"]), d(images.detach())
    penalty = ((steep - 1) ** 2).mean()
    loss = sp(-a).mean() + sp(b).mean() + 3 * penalty
    to_d = slopes(loss, d)
    losses = model.step(batch)
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    assert losses["discriminator"].item() == pytest.approx(loss.item(), rel=1e-4)
    for ours, theirs in zip(taken(model, "discriminator"), to_d, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=1e-3 * float(theirs.abs().max()) + 1e-5)
    after = sp(-copy.deepcopy(model.discriminator.module)(images)).mean()
    assert losses["generator"].item() == pytest.approx(after.item(), rel=1e-4)
    close(taken(model, "generator"), slopes(after, g))


# ------------------------------------------------------------------ BEGAN


def test_began_losses_gradients_and_k(pictures):
    model = loud(build("began", pictures, critic_steps=1, rate=0.01, k_rate=0.2, gamma=0.6))
    model.discriminator.tensor("k").fill_(0.4)
    (batch,) = batches(model)
    g, d = modules(model)
    own = first(batch)
    images = g(own["z"])

    def error(network, x):
        return (network.reconstruct(x) - x).abs().mean()

    real, fake = error(d, own["real"]), error(d, images.detach())
    loss = real - 0.4 * fake
    to_d = slopes(loss, d)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss.item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    balance = (0.6 * real - fake).item()
    assert losses["measure"].item() == pytest.approx(real.item() + abs(balance), rel=1e-4)
    assert losses["k"].item() == pytest.approx(0.4 + 0.2 * balance, rel=1e-4)
    assert model.discriminator.tensor("k").item() == losses["k"].item()
    after = error(copy.deepcopy(model.discriminator.module), images)
    assert losses["generator"].item() == pytest.approx(after.item(), rel=1e-4)
    close(taken(model, "generator"), slopes(after, g))


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_k_stays_inside_its_bounds_unless_asked_not_to(gamma, bounded, pictures):
    model = build("began", pictures, (0, 1), critic_steps=2, k_rate=5.0, gamma=gamma, bounded=bounded)
    seen, expected = [], torch.zeros(2)
    discriminate = model.discriminate

    def watched(batch, generated):
        nonlocal expected
        with torch.no_grad():
            error = [model.discriminator(x).mean(1) for x in (batch["real"], generated)]
        expected = expected + 5.0 * (gamma * error[0] - error[1])
        expected = expected.clamp(0, 1) if bounded else expected
        losses = discriminate(batch, generated)
        assert torch.allclose(losses["k"], expected, atol=1e-5)
        seen.append(losses["k"])
        return losses

    model.discriminate = watched
    for batch in batches(model, 4):
        model.step(batch)
    k = torch.stack(seen)
    assert k.shape == (8, 2)
    assert not bounded or (k.min() >= 0 and k.max() <= 1)
    assert bounded or k.min() < 0 or k.max() > 1, "at this rate k leaves at once"


def test_k_belongs_to_the_replica_and_to_the_checkpoint(pictures):
    model = build("began", pictures, (0, 1, 2), gamma=1.0, k_rate=0.1, critic_steps=1)
    for batch in batches(model, 3):
        model.step(batch)
    k = model.discriminator.tensor("k").clone()
    assert len(set(k.tolist())) == 3 and k.abs().min() > 0
    again = build("began", pictures, (0, 1, 2))
    again.load_training_state(model.training_state())
    assert torch.equal(again.discriminator.tensor("k"), k)
    again.discriminator.keep([2])
    assert again.discriminator.single and again.discriminator.tensor("k").item() == k[2].item()


# ------------------------------------------------------------------ groups


@pytest.mark.parametrize("name", ["wgan-gp", "dragan"])
def test_a_penalty_of_a_group_is_each_seeds_own(name, pictures):
    group = build(name, pictures, (0, 1), critic_steps=1)
    (batch,) = batches(group)
    own = {n: values[:, 0] for n, values in batch.items() if n != "last"}
    with torch.no_grad():
        generated = group.generator(own["z"])
    both = group.discriminate(own, generated)["penalty"]
    alone = build(name, pictures, (1,), critic_steps=1)
    one = alone.discriminate({n: values[1:] for n, values in own.items()}, generated[1:])["penalty"]
    assert both[1].item() == pytest.approx(one.item(), rel=1e-3) and both[0].item() != both[1].item()
    assert slopes_of(group.discriminator, own["real"]).shape == (2, 16)
