"""Input convex networks: convex along segments, held so, and with the gradients that differences give."""

from __future__ import annotations

import pytest
import torch

from otbench.nets.icnn import ConvexNetwork, clamp, concavity, constrained, gradient
from otbench.nets.replicas import Replicas
from tests.nets.counting import parameter_count

CPU = torch.device("cpu")


def network(seeds=(0, 1), width=8, depth=3):
    return Replicas(lambda: ConvexNetwork(3, width, depth), list(seeds), "potential", CPU)


def moved(net, scale=0.5):
    torch.manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(scale * torch.randn(p.shape))
    return net


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_it_is_convex_along_random_segments_once_its_weights_are_held(seeds):
    net = moved(network(seeds))
    torch.manual_seed(2)
    a, b = 3 * torch.randn(2, len(seeds), 400, 3)
    t = torch.rand(len(seeds), 400, 1)

    def sag():
        """How far the value lies below the chord."""
        with torch.no_grad():
            return t[..., 0] * net(a) + (1 - t[..., 0]) * net(b) - net(t * a + (1 - t) * b)

    assert sag().min() < -1, "with weights below 0 it is not convex"
    assert (concavity(net) > 0).all()
    expected = sum((w.clamp(max=0) ** 2).flatten(1).sum(1) / 2 for w in constrained(net))
    torch.testing.assert_close(concavity(net), expected)
    clamp(net)
    assert sag().min() > -1e-3 and sag().mean() > 0.1 and not concavity(net).any()


def test_only_weights_between_layers_and_the_curvature_are_held():
    net = moved(network((0,)))
    before = {k: v.clone() for k, v in net.state().items()}
    clamp(net)
    for name, value in net.state().items():
        held = name.startswith("inner") or name == "curvature"
        assert torch.equal(value, before[name].clamp(min=0) if held else before[name]), name
    # first 3*4 inputs' weights, skips, inner and last, curvature
    assert parameter_count(ConvexNetwork(3, 8, 3)) == (3 + 1) * 8 * 3 + 8 * 8 * 2 + 8 + 3 + 1


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_gradients_equal_differences_and_can_be_differentiated(seeds, double):
    net = moved(network(seeds), 0.2)
    torch.manual_seed(3)
    x, step = torch.randn(len(seeds), 5, 3), 1e-6
    found = gradient(net, x)
    with torch.no_grad():
        for k in range(3):
            shift = step * torch.eye(3)[k]
            expected = (net(x + shift) - net(x - shift)) / (2 * step)
            torch.testing.assert_close(found[..., k], expected, rtol=1e-5, atol=1e-5)
    loss = gradient(net, x, create_graph=True).square().sum()
    curvature = net.parameters()[[n for n, _ in net.module.named_parameters()].index("curvature")]
    (slope,) = torch.autograd.grad(loss, [curvature])
    # d/dc of |v + c x|^2 is 2 <grad, x>
    torch.testing.assert_close(slope.reshape(len(seeds)), 2 * (found * x).sum((1, 2)))
