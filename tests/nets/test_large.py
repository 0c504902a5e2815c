"""Networks of the larger GANs: sizes counted by hand, blocks against their formula, replicas against single copies."""

import pytest
import torch
import torch.nn.functional as F

from otbench.errors import OtbenchError
from otbench.nets import resnet, sndcgan
from otbench.nets.replicas import Replicas
from otbench.nets.spectral import Spectral
from tests.nets.counting import parameter_count

CIFAR, CELEBA = (3, 32, 32), (3, 64, 64)
SHAPES = [(1, 16, 16), (1, 28, 28), (3, 28, 28), CIFAR, CELEBA]
NETS = {"standard": sndcgan, "resnet": resnet}


def conv(a, b, k, bias=1):
    return a * b * k * k + bias * b


def up(a, b):
    # 3x3 without bias, 3x3, 1x1, two batch normalisations
    return conv(a, b, 3, 0) + conv(b, b, 3) + conv(a, b, 1) + 2 * a + 2 * b


def down(a, b):
    return conv(a, a, 3) + conv(a, b, 3) + conv(a, b, 1)


def test_the_standard_networks_have_the_parameters_of_their_layers():
    channels = [3, 64, 128, 128, 256, 256, 512, 512]
    kernels = [3, 4, 3, 4, 3, 4, 3]
    layers = sum(conv(a, b, k) for a, b, k in zip(channels, channels[1:], kernels, strict=False))
    critic = layers + 512 * 16 + 1
    first = 128 * 8192 + 2 * 8192
    generator = first + sum(conv(2 * b, b, 4, 0) + 2 * b for b in (256, 128, 64)) + conv(64, 3, 3)
    with torch.device("meta"):
        assert parameter_count(sndcgan.Generator(CIFAR)) == generator == 3_820_099
        for kind in ("none", "spectral"):
            assert parameter_count(sndcgan.Discriminator(CIFAR, normalisation=kind)) == critic == 5_860_865
        # a scale and a shift for every channel but the first layer's; batch normalisation replaces the bias
        by_layer = parameter_count(sndcgan.Discriminator(CIFAR, normalisation="layer"))
        by_batch = parameter_count(sndcgan.Discriminator(CIFAR, normalisation="batch"))
        assert by_layer == critic + 2 * sum(channels[2:]) and by_batch == critic + sum(channels[2:])
        assert parameter_count(sndcgan.Encoder(CIFAR, 9)) == by_batch + 8 * 8193
        # 28 pixels become 14, 7, 4: an affine layer as for 32
        assert parameter_count(sndcgan.Discriminator((1, 28, 28))) == critic - 2 * 9 * 64


def test_the_resnets_have_the_parameters_of_their_blocks():
    def small(w):
        return 129 * 16 * w + 3 * up(w, w) + 2 * w + conv(w, 3, 3)

    first = conv(3, 128, 3) + conv(128, 128, 3) + conv(3, 128, 1)
    critic = first + down(128, 128) + 4 * conv(128, 128, 3) + 129
    steps = [(64, 128), (128, 256), (256, 512), (512, 512)]
    generator = 129 * 16 * 512 + sum(up(b, a) for a, b in steps) + 2 * 64 + conv(64, 3, 3)
    larger = conv(3, 64, 3) + sum(down(a, b) for a, b in steps) + 16 * 512 + 1
    with torch.device("meta"):
        assert parameter_count(resnet.Generator(CIFAR)) == small(128) == 1_204_099
        assert parameter_count(resnet.Generator(CIFAR, width=256)) == small(256) == 4_275_971
        assert parameter_count(resnet.Generator(CELEBA)) == generator == 8_540_483
        for kind in ("none", "spectral"):
            assert parameter_count(resnet.Discriminator(CIFAR, normalisation=kind)) == critic == 1_053_825
            assert parameter_count(resnet.Discriminator(CELEBA, normalisation=kind)) == larger == 7_488_961
        # normalisation twice a block, by layer; not in the first block, but in all from 64 pixels on
        assert parameter_count(resnet.Discriminator(CIFAR, normalisation="layer")) == critic + 6 * 256
        by_layer = parameter_count(resnet.Discriminator(CELEBA, normalisation="layer"))
        assert by_layer == larger + sum(4 * a for a, _ in steps)
        # the features of 8x8 pixels are not pooled
        assert parameter_count(resnet.Encoder(CIFAR, 9)) == critic - 129 + 6 * 256 - 3 * 128 + 9 * (128 * 64 + 1)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("shape", [*SHAPES, (3, 12, 20)])
def test_shapes_and_ranges(net, shape):
    torch.manual_seed(0)
    generator = NETS[net].Generator(shape, 6, 4)
    images = generator(torch.randn(5, 6))
    assert images.shape == (5, *shape) and images.min() >= 0 and images.max() <= 1
    for kind in ("none", "batch", "layer", "spectral"):
        scores = NETS[net].Discriminator(shape, 4, kind)(images)
        assert scores.shape == (5,) and scores.std() > 0
    assert NETS[net].Encoder(shape, 7, 4)(images).shape == (5, 7)


@pytest.mark.parametrize("net", NETS)
def test_generators_end_in_tanh_and_discriminators_begin_on_the_same_range(net):
    torch.manual_seed(0)
    generator, critic = NETS[net].Generator((1, 16, 16), 6, 4), NETS[net].Discriminator((1, 16, 16), 4)
    z = torch.randn(5, 6)
    before = generator.body[:-1](z)
    assert torch.allclose(generator(z), (torch.tanh(before) + 1) / 2, atol=1e-6)
    seen = []
    critic.body[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    critic(torch.full((2, 1, 16, 16), 0.25))
    assert torch.equal(seen[0], torch.full((2, 1, 16, 16), -0.5))


def test_an_odd_size_is_halved_with_padding_at_the_end():
    # TensorFlow's SAME: one row in front, two behind
    torch.manual_seed(0)
    critic, generator = sndcgan.Discriminator((1, 28, 28), 2), sndcgan.Generator((1, 28, 28), 6, 2)
    sizes = []
    for part in critic.body:
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(lambda m, x, y: sizes.append(y.shape[-1]))
    critic(torch.rand(1, 1, 28, 28))
    assert sizes == [28, 14, 14, 7, 7, 4, 4]
    even = torch.nn.Sequential(sndcgan.Even(), torch.nn.Conv2d(1, 1, 4, 2, 1)).requires_grad_(False)
    z = torch.randn(1, 1, 7, 7)
    expected = F.conv2d(F.pad(z, (1, 2, 1, 2)), even[1].weight, even[1].bias, stride=2)
    assert torch.allclose(even(z), expected, atol=1e-6)
    up = next(m for m in generator.modules() if isinstance(m, sndcgan.Up) and m.size == (7, 7))
    x = torch.randn(1, up.in_channels, 4, 4)
    y = torch.randn(1, up.out_channels, 7, 7)
    down = F.conv2d(F.pad(y, (1, 2, 1, 2)), up.weight, stride=2)
    assert (up(x) * y).sum().item() == pytest.approx((x * down).sum().item(), rel=1e-4), "the adjoint"


def test_a_block_adds_its_branch_to_the_shortcut():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 6)
    for size, residual in ((0, 1.0), (-1, 0.1), (1, 0.1)):
        block = resnet.Block(3, 3 if size == 0 else 5, size, "none", residual)
        one, two = (m for m in block.branch if isinstance(m, torch.nn.Conv2d))
        h = F.relu(x)
        if size > 0:
            h = h.repeat_interleave(2, 2).repeat_interleave(2, 3)
        h = F.conv2d(F.relu(F.conv2d(h, one.weight, one.bias, padding=1)), two.weight, two.bias, padding=1)
        # the papers' order in the shortcut: double before, pool behind the 1x1 convolution
        s = x.repeat_interleave(2, 2).repeat_interleave(2, 3) if size > 0 else x
        if size:
            (learned,) = (m for m in block.shortcut if isinstance(m, torch.nn.Conv2d))
            s = F.conv2d(s, learned.weight, learned.bias)
        out = s + residual * h if size >= 0 else pooled(s) + residual * pooled(h)
        assert torch.allclose(block(x), out, atol=1e-5)


def pooled(x):
    return x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))


def test_features_are_summed_under_spectral_normalisation_and_averaged_otherwise():
    torch.manual_seed(0)
    images = torch.rand(3, 1, 16, 16)
    for kind, factor in (("none", 1 / 16), ("spectral", 1.0)):
        critic = resnet.Discriminator((1, 16, 16), 4, kind).eval()
        features = critic.body(2 * images - 1).sum((2, 3)) * factor
        assert torch.allclose(critic(images), critic.last(features).squeeze(1), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 16, 16), CELEBA])
@pytest.mark.parametrize("net", NETS)
def test_all_weights_of_a_spectral_discriminator_are_normalised(net, shape):
    critic = NETS[net].Discriminator(shape, 4, "spectral")
    layers = [m for m in critic.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) >= 8 and all(isinstance(m, Spectral) for m in layers)


@pytest.mark.parametrize("residual", [0.1, 1.0])
def test_the_residual_factor_reaches_every_block(residual):
    parts = [
        resnet.Generator(CELEBA, 6, 4, residual),
        resnet.Discriminator(CIFAR, 4, "none", residual),
        resnet.Discriminator(CELEBA, 4, "none", residual),
        resnet.Encoder(CIFAR, 5, 4, residual),
    ]
    for part, blocks in zip(parts, (4, 4, 4, 4), strict=True):
        found = [m.residual for m in part.modules() if isinstance(m, resnet.Block)]
        assert found == [residual] * blocks


@pytest.mark.parametrize("build", [resnet.Generator, resnet.Discriminator, resnet.Encoder])
def test_sides_that_cannot_be_halved_get_a_sentence(build):
    more = {"outputs": 3} if build is resnet.Encoder else {}
    with pytest.raises(OtbenchError, match="30x28 pixels: this network needs sides divisible by 4"):
        build((1, 30, 28), width=4, **more)


MODULES = {
    f"{net} {part}": (net, part)
    for net in NETS
    for part in ("generator", "encoder", "none", "batch", "layer", "spectral")
}


@pytest.mark.parametrize("name", MODULES)
def test_stacked_replicas_equal_single_ones_outputs_statistics_and_gradients(name):
    net, part = MODULES[name]

    def build():
        if part == "generator":
            return NETS[net].Generator((1, 12, 12), 5, 2).double()
        if part == "encoder":
            return NETS[net].Encoder((1, 12, 12), 3, 2).double()
        return NETS[net].Discriminator((1, 12, 12), 2, part).double()

    torch.manual_seed(0)
    shape = (6, 5) if part == "generator" else (6, 1, 12, 12)
    x = torch.rand(2, *shape, dtype=torch.float64)
    both = Replicas(build, [3, 4], name, torch.device("cpu"))
    singles = [Replicas(build, [seed], name, torch.device("cpu")) for seed in (3, 4)]
    together, alone = both(x), torch.cat([s(x[k : k + 1]) for k, s in enumerate(singles)])
    torch.testing.assert_close(together, alone)
    mine = torch.autograd.grad(together.square().sum(), both.parameters())
    theirs = [torch.autograd.grad(alone[k].square().sum(), s.parameters()) for k, s in enumerate(singles)]
    for g, *own in zip(mine, *theirs, strict=True):
        torch.testing.assert_close(g, torch.stack(own))
    for key, value in both.state().items():
        torch.testing.assert_close(value, torch.cat([s.state()[key] for s in singles]))
