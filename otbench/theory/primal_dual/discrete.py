"""Primal and dual of transport between two point sets: encoders and critics that are networks, beside POT's answer.

Generated points x_i = g(z_i) for latent points z_i, data y_j, all of equal mass. Sums are over all points, nothing is
sampled, so that every bound holds for the problem itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from otbench.metrics.wasserstein import import_ot
from otbench.theory.primal_dual.gaussian import Values, descend
from otbench.theory.shared.perceptrons import Layers, apply, parameters, perceptrons


@dataclass(frozen=True)
class Points:
    """Generated (n, 2), data (m, 2) and the cost between them (n, m): squared distances, or distances."""

    generated: Tensor
    real: Tensor
    cost: Tensor

    def exact(self) -> float:
        """Least cost of a plan, by POT's network simplex.

        Returns:
            Cost, in the unit of `cost`.
        """
        return float(import_ot().emd2([], [], self.cost.numpy()))


def points(n: int, squared: bool, draw: np.random.Generator) -> Points:
    """Data on a noisy ring of radius 1, and Gaussian latent points through a map that bends them off centre.

    Args:
        n: Number of data points, and of generated ones.
        squared: Whether the cost is the squared distance, else the distance.
        draw: Random stream.

    Returns:
        Generated points, data and the cost between them, float64.
    """
    angle = 2 * np.pi * draw.random(n)
    real = np.column_stack([np.cos(angle), np.sin(angle)]) + 0.05 * draw.standard_normal((n, 2))
    z = draw.standard_normal((n, 2))
    generated = np.column_stack([0.5 * z[:, 0] + 0.4, 0.3 * z[:, 1] + 0.3 * z[:, 0] ** 2 - 0.3])
    away = np.linalg.norm(generated[:, None] - real[None], axis=2)
    return Points(*(torch.from_numpy(value) for value in (generated, real, away**2 if squared else away)))


def rounded(plan: Tensor, sweeps: int = 10) -> Tensor:
    """Plan brought to uniform marginals, exactly.

    Sweeps of Sinkhorn's scaling come first; then rows, then columns, are scaled down to their due, and what is missing
    is filled in as a product measure.

    Args:
        plan: Plans (R, n, m).
        sweeps: Number of Sinkhorn's sweeps.

    Returns:
        Plans (R, n, m).

    Source: Altschuler et al. (2017), Algorithm 2.
    """
    n, m = plan.shape[-2:]
    for _ in range(sweeps):
        plan = plan / (n * plan.sum(-1, keepdim=True)).clamp(min=1e-300)
        plan = plan / (m * plan.sum(-2, keepdim=True)).clamp(min=1e-300)
    plan = plan * (1 / (n * plan.sum(-1, keepdim=True))).clamp(max=1)
    plan = plan * (1 / (m * plan.sum(-2, keepdim=True))).clamp(max=1)
    rows, columns = 1 / n - plan.sum(-1), 1 / m - plan.sum(-2)
    missing = rows.sum(-1)[:, None, None]
    filled = rows[..., :, None] * columns[..., None, :]
    return plan + torch.where(missing > 0, filled / missing.clamp(min=1e-300), torch.zeros_like(filled))


def encoder(
    p: Points, weight: float, replicas: int, steps: int, rate: float, width: int, stream: torch.Generator
) -> dict[str, np.ndarray]:
    """Network that spreads each data point over the latent points: its plan need not meet the prior.

    Minimised: cost + weight x KL(codes | prior).

    Args:
        p: Point sets and their cost.
        weight: Weight of the KL.
        replicas: Number of starts R.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        width: Units of both hidden layers.
        stream: Random stream of the initial weights.

    Returns:
        Series (steps + 1, R) by name: loss, cost, kl, off (total variation of codes from the prior) and rounded: the
        cost of the plan brought to both marginals, a bound from above at every step.
    """
    n, m = p.cost.shape
    layers = perceptrons(replicas, (2, width, width, n), stream, torch.float64)

    def objective() -> Values:
        plan = torch.softmax(apply(layers, p.real), -1).mT / m
        error, codes = (plan * p.cost).sum((1, 2)), plan.sum(2)
        kl = (codes * (codes * n).clamp(min=1e-300).log()).sum(1)
        with torch.no_grad():
            above = (rounded(plan) * p.cost).sum((1, 2))
            off = (codes - 1 / n).abs().sum(1) / 2
        return {"loss": error + weight * kl, "cost": error, "kl": kl, "off": off, "rounded": above}

    return descend("encoder on points", parameters(layers), objective, steps, rate)


def heights(p: Points, replicas: int, steps: int, rate: float, stream: torch.Generator) -> np.ndarray:
    """Dual over one number for each data point: mean_i min_j (c_ij - h_j) + mean_j h_j.

    Args:
        p: Point sets and their cost.
        replicas: Number of starts R.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        stream: Random stream of the starts.

    Returns:
        Values (steps + 1, R), bounds from below.
    """
    h = (0.1 * torch.randn(replicas, len(p.real), generator=stream, dtype=torch.float64)).requires_grad_()

    def objective() -> Values:
        return {"loss": -((p.cost - h[:, None]).amin(2).mean(1) + h.mean(1))}

    return -descend("heights", [h], objective, steps, rate)["loss"]


def critic(
    p: Points, replicas: int, steps: int, rate: float, width: int, stream: torch.Generator
) -> tuple[np.ndarray, float]:
    """Dual over networks h: mean_i h(x_i) + mean_j min_i (c_ij - h(x_i)).

    Args:
        p: Point sets and their cost.
        replicas: Number of starts R.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        width: Units of both hidden layers.
        stream: Random stream of the initial weights.

    Returns:
        Values (steps + 1, R), bounds from below, and the last value with max in place of min, averaged over replicas.
    """
    layers = perceptrons(replicas, (2, width, width, 1), stream, torch.float64)

    def value(largest: bool = False) -> Tensor:
        h = apply(layers, p.generated)
        free = p.cost - h
        return h.mean((1, 2)) + (free.amax(1) if largest else free.amin(1)).mean(1)

    series = -descend("critic with c-transform", parameters(layers), lambda: {"loss": -value()}, steps, rate)["loss"]
    return series, float(value(True).detach().mean())


def lipschitz(
    p: Points, pairs: bool, replicas: int, steps: int, rate: float, width: int, stream: torch.Generator
) -> np.ndarray:
    """Dual of W1 over 1-Lipschitz networks: mean h(x) - mean h(y).

    Every weight matrix is divided by its largest singular value, and the activation does not stretch, so no c-transform
    is needed.

    Args:
        p: Point sets and their cost, the distance.
        pairs: Whether the activation sorts pairs (Anil et al. 2019), else ReLU.
        replicas: Number of starts R.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        width: Units of both hidden layers, even where pairs are sorted.
        stream: Random stream of the initial weights.

    Returns:
        Values (steps + 1, R), bounds from below.
    """
    layers = perceptrons(replicas, (2, width, width, 1), stream, torch.float64)

    def objective() -> Values:
        firm: Layers = [(weight / torch.linalg.matrix_norm(weight, 2)[:, None, None], bias) for weight, bias in layers]
        by = sorted_pairs if pairs else torch.relu
        return {"loss": apply(firm, p.real, by).mean((1, 2)) - apply(firm, p.generated, by).mean((1, 2))}

    return -descend("1-Lipschitz critic", parameters(layers), objective, steps, rate)["loss"]


def sorted_pairs(x: Tensor) -> Tensor:
    """Activation that puts neighbours in order and keeps the gradient's norm.

    Args:
        x: Values (..., 2k).

    Returns:
        Values (..., 2k).
    """
    return x.unflatten(-1, (-1, 2)).sort(-1).values.flatten(-2)
