"""Spectral normalisation against singular values and against the gradient in closed form; layer normalisation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from otbench.errors import OtbenchError
from otbench.nets.replicas import Replicas
from otbench.nets.spectral import LayerNorm, SpectralConv, SpectralLinear, affine, convolution, norm

LAYERS = {
    "affine": (lambda: SpectralLinear(7, 5), (3, 7)),
    "convolution": (lambda: SpectralConv(3, 6, 4, stride=2, padding=1), (2, 3, 8, 8)),
}


def largest(weight):
    """The largest singular value of a weight as a matrix with a row an output."""
    return np.linalg.svd(weight.detach().numpy().astype(float).reshape(len(weight), -1), compute_uv=False)[0]


@pytest.mark.parametrize("kind", LAYERS)
def test_passes_in_training_converge_to_the_weight_over_its_largest_singular_value(kind):
    torch.manual_seed(0)
    build, shape = LAYERS[kind]
    layer, x = build(), torch.randn(shape)
    assert layer.u.norm().item() == pytest.approx(1, abs=1e-6)
    gaps = []
    for _ in range(200):
        layer(x)
        gaps.append(abs(largest(layer.normalised()) - 1))
    assert gaps[0] > 1e-3 and gaps[-1] < 1e-5, "one iteration is not enough, many are"
    scale = largest(layer.weight)
    assert torch.allclose(layer.normalised(), layer.weight / scale, rtol=1e-5)
    weight = layer.weight / scale
    plain = F.linear(x, weight, layer.bias) if kind == "affine" else F.conv2d(x, weight, layer.bias, 2, 1)
    assert torch.allclose(layer(x), plain, atol=1e-5)


def test_one_power_iteration_a_pass_and_none_in_inference_mode():
    torch.manual_seed(0)
    layer, x = SpectralLinear(7, 5), torch.randn(3, 7)
    w, u = (t.detach().numpy().astype(float) for t in (layer.weight, layer.u))
    for _ in range(3):
        v = w.T @ u / np.linalg.norm(w.T @ u)
        u = w @ v / np.linalg.norm(w @ v)
        out = layer(x).detach().numpy()
        assert layer.u.numpy() == pytest.approx(u, abs=1e-6)
        expected = x.numpy() @ (w / (u @ w @ v)).T + layer.bias.detach().numpy()
        assert out == pytest.approx(expected, abs=1e-5)
    before = layer.eval().u.clone()
    v = w.T @ u / np.linalg.norm(w.T @ u)
    expected = x.numpy() @ (w / (u @ w @ v)).T + layer.bias.detach().numpy()
    assert layer(x).detach().numpy() == pytest.approx(expected, abs=1e-5)
    assert torch.equal(layer.u, before)


def test_the_gradient_is_the_papers():
    # equation 12: (G - lambda u v') / sigma with G the gradient by the normalised weight, lambda = <G, W / sigma>
    torch.manual_seed(0)
    layer, x, y = SpectralLinear(7, 5), torch.randn(30, 7), torch.randn(30, 5)
    for _ in range(300):
        layer(x)
    u, sigma, v = (t.numpy() for t in torch.linalg.svd(layer.weight.detach()))
    u, sigma, v = u[:, 0], sigma[0], v[0]
    used = (layer.weight / sigma.item()).detach().requires_grad_()
    (by_used,) = torch.autograd.grad(((F.linear(x, used, layer.bias) - y) ** 2).sum(), used)
    expected = (by_used.numpy() - (by_used * used).sum().item() * np.outer(u, v)) / sigma
    (gradient,) = torch.autograd.grad(((layer(x) - y) ** 2).sum(), layer.weight)
    assert gradient.numpy() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_two_passes_differentiated_together_each_keep_their_own_vectors():
    torch.manual_seed(0)
    layer, x, y = SpectralLinear(7, 5), torch.randn(3, 7), torch.randn(4, 7)
    expected = torch.zeros(5, 7)
    w, u = layer.weight.detach(), layer.u.clone()
    for inputs in (x, y):
        v = F.normalize(w.t() @ u, dim=0)
        u = F.normalize(w @ v, dim=0)
        sigma = u @ w @ v
        by_used = torch.ones(len(inputs), 5).t() @ inputs
        expected += (by_used - (by_used * w / sigma).sum() * torch.outer(u, v)) / sigma
    # the second pass moves u in place before the first is differentiated
    total = layer(x).sum() + layer(y).sum()
    (gradient,) = torch.autograd.grad(total, layer.weight)
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_penalty_on_slopes_moves_the_weight_as_differences_say(kind):
    torch.manual_seed(0)
    build, shape = LAYERS[kind]
    layer, x = build().double().eval(), torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def penalty():
        (slope,) = torch.autograd.grad(layer(x).tanh().sum(), x, create_graph=True)
        return slope.square().sum()

    (gradient,) = torch.autograd.grad(penalty(), layer.weight)
    direction, values = torch.randn_like(layer.weight), []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            layer.weight.add_(step * direction)
        values.append(penalty().item())
    assert (gradient * direction).sum().item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_replicas_have_their_own_vector_and_keep_it(kind):
    build, shape = LAYERS[kind]
    both = Replicas(build, [3, 4], kind, torch.device("cpu"))
    singles = [Replicas(build, [seed], kind, torch.device("cpu")) for seed in (3, 4)]
    x = torch.randn(2, *shape)
    for _ in range(3):
        together, alone = both(x), torch.cat([s(x[k : k + 1]) for k, s in enumerate(singles)])
        assert torch.allclose(together, alone, atol=1e-5)
    u = both.state()["u"]
    assert not torch.allclose(u[0], u[1], atol=0.1)
    assert torch.allclose(u, torch.cat([s.state()["u"] for s in singles]), atol=1e-5)
    again = Replicas(build, [5, 6], kind, torch.device("cpu"))
    again.load(both.state())
    assert torch.equal(again.eval()(x), both.eval()(x)), "u is part of what a checkpoint keeps"


def test_layer_norm_is_pytorchs_group_norm_with_one_group():
    torch.manual_seed(0)
    ours, theirs = LayerNorm(4), nn.GroupNorm(1, 4)
    with torch.no_grad():
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            q.copy_(torch.randn(4))
            p.copy_(q.reshape(4, 1, 1))
    x = 3 * torch.randn(5, 4, 3, 2) + 1
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_initial_weights_are_glorots():
    torch.manual_seed(0)
    layer = convolution("none", 64, 128, 4, 2, gain=2**0.5)
    assert layer.weight.std().item() == pytest.approx((4 / (192 * 16)) ** 0.5, rel=0.02) and not layer.bias.any()
    assert layer.weight.abs().max().item() <= (12 / (192 * 16)) ** 0.5
    layer = affine("spectral", 300, 200)
    assert layer.weight.std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.02)


def test_an_unknown_normalisation_gets_a_sentence():
    with pytest.raises(OtbenchError, match="normalisation 'weight' is not one of none, batch, layer, spectral"):
        norm("weight", 3)
