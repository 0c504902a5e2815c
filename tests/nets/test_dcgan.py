"""DCGAN's networks: the sizes of the papers, TensorFlow's padding on odd images, and ranges."""

from __future__ import annotations

import pytest
import torch

from otbench.nets.dcgan import UNROLLED, VEEGAN, DeconvTo, Discriminator, Encoder, Generator, Joint
from otbench.nets.image_layers import BatchNorm
from otbench.nets.wae import SameConv
from tests.nets.counting import parameter_count

STACKED = (3, 28, 28)
SHAPES = [(1, 16, 16), (1, 28, 28), (3, 28, 28), (3, 32, 32), (3, 64, 64)]


def conv(kernel, a, b):
    return kernel**2 * a * b + b


def test_parameters_in_the_set_up_of_veegan():
    with torch.device("meta"):
        dense, norms = 101 * 512 * 4, 2 * (512 + 256 + 128 + 64)
        convolutions = conv(5, 512, 256) + conv(5, 256, 128) + conv(5, 128, 64) + conv(5, 64, 3)
        assert parameter_count(Generator(STACKED)) == dense + norms + convolutions == 4_514_819
        for m in (1, 2, 3, 4):
            convolutions = conv(5, 3 * m, 64) + conv(5, 64, 128) + conv(5, 128, 256) + conv(5, 256, 512)
            norms, last = 2 * (128 + 256 + 512), 512 * 4 + 1
            expected = convolutions + norms + last
            assert parameter_count(Discriminator((3 * m, 28, 28))) == expected == 4_310_401 + 4_800 * (m - 1)


def test_parameters_in_the_set_up_of_the_unrolled_gan():
    with torch.device("meta"):
        convolutions = conv(3, 64, 32) + conv(3, 32, 16) + conv(3, 16, 8) + conv(3, 8, 3)
        expected = 257 * 64 * 16 + convolutions + 2 * (64 + 32 + 16 + 8)
        assert parameter_count(Generator(STACKED, 256, 8, UNROLLED)) == expected == 287_875
        for width in (2, 4):  # a quarter and half of the generator's last 8 channels
            convolutions = conv(3, 3, width) + conv(3, width, 2 * width) + conv(3, 2 * width, 4 * width)
            expected = convolutions + 2 * 7 * width + 4 * width * 16 + 1
            assert parameter_count(Discriminator(STACKED, width, UNROLLED)) == expected


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (7, 10), (28, 28)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_growing_is_the_adjoint_of_the_convolution_that_halves(kernel, size):
    torch.manual_seed(0)
    down, up = SameConv(2, 3, kernel), DeconvTo(3, 2, size, kernel)
    with torch.no_grad():
        up.weight.copy_(down.weight)
        up.bias.zero_()
        down.bias.zero_()
    x = torch.randn(1, 2, *size)
    y = torch.randn_like(down(x))
    assert up(y).shape == x.shape
    assert (down(x) * y).sum().item() == pytest.approx((x * up(y)).sum().item(), rel=1e-4, abs=1e-4)


def test_sizes_are_rounded_up_and_small_images_are_halved_less():
    assert VEEGAN.sizes(STACKED) == VEEGAN.sizes((1, 28, 28)) == [(28, 28), (14, 14), (7, 7), (4, 4), (2, 2)]
    assert UNROLLED.sizes(STACKED) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert VEEGAN.sizes((3, 16, 16)) == UNROLLED.sizes((3, 16, 16)) == [(16, 16), (8, 8), (4, 4)]
    assert VEEGAN.sizes((3, 64, 64))[-1] == (4, 4) and VEEGAN.sizes((3, 32, 32))[-1] == (2, 2)
    assert VEEGAN.sizes((3, 2, 2)) == [(2, 2), (1, 1)]


@pytest.mark.parametrize("form", [VEEGAN, UNROLLED])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_and_ranges(shape, form):
    torch.manual_seed(0)
    z, x = 3 * torch.randn(3, 5), torch.rand(3, *shape)
    images = Generator(shape, 5, 2, form)(z)
    assert images.shape == x.shape and images.min() >= 0 and images.max() <= 1
    assert Discriminator(shape, 2, form)(x).shape == Joint(shape, 5, 2, form)(x, z).shape == (3,)
    assert Encoder(shape, 5, 2, form)(x).shape == (3, 5)


def test_the_two_forms_normalise_and_leak_as_their_code_does():
    def norms(network):
        return sum(isinstance(part, BatchNorm) for part in network.modules())

    def slopes(network):
        return {part.negative_slope for part in network.modules() if isinstance(part, torch.nn.LeakyReLU)}

    veegan, unrolled = Discriminator(STACKED, 2), Discriminator(STACKED, 2, UNROLLED)
    assert (norms(veegan), norms(unrolled)) == (3, 3), "all of four layers but the first, and all of three"
    assert (slopes(veegan), slopes(unrolled)) == ({0.2}, {0.3})
    assert norms(Discriminator(STACKED, 2, normalised=False)) == 0
    assert norms(Generator(STACKED, 5, 2)) == norms(Generator(STACKED, 5, 2, UNROLLED)) == 4


def test_signed_networks_leave_tanh_and_images_as_they_are():
    torch.manual_seed(0)
    plain, signed = Generator(STACKED, 5, 2), Generator(STACKED, 5, 2, signed=True)
    signed.load_state_dict(plain.state_dict())
    z, x = torch.randn(4, 5), torch.rand(4, *STACKED)
    assert torch.allclose((signed(z) + 1) / 2, plain(z), atol=1e-6) and signed(z).min() < 0
    seen, raw = Discriminator(STACKED, 2), Discriminator(STACKED, 2, signed=True)
    raw.load_state_dict(seen.state_dict())
    assert torch.allclose(seen(x), raw(2 * x - 1), atol=1e-6)
