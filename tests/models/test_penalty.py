"""Gradient penalties of images: where they are taken, and slopes against gradients that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from otbench.models.images.shared.penalty import between, slopes
from otbench.nets.infogan import Discriminator
from otbench.nets.replicas import Replicas

CPU = torch.device("cpu")
SHAPE = (2, 3, 4)


class Linear(nn.Module):
    """<w, x> + b, whose gradient is w everywhere."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(SHAPE))
        self.b = nn.Parameter(torch.randn(()))

    def forward(self, x):
        return (x * self.w).sum((1, 2, 3)) + self.b


class Bowl(nn.Module):
    """s |x|^2 / 2, whose gradient is s x."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.tensor(3.0))

    def forward(self, x):
        return self.s * (x**2).sum((1, 2, 3)) / 2


def test_points_lie_on_the_segment_of_their_own_pair():
    torch.manual_seed(0)
    real, generated, where = torch.rand(2, 5, *SHAPE), torch.rand(2, 5, *SHAPE), torch.rand(2, 5)
    x = between(real, generated, where)
    for r in range(2):
        for b in range(5):
            share = where[r, b].item()
            assert torch.allclose(x[r, b], (1 - share) * real[r, b] + share * generated[r, b], atol=1e-6)
    assert torch.equal(between(real, generated, torch.zeros(2, 5)), real)
    assert torch.allclose(between(real, generated, torch.ones(2, 5)), generated, atol=1e-6)


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_slope_and_penalty_of_a_linear_critic_are_known(seeds):
    critic = Replicas(Linear, seeds, "critic", CPU)
    w = critic.tensor("w").detach()
    norm = w.flatten(1).norm(dim=1)
    x = 10 * torch.randn(len(seeds), 5, *SHAPE)
    slope = slopes(critic, x)
    assert torch.allclose(slope, norm[:, None].expand(-1, 5), rtol=1e-5), "the same everywhere"
    assert not x.requires_grad
    to_w, to_b = torch.autograd.grad((slope - 1).square().mean(1).sum(), critic.parameters(), allow_unused=True)
    expected = (2 * (norm - 1) / norm).reshape(-1, 1, 1, 1) * w
    assert torch.allclose(to_w.reshape(w.shape), expected, rtol=1e-4, atol=1e-6)
    assert to_b is None, "where a critic is moved up says nothing of its slope"


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_slope_of_a_bowl_grows_with_the_distance_from_its_bottom(seeds):
    critic = Replicas(Bowl, seeds, "critic", CPU)
    x = torch.randn(len(seeds), 4, *SHAPE)
    assert torch.allclose(slopes(critic, x), 3 * x.flatten(2).norm(dim=2), rtol=1e-5)
    biased = slopes(critic, x, 0.5)
    assert torch.allclose(biased, (9 * x.square().sum((2, 3, 4)) + 0.5).sqrt(), rtol=1e-5)
    at_bottom = slopes(critic, torch.zeros_like(x))
    assert not at_bottom.any()
    (gradient,) = torch.autograd.grad((at_bottom - 1).square().sum(), critic.parameters())
    assert gradient.isfinite().all()


def test_slopes_of_a_discriminator_equal_differences_of_its_scores():
    torch.manual_seed(0)
    critic = Replicas(lambda: Discriminator((1, 8, 8), 2, normalised=False), [0], "critic", CPU)
    network = critic.module.double()
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(0.5 * torch.randn_like(p))
    x = torch.rand(1, 3, 1, 8, 8, dtype=torch.float64)
    steps = 1e-5 * torch.eye(64, dtype=torch.float64).reshape(64, 1, 8, 8)
    with torch.no_grad():
        expected = [(network(x[0, b] + steps) - network(x[0, b] - steps)).norm().item() / 2e-5 for b in range(3)]
    assert slopes(critic, x)[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_the_penalty_moves_weights_as_differences_say():
    # the second derivative, through batch normalisation too, in a group of two
    critic = Replicas(lambda: Discriminator((1, 8, 8), 2), [0, 1], "critic", CPU)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, p in zip(critic._params, critic.parameters(), strict=True):
            critic._params[name] = p.double().copy_(0.5 * torch.randn_like(p)).requires_grad_()
    critic._buffers = {name: b.double() for name, b in critic._buffers.items()}
    x = torch.rand(2, 4, 1, 8, 8, dtype=torch.float64)

    def penalty():
        return (slopes(critic, x) - 1).square().mean(1).sum()

    parameters = critic.parameters()
    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    for p, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn_like(p)
        values = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                p.add_(step * direction)
            values.append(penalty().item())
            with torch.no_grad():
                p.sub_(step * direction)
        expected = (values[0] - values[1]) / 2e-6
        found = 0.0 if gradient is None else (gradient * direction).sum().item()
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5 * np.abs(values[0]))
