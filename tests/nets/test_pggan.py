"""Networks that grow: equalised layers, normalisations, both ends of a fade, and what works at a level."""

import copy
import math

import numpy as np
import pytest
import torch

from otbench.nets.pggan import (
    Discriminator,
    Equalised,
    First,
    Generator,
    batch_deviation,
    channels,
    larger,
    pixel_norm,
    sizes,
    smaller,
)
from tests.nets.counting import parameter_count

SHAPE = (3, 16, 16)


def at(network, level, fade=1.0):
    """A copy of a network that works at this level."""
    network = copy.deepcopy(network)
    network.at, network.fading = level, fade < 1
    network.level.fill_(level)
    network.fade.fill_(fade)
    return network


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return Generator(SHAPE, latent=5, width=6)


@pytest.fixture
def discriminator():
    torch.manual_seed(1)
    return Discriminator(SHAPE, width=6)


def test_levels_go_down_to_four_pixels_and_widths_fall_from_thirty_two_on():
    assert [h for h, _ in sizes((3, 64, 64))] == [4, 8, 16, 32, 64]
    assert sizes((1, 28, 28)) == [(7, 7), (14, 14), (28, 28)] and sizes((1, 16, 32)) == [(4, 8), (8, 16), (16, 32)]
    assert sizes((1, 15, 15)) == [(15, 15)], "an odd side does not grow"
    # appendix A, table 2
    assert channels((3, 1024, 1024), 512) == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert channels((1, 28, 28), 16) == [16, 16, 16]


def test_equalised_weights_are_standard_normal_and_scaled_in_use():
    torch.manual_seed(0)
    dense, conv = Equalised(50, 400), Equalised(30, 40, 3, gain=1.0)
    for layer in (dense, conv):
        assert layer.weight.std().item() == pytest.approx(1, abs=0.02) and not layer.bias.any()
    x = torch.randn(7, 50)
    expected = x.numpy() @ dense.weight.detach().numpy().T * math.sqrt(2 / 50)
    assert dense(x).detach().numpy() == pytest.approx(expected, abs=1e-4)
    image = torch.randn(1, 30, 5, 5)
    window, kernel = image[0, :, 1:4, 2:5].numpy(), conv.weight[7].detach().numpy()
    assert conv(image)[0, 7, 2, 3].item() == pytest.approx((window * kernel).sum() / math.sqrt(30 * 9), abs=1e-4)
    # the first layer's gain is smaller by the root of its 16 pixels
    first, z = First(5, 6, (4, 4)), torch.randn(2, 5)
    flat = z.numpy() @ first.weight.detach().numpy().T * math.sqrt(2) / 4 / math.sqrt(5)
    assert first(z).detach().numpy() == pytest.approx(flat.reshape(2, 6, 4, 4), abs=1e-5)


def test_pixel_norm_divides_by_the_root_mean_square_of_a_pixels_features():
    x = torch.randn(2, 5, 3, 4)
    expected = x.numpy() / np.sqrt((x.numpy() ** 2).mean(1, keepdims=True))
    assert pixel_norm(x).numpy() == pytest.approx(expected, abs=1e-5)
    assert pixel_norm(torch.randn(4, 7)).square().mean(1).tolist() == pytest.approx([1] * 4, abs=1e-5)


def test_batch_deviation_appends_one_number():
    x = torch.randn(6, 3, 4, 4) * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    out = batch_deviation(x)
    assert out.shape == (6, 4, 4, 4) and torch.equal(out[:, :3], x)
    assert out[:, 3].numpy() == pytest.approx(x.numpy().std(0).mean(), abs=1e-5)
    assert batch_deviation(x[:1].expand(6, -1, -1, -1))[:, 3].max() < 1e-3, "a collapsed batch is seen"


def test_larger_and_smaller_are_four_equal_pixels_and_their_mean():
    x = torch.randn(2, 3, 2, 3)
    assert np.array_equal(larger(x).numpy(), x.numpy().repeat(2, 2).repeat(2, 3))
    assert torch.allclose(smaller(larger(x)), x, atol=1e-6)


@pytest.mark.parametrize("level", [1, 2])
def test_a_generators_fade_starts_from_the_level_below_and_ends_in_the_level(level, generator):
    z = torch.randn(4, 5)
    below, above = larger(at(generator, level - 1)(z)), at(generator, level)(z)
    assert below.shape == above.shape == (4, 3, 4 * 2**level, 4 * 2**level)
    assert (below - above).abs().max() > 0.1
    assert torch.allclose(at(generator, level, 0.0)(z), below, atol=1e-6)
    assert torch.allclose(at(generator, level, 0.3)(z), 0.7 * below + 0.3 * above, atol=1e-5)
    nearly = at(generator, level, 0.5)
    nearly.fade.fill_(1.0)
    assert torch.allclose(nearly(z), above, atol=1e-6)


@pytest.mark.parametrize("level", [1, 2])
def test_a_discriminators_fade_starts_from_the_level_below_and_ends_in_the_level(level, discriminator):
    x = torch.randn(4, 3, 4 * 2**level, 4 * 2**level)
    below, above = at(discriminator, level - 1)(smaller(x)), at(discriminator, level)(x)
    assert below.shape == (4,) and (below - above).abs().max() > 0.05
    assert torch.allclose(at(discriminator, level, 0.0)(x), below, atol=1e-5)
    nearly = at(discriminator, level, 0.5)
    half = nearly(x)
    assert (half - below).abs().max() > 1e-3 and (half - above).abs().max() > 1e-3
    nearly.fade.fill_(1.0)
    assert torch.allclose(nearly(x), above, atol=1e-5)


@pytest.mark.parametrize(("level", "fade"), [(0, 1.0), (1, 0.5), (1, 1.0), (2, 0.5), (2, 1.0)])
def test_what_a_network_uses_is_what_has_a_gradient(level, fade, generator, discriminator):
    side = 4 * 2**level
    for network, x in ((generator, torch.randn(4, 5)), (discriminator, torch.randn(4, 3, side, side))):
        network = at(network, level, fade)
        names = [n for n, _ in network.named_parameters()]
        found = torch.autograd.grad(network(x).square().sum(), list(network.parameters()), allow_unused=True)
        assert [g is not None for g in found] == [network.uses(n) for n in names]


def test_parameters_are_those_of_the_papers_table():
    def conv(a, b, k=3):
        return k * k * a * b + b

    maps = [512, 512, 512, 512, 256, 128, 64, 32, 16]
    pairs = list(zip(maps, maps[1:], strict=False))
    with torch.device("meta"):
        g, d = Generator((3, 1024, 1024)), Discriminator((3, 1024, 1024))
    expected_g = 512 * 512 * 16 + 512 + conv(512, 512) + sum(conv(a, b) + conv(b, b) for a, b in pairs)
    expected_d = conv(513, 512) + 512 * 16 * 512 + 512 + 513 + sum(conv(b, b) + conv(b, a) for a, b in pairs)
    assert parameter_count(g) == expected_g + sum(conv(m, 3, 1) for m in maps)
    assert parameter_count(d) == expected_d + sum(conv(3, m, 1) for m in maps)
    # "23.1M" each with the colours of the last level alone (table 2)
    assert round((expected_g + conv(16, 3, 1)) / 1e6, 1) == round((expected_d + conv(3, 16, 1)) / 1e6, 1) == 23.1
    g.at = d.at = 8
    for network in (g, d):
        used = sum(p.numel() for n, p in network.named_parameters() if network.uses(n))
        assert round(used / 1e6, 1) == 23.1
