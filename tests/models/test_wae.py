"""What makes the Wasserstein autoencoders what they are: penalties, costs, pretraining, schedules; and their VAE."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import exp1
from scipy.stats import multivariate_normal, truncnorm

from otbench.models import find
from otbench.models.images.shared.wae import EDGE, SCALES, covariance, factor, mmd, moments, truncated
from otbench.training.trainer import Options, Trainer
from tests.models.conftest import four_pictures
from tests.models.small_images import batches, build, close, loud, slopes, taken

SMALL = {"rate": 1e-3, "pretraining": 3, "pretraining_batch": 20, "blocks": (1, 1)}
#: the stage that trains encoder and decoder
MAIN = 1


@pytest.fixture(scope="module")
def faces():
    """Colour images of 64 pixels, where CelebA's values hold."""
    return four_pictures(20, (3, 64, 64))


def parts(model, *names):
    return [copy.deepcopy(model.networks[n].module) for n in names]


def jittered(batch, spread):
    noise = 0.01 * math.sqrt(2) * torch.erfinv(batch["jitter"][0])
    return batch["real"][0] + noise / spread


# ------------------------------------------------------------------ MMD


def test_mmd_equals_loops_over_pairs():
    a, b = np.random.default_rng(0).normal(size=(2, 2, 5, 3))
    scales = (0.5, 2.0)

    def kernel(x, y):
        squared = ((x - y) ** 2).sum()
        return sum(2 * 3 * s / (2 * 3 * s + squared) for s in scales)

    for r in range(2):
        pairs = [(i, j) for i in range(5) for j in range(5)]
        apart = [(i, j) for i, j in pairs if i != j]
        expected = sum(kernel(a[r, i], a[r, j]) + kernel(b[r, i], b[r, j]) for i, j in apart) / 20
        expected -= 2 * sum(kernel(a[r, i], b[r, j]) for i, j in pairs) / 25
        assert mmd(torch.from_numpy(a), torch.from_numpy(b), scales)[r].item() == pytest.approx(expected, rel=1e-9)


def gaussians(shift, d, c):
    """E C / (C + |a - b|^2), a - b ~ N(shift, 2 I) in d dimensions: the Laplace transform of the squared norm."""

    def value(t):
        return c * math.exp(-c * t) * (1 + 4 * t) ** (-d / 2) * math.exp(-(shift**2) * t / (1 + 4 * t))

    return quad(value, 0, math.inf)[0]


def test_the_estimate_of_mmd_is_unbiased_also_where_the_laws_are_one():
    # in the plane and with one law the kernel's mean is an exponential integral
    assert gaussians(0, 2, 4) == pytest.approx(math.e * exp1(1), rel=1e-9)
    draw = torch.Generator().manual_seed(0)
    for d, shift in ((2, 0.0), (2, 1.0), (5, 1.5)):
        codes, prior = torch.randn((2, 20_000, 8, d), generator=draw)
        codes[..., 0] += shift
        found = mmd(codes, prior)
        expected = sum(2 * (gaussians(0, d, 2 * d * s) - gaussians(shift, d, 2 * d * s)) for s in SCALES)
        error = found.std().item() / math.sqrt(len(found))
        assert found.mean().item() == pytest.approx(expected, abs=4 * error)
        assert error < 0.01 and (shift == 0 or expected > 20 * error)
    # with pairs of a point with itself, or divided by n^2, it would be off by far more than that
    assert 7 / 8 > 20 * error


def test_a_step_of_wae_mmd_descends_cost_and_penalty(pictures):
    model = build("wae-mmd", pictures, **SMALL)
    (batch,) = batches(model, stage=MAIN)
    encoder, decoder = parts(model, "encoder", "decoder")
    x = batch["real"][0]
    codes = encoder(jittered(batch, 1))
    cost = 0.05 * ((decoder(codes) - x) ** 2).sum((1, 2, 3)).mean()
    penalty = mmd(codes[None], batch["prior"])[0]
    losses = model.step(batch)
    assert losses["cost"].item() == pytest.approx(cost.item(), rel=1e-4)
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-3)
    close(
        taken(model, "autoencoder"),
        torch.autograd.grad(cost + 10 * penalty, [*encoder.parameters(), *decoder.parameters()]),
    )


def test_on_faces_cost_and_noise_are_those_of_images_in_minus_one_to_one(faces):
    model = build("wae-mmd", faces, batch=4, **SMALL)
    (batch,) = batches(model, stage=MAIN)
    encoder, decoder = parts(model, "encoder", "decoder")
    seen = []
    encoder.body.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    x = batch["real"][0]
    images = decoder(encoder(jittered(batch, 2)))
    noise = seen[0] - (2 * x - 1)
    assert 0.0195 < noise.abs().max() <= 0.02 + 1e-6, "two deviations of 0.01 on [-1, 1]"
    inner = decoder.body(encoder(jittered(batch, 2)))
    assert torch.allclose(2 * images - 1, torch.tanh(inner), atol=1e-5)
    cost = 0.05 * ((torch.tanh(inner) - (2 * x - 1)) ** 2).sum((1, 2, 3)).mean()
    assert model.step(batch)["cost"].item() == pytest.approx(cost.item(), rel=1e-4)


def test_the_noise_on_images_is_gaussian_and_cut_at_two_deviations():
    u = torch.linspace(-EDGE, EDGE, 1001, dtype=torch.float64)
    quantiles = truncnorm(-2, 2).ppf(np.linspace(0, 1, 1001))
    assert truncated(u).numpy() == pytest.approx(quantiles, abs=1e-6)


# ------------------------------------------------------------------ the adversary


@pytest.mark.parametrize("trick", ["none", "density", "code"])
def test_wae_gan_steps_the_adversary_then_the_autoencoder_on_the_same_codes(trick, pictures):
    model = loud(build("wae-gan", pictures, prior_trick=trick, adversary_rate=0.01, **SMALL))
    (batch,) = batches(model, stage=MAIN)
    encoder, decoder, adversary = parts(model, "encoder", "decoder", "adversary")
    codes, prior = encoder(jittered(batch, 1)), batch["prior"][0]

    def judged(d, z):
        if trick == "none":
            return d(z)
        if trick == "density":
            return d(z) + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        half = [(d_i - (z_j**2).sum() / 2 - math.log(2 * math.pi) / 2) for d_i in d(z) for z_j in z]
        return torch.stack(half)

    # the adversary of the paper gives probabilities; logarithms of those near 0 and 1 need doubles
    d = -(torch.nn.functional.logsigmoid(judged(adversary, prior))).mean()
    d = d - torch.nn.functional.logsigmoid(-judged(adversary, codes.detach())).mean()
    losses = model.step(batch)
    assert losses["adversary"].item() == pytest.approx(d.item(), rel=1e-4)
    close([g / 10 for g in taken(model, "adversary")], slopes(d, adversary))
    (after,) = parts(model, "adversary")
    cost = 0.05 * ((decoder(codes) - batch["real"][0]) ** 2).sum((1, 2, 3)).mean()
    penalty = -torch.nn.functional.logsigmoid(judged(after, codes)).mean()
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    assert abs(penalty + torch.nn.functional.logsigmoid(judged(adversary, codes)).mean()) > 1e-3, "the step shows"
    expected = torch.autograd.grad(cost + 10 * penalty, [*encoder.parameters(), *decoder.parameters()])
    for ours, theirs in zip(taken(model, "autoencoder"), expected, strict=True):
        assert (ours - theirs).norm() <= 1e-3 * theirs.norm() + 1e-3


def test_with_the_prior_trick_an_adversary_of_zero_is_the_priors_density(pictures):
    model = build("wae-gan", pictures, prior_trick="density")
    with torch.no_grad():
        for p in model.adversary.parameters():
            p.zero_()
    z = torch.randn(1, 9, 6)
    assert model.judge(z)[0].tolist() == pytest.approx(multivariate_normal(np.zeros(6)).logpdf(z[0]).tolist(), rel=1e-5)


# ------------------------------------------------------------------ pretraining


def test_moments_are_those_of_numpy():
    a, b = np.random.default_rng(0).normal(size=(2, 2, 7, 3))
    for r in range(2):
        covariances = np.cov(a[r], rowvar=False) - np.cov(b[r], rowvar=False)
        expected = ((a[r].mean(0) - b[r].mean(0)) ** 2).mean() + (covariances**2).mean()
        assert moments(torch.from_numpy(a), torch.from_numpy(b))[r].item() == pytest.approx(expected)
    assert covariance(torch.from_numpy(a))[1].numpy() == pytest.approx(np.cov(a[1], rowvar=False))


def test_pretraining_moves_the_encoder_alone_until_its_codes_are_spread(pictures, double):
    options = {**SMALL, "pretraining": 200, "rate": 3e-3, "latent": 2}
    group = build("wae-mmd", pictures, seeds=(0, 1), **options)
    before = {n: {k: v.clone() for k, v in r.state().items()} for n, r in group.networks.items()}
    told = group.pretrain()
    assert all(1 < t["pretraining_steps"] < 200 and t["pretraining_loss"] < 0.1 for t in told)
    after = group.networks["decoder"].state()
    assert all(torch.equal(before["decoder"][k], v) for k, v in after.items())
    assert not group.optimisers["pretraining"].state
    steps = [int(t["pretraining_steps"]) for t in told]
    early, late = (0, 1) if steps[0] < steps[1] else (1, 0)
    assert steps[early] < steps[late]
    shorter = build("wae-mmd", pictures, seeds=(0, 1), **{**options, "pretraining": steps[early]})
    shorter.pretrain()
    for name, value in shorter.encoder.state().items():
        assert torch.equal(value[early], group.encoder.state()[name][early]), "it stopped while the other went on"
        assert name.endswith("bias") or not torch.equal(value[late], group.encoder.state()[name][late])
    alone = build("wae-mmd", pictures, seeds=(early,), **options)
    assert alone.pretrain()[0]["pretraining_steps"] == steps[early]
    for name, value in alone.encoder.state().items():
        torch.testing.assert_close(group.encoder.state()[name][early], value[0], rtol=1e-5, atol=1e-7)


def test_none_is_a_stage_of_no_pretraining(pictures):
    model = build("wae-gan", pictures, pretraining=0)
    assert [s.name for s in model.stages()] == ["autoencoder"] and "pretraining" not in model.optimisers
    trainer = Trainer(build("wae-gan", pictures, **SMALL), 30, [1.0], Options(), None)
    assert [(s.name, n) for s, n in trainer.plan()] == [("pretraining", 0), ("autoencoder", 30)]


# ------------------------------------------------------------------ values


def test_rates_fall_as_the_code_says():
    # factor 100^(-1/50) an epoch of 50; and 1/2 at epoch 30, 1/5 of that at epoch 50 of 100
    assert [factor("smooth", k / 50) for k in (0, 1, 25)] == pytest.approx([1, 100 ** (-1 / 50), 0.1])
    assert [factor("steps", k / 100) for k in (0, 29, 30, 49, 50, 99)] == [1, 1, 0.5, 0.5, 0.1, 0.1]
    assert factor("none", 0.9) == 1


def test_both_rates_fall_together(pictures):
    model = build("wae-gan", pictures, rate=1e-3, adversary_rate=4e-3, schedule="smooth")
    model.stages()[MAIN].schedule(0.5)
    rates = {n: o.param_groups[0]["lr"] for n, o in model.optimisers.items()}
    assert rates == pytest.approx({"autoencoder": 1e-4, "adversary": 4e-4, "pretraining": 1e-3})


@pytest.mark.parametrize("name", ["wae-mmd", "wae-gan", "wae-vae"])
def test_values_are_those_of_the_data_and_yield_to_options(name, pictures, faces):
    def config(data, **more):
        model = find(name, "images")
        return model(model.Config(width=2, **more), data, [0]).config

    small, large = config(pictures), config(faces)
    assert (small.latent, small.schedule, large.latent, large.schedule) == (8, "steps", 64, "smooth")
    rates = {"wae-mmd": 1e-3, "wae-gan": 3e-4, "wae-vae": 1e-4}
    assert (small.rate, large.rate) == (1e-3, rates[name])
    if name != "wae-vae":
        assert (small.penalty, large.penalty) == (10, 100 if name == "wae-mmd" else 1)
        assert (small.pretraining_batch, large.pretraining_batch) == (1000, 256)
    other = config(faces, latent=5, rate=0.1, schedule="none")
    assert (other.latent, other.rate, other.schedule) == (5, 0.1, "none")
    assert None not in {k: v for k, v in large.model_dump().items() if k != "variance"}.values()


def test_budgets_are_the_papers():
    for name in ("wae-mmd", "big-wae-gan", "wae-vae"):
        budget = find(name, "images").paper_budget
        assert budget("mnist") == 100 * 600 and budget("celeba-140") == 50 * 1826


def test_the_adversary_is_512_wide_beside_both_sizes_of_networks(pictures):
    for name, width in (("wae-gan", 4), ("big-wae-gan", 2)):
        model = build(name, pictures, width=width, blocks=(1,))
        assert model.adversary.module.body[2].in_features == 16
        full = find(name, "images").Config(**find(name, "images").names[name]).width
        assert full / width * 16 == 512


# ------------------------------------------------------------------ the VAE


@pytest.mark.parametrize("variance", [None, 0.05])
def test_a_step_of_the_vae_descends_the_bound(variance, pictures):
    model = build("wae-vae", pictures, rate=1e-3, variance=variance)
    (batch,) = batches(model)
    encoder, decoder = parts(model, "encoder", "decoder")
    x, eps = batch["real"][0], batch["eps"][0]
    mean, log_variance = encoder(x).chunk(2, 1)
    p = torch.sigmoid(decoder(mean + torch.exp(log_variance / 2) * eps))
    if variance:
        constant = p[0].numel() / 2 * math.log(2 * math.pi * variance)
        nll = -torch.distributions.Normal(p, math.sqrt(variance)).log_prob(x).sum((1, 2, 3)).mean() - constant
    else:
        nll = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3)).mean()
    divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1).mean()
    losses = model.step(batch)
    assert losses["reconstruction"].item() == pytest.approx(nll.item(), rel=1e-4)
    assert losses["divergence"].item() == pytest.approx(divergence.item(), rel=1e-3, abs=1e-4)
    expected = torch.autograd.grad(nll + divergence, [*encoder.parameters(), *decoder.parameters()])
    for ours, theirs in zip(taken(model, "autoencoder"), expected, strict=True):
        assert (ours - theirs).norm() <= 1e-3 * theirs.norm() + 1e-3


def test_all_draw_from_the_prior_and_decode_to_images(faces, pictures):
    for name in ("wae-mmd", "wae-vae", "big-vae"):
        for data in (faces, pictures):
            model = build(name, data, blocks=(1,), latent=5)
            z = torch.randn((3, 5), generator=torch.Generator().manual_seed(7))
            decoder = parts(model, "decoder")[0].eval()
            expected = decoder(z).sigmoid() if "vae" in name else decoder(z)
            drawn = model.draw(3, [torch.Generator().manual_seed(7)])[0]
            assert torch.allclose(drawn, expected, atol=1e-5) and 0 <= drawn.min() and drawn.max() <= 1
