"""Networks of latent optimisation: their parameters, and what of a code counts."""

import pytest
import torch

from otbench.nets.glo import Codes, Generator, Mapping, Matches, unit
from tests.nets.counting import parameter_count


def test_parameters_are_those_of_the_authors_layers():
    with torch.device("meta"):

        def generator(shape, normalised):
            top = 128 * (shape[1] // 4) * (shape[2] // 4)
            dense, convolutions = 64 * 1024 + 1024 * top, 128 * 64 * 16 + 64 + 64 * shape[0] * 16 + shape[0]
            return dense + convolutions + normalised * (2 * top + 2 * 64)

        for shape, normalised in (((1, 28, 28), True), ((3, 32, 32), False), ((3, 64, 64), False)):
            assert parameter_count(Generator(shape, normalised=normalised)) == generator(shape, normalised)
        assert parameter_count(Generator((1, 28, 28))) == 6_632_897
        assert parameter_count(Mapping()) == 32 * 128 + 128 * 128 + 128 * 64 + 4 * 128 == 29_184
        assert parameter_count(Codes(50, 64)) == 50 * 64 and parameter_count(Matches(50, 32)) == 0


def test_initial_weights_are_xavier_normal_with_gain_root_two_and_codes_small():
    torch.manual_seed(0)
    g = Generator((1, 16, 16), latent=64, width=32)
    first, last = g.body[0].weight, g.body[-2].weight
    assert first.std().item() == pytest.approx((2 * 2 / (64 + 512)) ** 0.5, rel=0.02)
    # PyTorch counts a transposed convolution's fans with its kernel of 16 pixels
    assert last.std().item() == pytest.approx((2 * 2 / ((32 + 1) * 16)) ** 0.5, rel=0.08)
    codes = Codes(1000, 64).weight
    assert codes.std().item() == pytest.approx(0.01, rel=0.02) and abs(codes.mean().item()) < 2e-4


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 28, 28), (3, 32, 32), (3, 64, 64)])
@pytest.mark.parametrize("normalised", [True, False])
def test_the_direction_of_a_code_alone_counts(shape, normalised):
    torch.manual_seed(0)
    g, z = Generator(shape, 5, width=2, normalised=normalised).eval(), torch.randn(4, 5)
    images = g(z)
    assert images.shape == (4, *shape) and images.min() >= 0 and images.max() <= 1
    assert torch.allclose(g(7 * z), images, atol=1e-6) and (g(-z) - images).abs().max() > 1e-4
    assert g(torch.zeros(2, 5)).isfinite().all(), "a code of length 0 has an image too"


def test_the_length_of_a_code_is_not_differentiated():
    torch.manual_seed(0)
    z, weight = torch.randn(3, 5, requires_grad=True), torch.randn(3, 5)
    (slope,) = torch.autograd.grad((unit(z) * weight).sum(), z)
    assert torch.allclose(slope, weight / z.detach().norm(dim=1, keepdim=True))
    assert torch.allclose(unit(z).norm(dim=1), torch.ones(3))
    assert torch.equal(unit(torch.zeros(2, 5)), torch.zeros(2, 5))


def test_rows_are_looked_up():
    codes, matches = Codes(6, 3), Matches(6, 2)
    matches.noise.copy_(torch.randn(6, 2))
    rows = torch.tensor([4, 0, 4])
    assert torch.equal(codes(rows), codes.weight[[4, 0, 4]]) and torch.equal(matches(rows), matches.noise[[4, 0, 4]])
