"""One entry point: `solve(target, ...)` chooses the method, checks the input and returns a certified map."""

from __future__ import annotations

from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.transport.cells1d import quantile_heights
from otbench.transport.cells3d import MISSING, can, newton3d
from otbench.transport.envelope import distinct
from otbench.transport.map import TransportMap
from otbench.transport.newton2d import newton
from otbench.transport.sources import Source, named

METHODS = ("auto", "exact", "stochastic")
FEW = 500
"""Cells up to which a stochastic map is certified, and refined where the certificate misses."""


def solve(
    target: Any,
    weights: Any = None,
    source: str | Source = "cube",
    tolerance: float | None = None,
    method: str = "auto",
    seed: int = 0,
    time_limit: float | None = None,
    start: TransportMap | np.ndarray | None = None,
    device: str | None = None,
    progress: bool = False,
    **options: Any,
) -> TransportMap:
    """The optimal transport map from a source measure to weighted points.

    Deterministic by seed, up to a time limit. A map that missed its tolerance is returned all the same; its info and
    certificate say so.

    Args:
        target: Target points (n, d), anything numpy can read, finite; equal points are solved as one and share its
            cell's mass.
        weights: Weights (n,), positive, in any unit (they are divided by their sum); uniform by default.
        source: cube ([-1/2, 1/2]^d, alias uniform), ball, gaussian, or a Source.
        tolerance: Largest relative cell error where cells are exact (default 1e-9, or what rounding allows on the
            line), else mean relative cell error on fresh points (default 0.05).
        method: auto, exact or stochastic. auto takes quantiles on the line, exact Newton for a polygon or rectangle in
            the plane, and for a box of space where the package sdot works, else the stochastic solver; on few enough
            cells Newton steps (`refine`) follow where it misses.
        seed: Seed of the stochastic solver's points.
        time_limit: Seconds; None is no limit.
        start: A map or heights (n,) to start from; none by default.
        device: Device of the stochastic solver; default: the GPU where there is one.
        progress: Whether the stochastic solver shows a progress bar.
        **options: Further options of the stochastic solver (`stochastic.solve_stochastic`).

    Returns:
        Map onto the targets, with its heights, weights and info.

    Raises:
        OtbenchError: Where the input is wrong.
    """
    y, nu = checked(target, weights)
    law = named(source, y.shape[1])
    if method not in METHODS:
        raise OtbenchError(f"solve: method must be one of {', '.join(METHODS)}, got {method!r}")
    if tolerance is not None and not tolerance > 0:
        raise OtbenchError(f"solve: tolerance must be positive, got {tolerance}")
    exact = method != "stochastic" and (y.shape[1] == 1 or law.polygon is not None or can(law))
    if method == "exact" and not exact:
        if law.kind == "box" and law.dimension == 3:
            raise OtbenchError(f"solve: {MISSING}")
        raise OtbenchError(
            "solve: exact cells need a target on the line, or a source uniform on a rectangle or polygon of the plane, "
            "or on a box of space"
        )
    first, group = distinct(y)
    mass = np.bincount(group, weights=nu)
    h0 = _start(start, y, first)
    if exact:
        if options:
            raise OtbenchError(f"solve: the exact solver has no option {', '.join(options)}")
        heights, info = _exact(y[first], mass, law, h0, tolerance, time_limit)
        tolerance = info.get("tolerance", tolerance or 1e-9)
    else:
        from otbench.transport.stochastic import solve_stochastic

        tolerance = tolerance or 0.05
        if isinstance(start, TransportMap):
            options.setdefault("seen", int(start.info.get("points", 0)))
        heights, info = solve_stochastic(
            y[first],
            mass,
            law,
            tolerance,
            seed=seed,
            time_limit=time_limit,
            heights=h0,
            device=device,
            progress=progress,
            **options,
        )
    assert tolerance is not None
    request = {"tolerance": float(tolerance), "seed": int(seed)}
    transport = TransportMap(y, (heights - mass @ heights)[group], nu, law, info | request)
    if exact or {"max_points", "record"} & set(options) or not _misses(transport):
        return transport
    from otbench.transport.refine import refined

    heights, info = refined(y[first], mass, law, heights, info, tolerance, seed, time_limit)
    return TransportMap(y, (heights - mass @ heights)[group], nu, law, info | request)


def _misses(found: TransportMap) -> bool:
    """Whether the stochastic solver missed its tolerance and Newton steps may do better.

    With few cells the error that it stopped on is rough, and its certificate costs little: that decides.
    """
    from otbench.transport.refine import last_sample

    cells, reason = len(found.groups[0]), found.info["reason"]
    if cells == 1 or not last_sample(cells, found.dimension, found.info["tolerance"]):
        return False
    few = reason == "tolerance" and cells <= FEW
    return reason == "points" or (few and not found.certificate()["map_tolerance_met"])


def _exact(
    target: np.ndarray,
    weights: np.ndarray,
    law: Source,
    heights: np.ndarray | None,
    tolerance: float | None,
    time_limit: float | None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Heights with exact cells, by what the source and the dimension ask for, and what happened."""
    if target.shape[1] == 1:
        heights, info = quantile_heights(target, weights, law)
        # Points in their thousands lie closer than doubles can part their cells to 1e-9.
        asked = tolerance or max(1e-9, min(2 * info["rounding"], 0.05))
        reason = "tolerance" if info["error"] <= asked else "rounding"
        return heights, info | {"reason": reason, "tolerance": asked}
    if law.polygon is None:
        return newton3d(target, weights, law, heights, tolerance or 1e-9, time_limit=time_limit)
    solution = newton(target, weights, law.polygon, heights, tolerance or 1e-9, time_limit=time_limit)
    return solution.heights, solution.info


def checked(target: Any, weights: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Target and weights as arrays, checked.

    Args:
        target: Points (n, d), a tensor or anything numpy can read.
        weights: Weights (n,), a tensor or anything numpy can read; uniform by default.

    Returns:
        Target (n, d) float64 and weights (n,) float64, summing to 1.

    Raises:
        OtbenchError: Where they are no real, finite numbers of these shapes, or a weight is not positive.
    """
    for name, values in (("target", target), ("weights", weights)):
        if getattr(getattr(values, "dtype", None), "kind", "") == "c":
            raise OtbenchError(f"{name}: expected real numbers, got {values.dtype}")
    try:
        y = np.array(target.detach().cpu() if hasattr(target, "detach") else target, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OtbenchError(f"target: expected numbers of shape (n, d), got something else ({error})") from error
    if y.ndim != 2 or y.shape[1] == 0:
        raise OtbenchError(f"target: expected shape (n, d), got {y.shape}")
    if len(y) == 0:
        raise OtbenchError("target: expected at least one point, got none")
    if not np.isfinite(y).all():
        raise OtbenchError(f"target: {int((~np.isfinite(y)).any(1).sum())} of {len(y)} points are not finite")
    if weights is None:
        return y, np.full(len(y), 1 / len(y))
    try:
        nu = np.array(weights.detach().cpu() if hasattr(weights, "detach") else weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OtbenchError(f"weights: expected numbers of shape ({len(y)},) ({error})") from error
    if nu.shape != (len(y),):
        raise OtbenchError(f"weights: expected shape ({len(y)},), one for each target point, got {nu.shape}")
    if not np.isfinite(nu).all() or not (nu > 0).all():
        bad = int((~(np.isfinite(nu) & (nu > 0))).sum())
        raise OtbenchError(f"weights: {bad} of {len(nu)} are not positive and finite; leave out points without mass")
    return y, nu / nu.sum()


def _start(start: TransportMap | np.ndarray | None, y: np.ndarray, first: np.ndarray) -> np.ndarray | None:
    if start is None:
        return None
    heights = np.asarray(start.heights if isinstance(start, TransportMap) else start, float)
    if heights.shape != (len(y),) or not np.isfinite(heights).all():
        raise OtbenchError(
            f"start: expected {len(y)} finite heights, one for each target point, got shape {heights.shape}"
        )
    return heights[first]
