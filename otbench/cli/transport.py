"""What `otbench transport` does: solve for a target on disk, or check a map on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.map import load
from otbench.transport.solve import solve
from otbench.utils.files import read_arrays


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
    """Solve for the target points (n, d) in a .npy or .npz file (array `target`, or the only one), and certify the map.

    weights_path: weights (n,), likewise; start_path: a map to go on from; out: where the map is saved. Returns the
    certificate's numbers with n, d, source, seconds, reason. A missed tolerance is in map_tolerance_met (0), for the
    caller to turn into an exit status.
    """
    target = read_array(target_path, "target")
    weights = None if weights_path is None else read_array(weights_path, "weights")
    start = None if start_path is None else load(start_path)
    found = solve(
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
        found.save(out)
    return _described(found) | found.certificate()


def check(map_path: str | Path, points: int | None = None, seed: int = 2) -> dict[str, Any]:
    """Compute the certificate of a saved map again, on points that the solver never saw."""
    found = load(map_path)
    return _described(found) | found.certificate(points, seed)


def _described(found: Any) -> dict[str, Any]:
    names = ("method", "reason", "seconds")
    return {"n": len(found), "d": found.dimension, "source": found.source.kind} | {
        k: found.info[k] for k in names if k in found.info
    }


def read_array(path: str | Path, name: str) -> np.ndarray:
    """The array in a .npy file, or the one called `name` (or the only one) in an .npz file; OtbenchError with a
    sentence otherwise.
    """
    found = read_arrays(path, "a .npy or .npz file of numbers")
    if not isinstance(found, dict):
        return found
    chosen = name if name in found else (next(iter(found)) if len(found) == 1 else None)
    if chosen is None:
        raise OtbenchError(f"{path}: expected an array called {name}, got {', '.join(found) or 'nothing'}")
    return found[chosen]
