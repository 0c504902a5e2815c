"""The Wasserstein autoencoder's networks: TensorFlow's padding, and the parameters of their layers."""

import numpy as np
import pytest
import torch

from otbench.nets.wae import Adversary, Decoder, Encoder, SameConv, SameDeconv
from tests.nets.counting import parameter_count


@pytest.mark.parametrize(("kernel", "stride", "size"), [(5, 2, 8), (4, 2, 7), (4, 2, 4), (5, 1, 6), (4, 1, 5)])
def test_same_padding_puts_the_odd_pixel_last_and_deconv_is_the_adjoint(kernel, stride, size):
    torch.manual_seed(0)
    down, up = SameConv(2, 3, kernel, stride), SameDeconv(3, 2, kernel, stride)
    x = torch.randn(1, 2, size, size)
    out = down(x)[0].detach().numpy()
    outputs = -(-size // stride)
    assert out.shape == (3, outputs, outputs)
    total = max((outputs - 1) * stride + kernel - size, 0)
    padded = np.pad(x[0].numpy(), ((0, 0), (total // 2, total - total // 2), (total // 2, total - total // 2)))
    w, b = down.weight.detach().numpy().astype(float), down.bias.detach().numpy()
    for i in range(outputs):
        for j in range(outputs):
            window = padded[:, stride * i : stride * i + kernel, stride * j : stride * j + kernel]
            assert out[:, i, j] == pytest.approx((w * window).sum((1, 2, 3)) + b, abs=1e-5)
    if size % stride == 0:
        with torch.no_grad():
            up.weight.copy_(down.weight)
            up.bias.zero_()
            down.bias.zero_()
        y = torch.randn(1, 3, outputs, outputs)
        assert (down(x) * y).sum().item() == pytest.approx((x * up(y)).sum().item(), rel=1e-3, abs=1e-4)


def test_parameters_are_those_of_the_papers_layers():
    def convolutions(kernel, channels, normed):
        weights = sum(kernel**2 * a * b + b for a, b in zip(channels, channels[1:], strict=False))
        return weights + 2 * sum(normed)

    widths = [128, 256, 512, 1024]
    with torch.device("meta"):
        faces, digits = (3, 64, 64), (1, 28, 28)
        assert parameter_count(Encoder(faces, 64)) == convolutions(5, [3, *widths], widths) + (16 * 1024 + 1) * 64
        assert parameter_count(Encoder(digits, 8)) == convolutions(4, [1, *widths], widths) + (4 * 1024 + 1) * 8
        back = [512, 256, 128]
        assert parameter_count(Decoder(faces, 64)) == 65 * 64 * 1024 + convolutions(5, [1024, *back, 3], back)
        back = [512, 256]
        assert parameter_count(Decoder(digits, 8)) == 9 * 49 * 1024 + convolutions(4, [1024, *back, 1], back)
        assert parameter_count(Adversary(8)) == 9 * 512 + 3 * 513 * 512 + 513


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 28, 28), (1, 16, 16)])
def test_shapes_and_ranges(shape):
    x = torch.rand(2, *shape)
    codes = Encoder(shape, 5, width=2)(x)
    images = Decoder(shape, 5, width=2)(codes)
    assert codes.shape == (2, 5) and images.shape == x.shape and Adversary(5, 8)(codes).shape == (2,)
    assert images.min() >= 0 and images.max() <= 1
