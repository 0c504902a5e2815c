"""Critics, generators and exact distances of batches for the study of what a Wasserstein critic estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from otbench.data.base import Mixture
from otbench.theory.shared.perceptrons import Layers, apply, parameters, perceptrons
from otbench.utils.rng import generator

if TYPE_CHECKING:
    from otbench.theory.critic_estimates.options import Options

MODES, SIGMA = 8, 0.1
"""Modes of the mixture, on the unit sphere, and their deviation per coordinate."""


def w1(x: np.ndarray, y: np.ndarray) -> float:
    """The exact W1 distance of two sets of as many points.

    Args:
        x: Points (n, d).
        y: Points (n, d).

    Returns:
        Mean distance of the optimal matching.
    """
    cost = cdist(x, y)
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


def mixture(d: int) -> Mixture:
    """Eight modes on the unit sphere: a ring in the plane, else both ends of four axes.

    Args:
        d: Number of coordinates, 2 or at least 4.

    Returns:
        The law.
    """
    angle = 2 * np.pi * np.arange(MODES) / MODES
    centres = np.zeros((MODES, d))
    if d == 2:
        centres[:] = np.stack([np.cos(angle), np.sin(angle)], 1)
    else:
        for k in range(MODES):
            centres[k, k // 2] = 1.0 if k % 2 == 0 else -1.0
    return Mixture(centres, SIGMA, np.full(MODES, 1 / MODES))


def scores(law: Mixture, real: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """How near samples are to a mixture.

    Args:
        law: The mixture.
        real: Fresh points (n, d) of it.
        made: Samples (n, d).

    Returns:
        `w1` to the fresh points; `spread`, the mean squared distance from the nearest mode over that of true samples;
        `quality`, the share of samples within three of its root mean squares of a mode.
    """
    d = made.shape[1]
    squares = (cdist(made, law.centres) ** 2).min(1)
    true = d * law.sigma**2
    return {"w1": w1(real, made), "spread": float(squares.mean() / true), "quality": float((squares < 9 * true).mean())}


def slopes(critic: Layers, x: Tensor) -> Tensor:
    """|grad f| of critics side by side, differentiable by their weights.

    Args:
        critic: Layers of R critics.
        x: Points (R, B, d).

    Returns:
        Slopes (R, B).
    """
    x = x.detach().requires_grad_()
    return torch.autograd.grad(apply(critic, x).sum(), x, create_graph=True)[0].norm(dim=-1)


def critic_loss(critic: Layers, real: Tensor, made: Tensor, where: Tensor, penalty: float, one_sided: bool) -> Tensor:
    """What critics descend, summed over replicas: the penalty less the value E f(real) - E f(made).

    Args:
        critic: Layers of R critics.
        real: Points (R, B, d).
        made: Points (R, B, d).
        where: Shares (R, B, 1) of the way between them at which slopes are taken.
        penalty: Weight of the penalty.
        one_sided: Whether slopes below 1 go free.

    Returns:
        A number.
    """
    excess = slopes(critic, torch.lerp(real, made, where)) - 1
    excess = excess.clamp(min=0) if one_sided else excess
    return (penalty * excess.square().mean(1) - value(critic, real, made)).sum()


def value(critic: Layers, real: Tensor, made: Tensor) -> Tensor:
    """E f(real) - E f(made).

    Args:
        critic: Layers of R critics.
        real: Points (R, B, d).
        made: Points (R, B, d).

    Returns:
        Values (R,).
    """
    return apply(critic, real).mean((1, 2)) - apply(critic, made).mean((1, 2))


def optimiser(layers: Layers, rate: float) -> torch.optim.Adam:
    """Adam with the betas of Gulrajani et al.'s toy experiments.

    Args:
        layers: Layers to train.
        rate: Learning rate.

    Returns:
        The optimiser.
    """
    return torch.optim.Adam(parameters(layers), rate, betas=(0.5, 0.9))


def descend(loss: Tensor, layers: Layers, adam: torch.optim.Adam) -> None:
    """One step of the optimiser on these layers alone.

    Args:
        loss: What is descended.
        layers: Layers of the optimiser.
        adam: The optimiser.
    """
    tensors = parameters(layers)
    for tensor, gradient in zip(tensors, torch.autograd.grad(loss, tensors), strict=True):
        tensor.grad = gradient
    adam.step()


def shifted(d: int, options: Options, one_sided: bool, seed: int, fresh: int) -> tuple[np.ndarray, np.ndarray]:
    """Critics between N(0, I) and the same law moved along the first axis, trained on fresh batches.

    Args:
        d: Number of coordinates.
        options: Options of the study.
        one_sided: Whether slopes below 1 go free.
        seed: Seed of the study.
        fresh: Points of each law that the last value is taken of.

    Returns:
        Values (R,) at the end, and the mean over replicas of the batches' values along training (updates,).
    """
    stream = generator(seed, f"critic-estimates/{d}/{one_sided}")
    critic = perceptrons(options.seeds, (d, options.width, options.width, 1), stream, torch.float32)
    adam, curve = optimiser(critic, options.rate), []

    def laws(n: int) -> tuple[Tensor, Tensor]:
        x, y = torch.randn((2, options.seeds, n, d), generator=stream)
        return x + options.shift * torch.eye(d)[0], y

    for _ in range(options.critic_updates):
        real, made = laws(options.batch)
        where = torch.rand((options.seeds, options.batch, 1), generator=stream)
        with torch.no_grad():
            curve.append(float(value(critic, real, made).mean()))
        descend(critic_loss(critic, real, made, where, options.penalty, one_sided), critic, adam)
    with torch.no_grad():
        return value(critic, *laws(fresh)).numpy(), np.array(curve)


def trained(law: Mixture, options: Options, way: str, seed: int) -> np.ndarray:
    """Samples of generators that descend the exact W1 of batches, or the value of a critic.

    Both have the same starts, and the same batches of noise and data in every update of theirs.

    Args:
        law: The mixture that they are to give.
        options: Options of the study.
        way: `batch` or `critic`.
        seed: Seed of the study.

    Returns:
        Samples (R, judged, d).
    """
    d, c = law.centres.shape[1], options
    start = generator(seed, f"critic-estimates/generator/{d}")
    network = perceptrons(c.seeds, (d, c.width, c.width, d), start, torch.float32)
    critic = perceptrons(c.seeds, (d, c.width, c.width, 1), start, torch.float32)
    adam, judge = optimiser(network, c.generator_rate), optimiser(critic, c.rate)
    noise, inner = (generator(seed, f"critic-estimates/{name}/{d}") for name in ("noise", "inner"))
    draws = [np.random.default_rng([seed, d, 2, k]) for k in range(2)]

    def batches(stream: torch.Generator, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
        real = np.stack([law.sample(c.batch, draw) for _ in range(c.seeds)])
        return torch.from_numpy(real), torch.randn((c.seeds, c.batch, d), generator=stream)

    for _ in range(c.steps):
        if way == "critic":
            for _ in range(c.updates):
                real, z = batches(inner, draws[1])
                with torch.no_grad():
                    made = apply(network, z)
                where = torch.rand((c.seeds, c.batch, 1), generator=inner)
                descend(critic_loss(critic, real, made, where, c.penalty, False), critic, judge)
        real, z = batches(noise, draws[0])
        made = apply(network, z)
        loss = -apply(critic, made).mean((1, 2)).sum() if way == "critic" else matched(real, made)
        descend(loss, network, adam)
    with torch.no_grad():
        return apply(network, torch.randn((c.seeds, c.judged, d), generator=noise)).numpy()


def matched(real: Tensor, made: Tensor) -> Tensor:
    """The exact W1 of batches, summed over replicas, with the matching held.

    Args:
        real: Points (R, B, d).
        made: Points (R, B, d), which may be differentiated.

    Returns:
        A number.
    """
    loss = made.new_zeros(())
    for x, y in zip(real, made, strict=True):
        _, columns = linear_sum_assignment(cdist(y.detach().numpy(), x.numpy()))
        loss = loss + (y - x[torch.from_numpy(columns)]).norm(dim=1).mean()
    return loss
