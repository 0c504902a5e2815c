"""ReLU networks taught the exact map x -> T(x), and the share of their points that falls where the target has none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from otbench.theory.singular_sets.targets import AWAY, HOLE, RADIUS, Case, distance_to, outside_by

Layers = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Schedule:
    """How every network is trained: Adam, learning rate falling linearly to zero, mean squared error."""

    steps: int
    batch: int
    rate: float
    pool: int = 20_000


@dataclass(frozen=True)
class Outcome:
    """What one network does to fresh source points x (m, 2): its points y (m, 2), which of them lie in the gap, and
    numbers.

    gap: share in the gap between the parts of the target (the strip between the clusters, the ring's hole), `tolerance`
    away from them; off: share farther than the tolerance from the target at all; lipschitz: the largest stretching seen
    (a lower bound of the Lipschitz constant); product: the product of the layers' spectral norms (an upper bound of
    it); least: the least share in the gap that a map of Lipschitz constant `lipschitz` can have; proven: the same from
    `product`; winds: how often the image of the source's edge goes round the hole; near, anywhere: median distance to
    the singular set of the source points sent into the gap, and of all.
    """

    y: np.ndarray
    astray: np.ndarray
    numbers: dict[str, float]


def networks(width: int, depth: int, generators: list[torch.Generator]) -> Layers:
    """ReLU networks R^2 -> R^2, one a generator, with He's initialisation.

    Args:
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        generators: Random streams of the initial weights, one a network (S).

    Returns:
        Layers of weights (S, in, out) and biases (S, 1, out).
    """
    sizes = [2] + [width] * depth + [2]
    layers = []
    for m, n in zip(sizes[:-1], sizes[1:], strict=True):
        weight = torch.stack([torch.randn(m, n, generator=g) * math.sqrt(2 / m) for g in generators])
        layers.append((weight.requires_grad_(), torch.zeros(len(generators), 1, n, requires_grad=True)))
    return layers


def forward(layers: Layers, x: torch.Tensor) -> torch.Tensor:
    """Networks at points.

    Args:
        layers: Layers of S networks.
        x: Points (S, m, 2).

    Returns:
        Points (S, m, 2).
    """
    for k, (weight, bias) in enumerate(layers):
        x = torch.baddbmm(bias, x, weight)
        x = torch.relu(x) if k + 1 < len(layers) else x
    return x


def train(case: Case, width: int, depth: int, seeds: list[int], schedule: Schedule) -> Layers:
    """Networks taught the map of a case on fresh batches of source points, one a seed.

    A seed's answer is its alone, but for the source points: all are drawn from one pool, of the first seed.

    Args:
        case: Target with its exact map.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        seeds: Seeds of the initial weights and of the batches (S).
        schedule: How every network is trained.

    Returns:
        Layers of S networks, without gradients.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    layers = networks(width, depth, generators)
    x = case.transport.source.sample(schedule.pool, np.random.default_rng(seeds[0]))
    y = torch.as_tensor(case.transport(x), dtype=torch.float32)
    x = torch.as_tensor(x, dtype=torch.float32)
    optimiser = torch.optim.Adam([part for layer in layers for part in layer], lr=schedule.rate)
    for step in range(schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate * (1 - step / schedule.steps)
        index = torch.stack([torch.randint(len(x), (schedule.batch,), generator=g) for g in generators])
        loss = ((forward(layers, x[index]) - y[index]) ** 2).sum(2).mean(1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [(weight.detach(), bias.detach()) for weight, bias in layers]


def judge(case: Case, layers: Layers, x: np.ndarray, tolerance: float) -> list[Outcome]:
    """What each network does to source points.

    Args:
        case: Target with its exact map.
        layers: Layers of S networks.
        x: Source points (m, 2).
        tolerance: Distance from the target's support that is forgiven.

    Returns:
        Outcomes, one a network.
    """
    seeds = len(layers[0][0])
    given = torch.as_tensor(x, dtype=torch.float32).expand(seeds, -1, -1)
    edge = _edge(case)
    around = forward(layers, torch.as_tensor(edge, dtype=torch.float32).expand(seeds, -1, -1)).double().numpy()
    y, stretch = _stretching(layers, given)
    truth, away = case.transport(x), distance_to(case.ridge, x)
    products = torch.stack([torch.linalg.matrix_norm(weight, 2) for weight, _ in layers]).prod(0).tolist()
    outcomes = []
    for s in range(seeds):
        astray, least = _gap(case, y[s], tolerance)
        winds = _winding(around[s])
        lipschitz = float(stretch[s].max())
        numbers = {
            "gap": float(astray.mean()),
            "off": float((outside_by(case.name, y[s]) > tolerance).mean()),
            "error": float(((y[s] - truth) ** 2).sum(1).mean()),
            "lipschitz": lipschitz,
            "product": products[s],
            "least": least(lipschitz, winds),
            "proven": least(products[s], winds),
            "winds": winds,
            "near": float(np.median(away[astray])) if astray.any() else float("nan"),
            "anywhere": float(np.median(away)),
        }
        outcomes.append(Outcome(y[s], astray, numbers))
    return outcomes


def gap_bound(half: float, lipschitz: float, masses: tuple[float, float], diameter: float) -> float:
    """Least mass that a map of a Lipschitz constant sends into a strip between two clusters.

    The preimages of the two sides stand t = 2 half / lipschitz apart, and of a convex set the mass between two parts is
    at least 2 t / diameter times the smaller (Dyer and Frieze, 1991).

    Args:
        half: Half width of the strip.
        lipschitz: Lipschitz constant of the map.
        masses: What the map sends beyond the strip on either side.
        diameter: Diameter of the source.

    Returns:
        Share of the source's mass.
    """
    return 4 * half / (lipschitz * diameter) * min(masses)


def hole_bound(radius: float, lipschitz: float, winds: float, area: float) -> float:
    """Least mass that a map of a Lipschitz constant sends into a disk which the image of the source's edge winds round.

    Such a map covers the disk (degree), and multiplies no area by more than the constant squared.

    Args:
        radius: Radius of the disk.
        lipschitz: Lipschitz constant of the map.
        winds: How often the image of the edge winds round the disk.
        area: Area of the source.

    Returns:
        Share of the source's mass; 0 where the image does not wind.
    """
    return math.pi * radius**2 / (lipschitz**2 * area) if winds else 0.0


def _gap(case: Case, y: np.ndarray, tolerance: float):
    """Which of y (m, 2) lie in the gap, and the bound of their share, given Lipschitz constant and winding."""
    corners = case.transport.source.polygon
    if case.name == "annulus":
        radius = HOLE - tolerance
        area = float(case.transport.cells.areas.sum())
        return np.hypot(*y.T) < radius, lambda constant, winds: hole_bound(radius, constant, winds, area)
    half = AWAY - RADIUS - tolerance
    sides = float((y[:, 0] <= -half).mean()), float((y[:, 0] >= half).mean())
    diameter = float(np.linalg.norm(corners[:, None] - corners[None], axis=2).max())
    return np.abs(y[:, 0]) < half, lambda constant, winds: gap_bound(half, constant, sides, diameter)


def _stretching(layers: Layers, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The networks at x (S, m, 2) and the largest singular value of their Jacobians there (S, m)."""
    x = x.clone().requires_grad_()
    y = forward(layers, x)
    # No sample's output depends on another sample's input, so one gradient of the sum is a row of every Jacobian.
    rows = [torch.autograd.grad(y[..., c].sum(), x, retain_graph=c == 0)[0] for c in range(2)]
    jacobian = torch.stack(rows, dim=-2).double()
    return y.detach().double().numpy(), torch.linalg.matrix_norm(jacobian, 2).numpy()


def _edge(case: Case, steps: int = 16) -> np.ndarray:
    corners = case.transport.source.polygon
    following = np.roll(corners, -1, axis=0)
    share = (np.arange(steps) / steps)[None, :, None]
    return (corners[:, None] * (1 - share) + following[:, None] * share).reshape(-1, 2)


def _winding(loop: np.ndarray) -> float:
    """How often a closed polyline (m, 2) goes round the origin."""
    angle = np.arctan2(loop[:, 1], loop[:, 0])
    step = np.diff(np.concatenate([angle, angle[:1]]))
    return float(np.round((np.mod(step + np.pi, 2 * np.pi) - np.pi).sum() / (2 * np.pi)))
