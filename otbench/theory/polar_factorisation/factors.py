"""Brenier's polar factorisation of a map of the disk into the plane: g = T o s.

T is the optimal map from the uniform law of the disk to that of g, s maps the disk to itself and keeps areas. g is
known at n points, each standing for 1/n of the disk; T is then semi-discrete and exact, cell W_i of area 1/n being sent
to g(z_i), and s(z_i) is the centre of mass of W_i, known to the width of a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import Delaunay

from otbench.transport import Source, TransportMap, polygon, solve

CORNERS = 256
#: a triangle is torn where s makes a side so many times longer than the longest there was
TORN = 4.0


def disk() -> Source:
    """The uniform law on the unit disk, as a polygon of 256 corners of the disk's area.

    Returns:
        Source of two dimensions.
    """
    turn = 2 * np.pi * np.arange(CORNERS) / CORNERS
    radius = np.sqrt(2 * np.pi / (CORNERS * np.sin(2 * np.pi / CORNERS)))
    return polygon(radius * np.stack([np.cos(turn), np.sin(turn)], 1))


def spread_out(n: int) -> np.ndarray:
    """Points on the unit disk that stand for equal areas: Vogel's spiral, of the golden angle.

    Args:
        n: Number of points.

    Returns:
        Points (n, 2).
    """
    k = np.arange(n)
    angle, radius = k * np.pi * (3 - np.sqrt(5)), np.sqrt((k + 0.5) / n)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


@dataclass(frozen=True)
class Factors:
    """A map of the disk and its two factors, at the points z (n, 2).

    image: g(z) (n, 2); transport: T; rearranged: s(z) (n, 2).
    """

    z: np.ndarray
    image: np.ndarray
    transport: TransportMap
    rearranged: np.ndarray

    @cached_property
    def triangles(self) -> np.ndarray:
        """Triangles of neighbouring z (m, 3)."""
        return Delaunay(self.z).simplices

    def numbers(self) -> dict[str, float]:
        """How much of the map is transport, and how much a rearrangement.

        Returns:
            Numbers by name.
            moved: E|g - id|^2; least: E|g - s|^2 = W2^2, the least that any map with g's law moves, both from the
            points z and s(z), not from the cells about them; excess: moved - least, which is 2 E<g, s - id>;
            alignment: E<g - mean, id> / E<g - mean, s>, 1 where g is optimal itself.
            rearrangement: E|s - id|^2 over that of an independent pair, 2 E|z|^2: 0 for an optimal g, 1 as if at
            random, 2 for s = -id; left_over: the same after the best rotation or reflection of the disk; angle: of that
            rotation, degrees; mirrored: whether it is a reflection.
            reversed: share of the disk where s turns the orientation against its majority; folded: the same of g;
            torn: share of triangles of neighbours that s tears apart.
        """
        z, y, s = self.z, self.image - self.image.mean(0), self.rearranged
        unit = 2 * float((z**2).sum(1).mean())
        moved = float(((self.image - z) ** 2).sum(1).mean())
        least = float(((self.image - s) ** 2).sum(1).mean())
        with_s = float((y * s).sum(1).mean())
        turn, mirrored = nearest_orthogonal(z, s)
        return {
            "moved": moved,
            "least": least,
            "excess": moved - least,
            "alignment": float((y * z).sum(1).mean()) / with_s if with_s > 0 else float("nan"),
            "rearrangement": float(((s - z) ** 2).sum(1).mean()) / unit,
            "left_over": float(((s - z @ turn.T) ** 2).sum(1).mean()) / unit,
            "angle": float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))),
            "mirrored": float(mirrored),
            "reversed": self._against(s),
            "folded": self._against(self.image),
            "torn": self._torn(),
        }

    def _against(self, at: np.ndarray) -> float:
        """Share of the disk whose orientation a map turns against that of the larger part."""
        before, after = areas(self.z[self.triangles]), areas(at[self.triangles])
        weight = np.abs(before) / np.abs(before).sum()
        positive = float(weight[before * after > 0].sum())
        return min(positive, float(weight[before * after < 0].sum()))

    def _torn(self) -> float:
        def sides(points: np.ndarray) -> np.ndarray:
            corner = points[self.triangles]
            return np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(1)

        return float((sides(self.rearranged) > TORN * np.quantile(sides(self.z), 0.95)).mean())


def factors(z: np.ndarray, image: np.ndarray) -> Factors:
    """Both factors of a map of the disk.

    Args:
        z: Points (n, 2) of the unit disk that stand for equal areas.
        image: Where the map sends them (n, 2).

    Returns:
        The factors.

    Source: Brenier (1991); Lei et al. (2020), Theorem 3.9.
    """
    transport = solve(image, source=disk())
    return Factors(z, image, transport, transport.centroids())


def areas(triangles: np.ndarray) -> np.ndarray:
    """Signed areas of triangles.

    Args:
        triangles: Corners (m, 3, 2).

    Returns:
        Areas (m,), positive where the corners run counter-clockwise.
    """
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


def nearest_orthogonal(z: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, bool]:
    """The rotation or reflection Q with the least E|s - Q z|^2.

    Args:
        z: Points (n, 2).
        s: Points (n, 2).

    Returns:
        Q (2, 2), and whether it is a reflection.
    """
    left, _, right = np.linalg.svd(s.T @ z)
    turn = left @ right
    return turn, bool(np.linalg.det(turn) < 0)


def polar(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polar decomposition A = P U, P symmetric and positive, U orthogonal: the factors of z -> A z on the disk.

    Args:
        matrix: Regular matrix (2, 2).

    Returns:
        P and U, each (2, 2).
    """
    left, values, right = np.linalg.svd(matrix)
    return left @ np.diag(values) @ left.T, left @ right
