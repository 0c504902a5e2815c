"""The adversarial autoencoder's perceptrons."""

import torch

from otbench.nets.aae import Decoder, Discriminator, Encoder
from tests.nets.counting import parameter_count


def test_parameters_are_those_of_the_codes_layers():
    pixels = 32 * 32
    body = 513 * 512 + 2 * 512
    with torch.device("meta"):
        assert parameter_count(Encoder((1, 32, 32), 20)) == (pixels + 1) * 512 + body + 513 * 20
        assert parameter_count(Decoder((1, 32, 32), 10)) == 11 * 512 + body + 513 * pixels
        assert parameter_count(Discriminator(10)) == 11 * 512 + 513 * 256 + 257


def test_the_decoder_gives_tanh_brought_to_images():
    decoder = Decoder((3, 8, 8), 4, 2)
    z = torch.randn(5, 4)
    x = decoder(z)
    assert x.shape == (5, 3, 8, 8) and torch.allclose(2 * x - 1, torch.tanh(decoder.body(z)), atol=1e-6)
    assert Discriminator(4, 2)(z).shape == (5,) and Encoder((3, 8, 8), 6, 2)(x).shape == (5, 6)
