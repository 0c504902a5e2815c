"""BEGAN's discriminator: sizes, layers, and the error that it gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from otbench.nets.began import Autoencoder
from otbench.nets.image_layers import BatchNorm
from tests.nets.counting import parameter_count


def count(c, h, w):
    top = 128 * h * w // 16
    down, up = (16 * c + 1) * 64 + (16 * 64 + 1) * 128, (16 * 128 + 1) * 64 + (16 * 64 * c + c)
    return down + (top + 1) * 64 + 65 * top + up


@pytest.mark.parametrize(
    ("shape", "parameters"), [((1, 28, 28), 1_073_601), ((3, 32, 32), 1_325_379), ((3, 64, 64), 4_495_683)]
)
def test_it_has_the_studys_parameters(shape, parameters):
    with torch.device("meta"):
        assert parameter_count(Autoencoder(shape)) == parameters == count(*shape)
        top = 128 * shape[1] * shape[2] // 16
        assert parameter_count(Autoencoder(shape, normalised=True)) == parameters + 2 * (64 + top + 64)


@pytest.mark.parametrize("normalised", [False, True])
def test_it_is_the_studys_chain_of_layers(normalised):
    torch.manual_seed(0)
    network = Autoencoder((3, 8, 12), width=4, normalised=normalised)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(0.4 * torch.randn_like(p))
    weights = iter([m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)])
    norms = iter([m for m in network.modules() if isinstance(m, BatchNorm)])

    def affine(x):
        layer = next(weights)
        return x @ layer.weight.T + layer.bias

    def normal(x):
        if not normalised:
            return x
        norm, dims = next(norms), [0, *range(2, x.ndim)]
        lead = (1, -1, *[1] * (x.ndim - 2))
        centred = x - x.mean(dims, keepdim=True)
        scaled = centred / (centred.square().mean(dims, keepdim=True) + 1e-3).sqrt()
        return scaled * norm.weight.view(lead) + norm.bias.view(lead)

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    def down(x):
        layer = next(weights)
        return nn.functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=1)

    def up(x):
        layer = next(weights)
        return nn.functional.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)

    x = torch.rand(6, 3, 8, 12)
    code = leaky(normal(affine(down(leaky(down(x))).flatten(1))))
    assert code.shape == (6, 4)
    inner = leaky(normal(affine(code))).reshape(6, 8, 2, 3)
    out = 1 / (1 + torch.exp(-up(leaky(normal(up(inner))))))
    assert torch.allclose(network.reconstruct(x), out, atol=1e-5)
    pairs = [zip(out[n].flatten().tolist(), x[n].flatten().tolist(), strict=True) for n in range(6)]
    errors = [sum(abs(a - b) for a, b in pair) for pair in pairs]
    assert network(x).tolist() == pytest.approx([e / (3 * 8 * 12) for e in errors], rel=1e-4)


def test_k_is_kept_but_not_trained():
    network = Autoencoder((1, 8, 8), width=2)
    assert network.state_dict()["k"].item() == 0 and "k" not in dict(network.named_parameters())
