"""Explicit maps in the plane and on codes: losses by hand, maps and values that are known, laws that are read back."""

from __future__ import annotations

import copy

import numpy as np
import ot
import pytest
import torch
from scipy.spatial.distance import cdist

from otbench.data.base import DataSet
from otbench.models import configure, find
from otbench.models.points.neural_ot import dual
from otbench.training.feed import Feed
from otbench.training.trainer import Options, Trainer, key
from otbench.transport.sinkhorn import squared_distances
from otbench.utils.rng import generator
from tests.models import small_images

SMALL = {"width": 12, "batch": 20, "inner_steps": 2, "sources": 60, "targets": 50}
#: mean and covariance of the Gaussian that maps are trained onto
MEAN, COVARIANCE = np.array([1.0, -2.0]), np.array([[1.5, 0.6], [0.6, 0.5]])


def build(name, data, seeds=(0,), **options):
    values = {k: v for k, v in {**SMALL, **options}.items() if k in find(name).Config.model_fields}
    return find(name)(configure(name, values), data, list(seeds))


def batches(model, count=1):
    (stage,) = model.stages()
    chunk = Feed(stage.inputs, torch.from_numpy(model.data.train), model.seeds, stage.name, model.device).chunk()
    return [{name: values[k] for name, values in chunk.items()} for k in range(count)]


def taken(model, name):
    return [p.grad.reshape(p.shape) for group in model.optimisers[name].param_groups for p in group["params"]]


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def gaussian():
    """Points of a Gaussian that is not round."""
    points = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, 20_000).astype(np.float32)
    return DataSet("gaussian", points, points[:10])


def affine(z):
    """The optimal map from N(0, I): the mean and the symmetric root of the covariance."""
    values, vectors = np.linalg.eigh(COVARIANCE)
    return MEAN + z @ (vectors * np.sqrt(values)) @ vectors.T


def error(model):
    """Root mean square distance from the affine map, as a share of the Gaussian's spread."""
    z = torch.randn((1, 2000, 2), generator=generator(5, "test"))
    made = model.centre + model.spread * model.map(z)
    gap = made[0].double().numpy() - affine(z[0].double().numpy())
    return float(np.sqrt((gap**2).sum(1).mean() / np.trace(COVARIANCE)))


@pytest.mark.parametrize(("name", "options", "steps"), [
    ("w2-icnn", {"width": 24, "depth": 2, "batch": 64, "inner_steps": 4, "rate": 5e-3}, 150),
    ("not", {"width": 32, "depth": 2, "batch": 64, "inner_steps": 4, "rate": 3e-3}, 400),
    ("sinkhorn-barycentric", {"sources": 600, "targets": 600, "regularisation": 0.02}, 1),
])  # fmt: skip
def test_the_map_onto_a_gaussian_is_the_affine_one(name, options, steps, gaussian):
    model = build(name, gaussian, **options)
    cost = model.stages()[0].cost
    first = error(model) if model.networks else 1.0
    record = Trainer(model, steps * cost, [1.0], Options(), None).run()
    found = error(model)
    assert found < 0.2 and found < first / 2, f"{found:.3f}, {first:.3f} at the start"
    drawn = model.draw(4000, [generator(0, "samples")])[0].double().numpy()
    assert drawn.mean(0) == pytest.approx(MEAN, abs=0.2)  # a seventh of the spread
    assert np.cov(drawn.T) == pytest.approx(COVARIANCE, abs=0.25)
    if name == "sinkhorn-barycentric":
        told = record.cells[key(0, 1.0)]["certificate"]
        # W2^2 / 2 in the map's units, where the covariance has trace 2, is the Gaussians' and some blur
        root = np.linalg.eigvalsh(COVARIANCE / (np.trace(COVARIANCE) / 2)) ** 0.5
        assert told["marginal_error"] <= 1e-3 and told["entropic_cost"] == pytest.approx(
            ((root - 1) ** 2).sum(), abs=0.15
        )
    else:
        losses = [row for row in record.losses if row[3] in ("distance", "dual")]
        value = (np.sqrt(np.linalg.eigvalsh(COVARIANCE / (np.trace(COVARIANCE) / 2))) - 1) ** 2
        assert np.mean([row[4] for row in losses[-2:]]) == pytest.approx(value.sum() / 2, abs=0.08)


# ------------------------------------------------------------------ W2 (ICNN)


def test_icnn_losses_and_gradients(data):
    model = build("w2-icnn", data, inner_steps=1, penalty=0.7)
    with torch.no_grad():
        for p in model.potential.parameters():
            p.sub_(0.05)
    (batch,) = batches(model)
    f, g = copy.deepcopy(model.partner.module), copy.deepcopy(model.potential.module)
    z = batch["z"][0, 0].requires_grad_()
    image = torch.autograd.grad(g(z).sum(), z, create_graph=True)[0]
    held = [*(part.weight for part in g.inner), g.curvature]
    below = sum((p.clamp(max=0) ** 2).sum() / 2 for p in held)
    loss = (f(image) - (z * image).sum(1)).mean() + 0.7 * below
    expected = torch.autograd.grad(loss, list(g.parameters()))
    losses = model.step(batch)
    assert losses["map"].item() == pytest.approx(loss.item(), rel=1e-5)
    close(taken(model, "potential"), expected)
    # the partner follows the map as it is after its update, on other noise
    x = (batch["real"][0] - torch.from_numpy(data.train.mean(0))) / data.train.std(0).__pow__(2).mean() ** 0.5
    z = batch["z"][0, 1].detach().requires_grad_()
    image = torch.autograd.grad(model.potential.module(z).sum(), z)[0]
    close(taken(model, "partner"), torch.autograd.grad(f(x).mean() - f(image).mean(), list(f.parameters())))
    value = f(image).mean() - f(x).mean() - (z * image).sum(1).mean()
    value = value + (x.square().sum(1).mean() + z.square().sum(1).mean()) / 2
    assert losses["distance"].item() == pytest.approx(value.item(), rel=1e-4)
    assert all((p >= 0).all() for p in [*(part.weight for part in model.partner.module.inner)])


# ------------------------------------------------------------------ NOT


def test_not_losses_and_gradients(data):
    model = build("not", data, inner_steps=1)
    (batch,) = batches(model)
    t, f = copy.deepcopy(model.transport.module), copy.deepcopy(model.potential.module)
    z = batch["z"][0, 0]
    loss = (((z - t(z)) ** 2).sum(1) / 2 - f(t(z))[:, 0]).mean()
    expected = torch.autograd.grad(loss, list(t.parameters()))
    losses = model.step(batch)
    close(taken(model, "map"), expected)
    assert losses["map"].item() == pytest.approx(loss.item(), rel=1e-5)
    x = (batch["real"][0] - torch.from_numpy(data.train.mean(0))) / data.train.std(0).__pow__(2).mean() ** 0.5
    z = batch["z"][0, 1]
    image = model.transport.module(z).detach()
    gap = f(image).mean() - f(x).mean()
    close(taken(model, "potential"), torch.autograd.grad(gap, list(f.parameters())))
    assert losses["dual"].item() == pytest.approx((((z - image) ** 2).sum(1) / 2).mean().item() - gap.item(), rel=1e-4)


def test_nots_dual_value_is_below_the_exact_distance_and_comes_near_it(gaussian):
    model = build("not", gaussian, (0, 1), width=32, depth=2, batch=128, inner_steps=3, rate=2e-3)
    z = torch.randn((2, 150, 2), generator=generator(7, "test"))
    x = model.standard(torch.from_numpy(gaussian.train[:150])).expand(2, -1, -1)
    costs = squared_distances(z, x) / 2
    uniform = np.full(150, 1 / 150)
    exact = np.array([ot.emd2(uniform, uniform, cdist(a, b, "sqeuclidean") / 2) for a, b in zip(z, x, strict=True)])

    def bound():
        with torch.no_grad():
            return dual(model.value(x), costs).numpy()

    random = dual(5 * torch.randn((2, 150), generator=generator(8, "test")), costs).numpy()
    start = bound()
    Trainer(model, 200 * 3, [1.0], Options(), None).run()
    found = bound()
    assert (random <= exact + 1e-5).all() and (start <= exact + 1e-5).all() and (found <= exact + 1e-5).all()
    assert (found > start).all() and (found > 0.5 * exact).all(), (found, exact)


# ------------------------------------------------------------------ the entropic map


def test_the_entropic_map_projects_its_own_source_points_as_the_plan_does(data):
    model = build("sinkhorn-barycentric", data, (0, 3), regularisation=0.05, tolerance=1e-9)
    model.solve()
    for r, seed in enumerate((0, 3)):
        source = torch.randn((60, 2), generator=generator(seed, "transport/source"), dtype=torch.float64)
        target, eps = model.solved["target"][r], float(model.solved["regularisation"][r])
        cost = cdist(source, target, "sqeuclidean")
        assert eps == pytest.approx(0.05 * cost.mean()) and target.shape == (50, 2)
        coupling = ot.bregman.sinkhorn(np.full(60, 1 / 60), np.full(50, 1 / 50), cost, eps, stopThr=1e-13)
        expected = coupling @ target.numpy() / coupling.sum(1, keepdims=True)
        made = model.map(torch.stack([source, source]))[r]
        assert made.numpy() == pytest.approx(expected, abs=1e-5)
        real = model.standard(torch.from_numpy(data.train)).double()
        assert torch.cdist(target, real).min(1).values.max() < 1e-6, "targets are training points"
    assert not torch.equal(model.solved["target"][0], model.solved["target"][1])


def test_units_and_place_of_the_data_change_nothing(data):
    far = DataSet("far", (100 * data.train + 7).astype(np.float32), data.test)
    one, two = (build("not", each, rate=1e-3) for each in (data, far))
    for model in (one, two):
        Trainer(model, 20, [1.0], Options(), None).run()
    drawn = [model.draw(30, [generator(0, "samples")]) for model in (one, two)]
    torch.testing.assert_close(drawn[1], 100 * drawn[0] + 7, rtol=1e-3, atol=1e-1)


# ------------------------------------------------------------------ maps of codes

CODES = {
    "ae-icnn": {"map_steps": 60, "map_width": 12, "inner_steps": 3, "map_rate": 1e-2, "map_batch": 32},
    "ae-not": {"map_steps": 120, "map_width": 32, "inner_steps": 3, "map_rate": 3e-3, "map_batch": 32},
    "ae-sinkhorn": {"sources": 200, "targets": 300},
}


@pytest.mark.parametrize("name", CODES)
def test_a_law_of_codes_comes_near_the_codes_and_is_its_seeds_own(name, pictures):
    model = small_images.build(name, pictures, **CODES[name])
    model.frozen = True
    random = np.random.default_rng(0)
    codes = (20 + random.standard_normal((300, 6)) * np.array([5, 1, 1, 1, 1, 1])).astype(np.float32)
    law, told = model.fit_law(codes, 3)
    assert all(name.startswith("map_") for name in told) and told
    drawn = model.draw_codes(law, 2000, generator(0, "samples")).double().numpy()
    assert drawn.shape == (2000, 6) and drawn.mean(0) == pytest.approx(codes.mean(0), abs=0.6)
    deviation = drawn.std(0)
    assert deviation[0] > 3 and deviation[0] < 6.5 and deviation[1:].max() < 2, deviation
    model.frozen = False  # short maps
    one, same, other = (model.fit_law(codes, seed)[0] for seed in (3, 3, 4))
    assert one.keys() == same.keys() and all(torch.equal(one[k], same[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


def test_the_autoencoder_is_that_of_ae_ot_and_early_maps_are_short(pictures):
    options = {"map_steps": 20, "map_width": 8, "inner_steps": 1, "map_batch": 16}
    states, counted = {}, []
    for name in ("ae", "ae-not"):
        model = small_images.build(name, pictures, **(options if name == "ae-not" else {}))
        if name == "ae-not":
            train_map = model.train_map
            model.train_map = lambda *a, m=model, t=train_map: counted.append(m.frozen) or t(*a)
        record = Trainer(model, 16, [0.25, 1.0], Options(), None).run()
        states[name] = {f"{n}.{k}": v for n, r in model.networks.items() for k, v in r.state().items()}
    assert all(torch.equal(v, states["ae-not"][k]) for k, v in states["ae"].items())
    assert counted == [False, True]
    early, late = (record.snapshots[key(0, mark)]["law.map.map.body.0.weight"] for mark in (0.25, 1.0))
    assert early.shape == late.shape == (8, 6) and not torch.equal(early, late)
