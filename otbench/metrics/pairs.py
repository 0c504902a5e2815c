"""What every pairwise metric needs of real and generated rows, whatever the rows are: coordinates or features."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from otbench.data.base import DataSet
from otbench.metrics import neighbours, prd
from otbench.metrics.base import pair_size


class Paired:
    """Neighbours and PRD of one set of samples, each computed when first asked for.

    A subclass holds `dataset`, `samples` (n, ...), `seed` and `device`, and says with `sides` which rows are compared.
    """

    dataset: DataSet
    samples: np.ndarray
    seed: int
    device: str

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """All rows (real, generated), (m, d) and (n, d)."""
        raise AssertionError(f"{type(self).__name__} does not say what it compares")

    @cached_property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Equally many rows (real, generated): seeded subsets without replacement, float64."""
        size = pair_size(self.dataset, len(self.samples))
        streams = np.random.default_rng([self.seed, 0]), np.random.default_rng([self.seed, 1])
        real, generated = (
            values[stream.permutation(len(values))[:size]].astype(np.float64)
            for stream, values in zip(streams, self.sides, strict=True)
        )
        return real, generated

    @cached_property
    def neighbours(self) -> neighbours.Neighbours:
        """Distances to neighbours within and between the two sides."""
        return neighbours.statistics(*self.pair, device=self.device)

    @cached_property
    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """PRD's precision and recall (1001,)."""
        return prd.prd(*self.pair, seed=self.seed, device=self.device)

    @cached_property
    def f_pair(self) -> tuple[float, float]:
        """PRD's (F8, F1/8)."""
        return prd.f_pair(*self.curve)
