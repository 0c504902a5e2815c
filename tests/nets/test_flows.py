"""The networks of continuous-time models: sizes, time, and what a U-Net starts as."""

from __future__ import annotations

import math

import pytest
import torch

from otbench.nets.flows import PointField, UNet, frequencies, halvings


def test_the_field_of_points_is_tong_et_als_perceptron():
    net = PointField(2)
    weights = {name: tuple(p.shape) for name, p in net.named_parameters() if p.ndim == 2}
    assert list(weights.values()) == [(64, 3), (64, 64), (64, 64), (2, 64)]
    x, t = torch.randn(5, 2), torch.rand(5)
    h = torch.cat([x, t[:, None]], 1)
    layers = [m for m in net.body if hasattr(m, "weight")]
    for k, layer in enumerate(layers):
        h = h @ layer.weight.T + layer.bias
        h = torch.nn.functional.selu(h) if k < 3 else h
    torch.testing.assert_close(net(x, t), h, rtol=1e-4, atol=1e-5)


def test_frequencies_are_those_of_ho_et_al():
    t = torch.tensor([0.0, 0.5], dtype=torch.float64)
    found = frequencies(t, 8)
    assert found[0].tolist() == [0] * 4 + [1] * 4
    rates = [10_000 ** (-k / 3) for k in range(4)]
    expected = [math.sin(500 * r) for r in rates] + [math.cos(500 * r) for r in rates]
    assert found[1].tolist() == pytest.approx(expected)
    assert frequencies(t, 7).shape == (2, 7)


@pytest.mark.parametrize(("side", "times"), [(16, 2), (28, 2), (32, 2), (64, 2), (30, 1), (15, 0)])
def test_the_unet_fits_every_side_and_starts_at_zero(side, times):
    shape = (3, side, side)
    assert halvings(shape) == times
    net = UNet(shape, 4)
    x, t = torch.randn(2, *shape), torch.rand(2)
    assert torch.equal(net(x, t), torch.zeros(2, *shape))


def test_the_unet_sees_its_time_and_every_resolution():
    torch.manual_seed(0)
    net = UNet((1, 16, 16), 8).double()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(0.1 * torch.randn_like(p) + p)
    x, t = torch.randn(2, 1, 16, 16, dtype=torch.float64), torch.tensor([0.2, 0.2], dtype=torch.float64)
    base = net(x, t)
    later = net(x, torch.tensor([0.2, 0.6], dtype=torch.float64))
    assert torch.allclose(later[0], base[0]) and not torch.allclose(later[1], base[1], atol=1e-3), "row by row"
    net.middle.last.weight.data.add_(1.0)
    assert not torch.allclose(net(x, t), base, atol=1e-3), "the coarsest level is not cut off"
