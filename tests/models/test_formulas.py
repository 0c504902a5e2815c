"""What makes each model that model: losses, gradients and samples against computations written out by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from otbench.models import configure, find
from otbench.models.points.gan import pack
from otbench.models.points.md_gan import MinibatchFeatures
from otbench.training.feed import Feed
from otbench.utils.rng import generator

SMALL = {"width": 16, "maxout": 8, "kernels": 4, "dimensions": 3, "batch": 20}


def build(name, data, seeds=(0,), **options):
    known = find(name).Config.model_fields
    values = {k: v for k, v in {**SMALL, **options}.items() if k in known}
    return find(name)(configure(name, values), data, list(seeds))


def loud(model):
    """The model with weights so large that no loss looks like another: the papers' are near zero at first."""
    stream = generator(0, "loud")
    with torch.no_grad():
        for network in model.networks.values():
            for p in network.parameters():
                p.copy_(0.5 * torch.randn(p.shape, generator=stream))
    return model


def batches(model, count=1):
    (stage,) = model.stages()
    chunk = Feed(stage.inputs, torch.from_numpy(model.data.train), model.seeds, stage.name, model.device).chunk()
    return [{name: values[k] for name, values in chunk.items()} for k in range(count)]


def sp(x):
    return torch.log(1 + torch.exp(x))


def slopes(loss, *modules):
    return torch.autograd.grad(loss, [p for m in modules for p in m.parameters()], retain_graph=True)


def taken(model, name):
    """The gradients that the last step handed to this optimiser."""
    return [p.grad.reshape(p.shape) for group in model.optimisers[name].param_groups for p in group["params"]]


def close(ours, theirs, rtol=1e-4, atol=1e-6):
    assert len(list(ours)) == len(list(theirs))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


def apart(ours, theirs):
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def kept(model, name):
    return [p.detach().clone() for p in model.networks[name].parameters()]


# ------------------------------------------------------------------ GAN, PacGAN


def test_a_pack_is_the_bth_point_of_every_slot_in_turn():
    points = torch.arange(2 * 3 * 4 * 2.0).reshape(2, 3, 4, 2)
    packed = pack(points)
    assert packed.shape == (2, 4, 6)
    for r in range(2):
        for b in range(4):
            assert packed[r, b].tolist() == [v for slot in range(3) for v in points[r, slot, b].tolist()]


@pytest.mark.parametrize("name", ["gan", "pacgan3"])
def test_gan_takes_both_gradients_from_one_forward_pass(name, data):
    # at this rate a generator's gradient taken after the discriminator's step would be another
    model = loud(build(name, data, rate=0.1))
    (batch,) = batches(model)
    g, d = model.generator.module, model.discriminator.module
    points = g(batch["z"][0])
    a, b = (d(torch.cat([slot for slot in x], 1)) for x in (batch["real"][0], points))
    loss_d, loss_g = sp(-a).mean() + sp(b).mean(), sp(-b).mean()
    to_d, to_g, before = slopes(loss_d, d), slopes(loss_g, g), kept(model, "discriminator")
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-5)
    assert losses["generator"].item() == pytest.approx(loss_g.item(), rel=1e-5)
    close(taken(model, "discriminator"), to_d)
    close(taken(model, "generator"), to_g)
    # Adam's first step is the rate times g / (|g| + epsilon)
    for old, new, slope in zip(before, kept(model, "discriminator"), taken(model, "discriminator"), strict=True):
        torch.testing.assert_close(old - new, 0.1 * slope / (slope.abs() + 1e-8), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("name", "packing"), [("gan", 1), ("pacgan2", 2), ("pacgan3", 3), ("pacgan4", 4)])
def test_pacgan_packs_as_many_as_its_name_says(name, packing, data):
    model = build(name, data)
    assert model.config.packing == packing
    assert model.discriminator.module.body[0].affine.in_features == 2 * packing
    (batch,) = batches(model)
    assert batch["real"].shape == (1, packing, 20, 2) and batch["z"].shape == (1, packing, 20, 2)


@pytest.mark.parametrize("name", ["gan", "pacgan2", "md-gan", "ali", "veegan", "unrolled-gan"])
def test_rates_and_betas_reach_adam(name, data):
    model = build(name, data)
    for optimiser in model.optimisers.values():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"]), group["eps"]) == (1e-4, (0.8, 0.999), 1e-8)
        assert not group["weight_decay"] and not group["amsgrad"]
    for optimiser in build(name, data, rate=0.02, beta1=0.3).optimisers.values():
        assert (optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["betas"][0]) == (0.02, 0.3)


# ------------------------------------------------------------------ minibatch discrimination


def test_minibatch_features_equal_a_double_loop():
    torch.manual_seed(0)
    rows, kernels, dimensions = 5, 4, 3
    layer = MinibatchFeatures(6, kernels, dimensions)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape))
    f = torch.randn(rows, 6)
    theta, scale = layer.theta.detach().numpy().astype(float), layer.log_scale.detach().exp().numpy().astype(float)
    tensor = scale * theta / np.sqrt((theta**2).sum(0))
    m = (f.numpy() @ tensor).reshape(rows, kernels, dimensions)
    expected = np.zeros((rows, kernels))
    for i in range(rows):
        for b in range(kernels):
            others = [np.exp(-np.abs(m[i, b] - m[j, b]).sum()) for j in range(rows) if j != i]
            expected[i, b] = sum(others) + layer.bias[b].item()
    out = layer(f).detach()
    assert torch.equal(out[:, :6], f)
    assert out[:, 6:].numpy() == pytest.approx(expected, abs=1e-5)


def test_md_gan_passes_real_and_generated_batches_apart(data):
    model = loud(build("md-gan", data, rate=0.1))
    (batch,) = batches(model)
    g, d = model.generator.module, model.discriminator.module
    real, points = batch["real"][0], g(batch["z"][0])
    a, b = d(real), d(points)
    together = d(torch.cat([real, points]))
    assert (together[:20] - a).abs().max() > 1e-3, "a row's logit depends on its batch"
    loss_d, loss_g = sp(-a).mean() + sp(b).mean(), sp(-b).mean()
    to_d, to_g = slopes(loss_d, d), slopes(loss_g, g)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-5)
    assert losses["generator"].item() == pytest.approx(loss_g.item(), rel=1e-5)
    close(taken(model, "discriminator"), to_d)
    close(taken(model, "generator"), to_g)


# ------------------------------------------------------------------ ALI


def test_ali_pairs_and_what_encoder_and_generator_descend(data):
    model = loud(build("ali", data, rate=0.1))
    (batch,) = batches(model)
    g, e, d = (model.networks[n].module for n in ("generator", "encoder", "discriminator"))
    x, z, eps = (batch[n][0] for n in ("real", "z", "eps"))
    real, fake = torch.cat([x, e(x, eps)], 1), torch.cat([g(z), z], 1)
    close([p[0] for p in model.pairs(batch)], [real, fake])
    a, b = d(real), d(fake)
    loss_d, loss_g = sp(-a).mean() + sp(b).mean(), sp(a).mean() + sp(-b).mean()
    to_d, to_g, to_e = slopes(loss_d, d), slopes(sp(-b).mean(), g), slopes(sp(a).mean(), e)
    assert all(s.abs().max() > 1e-4 for s in to_e), "the encoder learns through sp(a) alone"
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-5)
    assert losses["generator"].item() == pytest.approx(loss_g.item(), rel=1e-5)
    close(taken(model, "discriminator"), to_d)
    close(taken(model, "generator"), [*to_g, *to_e])


# ------------------------------------------------------------------ VEEGAN


def test_veegan_moves_each_network_along_its_own_loss(data):
    model = loud(build("veegan", data, rate=0.1))
    (batch,) = batches(model)
    g, f, d = (model.networks[n].module for n in ("generator", "reconstructor", "discriminator"))
    x, z = batch["real"][0], batch["z"][0]
    points = g(z)
    error = ((f(points) - z) ** 2).sum(1).mean()
    generated, real = d(torch.cat([z, points], 1)), d(torch.cat([f(x), x], 1))
    loss_d = sp(-generated).mean() + sp(real).mean()
    to_d, to_f, to_g = slopes(loss_d, d), slopes(error, f), slopes(generated.mean() + error, g)
    through_d = slopes(loss_d, f)
    assert max(s.abs().max() for s in through_d) > 1e-3, "a reconstructor that followed D would be seen"
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-5)
    assert losses["reconstruction"].item() == pytest.approx(error.item(), rel=1e-5)
    assert losses["ratio"].item() == pytest.approx(generated.mean().item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    close(taken(model, "reconstructor"), to_f)
    close(taken(model, "generator"), to_g)
    for name, optimiser in model.optimisers.items():
        own = {id(p) for p in model.networks[name].parameters()}
        assert {id(p) for group in optimiser.param_groups for p in group["params"]} == own


# ------------------------------------------------------------------ unrolled GAN


def test_unrolled_gan_without_unrolling_is_the_gan(data, double):
    plain, unrolled = (loud(build(n, data, unrolled=0)) for n in ("gan", "unrolled-gan"))
    for batch in batches(unrolled, 3):
        ours, theirs = unrolled.step(batch), plain.step({name: v.unsqueeze(1) for name, v in batch.items()})
        assert all(ours[name].item() == pytest.approx(theirs[name].item(), rel=1e-5) for name in theirs)
        for name in ("discriminator", "generator"):
            close(taken(unrolled, name), taken(plain, name), atol=1e-6)
            close(kept(unrolled, name), kept(plain, name), rtol=0, atol=1e-6)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("steps", [0, 4])
def test_one_unrolled_step_is_adams(steps, seeds, data, double):
    model = loud(build("unrolled-gan", data, seeds, unrolled=1, rate=1e-3))
    *before, batch = batches(model, steps + 1)
    for earlier in before:
        model.step(earlier)
    with torch.no_grad():
        points = torch.cat([batch["real"], model.generator(batch["z"])], 1)
    ahead, start = [p.detach() for p in model.unroll(points)], kept(model, "discriminator")
    model.step(batch)
    assert apart(ahead, start) > 5e-4
    close(ahead, kept(model, "discriminator"), rtol=0, atol=1e-6)


def test_the_generator_learns_through_the_unrolled_step(data, double):
    rate = 1e-2
    model = loud(build("unrolled-gan", data, unrolled=1, rate=rate))
    (batch,) = batches(model)
    g, d = model.generator.module, model.discriminator.module
    points = g(batch["z"][0])
    a, b = d(batch["real"][0]), d(points)
    named = dict(d.named_parameters())
    slope = torch.autograd.grad(sp(-a).mean() + sp(b).mean(), list(named.values()), create_graph=True)
    # Adam's first step, its second moment held constant
    moved = {n: p - rate * s / (s.detach().abs() + 1e-8) for (n, p), s in zip(named.items(), slope, strict=True)}
    loss = sp(-functional_call(d, moved, (points,))).mean()
    through, at_it = slopes(loss, g), slopes(sp(-b).mean(), g)
    still = {n: p.detach() for n, p in moved.items()}
    beside = slopes(sp(-functional_call(d, still, (points,))).mean(), g)
    assert apart(through, at_it) > 1e-2 and apart(through, beside) > 1e-2
    assert model.step(batch)["generator"].item() == pytest.approx(loss.item(), rel=1e-6)
    close(taken(model, "generator"), through, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------ WGAN


class Bowl(nn.Module):
    """|x|^2 / 2, whose gradient is x; remembers where it was asked."""

    def forward(self, x):
        self.seen = x.detach()
        return (x**2).sum(-1, keepdim=True) / 2


def test_gradient_penalty_of_a_linear_critic_is_the_same_everywhere(data):
    model = build("wgan-gp", data)
    model.critic.module = nn.Linear(2, 1)
    with torch.no_grad():
        model.critic.module.weight.copy_(torch.tensor([[3.0, -4.0]]))
    for scale in (0.1, 10.0):
        real, generated = scale * torch.randn(1, 7, 2), scale * torch.randn(1, 7, 2)
        assert model.gradient_penalty(real, generated, torch.rand(1, 7, 1)).item() == pytest.approx((5 - 1) ** 2)


def test_gradient_penalty_is_taken_on_segments(data):
    model = build("wgan-gp", data)
    model.critic.module = Bowl()
    real, generated, where = torch.randn(1, 7, 2), torch.randn(1, 7, 2), torch.rand(1, 7, 1)
    for share in (torch.zeros_like(where), torch.ones_like(where), where):
        expected = (1 - share) * real + share * generated
        penalty = model.gradient_penalty(real, generated, share).item()
        assert torch.allclose(model.critic.module.seen, expected[0], atol=1e-6)
        assert penalty == pytest.approx(((expected[0].norm(dim=1) - 1) ** 2).mean().item(), rel=1e-5)
    (batch,) = batches(model)
    assert batch["where"].min() >= 0 and batch["where"].max() < 1 and batch["where"].std() > 0.2


@pytest.mark.parametrize("name", ["wgan", "wgan-gp"])
def test_wgan_losses_and_gradients(name, data):
    model = build(name, data, critic_steps=1)
    (batch,) = batches(model)
    g, f = copy.deepcopy(model.generator.module), copy.deepcopy(model.critic.module)
    real, points = batch["real"][0, 0], g(batch["z"][0, 0]).detach()
    distance = f(real).mean() - f(points).mean()
    loss = -distance
    if name == "wgan-gp":
        x = (real + batch["where"][0, 0] * (points - real)).requires_grad_()
        slope = torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]
        loss = loss + 0.1 * ((slope.norm(dim=1) - 1) ** 2).mean()
    to_critic = slopes(loss, f)
    losses = model.step(batch)
    close(taken(model, "critic"), to_critic, rtol=1e-3, atol=1e-5)
    # the generator follows the critic as it is after its updates
    score = -model.critic.module(g(batch["last"][0])).mean()
    close(taken(model, "generator"), slopes(score, g), rtol=1e-3, atol=1e-5)
    assert losses["distance"].item() == pytest.approx(distance.item(), rel=1e-4)
    assert losses["generator"].item() == pytest.approx(score.item(), rel=1e-4, abs=1e-6)


def test_clipping_bounds_every_weight_of_the_critic_alone(data):
    model = build("wgan", data, clip=0.02)
    model.step(batches(model)[0])
    largest = [p.abs().max().item() for p in model.critic.parameters()]
    assert max(largest) == pytest.approx(0.02) and all(v <= 0.02 + 1e-9 for v in largest)
    assert max(p.abs().max().item() for p in model.generator.parameters()) > 0.02


@pytest.mark.parametrize("name", ["wgan", "wgan-gp"])
def test_a_step_is_so_many_critic_updates_each_with_its_own_batch(name, data):
    model = build(name, data, critic_steps=3)
    (batch,) = batches(model)
    asked, critic_saw = [], []
    model.generator.module.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0].clone()))
    model.critic.module.register_forward_pre_hook(lambda _, inputs: critic_saw.append(inputs[0].detach().clone()))
    model.step(batch)
    for network, count in (("critic", 3), ("generator", 1)):
        steps = {int(s["step"]) for s in model.optimisers[network].state.values()}
        assert steps == {count}
    assert len(asked) == 4 and torch.equal(asked[3], batch["last"][0])
    assert all(torch.equal(asked[k], batch["z"][0, k]) for k in range(3))
    scored = [x for x in critic_saw if len(x) == 40]
    assert [torch.equal(x[:20], batch["real"][0, k]) for k, x in enumerate(scored)] == [True] * 3
    assert len(critic_saw) == (7 if name == "wgan-gp" else 4)
    assert not torch.equal(batch["real"][0, 0], batch["real"][0, 1])


def test_wgan_rates_reach_the_optimisers(data):
    clipped, penalised = build("wgan", data, clip_rate=3e-5), build("wgan-gp", data, rate=2e-4, beta1=0.1, beta2=0.7)
    for network in ("generator", "critic"):
        (group,) = clipped.optimisers[network].param_groups
        assert isinstance(clipped.optimisers[network], torch.optim.RMSprop) and group["lr"] == 3e-5
        (group,) = penalised.optimisers[network].param_groups
        assert (group["lr"], tuple(group["betas"])) == (2e-4, (0.1, 0.7))
    (group,) = build("wgan-gp", data).optimisers["critic"].param_groups
    assert (group["lr"], tuple(group["betas"])) == (1e-4, (0.5, 0.9))
    assert build("wgan", data).optimisers["critic"].param_groups[0]["lr"] == 5e-5
