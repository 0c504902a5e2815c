"""Solids in space for the study of folding: by implicit functions, or from a closed mesh; all with the unit ball's
volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from otbench.errors import OtbenchError
from otbench.theory.shared.quantise import DENSE, Quantised, quantise, uniform_in

SOLIDS = ("star", "hare", "torus", "ellipsoid")
TITLES = {"star": "three arms", "hare": "hare", "torus": "solid torus", "ellipsoid": "ellipsoid", "mesh": "mesh"}
VOLUME = 4 * math.pi / 3
#: the torus: radius of its middle circle over that of its tube
RING = 2.2
#: semi-axes of the ellipsoid, whose product is one, and where it stands
AXES, SHIFT = np.array([1.6, 0.5, 1.25]), np.array([0.5, 0.0, 0.0])
# (start, end, radius) of the capsules whose smooth union a solid is: a hare seen from the front, and three equal arms.
_HARE = (
    ((-0.15, 0, -0.55), (0.15, 0, -0.55), 0.60),
    ((-0.05, 0, 0.30), (0.05, 0, 0.30), 0.42),
    ((-0.20, 0, 0.60), (-0.65, 0, 1.40), 0.25),
    ((0.20, 0, 0.60), (0.65, 0, 1.40), 0.25),
)
_STAR = tuple(
    ((0, 0, 0), (1.5 * math.sin(turn), 0, 1.5 * math.cos(turn)), 0.4) for turn in (0, 2 * math.pi / 3, 4 * math.pi / 3)
)
_CAPSULES = {"hare": _HARE, "star": _STAR}
_BLEND = 0.06


def implicit(name: str, x: np.ndarray) -> np.ndarray:
    """Implicit function of a solid, negative inside; in its own units, about the origin.

    Args:
        name: star, hare, torus or ellipsoid.
        x: Points (m, 3).

    Returns:
        Values (m,).
    """
    if name == "torus":
        return np.hypot(np.hypot(x[:, 0], x[:, 2]) - RING, x[:, 1]) - 1
    if name == "ellipsoid":
        return np.linalg.norm((x - SHIFT) / AXES, axis=1) - 1
    near = np.stack([_capsule(x, np.array(a, float), np.array(b, float), r) for a, b, r in _CAPSULES[name]])
    # A smooth minimum, which fills the creases a little.
    least = near.min(0)
    return least - _BLEND * np.log(np.exp(-(near - least) / _BLEND).sum(0))


def _capsule(x: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    share = np.clip((x - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(x - a - share[:, None] * (b - a), axis=1) - radius


def solid(name: str, n: int, generator: np.random.Generator, mesh: str | None = None) -> Quantised:
    """Quantised uniform law on a solid.

    All but the ellipsoid are moved to the origin and scaled to the unit ball's volume, so that what is left to
    transport is the shape.

    Args:
        name: star, hare, torus, ellipsoid, or mesh for the closed mesh in a file.
        n: Number of points, at most.
        generator: Random stream.
        mesh: Where the mesh lies; needed for the name mesh only.

    Returns:
        Points (k, 3), k <= n, with weights (k,).
    """
    if name == "mesh":
        inside, low, high = mesh_inside(mesh or "")
    else:
        inside, high = (lambda x: implicit(name, x) < 0), np.full(3, 3.3)
        low = -high
    # First a box that fits, so that few points are rejected.
    rough, _ = uniform_in(inside, low, high, 2000, generator)
    margin = 0.1 * np.ptp(rough, axis=0)
    low, high = np.maximum(low, rough.min(0) - margin), np.minimum(high, rough.max(0) + margin)
    dense, size = uniform_in(inside, low, high, (DENSE if name != "mesh" else DENSE // 4) * n, generator)
    if name != "ellipsoid":
        dense = (dense - dense.mean(0)) * (VOLUME / size) ** (1 / 3)
    return quantise(dense, n, VOLUME)


def mesh_inside(path: str) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray]:
    """Solid that the closed mesh in a file bounds.

    Args:
        path: Where the mesh lies, in any format that trimesh reads (STL, PLY, OBJ, OFF, GLB, ...).

    Returns:
        Function from points (m, 3) to whether each lies inside (m,), and the corners (3,) and (3,) of the solid's box.

    Raises:
        OtbenchError: Where trimesh or rtree is missing, or the file is missing, no mesh, or not watertight.
    """
    try:
        import rtree  # noqa: F401
        import trimesh
    except ImportError as error:
        raise OtbenchError(
            f"folding: a mesh needs the packages trimesh and rtree (pip install trimesh rtree): {error}"
        ) from error
    if not Path(path).is_file():
        raise OtbenchError(f"folding: no file '{path}'; expected a closed mesh (STL, PLY, OBJ, OFF, ...)")
    try:
        mesh = trimesh.load(path, force="mesh")
    except Exception as error:  # Each format's reader raises its own.
        raise OtbenchError(
            f"folding: {path} is no mesh that trimesh reads ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
        raise OtbenchError(f"folding: {path} holds no triangles; expected a closed mesh")
    if not mesh.is_watertight:
        raise OtbenchError(f"folding: {path} is not watertight; expected a mesh whose every edge has two faces")
    low, high = (np.asarray(corner, float) for corner in mesh.bounds)
    return mesh.contains, low, high
