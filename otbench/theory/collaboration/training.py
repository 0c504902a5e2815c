"""The competition: a generator network trained by gradient descent against a critic, step after step.

The generator is G(z) = z + N(z) with the network's last layer zero at the start, so that every way to train it, and
Eq. 33, start from the same generated measure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from otbench.theory.collaboration.critics import Smooth, dual, paired
from otbench.theory.collaboration.problems import Sampler
from otbench.theory.shared.perceptrons import perceptron
from otbench.utils.rng import generator

WAYS = {
    "wgan-gp": "WGAN-GP critic, generator descends",
    "quadratic": "quadratic-cost critic network, generator descends",
    "plan": "exact critic of the batch, generator descends",
}
PENALTY = 0.1  # Gulrajani et al. 2017, toy experiments
CRITIC_STEPS = 5


class Shifted(nn.Module):
    """The generator G(z) = z + N(z), (m, 2) -> (m, 2), at first the identity."""

    def __init__(self, width: int, stream: torch.Generator) -> None:
        super().__init__()
        self.body = perceptron(2, 2, width, nn.SiLU, stream)
        last = self.body[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)

    def forward(self, z: Tensor) -> Tensor:
        return z + self.body(z)


Pushed = Callable[[np.ndarray], np.ndarray]


def compete(
    way: str,
    noise: Sampler,
    real: np.ndarray,
    steps: list[int],
    width: int,
    rate: float,
    batch: int,
    seed: int,
) -> Iterator[tuple[int, Pushed, float]]:
    """Training of a generator against a critic; each critic network is updated 5 times a step, on fresh batches.

    Args:
        way: How it is trained, one of WAYS.
        noise: Sampler that the generator starts from.
        real: Training points (n, 2), drawn with replacement.
        steps: Numbers of the generator's steps at which it is asked, rising.
        width: Units of each of the three hidden layers of every network.
        rate: Learning rate of Adam, of every network.
        batch: Points in a batch.
        seed: Seed of the initial weights and of the batches.

    Yields:
        Step, generator so far as a map from points (m, 2) to points (m, 2) float64, and processor seconds so far, of
        the training alone.
    """
    net = Shifted(width, generator(seed, f"collaboration/{way}/generator"))
    draw = np.random.default_rng([seed, list(WAYS).index(way)])
    step = {"wgan-gp": _wgan, "quadratic": _quadratic, "plan": _planned}[way](net, width, rate, seed)

    def both() -> tuple[Tensor, Tensor]:
        z, x = noise(batch, draw), real[draw.integers(0, len(real), batch)]
        return torch.as_tensor(z, dtype=torch.float32), torch.as_tensor(x, dtype=torch.float32)

    spent, done = 0.0, 0
    for last in steps:
        began = time.process_time()
        for _ in range(last - done):
            step(both)
        spent, done = spent + time.process_time() - began, last
        yield last, lambda z: _applied(net, z), spent


def _applied(net: nn.Module, z: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.as_tensor(z, dtype=torch.float32)).double().numpy()


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def _wgan(net: Shifted, width: int, rate: float, seed: int) -> Callable:
    """Algorithm 1 of Gulrajani et al. 2017, for the cost |x - y|."""
    critic = perceptron(2, 1, width, nn.ReLU, generator(seed, "collaboration/wgan-gp/critic"))
    where = generator(seed, "collaboration/wgan-gp/where")
    ours = torch.optim.Adam(critic.parameters(), rate, (0.5, 0.9))
    theirs = torch.optim.Adam(net.parameters(), rate, (0.5, 0.9))

    def step(both: Callable) -> None:
        for _ in range(CRITIC_STEPS):
            z, x = both()
            with torch.no_grad():
                made = net(z)
            between = (x + torch.rand(len(x), 1, generator=where) * (made - x)).requires_grad_()
            slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0].norm(dim=1)
            loss = critic(made).mean() - critic(x).mean() + PENALTY * (slope - 1).square().mean()
            _descend(ours, loss)
        _descend(theirs, -critic(net(both()[0])).mean())

    return step


def _quadratic(net: Shifted, width: int, rate: float, seed: int) -> Callable:
    """min over G, max over phi of E phi(G(z)) + E phi^c(y), the text's min-max for the quadratic cost."""
    critic = Smooth(width, generator(seed, "collaboration/quadratic/critic"))
    ours, theirs = torch.optim.Adam(critic.parameters(), rate), torch.optim.Adam(net.parameters(), rate)

    def step(both: Callable) -> None:
        for _ in range(CRITIC_STEPS):
            z, x = both()
            with torch.no_grad():
                made = net(z)
            _descend(ours, -dual(critic, made, x))
        _descend(theirs, critic(net(both()[0])).mean())

    return step


def _planned(net: Shifted, width: int, rate: float, seed: int) -> Callable:
    """The critic is exact on the batch: its gradient at G(z) is G(z) - T(G(z)), T by POT's network simplex."""
    theirs = torch.optim.Adam(net.parameters(), rate)

    def step(both: Callable) -> None:
        z, x = both()
        made = net(z)
        with torch.no_grad():
            goal = x[paired(made, x)]
        _descend(theirs, (made - goal).square().sum(1).mean() / 2)

    return step
