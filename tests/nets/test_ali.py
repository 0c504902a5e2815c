"""ALI's networks: the layers of its table, other sizes of images, and dropout without a random generator."""

from __future__ import annotations

import pytest
import torch

from otbench.errors import OtbenchError
from otbench.nets.ali import Decoder, Discriminator, Dropout, Encoder, Pieces, coins, plan
from tests.nets.counting import parameter_count

CIFAR = (3, 32, 32)
SHAPES = [(1, 16, 16), (1, 28, 28), (3, 28, 28), CIFAR, (3, 64, 64), (2, 21, 30)]


def test_parameters_are_those_of_the_table_of_cifar10():
    def convolutions(layers):
        return sum(kernel**2 * a * b for kernel, a, b in layers)

    encoder = [(5, 3, 32), (4, 32, 64), (4, 64, 128), (4, 128, 256), (4, 256, 512), (1, 512, 512), (1, 512, 128)]
    decoder = [(4, 64, 256), (4, 256, 128), (4, 128, 64), (4, 64, 32), (5, 32, 32), (1, 32, 32), (1, 32, 3)]
    # two pieces a unit: a layer's inputs are half of the units of the layer before
    image = [(5, 3, 32), (4, 16, 64), (4, 32, 128), (4, 64, 256), (4, 128, 512)]
    code, joint = [(1, 64, 512), (1, 256, 512)], [(1, 512, 1024), (1, 512, 1024), (1, 512, 1)]
    with torch.device("meta"):
        norms = 2 * (32 + 64 + 128 + 256 + 512 + 512)
        assert parameter_count(Encoder(CIFAR, 128)) == convolutions(encoder) + norms + 128
        norms = 2 * (256 + 128 + 64 + 32 + 32 + 32)
        assert parameter_count(Decoder(CIFAR)) == convolutions(decoder) + norms + 3 * 32 * 32
        biases = 32 + 1024 + 1024 + 1
        assert parameter_count(Discriminator(CIFAR)) == convolutions([*image, *code, *joint]) + biases


def test_the_plan_of_the_paper_and_of_other_sizes():
    layers, sizes = plan(CIFAR)
    assert layers == [((5, 5), 1, 1), ((4, 4), 2, 2), ((4, 4), 1, 4), ((4, 4), 2, 8), ((4, 4), 1, 16)]
    assert sizes == [(32, 32), (28, 28), (13, 13), (10, 10), (4, 4)]
    assert plan((1, 16, 16))[0] == [((5, 5), 1, 1), ((4, 4), 2, 2), ((5, 5), 1, 16)]
    assert plan((3, 64, 64))[0][-2:] == [((4, 4), 2, 8), ((5, 5), 1, 16)]
    with pytest.raises(OtbenchError, match="images of 5x9 pixels: this network needs sides of at least 6"):
        plan((1, 5, 9))


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_and_ranges(shape):
    torch.manual_seed(0)
    x, z = torch.rand(3, *shape), 3 * torch.randn(3, 5)
    images = Decoder(shape, 5, 2)(z)
    assert images.shape == x.shape and images.min() >= 0 and images.max() <= 1
    assert Encoder(shape, 7, 2)(x).shape == (3, 7)
    assert Discriminator(shape, 5, 2)(x, z, torch.rand(1)).shape == (3,)


def test_pixels_start_from_the_datas_means():
    marginals = torch.rand(2, 8, 8) * 0.9 + 0.05
    decoder = Decoder((2, 8, 8), 5, 2, deviation=1e-6, marginals=marginals)
    images = decoder(torch.randn(4, 5))
    assert torch.allclose(images, marginals.expand(4, -1, -1, -1), atol=1e-3)
    extreme = Decoder((1, 8, 8), 5, 2, marginals=torch.tensor([0.0, 1.0]).repeat(32).view(1, 8, 8)).bias
    assert extreme.isfinite().all()


def test_coins_are_a_hash_written_out():
    def mixed(x):
        for _ in range(2):
            x = ((x ^ (x >> 16)) * 0x45D9F3B) % 2**32
        return x ^ (x >> 16)

    seed, layer = 0.3140, 5
    start = mixed(int(torch.tensor(seed) * 2**24) + layer * 2**25)
    expected = [mixed((i * 0x9E3779B1) % 2**32 ^ start) for i in range(60)]
    assert coins(torch.tensor([seed]), layer, torch.Size((3, 4, 5))).flatten().tolist() == expected


def test_coins_are_uniform_and_independent_over_places_seeds_and_layers():
    size = torch.Size((200_000,))
    first = coins(torch.tensor([0.25]), 0, size).double() / 2**32
    assert first.mean().item() == pytest.approx(0.5, abs=3e-3)
    assert torch.histc(first, 20, 0, 1).div(10_000).sub(1).abs().max() < 0.05
    others = [coins(torch.tensor([s]), n, size).double() for s, n in ((0.25 + 2**-24, 0), (0.9, 0), (0.25, 1))]
    shifted = [first.roll(k) for k in (1, 2, 3, 64)]
    for other in [*others, *shifted]:
        assert abs(torch.corrcoef(torch.stack([first, other]))[0, 1].item()) < 0.01


def test_dropout_keeps_the_mean_and_is_the_same_alone_and_mapped():
    drop, x = Dropout(0.3, 2), torch.ones(50, 40, 20)
    out = drop(x, torch.tensor([0.7]))
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.allclose(out[out != 0], torch.tensor(1 / 0.7)) and out.mean().item() == pytest.approx(1, abs=0.02)
    seeds = torch.tensor([[0.1], [0.7]])
    both = torch.vmap(drop)(x.expand(2, -1, -1, -1), seeds)
    assert torch.equal(both[1], out) and not torch.equal(both[0], out)
    assert torch.equal(Dropout(0.0, 0)(x, torch.tensor([0.7])), x)


def test_pieces_take_the_larger_of_neighbouring_channels():
    x = torch.randn(2, 6, 3, 3)
    assert torch.equal(Pieces()(x), torch.maximum(x[:, ::2], x[:, 1::2]))


def test_the_discriminator_drops_at_every_layer_and_sees_image_and_code():
    torch.manual_seed(0)
    network, seed = Discriminator(CIFAR, 5, 2, deviation=0.3), torch.tensor([0.4])
    x, z = torch.rand(6, *CIFAR), torch.randn(6, 5)
    base = network(x, z, seed)
    assert torch.equal(base, network(x, z, seed)) and not torch.allclose(base, network(x, z, torch.tensor([0.5])))
    assert not torch.allclose(base, network(x.flip(0), z, seed)) and not torch.allclose(base, network(x, -z, seed))
    rates = [drop.rate for drop in network.drops]
    assert rates == [0.2, 0.5, 0.5, 0.5, 0.5, 0.2, 0.5, 0.5, 0.5, 0.5]
    assert len({drop.layer for drop in network.drops}) == 10
