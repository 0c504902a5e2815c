"""What makes each model of images that model: GANs and VAE."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from otbench.models import find
from otbench.models.images.vae import bernoulli, gaussian
from otbench.nets.image_layers import BatchNorm
from otbench.training.trainer import Options, Trainer
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, loud, slopes, sp, taken

# ------------------------------------------------------------------ GANs


def test_ns_gan_steps_the_discriminator_then_the_generator_on_the_same_noise(pictures):
    model = loud(build("ns-gan", pictures, rate=0.05))
    (batch,) = batches(model)
    g, d = (copy.deepcopy(model.networks[n].module) for n in ("generator", "discriminator"))
    real, images = batch["real"][0, 0], g(batch["z"][0, 0])
    a, b = d(real), d(images.detach())
    to_d = slopes(sp(-a).mean() + sp(b).mean(), d)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx((sp(-a).mean() + sp(b).mean()).item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    # against the discriminator as it is now, in training mode: batch statistics, so a copy gives the same
    after = sp(-copy.deepcopy(model.discriminator.module)(images)).mean()
    assert losses["generator"].item() == pytest.approx(after.item(), rel=1e-4)
    assert abs(after.item() - sp(-b).mean().item()) > 1e-3, "the discriminator's step shows"
    close(taken(model, "generator"), slopes(after, g))
    assert -1 <= batch["z"].min() < -0.9 and 0.9 < batch["z"].max() <= 1, "noise is uniform on [-1, 1]"


@pytest.mark.parametrize(("name", "more"), [("wgan", {}), ("wgan", {"clip_normalisation": True}), ("wgan-mlp", {})])
def test_wgan_clips_the_critic_after_each_update_and_its_normalisation_where_asked(name, more, pictures):
    model = build(name, pictures, clip=0.02, critic_steps=3, **more)
    (batch,) = batches(model)
    critic, seen = model.discriminator.module, []
    scales = {id(p) for m in critic.modules() if isinstance(m, BatchNorm) for p in m.parameters()}
    clipped = [p for p in critic.parameters() if more or id(p) not in scales]
    critic.register_forward_pre_hook(lambda *_: seen.append(max(p.abs().max().item() for p in clipped)))
    model.stages()[0].step(batch)
    assert len(seen) == 7, "real and generated three times, then the generator's update"
    assert all(v <= 0.02 + 1e-9 for v in seen[2:]), "clipped before it is used again"
    assert seen[0] > 0.02
    assert max(p.abs().max().item() for p in clipped) == pytest.approx(0.02)
    if name == "wgan" and not more:
        (scale,) = [p for n, p in critic.named_parameters() if n == "body.3.weight"]
        assert scale.min() > 0.9, "the normalisation's scale starts at 1 and is left alone"
    assert max(p.abs().max().item() for p in model.generator.parameters()) > 0.02


@pytest.mark.parametrize("name", ["wgan", "wgan-mlp"])
def test_wgan_counts_critic_updates_and_gives_each_its_own_batch(name, pictures):
    model = build(name, pictures, critic_steps=3)
    (stage,) = model.stages()
    assert stage.cost == 3 and Trainer(model, 30, [1.0], Options(), None).plan()[0][1] == 10
    (batch,) = batches(model)
    assert batch["real"].shape[:3] == (1, 3, 16) and not torch.equal(batch["real"][0, 0], batch["real"][0, 1])
    asked, scored = [], []
    model.generator.module.register_forward_pre_hook(lambda _, x: asked.append(x[0].clone()))
    model.discriminator.module.register_forward_pre_hook(lambda _, x: scored.append(x[0].detach().clone()))
    stage.step(batch)
    assert [torch.equal(a, batch["z"][0, k]) for k, a in enumerate(asked)] == [True] * 3, "no noise beyond the critic's"
    assert [torch.equal(scored[2 * k], batch["real"][0, k]) for k in range(3)] == [True] * 3
    assert torch.equal(scored[5], scored[6]), "the generator's update is on the images of the last critic update"


@pytest.mark.parametrize("name", ["wgan", "wgan-mlp"])
def test_wgan_losses_and_gradients(name, pictures):
    model = build(name, pictures, critic_steps=1)
    (batch,) = batches(model)
    g, f = copy.deepcopy(model.generator.module), copy.deepcopy(model.discriminator.module)
    images = g(batch["z"][0, 0])
    distance = f(batch["real"][0, 0]).mean() - f(images.detach()).mean()
    losses = model.stages()[0].step(batch)
    assert losses["distance"].item() == pytest.approx(distance.item(), rel=1e-4, abs=1e-7)
    close(taken(model, "discriminator"), slopes(-distance, f))
    score = -copy.deepcopy(model.discriminator.module)(images).mean()
    assert losses["generator"].item() == pytest.approx(score.item(), rel=1e-3, abs=1e-7)
    close(taken(model, "generator"), slopes(score, g))


def test_rates_reach_the_optimisers(pictures):
    expected = {"ns-gan": (5e-5, 0.0), "wgan": (5e-5, 0.5), "vae": (5e-5, 0.5), "ae-ot": (3e-3, 0.5)}
    for name, (rate, beta1) in {**expected, "otvae": (3e-4, 0.9)}.items():
        for optimiser in build(name, pictures).optimisers.values():
            (group,) = optimiser.param_groups
            assert (group["lr"], tuple(group["betas"])) == (rate, (beta1, 0.999)), name
    for optimiser in build("wgan-mlp", pictures).optimisers.values():
        assert isinstance(optimiser, torch.optim.RMSprop) and optimiser.param_groups[0]["lr"] == 5e-5


def test_budgets_are_the_papers():
    study = {"mnist": 15_625, "fashion-mnist": 15_625, "digits": 15_625, "cifar10": 78_125, "celeba": 101_250}
    for name in ("ns-gan", "wgan", "vae", "ae", "ae-ot", "ae-gaussian"):
        assert {d: find(name, "images").paper_budget(d) for d in study} == study
    assert find("otvae", "images").paper_budget("mnist") == 100 * 600
    assert find("wgan-mlp", "images").paper_budget("mnist") == 200 * 600
    assert find("real", "images").paper_budget("mnist") is None


# ------------------------------------------------------------------ VAE


def test_divergence_and_likelihood_equal_the_distributions_own():
    torch.manual_seed(0)
    mean, deviation = torch.randn(2, 5, 3), torch.rand(2, 5, 3) + 0.1
    expected = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).sum(-1).mean(1)
    assert gaussian(mean, deviation).tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    logits, images = 3 * torch.randn(2, 5, 3, 4, 4), (torch.rand(2, 5, 3, 4, 4) > 0.5).float()
    expected = -Bernoulli(logits=logits).log_prob(images).sum((2, 3, 4)).mean(1)
    assert bernoulli(logits, images).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("name", ["vae", "otvae"])
def test_a_step_of_the_vae_descends_the_bound(name, pictures):
    model = build(name, pictures)
    (batch,) = batches(model)
    encoder, decoder = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder"))
    x, eps = batch["real"][0], batch["eps"][0]
    mean, raw = encoder(x).chunk(2, 1)
    deviation = 1e-6 + sp(raw) if name == "vae" else torch.exp(raw / 2)
    p = torch.sigmoid(decoder(mean + deviation * eps))
    nll = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3)).mean()
    divergence = 0.5 * (mean**2 + deviation**2 - torch.log(deviation**2) - 1).sum(1).mean()
    losses = model.step(batch)
    assert losses["reconstruction"].item() == pytest.approx(nll.item(), rel=1e-4)
    assert losses["divergence"].item() == pytest.approx(divergence.item(), rel=1e-3)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    close(taken(model, "autoencoder"), torch.autograd.grad(nll + divergence, parameters))


def test_the_vae_draws_from_its_prior_and_gives_means_back(pictures):
    model = loud(build("vae", pictures))
    z = torch.randn((9, 6), generator=generator(0, "samples"))
    decoder = copy.deepcopy(model.networks["decoder"].module).eval()
    drawn = model.draw(9, [generator(0, "samples")])
    assert torch.allclose(drawn[0], decoder(z).sigmoid(), atol=1e-6)
    images = torch.from_numpy(pictures.test[:5]).float() / 255
    mean = copy.deepcopy(model.networks["encoder"].module).eval()(images)[:, :6]
    assert torch.allclose(model.reconstruct(images)[0], decoder(mean).sigmoid(), atol=1e-5)
