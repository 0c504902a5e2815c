"""Codes to transport to, for the study of scaling: a mixture of Gaussians whose every moment is known."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from otbench.errors import OtbenchError

SIGMA = 0.1
INSIDE = 0.99


@dataclass(frozen=True)
class Codes:
    """A mixture in d dimensions: centres (K, d), N(0, 1) in each coordinate, weights (K,), standard deviation `sigma`.

    Draws are stratified: every mode has its share of the points, so that no luck between modes stands in a score.
    """

    centres: np.ndarray
    weights: np.ndarray
    sigma: float = SIGMA

    @classmethod
    def made(cls, dimension: int, modes: int, seed: int) -> Codes:
        """Mixture of a seed.

        Args:
            dimension: Dimension d.
            modes: Number of Gaussians K.
            seed: Seed of centres and weights.

        Returns:
            The mixture.
        """
        random = np.random.default_rng([seed, dimension, modes])
        weights = 0.5 + random.random(modes)
        return cls(random.standard_normal((modes, dimension)), weights / weights.sum())

    def draw(self, n: int, random: np.random.Generator) -> np.ndarray:
        """Points of the mixture, the modes' counts within one of n times their weights.

        Args:
            n: Number of points.
            random: Random stream.

        Returns:
            Points (n, d), in the order of their modes.
        """
        ends = np.round(np.cumsum(self.weights) * n).astype(int)
        mode = np.repeat(np.arange(len(self.weights)), np.diff(ends, prepend=0))
        return self.centres[mode] + self.sigma * random.standard_normal((n, self.centres.shape[1]))

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """Exact mean `mu` (d,) and covariance `sigma` (d, d)."""
        mean = self.weights @ self.centres
        about = self.centres - mean
        spread = (self.weights[:, None] * about).T @ about
        return {"mu": mean, "sigma": spread + self.sigma**2 * np.eye(len(mean))}

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nearest mode of every point.

        Args:
            points: Points (m, d).

        Returns:
            Modes (m,), and distances (m,) to their centres in units of sigma.
        """
        from scipy.spatial.distance import cdist

        distance = cdist(points, self.centres)
        return distance.argmin(1), distance.min(1) / self.sigma

    @property
    def radius(self) -> float:
        """Radius, in units of sigma, that holds 99 per cent of a mode (chi distribution)."""
        from scipy.stats import chi

        return float(chi.ppf(INSIDE, self.centres.shape[1]))


def floor(n: int, points: float) -> float:
    """Mean relative error that n cells of exactly equal mass show when random points are counted.

    A count is binomial with mean N / n; the mean absolute deviation of the normal law of the same variance gives sqrt(2
    (n - 1) / (pi N)), good from a few points a cell on.

    Args:
        n: Number of cells.
        points: Number of points N.

    Returns:
        Mean relative error.

    Raises:
        OtbenchError: Where there is no cell or no point.
    """
    if n < 1 or points <= 0:
        raise OtbenchError(f"scaling: expected at least one cell and one point, got {n} and {points}")
    return float(np.sqrt(2 * (n - 1) / (np.pi * points)))


class Peak:
    """Most memory held at a time, in bytes: `tensors` of torch, and `arrays` of numpy (both of Python's own too)."""

    tensors = 0
    arrays = 0

    @property
    def total(self) -> int:
        """Their sum: an upper bound, since the two need not peak together."""
        return self.tensors + self.arrays


@contextmanager
def peak() -> Iterator[Peak]:
    """Count of the memory that is held within the context.

    It counts the storage of every tensor that an operation of torch returns, while it lives, and what tracemalloc sees,
    which numpy reports to. Work space within an operation is not seen.

    Yields:
        Peak memory, complete once the context is left.
    """
    import tracemalloc

    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    footprint, live = Peak(), {}
    state = {"now": 0}

    def gone(place: int) -> None:
        size, count = live.get(place, (0, 0))
        if not count:
            return
        live[place] = (size, count - 1)
        if count == 1:
            del live[place]
            state["now"] -= size

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(out):
                if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes():
                    place, size = tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()
                    nbytes, count = live.get(place, (size, 0))
                    live[place] = (nbytes, count + 1)
                    state["now"] += 0 if count else size
                    footprint.tensors = max(footprint.tensors, state["now"])
                    weakref.finalize(tensor, gone, place)
            return out

    with Counting():
        torch.zeros(1).add_(1)  # what torch imports at its first counted operation is none of the caller's memory
    state["now"], footprint.tensors = 0, 0
    live.clear()
    began = not tracemalloc.is_tracing()
    if began:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    try:
        with Counting():
            yield footprint
    finally:
        footprint.arrays = max(0, tracemalloc.get_traced_memory()[1] - before)
        if began:
            tracemalloc.stop()
