"""GAN and WGAN with one learnable number: the generator (theta, Z) is to find the real line at 0.

Discriminator and critic are the same perceptron, with the same optimiser and as many steps for each step of theta;
theta takes plain gradient steps, since an optimiser that rescales gradients (Adam, RMSProp) would hide that one
vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from otbench.theory.parallel_lines.losses import lines
from otbench.theory.shared.perceptrons import Layers, apply, parameters, perceptrons
from otbench.utils.progress import Bar

GAMES = {
    "minimax": "GAN, minimax loss",
    "ns": "GAN, non-saturating loss",
    "clip": "WGAN, clipped weights",
    "gp": "WGAN, gradient penalty",
}


@dataclass(frozen=True)
class Play:
    """How it is trained: steps of theta, critic steps for each, learning rates, batch, hidden width, clip, penalty."""

    steps: int
    critic_steps: int
    rate: float
    critic_rate: float
    batch: int
    width: int
    clip: float
    penalty: float


def train(game: str, starts: Sequence[float], seeds: int, play: Play, stream: torch.Generator) -> np.ndarray:
    """theta along the training of a game; a replica that is no longer finite stays so.

    Args:
        game: One of GAMES.
        starts: Values of theta at the start.
        seeds: Number of repetitions of each start.
        play: How it is trained.
        stream: Random stream.

    Returns:
        theta (steps + 1, starts, seeds).
    """
    theta = torch.tensor(list(starts), dtype=torch.float32).repeat_interleave(seeds).requires_grad_()
    layers = perceptrons(len(theta), (2, play.width, play.width, 1), stream, torch.float32)
    optimiser = torch.optim.Adam(parameters(layers), lr=play.critic_rate, betas=(0.5, 0.9))
    path = [theta.detach().numpy().copy()]
    with Bar(f"parallel lines, {GAMES[game]}", play.steps) as bar:
        for step in range(play.steps):
            for _ in range(play.critic_steps):
                real, generated = lines(theta.detach(), play.batch, stream)
                loss = _critic_loss(game, layers, real, generated, play, stream)
                optimiser.zero_grad(set_to_none=True)
                loss.sum().backward()
                optimiser.step()
                if game == "clip":
                    _clip(layers, play.clip)
            score = apply(layers, lines(theta, play.batch, stream)[1]).mean(2)
            (slope,) = torch.autograd.grad(_generator_loss(game, score).mean(1).sum(), theta)
            with torch.no_grad():
                theta -= play.rate * slope
            path.append(theta.detach().numpy().copy())
            bar.update(step + 1, f"mean |theta| {np.abs(path[-1]).mean():.3f}")
    return np.stack(path).reshape(play.steps + 1, len(starts), seeds)


def _critic_loss(game: str, layers: Layers, real: Tensor, generated: Tensor, play: Play, stream) -> Tensor:
    a, b = apply(layers, real), apply(layers, generated)
    if game in ("minimax", "ns"):
        return softplus(-a).mean((1, 2)) + softplus(b).mean((1, 2))
    loss = b.mean((1, 2)) - a.mean((1, 2))
    if game == "clip":
        return loss
    share = torch.rand(*real.shape[:2], 1, generator=stream)
    between = (real + share * (generated - real)).requires_grad_()
    (slope,) = torch.autograd.grad(apply(layers, between).sum(), between, create_graph=True)
    return loss + play.penalty * ((slope.square().sum(2) + 1e-12).sqrt() - 1).square().mean(1)


def _generator_loss(game: str, score: Tensor) -> Tensor:
    if game == "minimax":
        return logsigmoid(-score)
    return -logsigmoid(score) if game == "ns" else -score


def _clip(layers: Layers, bound: float) -> None:
    with torch.no_grad():
        for tensor in parameters(layers):
            tensor.clamp_(-bound, bound)
