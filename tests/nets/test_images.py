"""Layers of images against explicit sums and PyTorch's own; the image networks have the papers' sizes."""

import numpy as np
import pytest
import torch
from torch import nn

from otbench.errors import OtbenchError
from otbench.nets import infogan, otvae
from otbench.nets.image_layers import BatchNorm, Conv, Deconv, initialise
from otbench.nets.replicas import Replicas
from tests.nets.counting import parameter_count


def test_conv_is_the_4x4_window_of_stride_2_that_starts_one_pixel_outside():
    torch.manual_seed(0)
    layer, x = Conv(2, 3), torch.randn(1, 2, 6, 8)
    padded = np.zeros((2, 8, 10))
    padded[:, 1:7, 1:9] = x[0].numpy()
    w = layer.weight.detach().numpy().astype(float)
    out = layer(x)[0].detach().numpy()
    assert out.shape == (3, 3, 4), "SAME: half the size"
    for i in range(3):
        for j in range(4):
            window = padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
            expected = (w * window).sum((1, 2, 3)) + layer.bias.detach().numpy()
            assert out[:, i, j] == pytest.approx(expected, abs=1e-5)


def test_deconv_is_the_adjoint_of_conv():
    torch.manual_seed(0)
    down, up = Conv(2, 3), Deconv(3, 2)
    with torch.no_grad():
        up.weight.copy_(down.weight)
        down.bias.zero_()
        up.bias.zero_()
    x, y = torch.randn(1, 2, 6, 8), torch.randn(1, 3, 3, 4)
    assert (down(x) * y).sum().item() == pytest.approx((x * up(y)).sum().item(), rel=1e-4)


@pytest.mark.parametrize("shape", [(50, 4), (50, 4, 3, 5)])
def test_batch_norm_normalises_as_pytorchs(shape):
    torch.manual_seed(0)
    ours = BatchNorm(4, momentum=0.1, eps=1e-3)
    theirs = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(4, eps=1e-3)
    for _ in range(3):
        x = 3 * torch.randn(shape) + 1
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    ours.eval()
    lead = (1, 4, *[1] * (len(shape) - 2))
    expected = (x - ours.running_mean.view(lead)) / (ours.running_var.view(lead) + 1e-3).sqrt()
    assert torch.allclose(ours(x), expected, atol=1e-5)


def test_running_statistics_follow_the_rule_of_moving_averages_with_a_warm_up():
    torch.manual_seed(0)
    norm = BatchNorm(2, momentum=0.3)
    mean, var = np.zeros(2), np.ones(2)
    for k in range(40):
        x = torch.randn(30, 2) * (k + 1)
        norm(x)
        m = max(0.3, 1 - (1 + k) / (10 + k))
        mean = (1 - m) * mean + m * x.numpy().mean(0)
        var = (1 - m) * var + m * x.numpy().var(0)
    assert norm.running_mean.numpy() == pytest.approx(mean, rel=1e-4)
    assert norm.running_var.numpy() == pytest.approx(var, rel=1e-4)
    assert norm.batches.item() == 40
    slow = BatchNorm(2)
    slow.batches.fill_(9000)
    slow(torch.full((4, 2), 5.0))
    assert slow.running_mean.tolist() == pytest.approx([0.005, 0.005]), "decay 0.999 from 8,990 batches on"
    start = BatchNorm(2)
    for _ in range(200):
        start(torch.full((4, 2), 5.0))
    assert start.running_mean.tolist() == pytest.approx([5, 5], abs=1e-6), "nothing is left of the start"


def test_initialise_cuts_convolutions_at_two_deviations_and_nothing_else():
    torch.manual_seed(0)
    part = initialise(nn.Sequential(Conv(64, 64), Deconv(64, 64), nn.Linear(300, 300)))
    conv, deconv, dense = (p.weight for p in part)
    # a normal law cut at two deviations has 0.88 of the deviation
    assert conv.std().item() == pytest.approx(0.8796 * 0.02, rel=0.02) and conv.abs().max() <= 0.04
    for weight in (deconv, dense):
        assert weight.std().item() == pytest.approx(0.02, rel=0.02) and weight.abs().max() > 0.05
    assert not any(p.bias.any() for p in part)


STUDY = {
    (1, 28, 28): (6_642_241, 6_559_169),
    (3, 32, 32): (8_616_131, 8_527_297),
    (3, 64, 64): (33_855_683, 33_693_121),
}


@pytest.mark.parametrize("shape", STUDY)
def test_the_studys_networks_have_its_parameters(shape):
    with torch.device("meta"):
        counts = parameter_count(infogan.Generator(shape)), parameter_count(infogan.Discriminator(shape))
    assert counts == STUDY[shape]


def test_other_networks_have_the_parameters_of_their_layers():
    mnist = (1, 28, 28)
    with torch.device("meta"):
        # the discriminator's body with 2 * 64 outputs instead of one
        assert parameter_count(infogan.Encoder(mnist, 128)) == 6_559_169 + 127 * 1025
        plain = parameter_count(infogan.Discriminator(mnist, normalised=False))
        assert plain == 6_559_169 - 2 * (128 + 1024)
        convolutions = (16 * 1 + 3) * 64 + (16 * 64 + 3) * 128 + (9 * 128 + 3) * 128
        assert parameter_count(otvae.Encoder(mnist)) == convolutions + 6273 * 64 == 681_984
        assert parameter_count(otvae.Decoder(mnist)) == 33 * 6272 + 16 * 128 * 64 + 64 + 16 * 64 + 1
        hidden = [(100, 128, 0), (128, 256, 1), (256, 512, 1), (512, 1024, 1), (1024, 784, 0)]
        expected = sum((a + 1) * b + 2 * b * normed for a, b, normed in hidden)
        assert parameter_count(otvae.MLPGenerator(mnist)) == expected == 1_510_032
        assert parameter_count(otvae.MLPCritic(mnist)) == 785 * 512 + 513 * 256 + 257
        # two more strided convolutions on each side: 64, 128, 256, 512 channels down to 4x4
        deep = parameter_count(infogan.Generator((3, 64, 64), depth=4))
    convolutions = 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 256 + 128 + 64 + 3
    assert deep == 65 * 1024 + 2048 + 1025 * 8192 + 2 * 8192 + convolutions + 2 * (256 + 128 + 64)


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 12, 20)])
def test_shapes_and_ranges(shape):
    z, x = torch.randn(3, 6), torch.rand(3, *shape)
    for image in (
        infogan.Generator(shape, 6, width=2)(z),
        otvae.Decoder(shape, 6, width=2)(z).sigmoid(),
        otvae.MLPGenerator(shape, 6, width=2)(z),
    ):
        assert image.shape == x.shape and image.min() >= 0 and image.max() <= 1
    assert infogan.Discriminator(shape, width=2)(x).shape == (3,)
    assert infogan.Encoder(shape, 6, width=2)(x).shape == (3, 6)
    assert otvae.Encoder(shape, 6, width=2)(x).shape == (3, 12)
    assert otvae.MLPCritic(shape, width=2)(x).shape == (3,)


def test_the_generators_logits_are_the_inverse_of_its_sigmoid():
    build = lambda logits: infogan.Generator((1, 8, 8), 5, width=2, logits=logits)
    one, two = build(True), build(False)
    two.load_state_dict(one.state_dict())
    z = torch.randn(4, 5)
    assert torch.allclose(one(z).sigmoid(), two(z))


def test_sides_that_cannot_be_halved_get_a_sentence():
    with pytest.raises(OtbenchError, match="30x28 pixels: this network needs sides divisible by 4"):
        infogan.Generator((1, 30, 28))


MODULES = {
    "generator": (lambda: infogan.Generator((1, 8, 8), 5, width=2), (6, 5)),
    "discriminator": (lambda: infogan.Discriminator((1, 8, 8), width=2), (6, 1, 8, 8)),
    "otvae encoder": (lambda: otvae.Encoder((1, 8, 8), 5, width=2), (6, 1, 8, 8)),
    "otvae decoder": (lambda: otvae.Decoder((1, 8, 8), 5, width=2), (6, 5)),
    "perceptron": (lambda: otvae.MLPGenerator((1, 8, 8), 5, width=2), (6, 5)),
    "critic": (lambda: otvae.MLPCritic((1, 8, 8), width=2), (6, 1, 8, 8)),
}


@pytest.mark.parametrize("name", MODULES)
def test_stacked_replicas_equal_single_ones_outputs_statistics_and_gradients(name, double):
    build, shape = MODULES[name]
    x = torch.randn(2, *shape)
    both = Replicas(build, [3, 4], name, torch.device("cpu"))
    singles = [Replicas(build, [seed], name, torch.device("cpu")) for seed in (3, 4)]
    together, alone = both(x), torch.cat([s(x[k : k + 1]) for k, s in enumerate(singles)])
    assert torch.allclose(together, alone, atol=1e-6)
    mine = torch.autograd.grad(together.square().sum(), both.parameters())
    theirs = [torch.autograd.grad(alone[k].square().sum(), s.parameters()) for k, s in enumerate(singles)]
    for g, *own in zip(mine, *theirs, strict=True):
        torch.testing.assert_close(g, torch.stack(own), rtol=1e-3, atol=1e-5)
    for key, value in both.state().items():
        other = torch.cat([s.state()[key] for s in singles])
        assert torch.allclose(value, other, atol=1e-6), key
    both.eval()
    for s in singles:
        s.eval()
    with torch.no_grad():
        alone = torch.cat([s(x[k : k + 1]) for k, s in enumerate(singles)])
        assert torch.allclose(both(x), alone, atol=1e-6)
