"""Source measures: the laws from which transport starts (uniform on a box, a ball or a convex polygon, or Gaussian).

The named source "cube" is the cube of side one *centred at the origin*, [-1/2, 1/2]^d, as in the AE-OT code; moving a
source by s only adds -<s, y_i> to the heights. "gaussian" is N(0, I), "ball" the ball of radius one about the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.errors import OtbenchError

if TYPE_CHECKING:
    import torch

KINDS = ("box", "ball", "gaussian", "polygon")


@dataclass(frozen=True)
class Source:
    """A source measure of total mass one on R^d.

    kind: box, ball, gaussian or polygon. box: `low`, `high` (d,); ball: `centre` (d,), `radius`; gaussian: `centre`
    (d,), `scale` (d,) standard deviations; polygon (d = 2): `vertices` (V, 2), convex, counter-clockwise.
    """

    kind: str
    # Any, not None: which of them are there depends on the kind alone.
    low: np.ndarray | Any = None
    high: np.ndarray | Any = None
    centre: np.ndarray | Any = None
    radius: float = 1.0
    scale: np.ndarray | Any = None
    vertices: np.ndarray | Any = None

    @property
    def dimension(self) -> int:
        """Number of coordinates d."""
        for values in (self.low, self.centre):
            if values is not None:
                return len(values)
        return 2

    @property
    def mean(self) -> np.ndarray:
        """Mean (d,)."""
        if self.kind == "box":
            return (self.low + self.high) / 2
        if self.kind == "polygon":
            return _polygon_moments(self.vertices)[1]
        return np.asarray(self.centre, float)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance matrix (d, d)."""
        if self.kind == "box":
            return np.diag((self.high - self.low) ** 2 / 12)
        if self.kind == "ball":
            return np.eye(self.dimension) * self.radius**2 / (self.dimension + 2)
        if self.kind == "gaussian":
            return np.diag(np.asarray(self.scale, float) ** 2)
        return _polygon_moments(self.vertices)[2]

    @property
    def second_moment(self) -> float:
        """E |x|^2."""
        return float(np.trace(self.covariance) + self.mean @ self.mean)

    @property
    def product(self) -> bool:
        """Whether the coordinates are independent (box and Gaussian): what product sampling needs."""
        return self.kind in ("box", "gaussian")

    @property
    def polygon(self) -> np.ndarray | Any:
        """The support as a convex counter-clockwise polygon (V, 2) where cells can be computed exactly, else None."""
        if self.kind == "polygon":
            return self.vertices
        if self.kind == "box" and self.dimension == 2:
            (a, b), (c, d) = self.low, self.high
            return np.array([[a, b], [c, b], [c, d], [a, d]], float)
        return None

    def sample(self, m: int, generator: np.random.Generator) -> np.ndarray:
        """Draw points with a numpy generator.

        Args:
            m: Number of points.
            generator: Stream of the points.

        Returns:
            Points (m, d) float64.
        """
        d = self.dimension
        if self.kind == "box":
            return self.low + (self.high - self.low) * generator.random((m, d))
        if self.kind == "polygon":
            return _in_polygon(self.vertices, m, generator)
        x = generator.standard_normal((m, d))
        if self.kind == "gaussian":
            return self.centre + self.scale * x
        x *= (self.radius * generator.random(m) ** (1 / d) / np.linalg.norm(x, axis=1))[:, None]
        return self.centre + x

    def sample_torch(
        self, m: int, generator: torch.Generator, dtype: torch.dtype | None = None, columns: slice | None = None
    ) -> torch.Tensor:
        """Draw points on the generator's device.

        Args:
            m: Number of points.
            generator: Stream of the points.
            dtype: Type of the points; default: float32.
            columns: Coordinates of a product source that are drawn; default: all.

        Returns:
            Points (m, d), or (m, number of columns).
        """
        import torch

        dtype = dtype or torch.float32
        device = generator.device
        columns = columns or slice(None)

        def constant(values: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.asarray(values, float)[columns], dtype=dtype, device=device)

        if self.kind == "box":
            low, width = constant(self.low), constant(self.high - self.low)
            return torch.rand((m, len(low)), generator=generator, dtype=dtype, device=device).mul_(width).add_(low)
        if self.kind == "polygon":
            seed = int(torch.randint(2**62, (1,), generator=generator, device=device))
            points = _in_polygon(self.vertices, m, np.random.default_rng(seed))
            return torch.as_tensor(points, dtype=dtype, device=device)
        centre = constant(self.centre)
        x = torch.randn((m, len(centre)), generator=generator, dtype=dtype, device=device)
        if self.kind == "gaussian":
            return x.mul_(constant(self.scale)).add_(centre)
        r = torch.rand((m, 1), generator=generator, dtype=dtype, device=device) ** (1 / len(centre))
        return x * (self.radius * r / x.norm(dim=1, keepdim=True)) + centre

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether points lie in the support.

        Args:
            x: Points (m, d).

        Returns:
            Mask (m,).
        """
        x = np.asarray(x, float)
        if self.kind == "box":
            return np.all((x >= self.low) & (x <= self.high), axis=1)
        if self.kind == "ball":
            return np.linalg.norm(x - self.centre, axis=1) <= self.radius
        if self.kind == "gaussian":
            return np.ones(len(x), bool)
        p, q = self.vertices, np.roll(self.vertices, -1, axis=0)
        side = (q - p)[None, :, 0] * (x[:, None, 1] - p[:, 1]) - (q - p)[None, :, 1] * (x[:, None, 0] - p[:, 0])
        return np.all(side >= -1e-12, axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that `from_arrays` needs, as arrays without pickle.

        Returns:
            Arrays by name: kind, radius, and those attributes that are set.
        """
        values = {"kind": np.array(self.kind), "radius": np.array(float(self.radius))}
        for name in ("low", "high", "centre", "scale", "vertices"):
            if getattr(self, name) is not None:
                values[name] = np.asarray(getattr(self, name), float)
        return values


def from_arrays(values: dict[str, np.ndarray]) -> Source:
    """The source that `Source.arrays` described.

    Args:
        values: Arrays by name.

    Returns:
        The source.
    """
    values = dict(values)
    return Source(kind=str(values.pop("kind")), radius=float(values.pop("radius")), **values)


def box(low: Any, high: Any) -> Source:
    """Uniform measure on a box.

    Args:
        low: Lower corner (d,).
        high: Upper corner (d,).

    Returns:
        Source of d dimensions.

    Raises:
        OtbenchError: Where the corners are not finite and of one shape, or one side is not positive.
    """
    low, high = np.atleast_1d(np.asarray(low, float)), np.atleast_1d(np.asarray(high, float))
    if low.shape != high.shape or low.ndim != 1 or not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise OtbenchError(f"source box: expected two corners of one shape (d,), got {low.shape} and {high.shape}")
    if not (high > low).all():
        raise OtbenchError("source box: every upper limit must lie above the lower limit")
    return Source("box", low=low, high=high)


def ball(d: int, radius: float = 1.0, centre: Any = None) -> Source:
    """Uniform measure on a ball.

    Args:
        d: Number of coordinates.
        radius: Radius of the ball.
        centre: Centre (d,); the origin by default.

    Returns:
        Source of d dimensions.

    Raises:
        OtbenchError: Where the radius is not positive and finite.
    """
    if not radius > 0 or not math.isfinite(radius):
        raise OtbenchError(f"source ball: expected a positive radius, got {radius}")
    return Source("ball", centre=np.zeros(d) if centre is None else np.asarray(centre, float), radius=float(radius))


def gaussian(d: int, scale: Any = 1.0, centre: Any = None) -> Source:
    """Gaussian measure with independent coordinates.

    Args:
        d: Number of coordinates.
        scale: Standard deviation, a number or (d,).
        centre: Mean (d,); the origin by default.

    Returns:
        Source of d dimensions.

    Raises:
        OtbenchError: Where a standard deviation is not positive.
    """
    scale = np.broadcast_to(np.asarray(scale, float), (d,)).copy()
    if not (scale > 0).all():
        raise OtbenchError("source gaussian: expected positive standard deviations")
    return Source("gaussian", centre=np.zeros(d) if centre is None else np.asarray(centre, float), scale=scale)


def polygon(vertices: Any) -> Source:
    """Uniform measure on a convex polygon.

    Args:
        vertices: Corners (V, 2) in order, in either orientation.

    Returns:
        Source of two dimensions, its vertices counter-clockwise.

    Raises:
        OtbenchError: Where there are fewer than three finite vertices, or the polygon is not strictly convex.
    """
    vertices = np.asarray(vertices, float)
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3 or not np.isfinite(vertices).all():
        raise OtbenchError(f"source polygon: expected at least three finite vertices (V, 2), got {vertices.shape}")
    p, q = vertices - vertices[0], np.roll(vertices, -1, axis=0) - vertices[0]
    if (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() < 0:
        vertices = vertices[::-1].copy()
    edge = np.roll(vertices, -1, axis=0) - vertices
    turn = edge[:, 0] * np.roll(edge[:, 1], -1) - edge[:, 1] * np.roll(edge[:, 0], -1)
    if not (turn > 0).all() or not math.isclose(_turning(edge), 2 * math.pi, rel_tol=1e-6):
        raise OtbenchError("source polygon: the vertices must be in order round a strictly convex polygon")
    return Source("polygon", vertices=vertices)


def named(source: str | Source, d: int) -> Source:
    """The source of a name, or a given Source checked against the dimension.

    Args:
        source: "cube" or "uniform", "ball", "gaussian", or a Source.
        d: Number of coordinates.

    Returns:
        Source of d dimensions.

    Raises:
        OtbenchError: Where the name is unknown, or the Source has another dimension.
    """
    if isinstance(source, Source):
        if source.dimension != d:
            raise OtbenchError(f"source: it has {source.dimension} coordinates and the target has {d}")
        return source
    if source in ("cube", "uniform"):
        return box(np.full(d, -0.5), np.full(d, 0.5))
    if source == "ball":
        return ball(d)
    if source == "gaussian":
        return gaussian(d)
    raise OtbenchError(f"source: expected cube, uniform, ball, gaussian or a Source, got {source!r}")


def _turning(edge: np.ndarray) -> float:
    angle = np.arctan2(edge[:, 1], edge[:, 0])
    return float(((np.roll(angle, -1) - angle + np.pi) % (2 * np.pi) - np.pi).sum())


def _polygon_moments(vertices: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Signed area, centroid and covariance of the uniform law on a polygon (Green's formulas about the first
    vertex).
    """
    p = vertices - vertices[0]
    q = np.roll(p, -1, axis=0)
    cross = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    area = cross.sum() / 2
    first = ((p + q) * cross[:, None]).sum(axis=0) / (6 * area)
    pq = p[:, :, None] * q[:, None, :]
    pairs = p[:, :, None] * p[:, None, :] + q[:, :, None] * q[:, None, :] + (pq + pq.transpose(0, 2, 1)) / 2
    second = (pairs * cross[:, None, None]).sum(axis=0) / (12 * area)
    return float(area), vertices[0] + first, second - np.outer(first, first)


def _in_polygon(vertices: np.ndarray, m: int, generator: np.random.Generator) -> np.ndarray:
    """Uniform points (m, 2) in a convex polygon, by a fan of triangles."""
    a, b, c = vertices[0], vertices[1:-1] - vertices[0], vertices[2:] - vertices[0]
    area = np.abs(b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    triangle = generator.choice(len(area), size=m, p=area / area.sum())
    u, v = generator.random((2, m, 1))
    flip = (u + v) > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    return a + u * b[triangle] + v * c[triangle]
