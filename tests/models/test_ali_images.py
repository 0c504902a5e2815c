"""What makes ALI of images that model: joint pairs, one forward pass, two losses."""

from __future__ import annotations

import copy

import pytest
import torch

from otbench.models import find
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, slopes, sp, taken


def alive(model):
    """The model with weights large enough for codes, images and logits to differ, and deviations near 1."""
    stream = generator(0, "alive")
    with torch.no_grad():
        for network in model.networks.values():
            for p in network.parameters():
                p.copy_(0.15 * torch.randn(p.shape, generator=stream))
    return model


def near(ours, theirs):
    scale = max(s.abs().max().item() for s in theirs)
    assert scale > 1e-4
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < 1e-3 * scale


def test_pairs_are_images_with_their_codes_and_noise_with_its_images(pictures):
    model = alive(build("ali", pictures))
    (batch,) = batches(model)
    encoder, decoder = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder"))
    x, z, eps = (batch[n][0] for n in ("real", "z", "eps"))
    images, codes = model.pairs(batch)
    mean, log_deviation = encoder(x)[:, :6], encoder(x)[:, 6:]
    assert torch.equal(images[0, :16], x) and torch.allclose(images[0, 16:], decoder(z), atol=1e-6)
    assert torch.allclose(codes[0, :16], mean + torch.exp(log_deviation) * eps, atol=1e-5)
    assert torch.equal(codes[0, 16:], z)
    assert not torch.equal(z, eps) and batch["drop"].shape == (1, 1)


def test_encoder_and_decoder_descend_one_loss_and_the_discriminator_another(pictures):
    model = alive(build("ali", pictures, rate=0.02))
    (batch,) = batches(model)
    e, g, d = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder", "discriminator"))
    x, z, eps, drop = (batch[n][0] for n in ("real", "z", "eps", "drop"))
    mean, log_deviation = e(x).chunk(2, 1)
    images, codes = torch.cat([x, g(z)]), torch.cat([mean + log_deviation.exp() * eps, z])
    logits = d(images, codes, drop)
    a, b = logits[:16], logits[16:]
    loss_d, loss_g = sp(-a).mean() + sp(b).mean(), sp(a).mean() + sp(-b).mean()
    to_d, to_e, to_g = slopes(loss_d, d), slopes(sp(a).mean(), e), slopes(sp(-b).mean(), g)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-4)
    assert losses["generator"].item() == pytest.approx(loss_g.item(), rel=1e-4)
    near(taken(model, "discriminator"), to_d)
    near(taken(model, "generator"), [*to_e, *to_g])


def test_what_is_dropped_changes_from_step_to_step_and_not_between_runs(pictures):
    first, second = batches(build("ali", pictures), 3), batches(build("ali", pictures), 3)
    drops = [batch["drop"].item() for batch in first]
    assert len(set(drops)) == 3 and drops == [batch["drop"].item() for batch in second]


def test_the_decoder_starts_from_the_mean_image(pictures):
    drawn = build("ali", pictures).draw(10, [generator(0, "samples")])
    mean = torch.from_numpy(pictures.train).float().mean(0) / 255
    # running statistics of the start shrink what the layers say to almost nothing
    assert (drawn[0] - mean).abs().max() < 0.02


def test_values_of_the_paper(pictures):
    ali = find("ali", "images")
    model = build("ali", pictures)
    for optimiser in model.optimisers.values():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"])) == (1e-4, (0.5, 0.999))
    config = ali.Config()
    assert (config.latent, config.batch, config.width, config.dropout, config.input_dropout) == (64, 100, 32, 0.5, 0.2)
    assert ali.paper_budget("cifar10") == 6_475 * 50_000 // 100
    assert ali.paper_budget("stacked-mnist") == 50 * 128_000 // 64 and ali.paper_budget("mnist") == 15_625
