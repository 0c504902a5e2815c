"""The semi-discrete transport map: heights, and all that follows from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.cells2d import Cells, laguerre
from otbench.transport.cells3d import Cells3d, can, cells_in_box
from otbench.transport.sources import Source, from_arrays
from otbench.utils.files import read_npz, whole

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TransportMap:
    """Optimal transport from a source measure to weighted points, given by the Brenier potential u(x) = max_i <x, y_i>
    + h_i.

    target (n, d) float64; heights (n,), in units of <x, y>; weights (n,), summing to 1; source: see `sources`;
    info: how it was solved (method, tolerance, error, steps, seconds, reason), plain JSON values.
    """

    target: np.ndarray
    heights: np.ndarray
    weights: np.ndarray
    source: Source
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """Number of coordinates d."""
        return self.target.shape[1]

    def __len__(self) -> int:
        return len(self.target)

    @property
    def exact(self) -> bool:
        """Whether cells, masses and centroids can be computed exactly: a polygon or rectangle as source, or a box of
        space where the package sdot works.
        """
        return self.source.polygon is not None or can(self.source)

    def cell(self, x: Any) -> Any:
        """Index of the cell of every row of x (m, d): (m,) int64; on a facet or among equal points, the lowest index.

        A numpy array gives an array; a torch tensor is worked on, and answered, in its own type on its own device.
        """
        return self._highest(x)[1]

    def __call__(self, x: Any) -> Any:
        """The map T(x) = y_cell(x), (m, d)."""
        index = self.cell(x)
        if isinstance(index, np.ndarray):
            return self.target[index]
        import torch

        return torch.as_tensor(self.target, dtype=x.dtype, device=x.device)[index]

    def brenier(self, x: Any) -> Any:
        """Brenier potential u(x) = max_i <x, y_i> + h_i, (m,); its gradient is the map."""
        return self._highest(x)[0]

    def kantorovich(self, x: Any) -> Any:
        """Kantorovich potential phi(x) = |x|^2 / 2 - u(x), (m,), for the cost |x - y|^2 / 2."""
        return (x * x).sum(1) / 2 - self.brenier(x)

    @property
    def kantorovich_target(self) -> np.ndarray:
        """Kantorovich potential at the targets, psi_i = |y_i|^2 / 2 + h_i (n,): phi(x) + psi_i <= |x - y_i|^2 / 2,
        equal in cell i.
        """
        return (self.target**2).sum(1) / 2 + self.heights

    def _highest(self, x: Any) -> tuple[Any, Any]:
        import torch

        from otbench.transport.kernel import best

        given = torch.as_tensor(np.ascontiguousarray(x, dtype=np.float64)) if isinstance(x, np.ndarray) else x
        if given.ndim != 2 or given.shape[1] != self.dimension:
            raise OtbenchError(f"map: expected points (m, {self.dimension}), got {tuple(given.shape)}")
        y, h, middle = self._tensors(given)
        value, index = best(given, y, h)
        value = value + given @ middle
        return (value.numpy(), index.numpy()) if isinstance(x, np.ndarray) else (value, index)

    def _tensors(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Target about its middle, heights and the middle, in the type and place of `like` (subtracting <x, middle>
        changes no argmax).
        """
        import torch

        middle = (self.target.max(0) + self.target.min(0)) / 2
        arrays = (self.target - middle, self.heights, middle)
        return tuple(torch.as_tensor(a, dtype=like.dtype, device=like.device) for a in arrays)

    @cached_property
    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Equal target points: the first index of each distinct point (k,), in rising order, and every point's group
        (n,).
        """
        return distinct(self.target)

    @cached_property
    def cells(self) -> Cells | Cells3d:
        """Exact cells of the distinct points, in the order of `groups`; OtbenchError where they cannot be exact."""
        if not self.exact:
            raise OtbenchError(
                "map: exact cells need a source uniform on a polygon or rectangle of the plane, or on a box of space "
                "and the package sdot"
            )
        first, _ = self.groups
        if self.source.polygon is None:
            return cells_in_box(self.target[first], self.heights[first], self.source)
        return laguerre(self.target[first], self.heights[first], self.source.polygon)

    def shares(self, mass: np.ndarray) -> np.ndarray:
        """Mass of each target (n,) from that of each distinct point (k,): equal points share a cell's mass as their
        weights stand.
        """
        _, group = self.groups
        return mass[group] * self.weights / np.bincount(group, weights=self.weights)[group]

    def masses(self, points: int = 1_000_000, seed: int = 1) -> np.ndarray:
        """Mass w_i of every cell (n,): exact where `exact`, else the share among fresh source points."""
        if self.exact:
            return self.shares(self.cells.sizes / self.cells.sizes.sum())
        from otbench.transport.sampling import sampled

        return self.shares(sampled(self, points, seed).mass)

    def centroids(self, points: int = 1_000_000, seed: int = 1) -> np.ndarray:
        """Centre of mass of every cell (n, d): exact where `exact`, else the mean of fresh source points; NaN for an
        empty cell.
        """
        _, group = self.groups
        if self.exact:
            return self.cells.centroids[group]
        from otbench.transport.sampling import sampled

        return sampled(self, points, seed).centroids[group]

    def neighbours(self, points: int = 100_000, seed: int = 1) -> np.ndarray:
        """Pairs (E, 2), i < j, of cells that share a facet: exact where `exact`, else the two highest planes at fresh
        source points.
        """
        first, _ = self.groups
        if self.exact:
            return np.sort(first[self.cells.pairs], axis=1)
        from otbench.transport.sampling import highest_pairs

        return np.unique(np.sort(highest_pairs(self, points, seed), axis=1), axis=0)

    def dual(self, points: int = 1_000_000, seed: int = 1) -> float:
        """Dual value E(h) = mean of u - <weights, h>, to be minimised; its least value is the largest mean of <x,
        T(x)>.
        """
        if self.exact:
            cells, (first, _) = self.cells, self.groups
            mean = ((cells.first * self.target[first]).sum() + cells.sizes @ self.heights[first]) / cells.sizes.sum()
        else:
            from otbench.transport.sampling import sampled

            mean = sampled(self, points, seed).mean_potential
        return float(mean - self.weights @ self.heights)

    def wasserstein(self, points: int = 1_000_000, seed: int = 1) -> float:
        """W2 between source and target by duality: W2^2 = E|x|^2 + sum nu_i |y_i|^2 - 2 E(h), exact up to the dual
        gap.
        """
        # About the two means the large parts cancel before they are squared.
        a, b = self.source.mean, self.weights @ self.target
        spread = np.trace(self.source.covariance) + self.weights @ ((self.target - b) ** 2).sum(1)
        inner = self.dual(points, seed) - a @ b
        return float(np.sqrt(max(0.0, ((a - b) ** 2).sum() + spread - 2 * inner)))

    def certificate(self, points: int | None = None, seed: int = 1) -> dict[str, float]:
        """Numbers that say how good the map is; see `certificate.certificate`."""
        from otbench.transport.certificate import certificate

        return certificate(self, points=points, seed=seed)

    def save(self, path: str | Path) -> None:
        """Write the map to an .npz file, whole or not at all."""
        arrays = {f"source_{name}": value for name, value in self.source.arrays().items()}
        with whole(path) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                target=self.target,
                heights=self.heights,
                weights=self.weights,
                info=np.array(json.dumps(self.info)),
                **arrays,
            )


def load(path: str | Path) -> TransportMap:
    """The map that `TransportMap.save` wrote; OtbenchError where the file is not one."""
    values = read_npz(path, "a transport map written by otbench")
    try:
        source = from_arrays({k.removeprefix("source_"): v for k, v in values.items() if k.startswith("source_")})
        return TransportMap(
            values["target"], values["heights"], values["weights"], source, json.loads(str(values["info"]))
        )
    except (ValueError, KeyError, TypeError) as error:
        raise OtbenchError(
            f"{path} is not a transport map written by otbench ({type(error).__name__}: {error})"
        ) from error


def distinct(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of target (n, d): the first index of each, rising, and every row's group (n,)."""
    _, first, group = np.unique(target, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[group.ravel()]
