"""A precision network of radial basis functions: a decoder's deviation that grows away from the data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from otbench.errors import OtbenchError

#: the least weight of a basis function
FLOOR = 1e-5
#: the bandwidth, in mean distances of a cluster's codes to its centre
SPREAD = 1.25
#: far from the data the deviation is this many times the mean deviation at the codes
FAR = 1000.0


class RBFPrecision(nn.Module):
    """b(z) = W v(z) + zeta (n, D), v_k = exp(-l_k |z - c_k|^2); the deviation is b^(-1/2) (Arvanitidis et al. 2018, 4).

    centres (K, d), rates l (K,), weights W (D, K) from 1e-5 up (kept as logarithms), zeta: the precision far from all
    centres.
    """

    centres: Tensor
    rates: Tensor

    def __init__(self, centres: Tensor, rates: Tensor, weights: Tensor, zeta: float) -> None:
        super().__init__()
        self.register_buffer("centres", centres)
        self.register_buffer("rates", rates)
        self.logarithms = nn.Parameter(weights.clamp_min(FLOOR).log())
        self.zeta = float(zeta)

    def basis(self, z: Tensor) -> Tensor:
        """The basis functions v_k = exp(-l_k |z - c_k|^2).

        Args:
            z: Points (n, d).

        Returns:
            Values v (n, K).
        """
        return torch.exp(-self.rates * (z[:, None] - self.centres).square().sum(-1))

    def forward(self, z: Tensor) -> Tensor:
        """The precision (n, D) at z (n, d)."""
        return self.basis(z) @ self.logarithms.exp().clamp_min(FLOOR).T + self.zeta

    def deviation(self, z: Tensor) -> Tensor:
        """The standard deviation b(z)^(-1/2).

        Args:
            z: Points (n, d).

        Returns:
            Deviations (n, D), in the units of the data.
        """
        return self(z).rsqrt()


def fit_precision(
    codes: np.ndarray,
    log_variance: np.ndarray,
    centres: int = 100,
    steps: int = 300,
    rate: float = 0.05,
    seed: int = 0,
) -> RBFPrecision:
    """The precision network that is nearest to a decoder's log-variance, in float64.

    Centres: k-means; l_k = 1/2 (1.25 s_k)^-2, s_k the mean distance of the cluster's codes to its centre; zeta: a
    thousand times the mean deviation far from the data; loss: mean (log-variance + log b)^2, by Adam over all codes at
    once.

    Args:
        codes: Codes (n, d).
        log_variance: Log-variance (n, D) of the decoder at the codes.
        centres: Number K of basis functions.
        steps: Number of steps of Adam.
        rate: Learning rate of Adam.
        seed: Seed of k-means.

    Returns:
        Fitted network, its parameters frozen.

    Raises:
        OtbenchError: Where there are fewer codes than centres.

    Source: Settings of Arvanitidis et al. 2018, but for the start (the mean precision of each cluster in place of a
    random one) and the logarithms of the weights, which let a few hundred steps do in place of 5,000 passes.
    """
    from sklearn.cluster import KMeans

    if len(codes) < centres:
        raise OtbenchError(f"precision network: {centres} centres need as many codes, got {len(codes)}")
    z = torch.as_tensor(np.asarray(codes, dtype=np.float64))
    target = torch.as_tensor(np.asarray(log_variance, dtype=np.float64))
    clusters = KMeans(centres, n_init=3, random_state=seed).fit(z.numpy())
    middle = torch.from_numpy(np.asarray(clusters.cluster_centers_, dtype=np.float64))
    label = torch.from_numpy(clusters.labels_.astype(np.int64))
    away = (z - middle[label]).norm(dim=1)
    members = torch.bincount(label, minlength=centres).to(z.dtype)
    spread = torch.zeros(centres, dtype=z.dtype).index_add_(0, label, away) / members
    # A cluster of one code has no spread of its own: it takes the usual one.
    spread = torch.where(spread > 1e-3 * spread.median(), spread, spread.median()).clamp_min(1e-6)
    precision = torch.zeros(centres, target.shape[1], dtype=z.dtype).index_add_(0, label, (-target).exp())
    zeta = float((FAR * (target / 2).exp().mean()) ** -2)
    network = RBFPrecision(middle, 0.5 / (SPREAD * spread).square(), (precision / members[:, None]).T, zeta)
    network = network.to(z.dtype)
    search = torch.optim.Adam([network.logarithms], lr=rate)
    for _ in range(steps):
        search.zero_grad()
        (target + network(z).log()).square().mean().backward()
        search.step()
    return network.requires_grad_(False)
