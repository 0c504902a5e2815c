"""The forms of the VAE that the study's code had: uniform codes, and a likelihood averaged over channels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from otbench.data.base import DataSet
from otbench.models import configure, find
from otbench.nets.image_layers import BatchNorm
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, loud, sp, taken


@pytest.fixture(scope="module")
def coloured():
    draw = np.random.default_rng(0)
    train, test = (draw.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8) for n in (64, 16))
    return DataSet("coloured", train, test, None, "noise", "test")


def test_the_defaults_are_the_bounds_own():
    config = configure("vae", {}, "images")
    assert (config.latents, config.averaged, config.normalised) == ("normal", False, True)


def test_codes_may_be_uniform_though_the_prior_is_not(pictures):
    model = loud(build("vae", pictures, latents="uniform"))
    z = torch.rand((300, 6), generator=generator(0, "samples")) * 2 - 1
    decoder = copy.deepcopy(model.networks["decoder"].module).eval()
    drawn = model.draw(300, [generator(0, "samples")])
    assert torch.allclose(drawn[0], decoder(z).sigmoid(), atol=1e-6)
    usual = loud(build("vae", pictures)).draw(300, [generator(0, "samples")])
    assert (drawn - usual).abs().mean() > 1e-3, "another law, other images"


@pytest.mark.parametrize("averaged", [False, True])
def test_an_averaged_likelihood_weighs_the_divergence_three_times_in_colour(averaged, coloured):
    model = build("vae", coloured, averaged=averaged)
    (batch,) = batches(model)
    encoder, decoder = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder"))
    x, eps = batch["real"][0], batch["eps"][0]
    mean, raw = encoder(x).chunk(2, 1)
    deviation = 1e-6 + sp(raw)
    p = torch.sigmoid(decoder(mean + deviation * eps))
    by_channel = -(x * p.log() + (1 - x) * (1 - p).log()).sum((2, 3))
    nll = by_channel.mean() if averaged else by_channel.sum(1).mean()
    divergence = 0.5 * (mean**2 + deviation**2 - torch.log(deviation**2) - 1).sum(1).mean()
    losses = model.step(batch)
    assert losses["reconstruction"].item() == pytest.approx(nll.item(), rel=1e-4)
    assert losses["divergence"].item() == pytest.approx(divergence.item(), rel=1e-3)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    close(taken(model, "autoencoder"), torch.autograd.grad(nll + divergence, parameters))


@pytest.mark.parametrize("normalised", [True, False])
def test_normalisation_of_the_encoder_is_an_option(normalised, pictures):
    model = build("vae", pictures, normalised=normalised)
    found = [isinstance(m, BatchNorm) for m in model.networks["encoder"].module.modules()]
    assert sum(found) == (2 if normalised else 0)
    assert "normalised" not in find("otvae", "images").Config.model_fields
