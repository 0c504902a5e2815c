"""Autoencoders and GANs by transport: sliced and Sinkhorn penalties, one-sided slopes, against computations by hand."""

from __future__ import annotations

import copy

import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F

from otbench.models import configure, find
from otbench.models.images.shared.penalty import between
from otbench.models.images.swae import sliced
from otbench.training.feed import Feed
from otbench.training.trainer import Options, Trainer
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, loud, slopes, taken


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
    model = build(name, pictures, width=8, batch=32, rate=3e-3, latent=3, schedule="none")

    def off():
        codes = model.encode(torch.from_numpy(pictures.test))[0]
        return ((codes.mean(0) ** 2).sum() + ((torch.cov(codes.T) - torch.eye(3)) ** 2).sum()).item()

    before = off()
    Trainer(model, 60, [1.0], Options(), None).run()
    assert off() < 0.4 * before


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
def test_a_learned_costs_critic_ascends_on_its_own_batches(kind, data, pictures):
    options = {"cost": "learned", "critic_steps": 2, "width": 8, "iterations": 5, "rate": 1e-2, "features": 4}
    seeds = (0, 1)
    model = plane("sinkhorn-gan", data, seeds, **options) if kind == "points" else None
    model = model or build("sinkhorn-gan", pictures, seeds, critic_width=4, **options)
    (stage,) = model.stages()
    batch = first_batch(model)
    assert stage.cost == 2 and batch["z"].shape[1] == batch["real"].shape[1] == 3
    generated = model.generator(batch["z"][:, 2]).detach()
    before = model.loss(batch["real"][:, 2], generated).detach()
    assert (before <= 2).all(), "features of length 1 are at most 2 apart"
    weights = [p.detach().clone() for p in model.generator.parameters()]
    for _ in range(5):
        for k in range(2):
            model.descend(critic=-model.loss(batch["real"][:, k], model.generator(batch["z"][:, k]).detach()))
    assert (model.loss(batch["real"][:, 2], generated) > before).all()
    assert all(torch.equal(a, b) for a, b in zip(weights, model.generator.parameters(), strict=True))
    model.step(batch)
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


def test_one_option_is_all_that_differs(data, pictures):
    gp, lp = (configure(name, kind="images").model_dump() for name in ("wgan-gp", "wgan-lp"))
    assert {k for k in gp if gp[k] != lp[k]} == {"one_sided"}
    gp, lp = (configure(name, kind="points").model_dump() for name in ("wgan-gp", "wgan-lp"))
    assert {k for k in gp if gp[k] != lp[k]} == {"one_sided", "penalty"} and (gp["penalty"], lp["penalty"]) == (0.1, 10)
    # with slopes above 1 everywhere the two losses are one
    models = [loud(build(name, pictures, critic_steps=1, penalty=2.0)) for name in ("wgan-gp", "wgan-lp")]
    (batch,) = batches(models[0])
    steep = [model.step({k: v.clone() for k, v in batch.items()}) for model in models]
    x = between(batch["real"][:, 0], batch["real"][:, 0], torch.zeros(1, 16))
    assert torch.equal(x, batch["real"][:, 0])
    if steep[1]["penalty"] > 1:
        torch.testing.assert_close(steep[0], steep[1])


# ------------------------------------------------------------------ they learn


@pytest.mark.parametrize(("name", "options", "steps"), [
    ("sinkhorn-gan", {"width": 64, "batch": 64, "iterations": 20, "rate": 3e-3}, 150),
    ("sinkhorn-gan", {"cost": "learned", "width": 64, "batch": 64, "iterations": 20, "rate": 3e-3}, 150),
    ("sinkhorn-barycentric", {"sources": 300, "targets": 300}, 1),
    ("not", {"width": 64, "batch": 64, "rate": 2e-3, "inner_steps": 4}, 250),
    ("w2-icnn", {"width": 32, "depth": 3, "batch": 64, "rate": 5e-3, "inner_steps": 4}, 150),
    ("wgan-lp", {"batch": 64, "rate": 1e-3}, 100),
])  # fmt: skip
def test_points_come_near_four_modes(name, options, steps, data):
    known = find(name).Config.model_fields
    options = {k: v for k, v in options.items() if k in known}
    model = find(name)(configure(name, options), data, [0])
    cost = model.stages()[0].cost
    real = data.test[:300].astype(np.float64)

    def distance():
        made = model.draw(300, [generator(0, "samples")])[0].double().numpy()
        return np.sqrt(ot.emd2([], [], ot.dist(made, real)))

    before = distance() if model.networks else np.sqrt(2)
    Trainer(model, steps * cost, [1.0], Options(), None).run()
    assert distance() < 0.5 * before, f"{distance():.3f}, {before:.3f} before"
