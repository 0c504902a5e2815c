"""Autoencoders and GANs by transport: sliced and Sinkhorn penalties, one-sided slopes, against computations by hand."""

from __future__ import annotations

import copy

import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F

from otbench.models import configure, find
from otbench.models.images.swae import sliced
from otbench.training.feed import Feed
from otbench.training.trainer import Options, Trainer
from otbench.transport.sinkhorn import divergence
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, slopes, taken


def plane(name, data, seeds=(0,), **options):
    return find(name)(configure(name, {"batch": 20, **options}), data, list(seeds))


def first_batch(model):
    (stage,) = model.stages()
    feed = Feed(stage.inputs, torch.from_numpy(model.data.train), model.seeds, stage.name, model.device)
    return {name: values[0] for name, values in feed.chunk().items()}


# ------------------------------------------------------------------ sliced and Sinkhorn autoencoders


def test_the_sliced_distance_is_that_of_sorted_samples_and_pots():
    torch.manual_seed(0)
    x, y, directions = torch.randn(2, 30, 3), 2 * torch.randn(2, 30, 3) + 1, 5 * torch.randn(2, 7, 3)
    found = sliced(x, y, directions)
    for r in range(2):
        unit = (directions[r] / directions[r].norm(dim=1, keepdim=True)).T.numpy()
        expected = ot.sliced_wasserstein_distance(x[r].numpy(), y[r].numpy(), projections=unit) ** 2
        assert found[r].item() == pytest.approx(float(expected), rel=1e-4)
    line = sliced(x[:, :, :1], y[:, :, :1], torch.full((2, 4, 1), -3.0))
    for r in range(2):
        a, b = np.sort(x[r, :, 0].numpy()), np.sort(y[r, :, 0].numpy())
        assert line[r].item() == pytest.approx(((a - b) ** 2).mean(), rel=1e-5)
    assert not sliced(x, x.flip(1), directions).any(), "the order of a sample is nothing"
    moved = sliced(x, x + torch.tensor([1.0, 2.0, 2.0]), torch.randn(2, 20_000, 3))
    assert moved.tolist() == pytest.approx([9 / 3] * 2, rel=0.05), "a shift s costs |s|^2 / d on average"


def test_swae_loss_and_gradients(pictures):
    model = build("swae", pictures, directions=5, penalty=3.0)
    (batch,) = batches(model)
    e, g = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder"))
    x = batch["real"][0]
    z = e(x)
    back = g(z)
    cost = F.binary_cross_entropy(back, x) + (back - x).abs().mean()
    unit = batch["directions"][0] / batch["directions"][0].norm(dim=1, keepdim=True)
    penalty = torch.stack(
        [(torch.sort(z @ u).values - torch.sort(batch["prior"][0] @ u).values).square().mean() for u in unit]
    ).mean()
    expected = slopes(cost + 3 * penalty, e)
    losses = model.step(batch)
    assert losses["cost"].item() == pytest.approx(cost.item(), rel=1e-4)
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    close(taken(model, "autoencoder")[: len(expected)], expected)
    assert batch["directions"].shape == (1, 5, 6) and len(model.stages()) == 1, "no pretraining"


def test_sinkhorn_ae_penalty_is_pots_divergence(pictures):
    model = build("sinkhorn-ae", pictures, (0, 1), iterations=300, regularisation=0.2)
    (batch,) = batches(model)
    encoder = model.encoder
    with torch.no_grad():
        codes = encoder(batch["real"]).double().numpy()
    losses = model.step(batch)
    for r in range(2):
        z, prior = codes[r], batch["prior"][r].double().numpy()
        reg = 0.2 * ot.dist(z, prior).mean()
        expected = ot.bregman.empirical_sinkhorn_divergence(z, prior, reg, stopThr=1e-12)
        assert losses["penalty"][r].item() == pytest.approx(float(np.ravel(expected)[0]), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("name", ["swae", "sinkhorn-ae"])
def test_codes_come_near_the_prior(name, pictures):
    model = build(name, pictures, width=4, batch=32, rate=3e-3, latent=3, schedule="none")
    record = Trainer(model, 100, [1.0], Options(), None).run()
    first, last = (row[4] for row in record.losses if row[3] == "penalty")
    assert last < 0.85 * first, "means of fifty steps"


# ------------------------------------------------------------------ the Sinkhorn GAN


@pytest.mark.parametrize("kind", ["points", "images"])
def test_the_generator_descends_pots_divergence(kind, data, pictures):
    options = {"regularisation": 0.2, "iterations": 200, "width": 8}
    if kind == "points":
        model = plane("sinkhorn-gan", data, **options)
        batch = first_batch(model)
    else:
        model = build("sinkhorn-gan", pictures, **options)
        (batch,) = batches(model)
    with torch.no_grad():
        made = model.generator(batch["z"][:, 0])[0].flatten(1).double().numpy()
    real = batch["real"][0, 0].flatten(1).double().numpy()
    expected = ot.bregman.empirical_sinkhorn_divergence(made, real, 0.2 * ot.dist(made, real).mean(), stopThr=1e-12)
    found = model.step(batch)["divergence"].item()
    assert found == pytest.approx(float(np.ravel(expected)[0]), rel=5e-3)


@pytest.mark.parametrize("kind", ["points", "images"])
def test_a_learned_costs_critic_ascends_on_its_own_batch(kind, data, pictures):
    options = {"cost": "learned", "critic_steps": 1, "width": 8, "iterations": 5, "features": 4}
    seeds = (0, 1)
    model = plane("sinkhorn-gan", data, seeds, **options) if kind == "points" else None
    model = model or build("sinkhorn-gan", pictures, seeds, critic_width=4, **options)
    (stage,) = model.stages()
    batch = first_batch(model)
    assert stage.cost == 1 and batch["z"].shape[1] == batch["real"].shape[1] == 2
    sides = [model.generator(batch["z"][:, 0]).detach(), batch["real"][:, 0]]
    loss = model.loss(sides[1], sides[0])
    features = [F.normalize(model.critic(x), dim=-1) for x in sides]
    if kind == "points":  # beside the points themselves
        features = [torch.cat([x, own], -1) for x, own in zip(sides, features, strict=True)]
    torch.testing.assert_close(loss, divergence(*features, 0.01, 5))
    slope = torch.autograd.grad(loss.sum(), model.critic.parameters())
    weights = [p.detach().clone() for p in model.generator.parameters()]
    model.step(batch)
    for own, p in zip(slope, model.critic.parameters(), strict=True):
        torch.testing.assert_close(p.grad, -own, rtol=1e-3, atol=1e-5)
    assert any(not torch.equal(a, b) for a, b in zip(weights, model.generator.parameters(), strict=True))


# ------------------------------------------------------------------ WGAN-LP


def linear(norm, dimension):
    layer = torch.nn.Linear(dimension, 1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0] = norm
    return layer


@pytest.mark.parametrize(("norm", "one", "two"), [(0.4, 0.0, 0.36), (1.0, 0.0, 0.0), (3.0, 4.0, 4.0)])
def test_the_penalty_is_one_sided(norm, one, two, data, pictures):
    real, made, where = torch.randn(1, 7, 2), torch.randn(1, 7, 2), torch.rand(1, 7, 1)
    for name, expected in (("wgan-lp", one), ("wgan-gp", two)):
        model = plane(name, data)
        model.critic.module = linear(norm, 2)
        assert model.gradient_penalty(real, made, where).item() == pytest.approx(expected, abs=1e-6)
        model = build(name, pictures, critic_steps=1)
        model.discriminator.module = torch.nn.Sequential(torch.nn.Flatten(), linear(norm, 256), torch.nn.Flatten(0))
        (batch,) = batches(model)
        batch = {k: v[:, 0] for k, v in batch.items() if k != "last"}
        losses = model.discriminate(batch, torch.rand_like(batch["real"]))
        assert losses["penalty"].item() == pytest.approx(expected, abs=1e-5)
        assert losses["discriminator"].item() == pytest.approx(10 * expected - losses["distance"].item(), abs=1e-4)


def test_one_option_is_all_that_differs():
    gp, lp = (configure(name, kind="images").model_dump() for name in ("wgan-gp", "wgan-lp"))
    assert {k for k in gp if gp[k] != lp[k]} == {"one_sided"}
    gp, lp = (configure(name, kind="points").model_dump() for name in ("wgan-gp", "wgan-lp"))
    assert {k for k in gp if gp[k] != lp[k]} == {"one_sided", "penalty"} and (gp["penalty"], lp["penalty"]) == (0.1, 10)


# ------------------------------------------------------------------ they learn


@pytest.mark.parametrize("cost", ["squared", "learned"])
def test_points_come_near_four_modes(cost, data):
    model = plane("sinkhorn-gan", data, cost=cost, width=32, iterations=10, rate=1e-2, batch=48)
    real = data.test[:400].astype(np.float64)

    def distance():
        made = model.draw(400, [generator(0, "samples")])[0].double().numpy()
        return np.sqrt(ot.emd2([], [], ot.dist(made, real)))

    before = distance()
    Trainer(model, 100, [1.0], Options(), None).run()
    assert distance() < 0.8 * before, f"{distance():.3f}, {before:.3f} before"
