"""What `otbench transport` does: solve for a target on disk, or check a map on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.map import load
from otbench.transport.solve import solve
from otbench.utils.arrays import read_arrays


def run(
    target_path: str | Path,
    source: str = "uniform",
    tolerance: float | None = None,
    out: str | Path | None = None,
    weights_path: str | Path | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    start_path: str | Path | None = None,
    device: str | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Solve for target points on disk, and certify the map.

    Args:
        target_path: Target points (n, d), .npy or .npz (array `target`, or the only one).
        source: Source measure: cube (alias uniform), ball or gaussian.
        tolerance: Relative cell error to reach; None for the solver's default.
        out: Where the map is saved, .npz; None for nowhere.
        weights_path: Weights (n,), .npy or .npz (array `weights`, or the only one); None for equal ones.
        seed: Seed of the stochastic solver.
        time_limit: Seconds after which to stop; None for no limit.
        start_path: Map to go on from, .npz; None for none.
        device: Where to compute; None for the solver's choice.
        progress: Whether to show progress.

    Returns:
        The certificate's numbers with n, d, source, method, seconds and reason. A missed tolerance is in
        `map_tolerance_met` (0), for the caller to turn into an exit status.
    """
    target = read_array(target_path, "target")
    weights = None if weights_path is None else read_array(weights_path, "weights")
    start = None if start_path is None else load(start_path)
    transport_map = solve(
        target,
        weights,
        source,
        tolerance,
        seed=seed,
        time_limit=time_limit,
        start=start,
        device=device,
        progress=progress,
    )
    if out is not None:
        transport_map.save(out)
    return _described(transport_map) | transport_map.certificate()


def check(map_path: str | Path, points: int | None = None, seed: int = 2) -> dict[str, Any]:
    """Compute the certificate of a saved map again, on points that the solver never saw.

    Args:
        map_path: The map, .npz.
        points: Number of points to draw; None for the certificate's default.
        seed: Seed of the points.

    Returns:
        The certificate's numbers with n, d, source, method, seconds and reason.
    """
    transport_map = load(map_path)
    return _described(transport_map) | transport_map.certificate(points, seed)


def _described(found: Any) -> dict[str, Any]:
    names = ("method", "reason", "seconds")
    return {"n": len(found), "d": found.dimension, "source": found.source.kind} | {
        k: found.info[k] for k in names if k in found.info
    }


def read_array(path: str | Path, name: str) -> np.ndarray:
    """Array in a .npy or .npz file.

    Args:
        path: Where the file lies.
        name: Array to take from an .npz file; where it is not there, the only one is taken.

    Returns:
        The array, of any shape.

    Raises:
        OtbenchError: Where the file cannot be read, or holds several arrays and none of the name.
    """
    content = read_arrays(path, "a .npy or .npz file of numbers")
    if not isinstance(content, dict):
        return content
    chosen = name if name in content else (next(iter(content)) if len(content) == 1 else None)
    if chosen is None:
        raise OtbenchError(f"{path}: expected an array called {name}, got {', '.join(content) or 'nothing'}")
    return content[chosen]
