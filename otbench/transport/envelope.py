"""The upper envelope of planes that a Brenier potential is: its cells, its values, its highest plane at a point."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.cells1d import intervals
from otbench.transport.cells2d import Cells, laguerre
from otbench.transport.cells3d import can, cells_in_box
from otbench.transport.sources import Source

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Envelope:
    """The Brenier potential u(x) = max_i <x, y_i> + h_i of a source measure and weighted points, and its cells.

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
        """Whether cells, masses and centroids can be computed exactly: any source on the line, a polygon or rectangle,
        or a box of space where the package sdot works.
        """
        return self.dimension == 1 or self.source.polygon is not None or can(self.source)

    def cell(self, x: Any) -> Any:
        """Cells of points: indices of the highest planes; on a facet or among equal points, the lowest index.

        Args:
            x: Points (m, d), a numpy array or a torch tensor; a tensor is worked on in its own type on its own device.

        Returns:
            Indices (m,) int64, an array for an array and a tensor for a tensor.
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
        """Brenier potential u(x) = max_i <x, y_i> + h_i; its gradient is the map.

        Args:
            x: Points (m, d), a numpy array or a torch tensor.

        Returns:
            Values (m,), an array for an array and a tensor for a tensor.
        """
        return self._highest(x)[0]

    def kantorovich(self, x: Any) -> Any:
        """Kantorovich potential phi(x) = |x|^2 / 2 - u(x), for the cost |x - y|^2 / 2.

        Args:
            x: Points (m, d), a numpy array or a torch tensor.

        Returns:
            Values (m,), an array for an array and a tensor for a tensor.
        """
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
        y, h, centre = (torch.as_tensor(a, dtype=like.dtype, device=like.device) for a in arrays)
        return y, h, centre

    @cached_property
    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Equal target points: the first index of each distinct point (k,), in rising order, and every point's group
        (n,).
        """
        return distinct(self.target)

    @cached_property
    def cells(self) -> Cells | Any:
        """Exact cells of the distinct points, in the order of `groups`; OtbenchError where they cannot be exact."""
        # Any: Cells in the plane, Cells1d on the line, Cells3d in space.
        if not self.exact:
            raise OtbenchError(
                "map: exact cells need a target on the line, a source uniform on a polygon or rectangle of the plane, "
                "or on a box of space and the package sdot"
            )
        first, _ = self.groups
        if self.dimension == 1:
            return intervals(self.target[first], self.heights[first], self.source)
        if self.source.polygon is None:
            return cells_in_box(self.target[first], self.heights[first], self.source)
        return laguerre(self.target[first], self.heights[first], self.source.polygon)

    def shares(self, mass: np.ndarray) -> np.ndarray:
        """Masses of the targets from those of the distinct points; equal points share a cell's mass by their weights.

        Args:
            mass: Masses (k,) of the distinct points' cells.

        Returns:
            Masses (n,) of the targets.
        """
        _, group = self.groups
        return mass[group] * self.weights / np.bincount(group, weights=self.weights)[group]

    @property
    def group_weights(self) -> np.ndarray:
        """Weight of each distinct point (k,): the sum over the points that are equal to it."""
        return np.bincount(self.groups[1], weights=self.weights)


def distinct(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of a target.

    Args:
        target: Points (n, d).

    Returns:
        The first index of each distinct row (k,), rising, and every row's group (n,).
    """
    _, first, group = np.unique(target, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[group.ravel()]
