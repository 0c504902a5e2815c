"""WGAN-QC's residual networks: the block, and the parameters of the authors' layers."""

import pytest
import torch
import torch.nn.functional as F

from otbench.nets.wgan_qc import Block, Critic, Generator
from tests.nets.counting import parameter_count


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (4, 7), (7, 4)])
def test_a_block_adds_a_tenth_of_two_convolutions_to_its_shortcut(inputs, outputs):
    torch.manual_seed(0)
    block, x = Block(inputs, outputs, normalised=False, residual=0.1), torch.randn(2, inputs, 5, 6)
    first, _, second = block.body
    assert first.out_channels == min(inputs, outputs)
    branch = F.conv2d(F.leaky_relu(F.conv2d(x, first.weight, first.bias, padding=1), 0.2), second.weight, padding=1)
    branch = branch + second.bias[:, None, None]
    short = x if inputs == outputs else F.conv2d(x, block.shortcut[0].weight)
    assert torch.allclose(block(x), F.leaky_relu(short + 0.1 * branch, 0.2), atol=1e-6)


def test_normalised_blocks_have_no_other_bias():
    names = [n for n, _ in Block(4, 7, True, 0.1).named_parameters()]
    assert sum(n.endswith("bias") for n in names) == 3 and sum(n.endswith("weight") for n in names) == 6


@pytest.mark.parametrize(("repeat", "size"), [(2, 64), (1, 64), (2, 32)])
def test_parameters_are_those_of_the_authors_layers(repeat, size):
    def block(a, b, normed):
        hidden = min(a, b)
        weights = 9 * a * hidden + 9 * hidden * b + (a * b if a != b else 0)
        shifts = 2 * (hidden + b + (b if a != b else 0)) if normed else hidden + b
        return weights + shifts

    up = {64: [512, 512, 512, 256, 128, 64], 32: [512, 512, 256, 128, 64]}[size]
    down = {64: [64, 128, 256, 512, 512, 512], 32: [64, 128, 256, 512, 512]}[size]
    g = 129 * up[0] * 16 + 2 * up[0] * 16 + 9 * 64 * 3 + 3
    d = 9 * 3 * 64 + 64 + down[-1] * 16 + 1
    for k, (a, b) in enumerate(zip(up, up[1:], strict=False)):
        count = 2 if k == len(up) - 2 else repeat
        g += block(a, b, True) + (count - 1) * block(b, b, True)
    for k, (a, b) in enumerate(zip(down, down[1:], strict=False)):
        count = 2 if k == 0 else repeat
        d += (count - 1) * block(a, a, False) + block(a, b, False)
    with torch.device("meta"):
        shape = (3, size, size)
        # the affine layer has a bias in front of its normalisation, in the authors' code too
        assert parameter_count(Generator(shape, repeat=repeat)) == g
        assert parameter_count(Critic(shape, repeat=repeat)) == d


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 32, 32)])
def test_shapes_and_ranges(shape):
    torch.manual_seed(0)
    images = Generator(shape, 5, width=2)(10 * torch.randn(6, 5))
    assert images.shape == (6, *shape) and 0 <= images.min() and images.max() <= 1
    critic = Critic(shape, width=2)
    scores = critic(images)
    assert scores.shape == (6,)
    # no normalisation: an image's score is its own
    assert torch.allclose(critic(images[:2]), scores[:2], atol=1e-5)
