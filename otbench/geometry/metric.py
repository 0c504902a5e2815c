"""The pull-back metric of a decoder, its derivative, and the geodesic equation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp

from otbench.errors import OtbenchError

#: from points (n, d) to symmetric matrices (n, d, d)
Metric = Callable[[Tensor], Tensor]
#: from points (n, d) to samples (n, ...)
Decoder = Callable[[Tensor], Tensor]


def jacobian(decoder: Decoder, z: Tensor) -> Tensor:
    """The Jacobian of a decoder, by forward mode: a decoder has few inputs and many outputs.

    Args:
        decoder: From (n, d) to (n, ...), each row for itself (batch normalisation in eval mode).
        z: Points (n, d).

    Returns:
        Jacobians (n, D, d); D counts all values of a sample.

    Raises:
        OtbenchError: Where z is no batch of points.
    """
    if z.ndim != 2:
        raise OtbenchError(f"jacobian: expected points of shape (n, d), got {tuple(z.shape)}")
    return along_axes(lambda points: decoder(points).flatten(1), z)[1]


def along_axes(function: Decoder, z: Tensor) -> tuple[Tensor, Tensor]:
    """The values of a function of each row, and their derivatives along the axes.

    Args:
        function: From (n, d) to (n, ...), each row for itself.
        z: Points (n, d).

    Returns:
        Values (n, ...) and derivatives (n, ..., d).
    """
    axes = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    # Rows are apart, so one forward-mode pass an axis gives a column of every row's Jacobian.
    pairs = [jvp(function, (z,), (axis.expand_as(z),)) for axis in axes]
    return pairs[0][0], torch.stack([pair[1] for pair in pairs], dim=-1)


def pullback(decoder: Decoder, z: Tensor) -> Tensor:
    """The metric M = J^T J of a deterministic decoder.

    Args:
        decoder: From (n, d) to (n, ...), each row for itself.
        z: Points (n, d).

    Returns:
        Matrices M (n, d, d).

    Raises:
        OtbenchError: Where z is no batch of points.

    Source: "Generative Model Part 0", 1.1.
    """
    of = jacobian(decoder, z)
    return of.mT @ of


def stochastic_pullback(mean: Decoder, deviation: Decoder, z: Tensor) -> Tensor:
    """The expected metric J_mu^T J_mu + J_sigma^T J_sigma of x = mu(z) + sigma(z) * noise.

    Args:
        mean: Mean mu, from (n, d) to (n, ...).
        deviation: Standard deviation sigma, from (n, d) to (n, ...), of the same size.
        z: Points (n, d).

    Returns:
        Matrices (n, d, d).

    Raises:
        OtbenchError: Where z is no batch of points.

    Source: "Generative Model Part 0", 1.2; Arvanitidis et al. 2018, Eq. 10.
    """
    return pullback(mean, z) + pullback(deviation, z)


def magnification(metric: Metric, z: Tensor) -> Tensor:
    """The volume in data space of a unit of latent volume, sqrt(det M).

    Args:
        metric: Metric of the latent space.
        z: Points (n, d).

    Returns:
        Volumes (n,).
    """
    return torch.linalg.det(metric(z)).clamp_min(0).sqrt()


def metric_derivative(metric: Metric, z: Tensor) -> tuple[Tensor, Tensor]:
    """A metric M and its derivative dM along the axes.

    Args:
        metric: Metric of the latent space.
        z: Points (n, d).

    Returns:
        M (n, d, d), and dM (n, d, d, d): dM[:, i, j, k] is the derivative of M_ij along axis k.
    """
    return along_axes(metric, z)


def acceleration(metric: Metric, z: Tensor, velocity: Tensor) -> Tensor:
    """The second derivative of a geodesic at a point, given its velocity.

    g'' = -1/2 M^-1 [2 (I kron g'^T) dvec(M)/dg g' - (dvec(M)/dg)^T (g' kron g')].

    Args:
        metric: Metric of the latent space.
        z: Points (n, d).
        velocity: Velocities g' (n, d).

    Returns:
        Accelerations g'' (n, d).

    Raises:
        torch.linalg.LinAlgError: Where M has no inverse.

    Source: "Generative Model Part 0", 1.1; Arvanitidis et al. 2018, Eq. 6.
    """
    value, derivative = metric_derivative(metric, z)
    along = torch.einsum("nijk,nj,nk->ni", derivative, velocity, velocity)
    across = torch.einsum("nijk,ni,nj->nk", derivative, velocity, velocity)
    return -torch.linalg.solve(value, along - across / 2)
