"""Losses between two parallel lines, and what they tell a generator: closed forms and estimates from samples.

Real points are (0, Z), generated ones (theta, Z), Z uniform on [0, 1] (Arjovsky et al. 2017, Example 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from otbench.metrics.wasserstein import import_ot
from otbench.theory.shared.perceptrons import Layers, apply, parameters, perceptrons
from otbench.utils.progress import Bar

LOG2 = math.log(2)
DIRECTIONS = 64


def exact(theta: float) -> dict[str, float]:
    """Closed forms of the losses between the two lines.

    Sliced: along a direction at angle a the two projections are a shift by theta cos(a) apart, so the mean over
    directions is 2 |theta| / pi.

    Args:
        theta: Offset of the generated line.

    Returns:
        W1 (w1), sliced W1 (sliced), JS (js, nats), KL (kl, nats, either way round) and total variation (tv).
    """
    apart = theta != 0
    return {
        "w1": abs(theta),
        "sliced": 2 * abs(theta) / math.pi,
        "js": LOG2 if apart else 0.0,
        "kl": math.inf if apart else 0.0,
        "tv": 1.0 if apart else 0.0,
    }


def chance(n: int) -> float:
    """Expected W1 of two samples of one and the same line, for large n.

    Integral over t of E|F_n(t) - G_n(t)|, the difference of two empirical distribution functions being about normal
    with variance 2 t (1 - t) / n: sqrt(2 / pi) sqrt(2 / n) pi / 8.

    Args:
        n: Points of each sample.

    Returns:
        Distance in units of the line's length.
    """
    return math.sqrt(2 / math.pi) * math.sqrt(2 / n) * math.pi / 8


def line(theta: float, n: int, draw: np.random.Generator) -> np.ndarray:
    """Points of a line.

    Args:
        theta: Offset of the line along x.
        n: Number of points.
        draw: Random stream.

    Returns:
        Points (n, 2).
    """
    return np.column_stack([np.full(n, theta), draw.random(n)])


def transport(real: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """W1 of two samples by POT's exact plan, and its derivative when all generated points move along x.

    At a fixed optimal plan P (envelope theorem): sum of P_ij (y_j - x_i)_1 / |y_j - x_i|, without points that coincide.

    Args:
        real: Real points (n, 2).
        generated: Generated points (m, 2).

    Returns:
        W1 and its derivative.
    """
    ot = import_ot()
    apart = generated[None] - real[:, None]
    cost = np.linalg.norm(apart, axis=2)
    plan = ot.emd([], [], cost)
    slope = np.divide(apart[..., 0], cost, out=np.zeros_like(cost), where=cost > 0)
    return float((plan * cost).sum()), float((plan * slope).sum())


def sliced(real: np.ndarray, generated: np.ndarray) -> float:
    """Sliced W1 of two samples by POT, over directions evenly spread on the half circle.

    Args:
        real: Real points (n, 2).
        generated: Generated points (m, 2).

    Returns:
        Distance.
    """
    angles = (np.arange(DIRECTIONS) + 0.5) * np.pi / DIRECTIONS
    ways = np.stack([np.cos(angles), np.sin(angles)])
    return float(import_ot().sliced_wasserstein_distance(real, generated, projections=ways, p=1))


def histogram(real: np.ndarray, generated: np.ndarray, bins: int) -> dict[str, float]:
    """JS, KL(real | generated) and total variation of two samples from square cells.

    A cell is centred on x = 0, so lines less than half a side apart fall into the same cells.

    Args:
        real: Real points (n, 2).
        generated: Generated points (m, 2).
        bins: Cells for a unit of length: their side is 1 / bins.

    Returns:
        Estimates js (nats), kl (nats, infinite where a real point's cell holds no generated one) and tv.
    """
    cells = [np.column_stack([np.round(p[:, 0] * bins), np.floor(p[:, 1] * bins)]) for p in (real, generated)]
    _, which = np.unique(np.concatenate(cells), axis=0, return_inverse=True)
    n, kinds = len(real), int(which.max()) + 1
    p = np.bincount(which.ravel()[:n], minlength=kinds) / n
    q = np.bincount(which.ravel()[n:], minlength=kinds) / len(generated)
    middle = (p + q) / 2
    return {"js": (_kl(p, middle) + _kl(q, middle)) / 2, "kl": _kl(p, q), "tv": float(np.abs(p - q).sum() / 2)}


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    inside = p > 0
    if (q[inside] == 0).any():
        return math.inf
    return float((p[inside] * np.log(p[inside] / q[inside])).sum())


def from_samples(thetas: Sequence[float], n: int, bins: int, seeds: int, draw: np.random.Generator) -> dict:
    """Estimates from samples for every theta and seed.

    Args:
        thetas: Offsets of the generated line (T,).
        n: Points of each line.
        bins: Histogram cells for a unit of length.
        seeds: Number of repetitions S.
        draw: Random stream.

    Returns:
        Estimates by name, each (T, S): w1, slope (its derivative), sliced, and the histogram's js, kl, tv.
    """
    names = ("w1", "slope", "sliced", "js", "kl", "tv")
    estimates = {name: np.zeros((len(thetas), seeds)) for name in names}
    with Bar("parallel lines, samples", len(thetas) * seeds) as bar:
        for at, theta in enumerate(thetas):
            for seed in range(seeds):
                real, generated = line(0.0, n, draw), line(theta, n, draw)
                estimates["w1"][at, seed], estimates["slope"][at, seed] = transport(real, generated)
                estimates["sliced"][at, seed] = sliced(real, generated)
                for name, value in histogram(real, generated, bins).items():
                    estimates[name][at, seed] = value
                bar.update(at * seeds + seed + 1)
    return estimates


def discriminators(
    thetas: Sequence[float], seeds: int, steps: Sequence[int], batch: int, width: int, stream: torch.Generator
) -> dict[str, np.ndarray]:
    """What discriminators trained against fixed generators tell.

    Training points are drawn afresh at every step, so that nothing can be memorised.

    Args:
        thetas: Offsets of the generated line (T,).
        seeds: Number of repetitions S.
        steps: Numbers of steps at which they are asked (K,).
        batch: Points of each line in a batch.
        width: Units of both hidden layers.
        stream: Random stream.

    Returns:
        Estimates by name, each (K, T, S). js: log 2 + (E log D(real) + E log(1 - D(generated))) / 2 on fresh points, in
        expectation a lower bound of JS for every D (Goodfellow et al. 2014, Eq. 4 to 6). minimax: d/dtheta of E log(1 -
        D). ns, the non-saturating loss: d/dtheta of -E log D.
    """
    where = torch.tensor(list(thetas)).repeat_interleave(seeds)
    layers = perceptrons(len(where), (2, width, width, 1), stream, torch.float32)
    optimiser = torch.optim.Adam(parameters(layers), lr=2e-3)
    series: dict[str, list[np.ndarray]] = {"js": [], "minimax": [], "ns": []}
    with Bar("parallel lines, discriminators", max(steps)) as bar:
        for step in range(max(steps) + 1):
            if step in steps:
                answers = _told(layers, where, stream)
                for name, values in answers.items():
                    series[name].append(values.reshape(len(thetas), seeds))
            real, generated = lines(where, batch, stream)
            loss = softplus(-apply(layers, real)).mean((1, 2)) + softplus(apply(layers, generated)).mean((1, 2))
            optimiser.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimiser.step()
            bar.update(step, f"loss {loss.mean().item():.3f}")
    return {name: np.stack(values).astype(np.float64) for name, values in series.items()}


def lines(theta: Tensor, batch: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Real and generated points for several offsets; gradients flow to theta.

    Args:
        theta: Offsets (R,).
        batch: Points of each line, B.
        stream: Random stream.

    Returns:
        Real and generated points, each (R, B, 2).
    """
    z = torch.rand(2, len(theta), batch, 1, generator=stream)
    moved = theta[:, None, None].expand(-1, batch, 1)
    return torch.cat([torch.zeros_like(z[0]), z[0]], 2), torch.cat([moved, z[1]], 2)


def _told(layers: Layers, where: Tensor, stream: torch.Generator, n: int = 1000) -> dict[str, np.ndarray]:
    theta = where.clone().requires_grad_()
    real, generated = lines(theta, n, stream)
    a, b = apply(layers, real), apply(layers, generated)
    js = LOG2 + (logsigmoid(a).mean((1, 2)) + logsigmoid(-b).mean((1, 2))) / 2
    minimax = torch.autograd.grad(logsigmoid(-b).mean((1, 2)).sum(), theta, retain_graph=True)[0]
    ns = torch.autograd.grad(-logsigmoid(b).mean((1, 2)).sum(), theta)[0]
    return {name: value.detach().numpy() for name, value in (("js", js), ("minimax", minimax), ("ns", ns))}
