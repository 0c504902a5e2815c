"""The other set-ups of models in the plane: values, losses and gradients against computations written out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call

from otbench.errors import OtbenchError
from otbench.models import configure, find
from otbench.training.feed import Feed
from otbench.utils.rng import generator
from tests.nets.counting import parameter_count

SMALL = {"width": 12, "maxout": 6, "batch": 20}


def build(name, data, seeds=(0,), **options):
    values = {k: v for k, v in {**SMALL, **options}.items() if k in find(name).Config.model_fields}
    return find(name)(configure(name, values), data, list(seeds))


def first_batch(model):
    (stage,) = model.stages()
    feed = Feed(stage.inputs, torch.from_numpy(model.data.train), model.seeds, stage.name, model.device)
    return {name: values[0] for name, values in feed.chunk().items()}


def sp(x):
    return torch.log(1 + torch.exp(x))


def taken(model, name):
    return [p.grad.reshape(p.shape) for group in model.optimisers[name].param_groups for p in group["params"]]


def close(ours, theirs, rtol=1e-4, atol=1e-6):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


# ------------------------------------------------------------------ packs put together once


@pytest.mark.parametrize(("name", "packing"), [("gan", 1), ("pacgan3", 3)])
def test_fixed_packs_are_put_together_once_from_the_seeds_own_stream(name, packing, data):
    model, points = build(name, data, packs="fixed"), torch.from_numpy(data.train)
    table = torch.randint(400, (400, packing), generator=generator(0, "packs"))
    rows = first_batch(model)["rows"]
    packs = model.real({"rows": rows})
    assert packs.shape == (1, packing, 20, 2)
    for b, row in enumerate(rows[0].tolist()):
        assert torch.equal(packs[0, :, b], points[table[row]])
    every = model.real({"rows": torch.arange(400)[None]})
    assert torch.equal(every, model.real({"rows": torch.arange(400)[None]})), "the same packs at every step"
    # 1 - 1/e of the points are in a bootstrap, 1 - 1/e^m in m times as many draws; five standard deviations
    share = len(every.reshape(-1, 2).unique(dim=0)) / 400
    assert share == pytest.approx(1 - torch.e**-packing, abs=0.08) and "rows" not in first_batch(build(name, data))


def test_fixed_packs_are_the_seeds_own_also_after_another_has_gone(data):
    group, single = build("pacgan2", data, (0, 4), packs="fixed"), build("pacgan2", data, (4,), packs="fixed")
    rows = torch.arange(30)[None]
    assert torch.equal(group.real({"rows": rows.expand(2, 30)})[1:], single.real({"rows": rows}))
    group.seeds = [4]
    assert torch.equal(group.real({"rows": rows}), single.real({"rows": rows}))


def test_a_step_on_fixed_packs_is_a_step_on_their_points(data):
    fixed, fresh = build("pacgan2", data, packs="fixed"), build("pacgan2", data)
    batch = first_batch(fixed)
    ours = fixed.step(batch)
    theirs = fresh.step({"real": fixed.real(batch), "z": batch["z"]})
    assert {k: v.item() for k, v in ours.items()} == {k: v.item() for k, v in theirs.items()}


# ------------------------------------------------------------------ set-ups


@pytest.mark.parametrize("name", ["veegan", "unrolled-gan"])
def test_a_setup_implies_values_that_options_may_change(name):
    assert configure(name).setup == "pacgan" and configure(name).model_dump()["batch"] == 100
    config = configure(name, {"setup": "notebook", "batch": 7})
    assert (config.beta1, config.rate, config.width, config.batch) == (0.5, 1e-3, 128, 7)
    assert configure(name, config.model_dump()) == config, "what fit.json holds means the same model"
    for wrong in ("paper", ["notebook"]):
        with pytest.raises(OtbenchError, match=f"model {name}, option 'setup'"):
            configure(name, {"setup": wrong})


def test_the_notebooks_networks_and_rates(data):
    model = find("veegan")(configure("veegan", {"setup": "notebook"}), data, [0])
    hidden = 128 * 129
    sizes = {"generator": 256 * 128 + hidden + 129 * 2, "reconstructor": 3 * 128 + hidden + 129 * 254}
    sizes["discriminator"] = 257 * 128 + 129
    assert model.parameters() == sizes and {n: parameter_count(r.module) for n, r in model.networks.items()} == sizes
    for optimiser in model.optimisers.values():
        assert (optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["betas"]) == (1e-3, (0.5, 0.999))
    assert first_batch(model)["z"].shape == (1, 500, 255)
    model = find("unrolled-gan")(configure("unrolled-gan", {"setup": "notebook"}), data, [0])
    sizes = {"generator": 257 * 128 + hidden + 129 * 2, "discriminator": 3 * 128 + hidden + 129}
    assert model.parameters() == sizes and model.config.unrolled == 5
    rates = {n: o.param_groups[0]["lr"] for n, o in model.optimisers.items()}
    assert rates == {"generator": 1e-3, "discriminator": 1e-4} and first_batch(model)["z"].shape == (1, 512, 256)
    for network in model.networks.values():
        weight = next(part for part in network.module.body if isinstance(part, nn.Linear)).weight
        square = weight @ weight.T if weight.shape[0] < weight.shape[1] else weight.T @ weight
        torch.testing.assert_close(square, 1.96 * torch.eye(len(square)), rtol=0, atol=1e-4)
    assert [type(part) for part in model.generator.module.body[1::2]] == [nn.Tanh] * 2


def test_veegans_gaussian_reconstructor(data):
    model = build("veegan", data, setup="notebook", noise=5, spread=0.5, rate=0.1)
    batch = first_batch(model)
    g, f, d = (model.networks[n].module for n in ("generator", "reconstructor", "discriminator"))
    x, z, xi = batch["real"][0], batch["z"][0, :, :5], batch["xi"][0]
    assert batch["z"].shape == (1, 20, 6) and xi.shape == (20, 5)
    points = g(batch["z"][0])
    # minus the Gaussian's log density, without its constant
    error = -torch.distributions.Normal(f(points), 0.5).log_prob(z).sum(1).mean()
    error = error + 5 * torch.distributions.Normal(0.0, 0.5).log_prob(torch.tensor(0.0))
    generated, real = d(torch.cat([z, points], 1)), d(torch.cat([f(x).detach() + 0.5 * xi, x], 1))
    loss_d = sp(-generated).mean() + sp(real).mean()
    expected = {
        name: torch.autograd.grad(loss, list(model.networks[name].module.parameters()), retain_graph=True)
        for name, loss in (("discriminator", loss_d), ("reconstructor", error), ("generator", generated.mean() + error))
    }
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-5)
    assert losses["reconstruction"].item() == pytest.approx(error.item(), rel=1e-4)
    for name, slopes in expected.items():
        close(taken(model, name), slopes, atol=1e-5)
    assert model.draw(30, [generator(0, "samples")]).shape == (1, 30, 2)


@pytest.mark.parametrize("moment", ["constant", "differentiated"])
@pytest.mark.parametrize("objective", ["saddle", "non-saturating"])
def test_the_generator_descends_the_unrolled_objective(objective, moment, data):
    options = {"objective": objective, "second_moment": moment, "noise": 6, "unrolled": 2, "discriminator_rate": 0.05}
    model = build("unrolled-gan", data, setup="notebook", **options)
    batch = first_batch(model)
    g, d = (model.networks[n].module for n in ("generator", "discriminator"))
    x, points = batch["real"][0], g(batch["z"][0])

    def loss(named):
        a, b = (functional_call(d, named, (one,)) for one in (x, points))
        return sp(-a).mean() + sp(b).mean(), b

    named = dict(d.named_parameters())
    first, second = ({n: torch.zeros_like(p) for n, p in named.items()} for _ in range(2))
    for t in (1, 2):
        slopes = torch.autograd.grad(loss(named)[0], list(named.values()), create_graph=True)
        for (n, p), s in zip(list(named.items()), slopes, strict=True):
            first[n] = 0.5 * first[n] + 0.5 * s
            square = s.detach() ** 2 if moment == "constant" else s**2
            second[n] = 0.999 * second[n] + 0.001 * square
            root = (second[n] / (1 - 0.999**t)).sqrt()
            named[n] = p - 0.05 * first[n] / (1 - 0.5**t) / (root + 1e-8)
    value, b = loss(named)
    value = -value if objective == "saddle" else sp(-b).mean()
    expected = torch.autograd.grad(value, list(g.parameters()))
    assert model.step(batch)["generator"].item() == pytest.approx(value.item(), rel=1e-4)
    close(taken(model, "generator"), expected, rtol=2e-3, atol=1e-5)
    other = "constant" if moment == "differentiated" else "differentiated"
    again = build("unrolled-gan", data, setup="notebook", **{**options, "second_moment": other})
    again.step(batch)
    difference = max((a - b).abs().max() for a, b in zip(taken(again, "generator"), expected, strict=True))
    assert difference > 1e-3, "the second moment's derivative shows"


def test_a_second_moment_of_zero_leaves_no_nan(data):
    model = build("unrolled-gan", data, setup="notebook", noise=6, unrolled=2)
    with torch.no_grad():  # a discriminator that gives 0 everywhere: its first layers have no gradient
        for name, p in model.discriminator.module.named_parameters():
            p.mul_(0 if name.startswith("body.4") else 1)
    model.step(first_batch(model))
    assert all(p.isfinite().all() for p in model.generator.parameters())


# ------------------------------------------------------------------ WGAN


@pytest.mark.parametrize("name", ["wgan", "wgan-gp"])
def test_wgan_works_on_points_divided_by_its_scale(name, data):
    scaled, plain = (build(name, data, critic_steps=2, scale=s) for s in (2.828, 1.0))
    batch = first_batch(plain)
    ours, theirs = scaled.step(batch), plain.step({**batch, "real": batch["real"] / 2.828})
    assert {k: v.item() for k, v in ours.items()} == {k: v.item() for k, v in theirs.items()}
    drawn = [model.draw(20, [generator(0, "samples")]) for model in (scaled, plain)]
    torch.testing.assert_close(drawn[0], 2.828 * drawn[1])


def test_the_decay_of_rmsprop_is_pytorchs_or_tensorflows(data):
    for options, decay in (({}, 0.99), ({"decay": 0.9}, 0.9)):
        model = build("wgan", data, **options)
        assert {o.param_groups[0]["alpha"] for o in model.optimisers.values()} == {decay}
