"""Layers against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from otbench.nets.layers import BatchNorm, Linear, Maxout, gradients_of, initialise, linear


@pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5), (2, 3, 7, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_and_its_gradients_equal_pytorchs(shape, bias):
    torch.manual_seed(0)
    x, w = torch.randn(shape, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    b = torch.randn(4, requires_grad=True) if bias else None
    inputs = [t for t in (x, w, b) if t is not None]
    ours, theirs = linear(x, w, b), F.linear(x, w, b)
    assert torch.allclose(ours, theirs, atol=1e-6)
    mine = torch.autograd.grad((ours**2).sum(), inputs)
    for a, c in zip(mine, torch.autograd.grad((theirs**2).sum(), inputs), strict=True):
        assert torch.allclose(a, c, atol=1e-4)


def test_linear_can_be_differentiated_twice():
    torch.manual_seed(0)
    x, w = torch.randn(6, 5, requires_grad=True), torch.randn(4, 5, requires_grad=True)

    def penalty(f):
        slope = torch.autograd.grad(torch.tanh(f(x, w)).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(slope.norm(dim=1).sum(), w)[0]

    assert torch.allclose(penalty(linear), penalty(F.linear), atol=1e-5)


def test_a_pass_for_some_leaves_leaves_the_others_weight_gradients_out():
    x, w = torch.randn(6, 5, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    with gradients_of([x]):
        to_x, to_w = torch.autograd.grad(linear(x, w).sum(), [x, w], allow_unused=True)
    assert torch.allclose(to_x, torch.ones(6, 4) @ w) and to_w is None


def test_maxout_is_the_largest_piece_and_its_gradient_goes_there():
    torch.manual_seed(0)
    layer, x = Maxout(3, 4, pieces=5), torch.randn(6, 3, requires_grad=True)
    pieces = (x @ layer.affine.weight.t() + layer.affine.bias).reshape(6, 5, 4)
    assert torch.allclose(layer(x), pieces.max(1).values, atol=1e-6)
    ours = torch.autograd.grad((layer(x) ** 3).sum(), layer.affine.weight)[0]
    theirs = torch.autograd.grad((pieces.max(1).values ** 3).sum(), layer.affine.weight)[0]
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_maxout_can_be_differentiated_twice():
    torch.manual_seed(0)
    layer, x = Maxout(3, 4), torch.randn(6, 3, requires_grad=True)

    def penalty(f):
        slope = torch.autograd.grad((f(x) ** 2).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(slope.square().sum(), layer.affine.weight)[0]

    def plain(x):
        return F.linear(x, layer.affine.weight, layer.affine.bias).unflatten(-1, (5, 4)).max(-2).values

    assert torch.allclose(penalty(layer), penalty(plain), atol=1e-4)


def test_batch_norm_of_one_slot_equals_pytorchs():
    torch.manual_seed(0)
    ours, theirs = BatchNorm(4, momentum=0.05), nn.BatchNorm1d(4, momentum=0.05)
    for _ in range(3):
        x = 3 * torch.randn(50, 4) + 1
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    assert torch.allclose(ours.running_mean, theirs.running_mean, atol=1e-6)
    # PyTorch keeps the unbiased variance, TensorFlow and Theano (the papers' code) the biased one
    unbiased = 50 / 49
    start = 0.95**3
    assert torch.allclose((ours.running_var - start) * unbiased, theirs.running_var - start, atol=1e-5)
    x = torch.randn(5, 4)
    ours.eval()
    expected = (x - ours.running_mean) / (ours.running_var + ours.eps).sqrt()
    assert torch.allclose(ours(x), expected, atol=1e-6)


def test_batch_norm_treats_slots_apart_and_averages_their_statistics():
    torch.manual_seed(0)
    slots = torch.randn(3, 50, 4) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    together, alone = BatchNorm(4), [BatchNorm(4) for _ in range(3)]
    expected = torch.stack([norm(x) for norm, x in zip(alone, slots, strict=True)])
    assert torch.allclose(together(slots), expected, atol=1e-5)
    mean = torch.stack([norm.running_var for norm in alone]).mean(0)
    assert torch.allclose(together.running_var, mean, atol=1e-6)


@pytest.mark.parametrize("slots", [1, 3])
def test_batch_norm_may_average_deviations_in_place_of_variances(slots):
    torch.manual_seed(0)
    norm, average = BatchNorm(4, eps=1e-2, deviation=True), (torch.ones(4) + 1e-2).sqrt()
    for scale in (0.1, 1.0, 3.0):
        x = scale * torch.randn(slots, 50, 4)
        norm(x)
        average = 0.95 * average + 0.05 * (x.var(1, correction=0) + 1e-2).sqrt().mean(0)
    assert torch.allclose((norm.running_var + 1e-2).sqrt(), average, atol=1e-6)
    x = torch.randn(5, 4)
    assert torch.allclose(norm.eval()(x), (x - norm.running_mean) / average, atol=1e-5)


def test_initialise_draws_weights_of_the_deviation_and_zero_biases():
    torch.manual_seed(0)
    layer = initialise(Linear(300, 300), 0.02)
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not layer.bias.any()
