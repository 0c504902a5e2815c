"""Critics of the quadratic cost |x - y|^2 / 2, and the generator's step that each implies.

A critic is a Kantorovich potential phi on generated points; the step is Eq. 33 of Lei et al. 2020, x - grad phi(x).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from otbench.metrics.wasserstein import import_ot
from otbench.theory.collaboration.problems import Map
from otbench.theory.shared.maps import sinkhorn
from otbench.theory.shared.perceptrons import perceptron
from otbench.transport import Source, solve
from otbench.utils.rng import generator

Potential = Callable[[Tensor], Tensor]


def stepped(phi: Potential, x: np.ndarray) -> np.ndarray:
    """Generated points after the critic's step x - grad phi(x), the gradient by automatic differentiation.

    Args:
        phi: Potential, points (m, 2) -> (m,).
        x: Generated points (m, 2).

    Returns:
        Points (m, 2) float64.

    Source: Lei et al. (2020), Eq. 33.
    """
    at = torch.as_tensor(x, dtype=torch.float64).requires_grad_()
    gradient = torch.autograd.grad(phi(at).sum(), at)[0]
    return (at - gradient).detach().numpy()


def halved(x: Tensor, y: Tensor) -> Tensor:
    """Cost |x - y|^2 / 2 between all pairs.

    Args:
        x: Points (m, d).
        y: Points (n, d).

    Returns:
        Costs (m, n).
    """
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T) / 2


def transformed(y: np.ndarray, psi: np.ndarray, softness: float = 0.0) -> Potential:
    """C-transform phi(x) = min_j |x - y_j|^2 / 2 - psi_j of a potential on real points.

    Args:
        y: Real points (n, d).
        psi: Potential on them (n,).
        softness: eps > 0: the soft minimum -eps log mean_j exp((psi_j - c) / eps), the smooth potential of entropic
            transport; 0: the minimum.

    Returns:
        Potential, points (m, d) float64 -> (m,).
    """
    points, values = torch.as_tensor(y, dtype=torch.float64), torch.as_tensor(psi, dtype=torch.float64)

    def phi(x: Tensor) -> Tensor:
        left = halved(x, points) - values
        if not softness:
            return left.min(1).values
        return -softness * (torch.logsumexp(-left / softness, 1) - np.log(len(y)))

    return phi


def closed(optimal: Map) -> Potential:
    """Potential of an affine optimal map T(x) = A x + b: phi(x) = |x|^2 / 2 - <x, A x> / 2 - <b, x>.

    Args:
        optimal: Map from points (m, 2) to points (m, 2), affine with symmetric A.

    Returns:
        Potential, points (m, 2) -> (m,).
    """
    b = optimal(np.zeros((1, 2)))[0]
    a, b = torch.as_tensor(optimal(np.eye(2)) - b), torch.as_tensor(b)
    return lambda x: (x.square().sum(1) - (x @ a * x).sum(1)) / 2 - x @ b


def semidiscrete(real: np.ndarray, source: Source) -> Potential:
    """Exact critic between a law uniform on a square and real points: heights by Newton.

    Args:
        real: Real points (n, 2).
        source: Generated law, uniform on a square.

    Returns:
        Potential, points (m, 2) -> (m,).
    """
    solved = solve(real, source=source)
    return transformed(real, solved.kantorovich_target)


def discrete(generated: np.ndarray, real: np.ndarray) -> tuple[Potential, float]:
    """Critic between two samples by POT's network simplex, extended by the c-transform.

    Args:
        generated: Generated points (m, 2).
        real: Real points (n, 2).

    Returns:
        Potential, points (k, 2) -> (k,), and W2^2 / 2 between the samples.
    """
    ot = import_ot()
    cost = ot.dist(generated, real) / 2
    value, log = ot.emd2([], [], cost, log=True, numItermax=10_000_000)
    return transformed(real, log["v"]), float(value)


def entropic(generated: np.ndarray, real: np.ndarray, share: float) -> Potential:
    """Critic of entropic transport by POT's Sinkhorn.

    Args:
        generated: Generated points (m, 2).
        real: Real points (n, 2).
        share: Regularisation, as a share of the mean cost.

    Returns:
        Potential, points (k, 2) -> (k,).
    """
    ot = import_ot()
    cost = ot.dist(generated, real) / 2
    mean = float(cost.mean())
    # POT's scaling vector holds the weights too, which the soft minimum's mean brings in again.
    return transformed(real, share * mean * (sinkhorn(cost / mean, share) + np.log(len(real))), share * mean)


def paired(x: Tensor, y: Tensor) -> Tensor:
    """Partners under the exact plan for the quadratic cost, by POT.

    Args:
        x: Points (m, d).
        y: Points (m, d).

    Returns:
        Places (m,) in y of the partners of x.
    """
    ot = import_ot()
    cost = ot.dist(x.double().numpy(), y.double().numpy())
    return torch.as_tensor(ot.emd([], [], cost).argmax(1))


class Smooth(nn.Module):
    """A critic (m, 2) -> (m,): three hidden layers with SiLU, the last layer zero, so that it starts at phi = 0."""

    def __init__(self, width: int, stream: torch.Generator) -> None:
        super().__init__()
        self.body = perceptron(2, 1, width, nn.SiLU, stream)
        last = self.body[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).squeeze(1)


def warm() -> None:
    """Run one small training step, so that its imports and set-up are not counted in a critic's seconds."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([weight])
    weight.square().sum().backward()
    optimiser.step()


def dual(phi: Potential, x: Tensor, y: Tensor) -> Tensor:
    """Kantorovich's dual value: mean of phi over x and of its c-transform over y, the minimum taken over x.

    Args:
        phi: Potential, points (m, 2) -> (m,).
        x: Generated points (m, 2).
        y: Real points (n, 2).

    Returns:
        Value ().
    """
    values = phi(x)
    return values.mean() + (halved(y, x) - values).min(1).values.mean()


def trained(
    generated: np.ndarray, real: np.ndarray, steps: list[int], width: int, rate: float, seed: int
) -> Iterator[tuple[int, Potential, float]]:
    """Network as critic, which ascends the dual on two samples.

    Args:
        generated: Generated points (m, 2).
        real: Real points (n, 2).
        steps: Numbers of steps at which it is asked, rising.
        width: Units of each of the three hidden layers.
        rate: Learning rate of Adam.
        seed: Seed of the initial weights.

    Yields:
        Step, potential so far (points (k, 2) -> (k,) float64), and its dual value, a lower bound of W2^2 / 2 between
        the samples.
    """
    critic = Smooth(width, generator(seed, "collaboration/critic"))
    optimiser = torch.optim.Adam(critic.parameters(), rate)
    x, y = (torch.as_tensor(sample, dtype=torch.float32) for sample in (generated, real))
    done = 0
    for last in steps:
        for _ in range(last - done):
            optimiser.zero_grad()
            (-dual(critic, x, y)).backward()
            optimiser.step()
        done = last
        with torch.no_grad():
            value = float(dual(critic, x, y))
        yield last, lambda z: critic(z.float()).double(), value
