"""What fresh source points say of a map: masses, centroids, mean potential, neighbouring cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otbench.transport.envelope import Envelope

BATCH = 65_536
GROUPS = 16


@dataclass(frozen=True)
class Sampled:
    """Sums over fresh points, one row a group of points: counts (G, n), potentials (G,) means of u; first (n, d),
    sums of x.
    """

    counts: np.ndarray
    potentials: np.ndarray
    first: np.ndarray

    @property
    def points(self) -> int:
        """Number of points drawn."""
        return int(self.counts.sum())

    @property
    def mass(self) -> np.ndarray:
        """Estimated mass of each distinct point's cell (k,)."""
        return self.counts.sum(0) / self.points

    @property
    def centroids(self) -> np.ndarray:
        """Estimated centres of mass (k, d); NaN where no point fell."""
        counts = self.counts.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(counts[:, None] > 0, self.first / counts[:, None], np.nan)

    @property
    def mean_potential(self) -> float:
        """Mean of u over the points."""
        return float(self.potentials.mean())


def sampled(transport: Envelope, points: int, seed: int, device: str | None = None) -> Sampled:
    """Draw fresh source points and sum over the cells of the distinct targets.

    The stream is the seed's alone; float32 in high dimension, float64 up to d = 3.

    Args:
        transport: Map whose cells are sampled.
        points: Number of points, rounded up to whole groups.
        seed: Seed of the points.
        device: Device that draws and sums; default: the GPU where there is one.

    Returns:
        Sums over the points, by group and by distinct target.
    """
    import torch

    from otbench.transport.kernel import best

    first, _ = transport.groups
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float64 if transport.dimension <= 3 else torch.float32
    generator = torch.Generator(device=device).manual_seed(seed)
    middle = (transport.target.max(0) + transport.target.min(0)) / 2
    y = torch.as_tensor(transport.target[first] - middle, dtype=dtype, device=device)
    h = torch.as_tensor(transport.heights[first], dtype=dtype, device=device)
    across = torch.as_tensor(middle, dtype=torch.float64, device=device)
    size = -(-points // GROUPS)
    counts = np.zeros((GROUPS, len(first)), np.int64)
    potentials = np.zeros(GROUPS)
    sums = torch.zeros((len(first), transport.dimension), dtype=torch.float64, device=device)
    for g in range(GROUPS):
        done = 0
        while done < size:
            x = transport.source.sample_torch(min(BATCH, size - done), generator, dtype)
            value, index = best(x, y, h)
            counts[g] += torch.bincount(index, minlength=len(first)).cpu().numpy()
            wide = x.double()
            potentials[g] += float(value.double().sum() + (wide @ across).sum())
            sums.index_add_(0, index, wide)
            done += len(x)
        potentials[g] /= size
    return Sampled(counts, potentials, sums.cpu().numpy())


def highest_pairs(transport: Envelope, points: int, seed: int) -> np.ndarray:
    """The highest and the second highest plane at fresh source points, among distinct targets.

    Args:
        transport: Map whose planes are compared.
        points: Number m of source points.
        seed: Seed of the points.

    Returns:
        Indices (m, 2) of targets, the highest first.
    """
    return highest_at(transport, transport.source.sample(points, np.random.default_rng(seed)), 2)


def highest_at(transport: Envelope, x: np.ndarray, k: int) -> np.ndarray:
    """The k highest planes at given points, among distinct targets.

    Args:
        transport: Map whose planes are compared.
        x: Points (m, d).
        k: Number of planes; all where there are fewer.

    Returns:
        Indices (m, k) of targets, the highest first.
    """
    import torch

    from otbench.transport.kernel import best_of

    first, _ = transport.groups
    middle = (transport.target.max(0) + transport.target.min(0)) / 2
    y = torch.as_tensor(transport.target[first] - middle)
    _, index = best_of(torch.as_tensor(x), y, torch.as_tensor(transport.heights[first]), k)
    return first[index.numpy()]
