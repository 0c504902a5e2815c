"""Generators of a ring of modes from the uniform law on the disk: GAN and WGAN-GP, from two starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.theory.collaboration.training import Shifted
from otbench.theory.shared.perceptrons import perceptron
from otbench.utils.rng import generator

WAYS = {"gan": "GAN", "wgan-gp": "WGAN-GP"}
STARTS = {"identity": "from the identity", "fresh": "from random weights"}
PENALTY, CRITIC_STEPS = 0.1, 5  # Gulrajani et al. 2017, toy experiments

Generator = Callable[[np.ndarray], np.ndarray]


def on_disk(n: int, draw: np.random.Generator) -> np.ndarray:
    """Points uniform on the unit disk.

    Args:
        n: Number of points.
        draw: Random stream.

    Returns:
        Points (n, 2).
    """
    angle, radius = 2 * np.pi * draw.random(n), np.sqrt(draw.random(n))
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


def trained(
    way: str, start: str, real: np.ndarray, marks: list[int], width: int, rate: float, batch: int, seed: int
) -> Iterator[tuple[int, Generator]]:
    """Training of a generator; it and its discriminator are perceptrons of three hidden layers.

    Args:
        way: `gan` (non-saturating) or `wgan-gp` (five updates of the critic a step).
        start: `identity`, G(z) = z + N(z) with N = 0 at first, or `fresh`, G = N at He's random weights.
        real: Training points (n, 2), drawn with replacement.
        marks: Numbers of steps at which the generator is asked, rising.
        width: Units of each hidden layer.
        rate: Learning rate of Adam, of both networks.
        batch: Points in a batch.
        seed: Seed of the initial weights and of the batches.

    Yields:
        Step, and the generator so far as a map from points (m, 2) to points (m, 2) float64.
    """
    name = f"polar/{way}/{start}"
    first = generator(seed, f"{name}/generator")
    net: nn.Module = Shifted(width, first) if start == "identity" else perceptron(2, 2, width, nn.SiLU, first)
    critic = perceptron(2, 1, width, nn.ReLU, generator(seed, f"{name}/critic"))
    draw = np.random.default_rng([seed, list(WAYS).index(way), list(STARTS).index(start)])
    betas = (0.5, 0.9)
    ours, theirs = (torch.optim.Adam(one.parameters(), rate, betas) for one in (critic, net))
    where = generator(seed, f"{name}/where")

    def both() -> tuple[Tensor, Tensor]:
        z, x = on_disk(batch, draw), real[draw.integers(0, len(real), batch)]
        return torch.as_tensor(z, dtype=torch.float32), torch.as_tensor(x, dtype=torch.float32)

    done = 0
    for last in marks:
        for _ in range(last - done):
            for _ in range(CRITIC_STEPS if way == "wgan-gp" else 1):
                z, x = both()
                with torch.no_grad():
                    made = net(z)
                _descend(ours, _critics(way, critic, made, x, where))
            scores = critic(net(both()[0]))
            _descend(theirs, -scores.mean() if way == "wgan-gp" else F.softplus(-scores).mean())
        done = last
        yield last, lambda z: _applied(net, z)


def _critics(way: str, critic: nn.Module, made: Tensor, x: Tensor, where: torch.Generator) -> Tensor:
    if way == "gan":
        return F.softplus(-critic(x)).mean() + F.softplus(critic(made)).mean()
    between = (x + torch.rand(len(x), 1, generator=where) * (made - x)).requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0].norm(dim=1)
    return critic(made).mean() - critic(x).mean() + PENALTY * (slope - 1).square().mean()


def _applied(net: nn.Module, z: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.as_tensor(z, dtype=torch.float32)).double().numpy()


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
