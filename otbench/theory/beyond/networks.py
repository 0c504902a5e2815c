"""Maps as networks: regression on a known map, the gradient of a convex network, and flow matching."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.theory.collaboration.critics import paired
from otbench.theory.shared.perceptrons import perceptron
from otbench.utils.rng import generator

Map = Callable[[np.ndarray], np.ndarray]
Batches = Callable[[], tuple[Tensor, Tensor]]
INTEGRATION = 20


class Convex(nn.Module):
    """Gradient of an input-convex network (Amos et al. 2017): (m, d) -> (m, d), monotone and continuous.

    u(x) = w . z_3 + a |x|^2 / 2, z_k+1 = softplus(W_k z_k + A_k x + b_k), W_k, w and a kept positive by softplus.
    """

    def __init__(self, d: int, width: int, stream: torch.Generator) -> None:
        super().__init__()

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=stream) / math.sqrt(shape[-1]))

        self.skip = nn.ParameterList([normal(width, d) for _ in range(3)])
        self.bias = nn.ParameterList([nn.Parameter(torch.randn(width, generator=stream)) for _ in range(3)])
        self.inner = nn.ParameterList([normal(width, width) for _ in range(2)])
        self.last = normal(width)
        self.quadratic = nn.Parameter(torch.zeros(()))
        self.linear = nn.Parameter(torch.zeros(d))

    def potential(self, x: Tensor) -> Tensor:
        """Convex function u whose gradient is the map.

        Args:
            x: Points (m, d).

        Returns:
            Values (m,).
        """
        z = F.softplus(x @ self.skip[0].T + self.bias[0])
        for inner, skip, bias in zip(self.inner, self.skip[1:], self.bias[1:], strict=True):
            z = F.softplus(z @ F.softplus(inner).T / len(inner) + x @ skip.T + bias)
        whole = z @ F.softplus(self.last) / math.sqrt(len(self.last)) + x @ self.linear
        return whole + F.softplus(self.quadratic) * x.square().sum(1) / 2

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            return torch.autograd.grad(self.potential(x).sum(), x, create_graph=self.training)[0]


def regression(batches: Batches, d: int, width: int, steps: int, rate: float, seed: int) -> Map:
    """Perceptron with SiLU that minimises the mean squared distance to pairs (x, T(x)).

    Args:
        batches: Draws a batch of pairs, x and T(x) (batch, d) float32.
        d: Dimension of the points.
        width: Units of each of the three hidden layers.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to zero along half a cosine.
        seed: Seed of the initial weights.

    Returns:
        Map from points (m, d) to points (m, d) float64.
    """
    net = perceptron(d, d, width, nn.SiLU, generator(seed, "beyond/regression"))
    return _regressed(net, batches, steps, rate)


def convex(batches: Batches, d: int, width: int, steps: int, rate: float, seed: int) -> Map:
    """Gradient of a convex network that minimises the mean squared distance to pairs (x, T(x)).

    Makkuva et al. (2020) use such a gradient as a map; here it is fitted to a known one. The rate is six times the
    given one: through softplus the weights move slowly.

    Args:
        batches: Draws a batch of pairs, x and T(x) (batch, d) float32.
        d: Dimension of the points.
        width: Units of each of the three hidden layers.
        steps: Steps of Adam.
        rate: A sixth of the learning rate at the start, which falls to zero along half a cosine.
        seed: Seed of the initial weights.

    Returns:
        Map from points (m, d) to points (m, d) float64.
    """
    return _regressed(Convex(d, width, generator(seed, "beyond/convex")), batches, steps, 6 * rate)


def _regressed(net: nn.Module, batches: Batches, steps: int, rate: float) -> Map:
    _train(net, lambda: _squared(net, *batches()), steps, rate)
    return _plain(net)


def _squared(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (net(x) - y).square().sum(1).mean()


def flow(batches: Batches, d: int, width: int, steps: int, rate: float, seed: int, coupled: bool) -> Map:
    """Flow matching: v(x_t, t) regresses on y - x along straight lines, x_t = (1 - t) x + t y.

    Args:
        batches: Draws a batch of source points x and targets y, independent, (batch, d) float32.
        d: Dimension of the points.
        width: Units of each of the three hidden layers.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to zero along half a cosine.
        seed: Seed of the initial weights and of the times t.
        coupled: Whether x and y of a batch are paired by the exact plan (Tong et al. 2024; Pooladian et al. 2023), else
            at random.

    Returns:
        Flow from time 0 to 1 by 20 midpoint steps, a map from points (m, d) to points (m, d) float64.

    Source: Lipman et al. (2023).
    """
    stream = generator(seed, f"beyond/flow/{coupled}")
    net = perceptron(d + 1, d, width, nn.SiLU, stream)

    def loss() -> Tensor:
        x, y = batches()
        if coupled:
            y = y[paired(x, y)]
        t = torch.rand(len(x), 1, generator=stream)
        return (net(torch.cat([(1 - t) * x + t * y, t], 1)) - (y - x)).square().sum(1).mean()

    _train(net, loss, steps, rate)

    def velocity(x: Tensor, t: float) -> Tensor:
        return net(torch.cat([x, torch.full((len(x), 1), t)], 1))

    def at(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            now, h = torch.as_tensor(x, dtype=torch.float32), 1 / INTEGRATION
            for k in range(INTEGRATION):
                now = now + h * velocity(now + h / 2 * velocity(now, k * h), (k + 0.5) * h)
        return now.double().numpy()

    return at


def _train(net: nn.Module, loss: Callable[[], Tensor], steps: int, rate: float) -> None:
    """Adam, the rate falling to zero along half a cosine."""
    optimiser = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        schedule.step()
    net.eval()


def _plain(net: nn.Module) -> Map:
    return lambda x: net(torch.as_tensor(x, dtype=torch.float32)).detach().double().numpy()
