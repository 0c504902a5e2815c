"""What makes the adversarial autoencoder that model."""

from __future__ import annotations

import copy

import pytest
import torch

from otbench.models import find
from tests.models.small_images import batches, build, close, loud, slopes, sp, taken


def test_both_sides_step_from_the_same_codes(pictures):
    model = loud(build("aae", pictures, rate=0.05, adversarial=0.3))
    (batch,) = batches(model)
    e, g, d = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder", "discriminator"))
    x = batch["real"][0]
    mean, log_variance = e(x).chunk(2, 1)
    codes = mean + torch.exp(log_variance / 2) * batch["eps"][0]
    # the networks' own range is [-1, 1]
    error = (torch.tanh(g.body(codes)) - (2 * x - 1)).abs().mean()
    fooled = sp(-d(codes)).mean()
    told = (sp(-d(batch["prior"][0])).mean() + sp(d(codes.detach())).mean()) / 2
    losses = model.step(batch)
    assert losses["l1"].item() == pytest.approx(error.item(), rel=1e-4)
    assert losses["adversarial"].item() == pytest.approx(fooled.item(), rel=1e-4)
    assert losses["discriminator"].item() == pytest.approx(told.item(), rel=1e-4)
    close(taken(model, "discriminator"), slopes(told, d))
    weighted = 0.7 * error + 0.3 * fooled
    close(taken(model, "autoencoder"), torch.autograd.grad(weighted, [*e.parameters(), *g.parameters()]))


def test_the_encoder_sees_images_in_minus_one_to_one(pictures):
    model, seen = build("aae", pictures), []
    model.encoder.module.body.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    images = torch.rand(3, 1, 16, 16)
    model.encode(images)
    assert torch.allclose(seen[0], 2 * images.flatten(1) - 1)


def test_draws_from_the_prior_and_gives_means_back(pictures):
    model = loud(build("aae", pictures))
    z = torch.randn((9, 6), generator=torch.Generator().manual_seed(3))
    decoder = copy.deepcopy(model.decoder.module).eval()
    assert torch.allclose(model.draw(9, [torch.Generator().manual_seed(3)])[0], decoder(z), atol=1e-6)
    images = torch.from_numpy(pictures.test[:5]).float() / 255
    mean = copy.deepcopy(model.encoder.module).eval()(images)[:, :6]
    assert torch.allclose(model.reconstruct(images)[0], decoder(mean), atol=1e-5)


def test_values_are_those_of_the_code(pictures):
    model = build("aae", pictures)
    for optimiser in model.optimisers.values():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"])) == (2e-4, (0.5, 0.999))
    assert find("aae", "images").paper_budget("cifar10") == 200 * 938
    c = find("aae", "images").Config()
    assert (c.latent, c.batch, c.adversarial) == (10, 64, 0.001)
