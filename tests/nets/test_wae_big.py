"""The larger networks of the Wasserstein autoencoder: parameters by hand, identity paths, sizes."""

import pytest
import torch

from otbench.nets.wae_big import BLOCKS, Bottleneck, Decoder, Encoder, enlarge, pyramid
from tests.nets.counting import parameter_count


def bottleneck(inputs, outputs, shortcut):
    inner = outputs // 4
    norms = 2 * inputs + 4 * inner
    return norms + inputs * inner + 9 * inner**2 + inner * outputs + (inputs * outputs if shortcut else 0)


def counted(parts):
    """Parameters of parts given as (inputs, outputs, blocks)."""
    return sum(bottleneck(a, b, True) + (n - 1) * bottleneck(b, b, False) for a, b, n in parts)


def test_parameters_are_those_of_resnet_50_of_the_second_kind():
    down = counted([(64, 256, 3), (256, 512, 4), (512, 1024, 6), (1024, 2048, 3)])
    up = counted([(2048, 1024, 3), (1024, 512, 6), (512, 256, 4), (256, 128, 3)])
    with torch.device("meta"):
        encoder, decoder = Encoder((3, 64, 64), 64), Decoder((3, 64, 64), 64)
    assert parameter_count(encoder) == 9 * 3 * 64 + down + 2 * 2048 + 2049 * 64 == 23_623_808
    assert parameter_count(decoder) == 65 * 2048 * 4 * 4 + up + 2 * 128 + 9 * 128 * 3 + 3 == 10_637_827
    layers = [m for m in encoder.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size[0] == 3]
    assert len(layers) == 1 + sum(BLOCKS) == 17


def test_a_bottleneck_adds_to_its_input_where_size_and_channels_stay():
    torch.manual_seed(0)
    x = torch.randn(3, 8, 5, 5)
    block = Bottleneck(8, 8)
    inner = torch.relu(block.before(x))
    assert torch.allclose(block(x) - x, block.expand(block.convolve(block.middle(block.reduce(inner)))), atol=1e-6)
    with torch.no_grad():
        block.expand[-1].weight.zero_()
    assert torch.equal(block(x), x)
    down = Bottleneck(8, 12, stride=2)
    with torch.no_grad():
        down.expand[-1].weight.zero_()
    expected = torch.einsum(
        "oi,nihw->nohw", down.shortcut.weight[..., 0, 0], torch.relu(down.before(x))[:, :, ::2, ::2]
    )
    assert torch.allclose(down(x), expected, atol=1e-5)


def test_enlarging_repeats_every_value_and_cuts():
    x = torch.arange(12.0).reshape(1, 2, 2, 3)
    wide = enlarge(x, (3, 6))
    assert wide.shape == (1, 2, 3, 6)
    for i in range(3):
        for j in range(6):
            assert wide[0, :, i, j].tolist() == x[0, :, i // 2, j // 2].tolist()


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_sizes_and_ranges(shape):
    torch.manual_seed(0)
    seen = []
    encoder, decoder = Encoder(shape, 5, 4, (1, 2, 1, 1)), Decoder(shape, 5, 4, (1, 2, 1, 1))
    encoder.body[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    x = torch.rand(2, *shape)
    codes = encoder(x)
    images = decoder(codes)
    assert codes.shape == (2, 5) and images.shape == x.shape and 0 <= images.min() and images.max() <= 1
    assert torch.allclose(seen[0], 2 * x - 1 if shape[1] == 64 else x)
    inner = decoder.body(codes)
    assert torch.allclose(images, (torch.tanh(inner) + 1) / 2 if shape[1] == 64 else torch.sigmoid(inner), atol=1e-6)
    logits = Decoder(shape, 5, 4, (1, 2, 1, 1), logits=True)
    logits.load_state_dict(decoder.state_dict())
    assert torch.allclose(logits(codes).sigmoid(), images, atol=1e-5)


def test_sides_are_halved_and_rounded_up():
    assert pyramid((1, 28, 20), 3) == [(28, 20), (14, 10), (7, 5), (4, 3)]
