"""What Wasserstein autoencoders compute: the penalty of the MMD, the loss of the pretraining, noise, falling rates.

Source: Tolstikhin et al. 2018, and its code.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from otbench.nets.replicas import Replicas

#: scales of the kernel in the authors' code, in units of 2 * latent
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
#: uniform noise on +-EDGE becomes Gaussian noise cut at two deviations
EDGE = math.erf(math.sqrt(2))

Schedule = Literal["smooth", "steps", "none"]


def factor(schedule: Schedule, fraction: float) -> float:
    """The factor of a learning rate after a share of the training.

    Args:
        schedule: Rule by which the rate falls.
        fraction: Share of the training, in [0, 1).

    Returns:
        The factor, 1 at the start.
    """
    if schedule == "smooth":
        return 0.01**fraction
    if schedule == "steps":
        return 1.0 if fraction < 0.3 else 0.5 if fraction < 0.5 else 0.1
    return 1.0


def mmd(codes: Tensor, prior: Tensor, scales: tuple[float, ...] = SCALES) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy of two laws, from codes of both.

    The kernel is the sum over the scales s of C / (C + |a - b|^2), C = 2 d s. Pairs of one code with itself are left
    out. The estimate may be negative.

    Args:
        codes: Codes (R, n, d) of one law.
        prior: Codes (R, n, d) of the other.
        scales: Scales s, one a kernel.

    Returns:
        Estimates (R,).

    Source: Tolstikhin et al. 2018, algorithm 2, and code.
    """
    n, d = codes.shape[1:]

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = a.square().sum(-1).unsqueeze(2) + b.square().sum(-1).unsqueeze(1) - 2 * a @ b.transpose(1, 2)
        return sum((2 * d * s / (2 * d * s + squares) for s in scales), squares.new_zeros(()))

    def within(k: Tensor) -> Tensor:
        return (k.sum((1, 2)) - k.diagonal(dim1=1, dim2=2).sum(1)) / (n * (n - 1))

    return within(kernel(codes, codes)) + within(kernel(prior, prior)) - 2 * kernel(codes, prior).mean((1, 2))


def moments(codes: Tensor, prior: Tensor) -> Tensor:
    """Distance of mean and covariance of two sets of codes, each as a mean square.

    Args:
        codes: Codes (R, n, d).
        prior: Codes (R, n, d).

    Returns:
        Sums (R,) of the two mean squares.
    """
    gaps: list[Tensor] = []
    for take in (lambda x: x.mean(1), covariance):
        gaps.append((take(prior) - take(codes)).square().flatten(1).mean(1))
    return gaps[0] + gaps[1]


def covariance(x: Tensor) -> Tensor:
    """Covariances, divided by n - 1.

    Args:
        x: Codes (R, n, d).

    Returns:
        Covariances (R, d, d).
    """
    centred = x - x.mean(1, keepdim=True)
    return centred.transpose(1, 2) @ centred / (x.shape[1] - 1)


def truncated(u: Tensor) -> Tensor:
    """Gaussian noise cut at two deviations, from uniform noise.

    Args:
        u: Uniform noise on [-EDGE, EDGE], EDGE = erf(sqrt(2)), of any shape.

    Returns:
        Noise of deviation 1 before the cut, of the same shape.
    """
    return math.sqrt(2) * torch.erfinv(u)


def mean(x: Tensor) -> Tensor:
    """The mean of each replica.

    Args:
        x: Values (R, ...).

    Returns:
        Means (R,).
    """
    return x.flatten(1).mean(1)


def hold(network: Replicas, before: dict[str, Tensor], active: Tensor) -> None:
    """Give the replicas that are not active the tensors back that they had before.

    Args:
        network: Network that is changed.
        before: Its tensors (R, ...) before, by name.
        active: Replicas (R,) that stay as they are, bool.
    """
    with torch.no_grad():
        for name, tensor in network.state().items():
            tensor.copy_(torch.where(active.view(-1, *[1] * (tensor.ndim - 1)), tensor, before[name]))
