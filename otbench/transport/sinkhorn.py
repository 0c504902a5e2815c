"""Entropic transport between point sets with uniform weights, many pairs of sets at once, differentiable.

All in the log domain, so that a small regularisation does not underflow. Sets carry the replicas in front.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from otbench.errors import WorkFailed

#: iterations between two looks at the error of the marginal
EVERY = 10


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_j|^2.

    Args:
        x: Points (R, n, d).
        y: Points (R, m, d).

    Returns:
        Squared distances (R, n, m), 0 or above.
    """
    squares = x.square().sum(-1).unsqueeze(2) + y.square().sum(-1).unsqueeze(1)
    return (squares - 2 * x @ y.transpose(1, 2)).clamp(min=0)


def potentials(
    cost: Tensor, regularisation: Tensor, iterations: int, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The dual potentials after some of Sinkhorn's iterations.

    Args:
        cost: Costs (R, n, m).
        regularisation: eps (R,), in the unit of the cost.
        iterations: Number of updates of both potentials.
        start: Second potential (R, m) to start from; default 0.

    Returns:
        Potentials (R, n) and (R, m) in the unit of the cost. The plan is exp((f_i + g_j - c_ij) / eps) / (n m), whose
        second marginal is uniform after any number of iterations.
    """
    n, m = cost.shape[1:]
    eps = regularisation.reshape(-1, 1)
    kernel = -cost / eps.unsqueeze(2)
    v = cost.new_zeros(len(cost), m) if start is None else start / eps
    u = cost.new_zeros(len(cost), n)
    for _ in range(iterations):
        u = math.log(m) - torch.logsumexp(kernel + v.unsqueeze(1), 2)
        v = math.log(n) - torch.logsumexp(kernel + u.unsqueeze(2), 1)
    return eps * u, eps * v


def plan(cost: Tensor, first: Tensor, second: Tensor, regularisation: Tensor) -> Tensor:
    """The transport plan of potentials.

    Args:
        cost: Costs (R, n, m).
        first: Potential (R, n).
        second: Potential (R, m).
        regularisation: eps (R,).

    Returns:
        Plan (R, n, m), of total mass 1.
    """
    n, m = cost.shape[1:]
    exponent = (first.unsqueeze(2) + second.unsqueeze(1) - cost) / regularisation.reshape(-1, 1, 1)
    return exponent.exp() / (n * m)


def transport_cost(cost: Tensor, regularisation: Tensor, iterations: int) -> Tensor:
    """The cost <P, c> of the entropic plan, differentiable through the iterations.

    Args:
        cost: Costs (R, n, m).
        regularisation: eps (R,).
        iterations: Number of Sinkhorn's iterations.

    Returns:
        Costs (R,).

    Source: Genevay et al. 2018, equation 5 and algorithm 1.
    """
    f, g = potentials(cost, regularisation, iterations)
    return (plan(cost, f, g, regularisation) * cost).sum((1, 2))


def divergence(x: Tensor, y: Tensor, share: float, iterations: int) -> Tensor:
    """W(x, y) - W(x, x) / 2 - W(y, y) / 2, with W the cost of the entropic plan for the squared distance.

    Half of the paper's value, which has 2 W(x, y) - W(x, x) - W(y, y): so it is near W2^2 for a small regularisation.

    Args:
        x: Points (R, n, d).
        y: Points (R, m, d).
        share: Regularisation as a share of the mean cost between x and y, the same in all three terms; the derivative
            takes it as a constant.
        iterations: Number of Sinkhorn's iterations.

    Returns:
        Divergences (R,), exactly 0 where x and y are the same points.

    Source: Genevay et al. 2018, equation 8.
    """
    across = squared_distances(x, y)
    # where all points are one the mean is 0, and any regularisation gives the same plan
    eps = share * across.detach().mean((1, 2)).clamp(min=1e-30)
    costs = [across, *(squared_distances(z, z) for z in (x, y))]
    if x.shape == y.shape:
        # all three in one pass: of small sets the number of operations is what costs
        values = transport_cost(torch.cat(costs), eps.repeat(3), iterations).unflatten(0, (3, -1))
    else:
        values = torch.stack([transport_cost(cost, eps, iterations) for cost in costs])
    return values[0] - (values[1] + values[2]) / 2


def settled(cost: Tensor, regularisation: float, tolerance: float, most: int = 5000) -> tuple[Tensor, Tensor, float]:
    """The dual potentials of one pair of sets once the plan's marginals are right.

    Regularisations fall tenfold from the mean cost down to the one that is asked for, each started from the last.

    Args:
        cost: Costs (n, m), float64.
        regularisation: eps, in the unit of the cost.
        tolerance: Error of the first marginal at which it stops, as the sum of absolute differences.
        most: Largest number of iterations at the last regularisation.

    Returns:
        Potentials (n,) and (m,), and the error of the first marginal.

    Raises:
        WorkFailed: Where a potential is not finite.
    """
    failed = WorkFailed(f"sinkhorn: no finite potential at regularisation {regularisation:g}; raise it")
    n, mean = len(cost), float(cost.mean())
    if not math.isfinite(mean):
        raise failed
    steps = max(0, math.ceil(math.log10(max(mean / regularisation, 1.0))))
    second = None
    for k in reversed(range(1, steps + 1)):
        _, second = potentials(cost[None], cost.new_tensor([regularisation * 10**k]), 2 * EVERY, second)
    eps = cost.new_tensor([regularisation])
    error = math.inf
    first = cost.new_zeros(1, n)
    for _ in range(max(1, most // EVERY)):
        first, second = potentials(cost[None], eps, EVERY, second)
        error = float((plan(cost[None], first, second, eps).sum(2) - 1 / n).abs().sum())
        if error <= tolerance or math.isnan(error):
            break
    assert second is not None
    if not (first.isfinite().all() and second.isfinite().all()):
        raise failed
    return first[0], second[0], error


def entropic_map(x: Tensor, target: Tensor, potential: Tensor, regularisation: float) -> Tensor:
    """sum_j w_j(x) y_j with w_j ~ exp((g_j - |x - y_j|^2) / eps).

    At the source points themselves this is the barycentric projection of the entropic plan.

    Args:
        x: Points (n, d).
        target: Target points (m, d).
        potential: Potential g (m,) of the target points, for the cost |x - y|^2.
        regularisation: eps, in the unit of the cost.

    Returns:
        Points (n, d) in the convex hull of the target.

    Source: Pooladian and Niles-Weed 2021, equation 5.
    """
    exponent = (potential - squared_distances(x[None], target[None])[0]) / regularisation
    return exponent.softmax(1) @ target
