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
    """The Jacobian (n, D, d) of a decoder at points z (n, d); D counts all values of a sample.

    decoder: from (n, d) to (n, ...), each row for itself (batch normalisation in eval mode). Forward mode: a decoder
    has few inputs and many outputs. Raises OtbenchError where z is no batch of points.
    """
    if z.ndim != 2:
        raise OtbenchError(f"jacobian: expected points of shape (n, d), got {tuple(z.shape)}")
    return along_axes(lambda points: decoder(points).flatten(1), z)[1]


def along_axes(function: Decoder, z: Tensor) -> tuple[Tensor, Tensor]:
    """The values (n, ...) of a function of each row of z (n, d), and their derivatives (n, ..., d) along the axes."""
    axes = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    # Rows are apart, so one forward-mode pass an axis gives a column of every row's Jacobian.
    pairs = [jvp(function, (z,), (axis.expand_as(z),)) for axis in axes]
    return pairs[0][0], torch.stack([derivative for _, derivative in pairs], dim=-1)


def pullback(decoder: Decoder, z: Tensor) -> Tensor:
    """The metric M = J^T J (n, d, d) of a deterministic decoder at z (n, d) ("Generative Model Part 0", 1.1)."""
    of = jacobian(decoder, z)
    return of.mT @ of


def stochastic_pullback(mean: Decoder, deviation: Decoder, z: Tensor) -> Tensor:
    """The expected metric J_mu^T J_mu + J_sigma^T J_sigma (n, d, d) of x = mu(z) + sigma(z) * noise, at z (n, d).

    mean, deviation: from (n, d) to (n, ...), of the same size. "Generative Model Part 0", 1.2; Arvanitidis et al. 2018,
    Eq. 10.
    """
    return pullback(mean, z) + pullback(deviation, z)


def magnification(metric: Metric, z: Tensor) -> Tensor:
    """sqrt(det M) (n,) at z (n, d): the volume in data space of a unit of latent volume."""
    return torch.linalg.det(metric(z)).clamp_min(0).sqrt()


def metric_derivative(metric: Metric, z: Tensor) -> tuple[Tensor, Tensor]:
    """M (n, d, d) at z (n, d), and dM (n, d, d, d): dM[:, i, j, k] is the derivative of M_ij along axis k."""
    return along_axes(metric, z)


def acceleration(metric: Metric, z: Tensor, velocity: Tensor) -> Tensor:
    """The second derivative (n, d) of a geodesic that is at z (n, d) with this velocity (n, d).

    g'' = -1/2 M^-1 [2 (I kron g'^T) dvec(M)/dg g' - (dvec(M)/dg)^T (g' kron g')] ("Generative Model Part 0", 1.1;
    Arvanitidis et al. 2018, Eq. 6). Raises torch.linalg.LinAlgError where M has no inverse.
    """
    value, derivative = metric_derivative(metric, z)
    along = torch.einsum("nijk,nj,nk->ni", derivative, velocity, velocity)
    across = torch.einsum("nijk,ni,nj->nk", derivative, velocity, velocity)
    return -torch.linalg.solve(value, along - across / 2)
