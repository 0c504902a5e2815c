"""The semi-discrete transport map: heights, and all that follows from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.certificate import certificate
from otbench.transport.duality import dual, wasserstein
from otbench.transport.envelope import Envelope
from otbench.transport.sampling import highest_pairs, sampled
from otbench.transport.sources import from_arrays
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write


@dataclass(frozen=True)
class TransportMap(Envelope):
    """Optimal transport from a source measure to weighted points, given by the Brenier potential u(x) = max_i <x, y_i>
    + h_i; attributes as of `Envelope`.
    """

    def masses(self, points: int = 1_000_000, seed: int = 1) -> np.ndarray:
        """Masses of the cells: exact where `exact`, else the shares among fresh source points.

        Args:
            points: Number of source points where cells are not exact.
            seed: Seed of the source points.

        Returns:
            Masses w (n,), summing to 1.
        """
        if self.exact:
            return self.shares(self.cells.sizes / self.cells.sizes.sum())
        return self.shares(sampled(self, points, seed).mass)

    def centroids(self, points: int = 1_000_000, seed: int = 1) -> np.ndarray:
        """Centres of mass of the cells: exact where `exact`, else the means of fresh source points.

        Args:
            points: Number of source points where cells are not exact.
            seed: Seed of the source points.

        Returns:
            Centroids (n, d); NaN for an empty cell.
        """
        _, group = self.groups
        if self.exact:
            return self.cells.centroids[group]
        return sampled(self, points, seed).centroids[group]

    def neighbours(self, points: int = 100_000, seed: int = 1) -> np.ndarray:
        """Cells that share a facet: exact where `exact`, else the two highest planes at fresh source points.

        Args:
            points: Number of source points where cells are not exact.
            seed: Seed of the source points.

        Returns:
            Pairs (E, 2) of cells, i < j.
        """
        first, _ = self.groups
        if self.exact:
            return np.sort(first[self.cells.pairs], axis=1)
        return np.unique(np.sort(highest_pairs(self, points, seed), axis=1), axis=0)

    def dual(self, points: int = 1_000_000, seed: int = 1) -> float:
        """Dual value E(h); see `duality.dual`.

        Args:
            points: Number of source points where cells are not exact.
            seed: Seed of the source points.

        Returns:
            Dual value, in units of <x, y>.
        """
        return dual(self, points, seed)

    def wasserstein(self, points: int = 1_000_000, seed: int = 1) -> float:
        """W2 between source and target by duality; see `duality.wasserstein`.

        Args:
            points: Number of source points where cells are not exact.
            seed: Seed of the source points.

        Returns:
            Distance W2, in units of x.
        """
        return wasserstein(self, points, seed)

    def certificate(self, points: int | None = None, seed: int = 1) -> dict[str, float]:
        """Numbers that say how good the map is; see `certificate.certificate`.

        Args:
            points: Number of source points where cells are not exact; default: as many as `certificate.enough` says.
            seed: Seed of the source points.

        Returns:
            Numbers by name.
        """
        return certificate(self, points=points, seed=seed)

    def save(self, path: str | Path) -> None:
        """Write the map to an .npz file, whole or not at all.

        Args:
            path: Where the map is written, .npz.
        """
        arrays: dict[str, Any] = {f"source_{name}": value for name, value in self.source.arrays().items()}
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                target=self.target,
                heights=self.heights,
                weights=self.weights,
                info=np.array(json.dumps(self.info)),
                **arrays,
            )


def load(path: str | Path) -> TransportMap:
    """The map that `TransportMap.save` wrote.

    Args:
        path: Where the map lies, .npz.

    Returns:
        The map, with its source and info.

    Raises:
        OtbenchError: Where the file is no such map.
    """
    values = read_npz(path, "a transport map written by otbench")
    try:
        source = from_arrays({k.removeprefix("source_"): v for k, v in values.items() if k.startswith("source_")})
        return TransportMap(
            values["target"], values["heights"], values["weights"], source, json.loads(str(values["info"]))
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise OtbenchError(
            f"{path} is not a transport map written by otbench ({type(error).__name__}: {error})"
        ) from error
