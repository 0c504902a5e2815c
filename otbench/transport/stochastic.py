"""Semi-discrete transport in any dimension: stochastic steps on the heights, from an affine start, averaged.

The dual E(h) = mean u - <nu, h> has the gradient w - nu. A step draws B fresh source points, counts how many fall into
each cell and moves
    h_i <- h_i - s a_i e_i,   e_i = c_i / (B nu_i) - 1,   a_i = g B / (K / nu_i + points seen so far),
with s the mean gap between the highest and the second highest plane, which turns a relative error into a height, and K
about ten points a cell: a 1/t gain in units of points a cell, g = 4 times as large, which the averaging calms. The
answer is the average of the iterates with weights growing like t^2, which forgets the transient. Points are never used
twice. Where that misses the tolerance, Newton steps on sampled cells follow (`refine`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from otbench.errors import OtbenchError
from otbench.transport.draws import Draws
from otbench.transport.sources import Source

# Measured on Gaussian mixtures at n = 2,000, d = 16 and n = 10,000, d = 32: gains of 4 to 8 do equally well and a gain
# of 1 ends a third higher; so do powers of 1 to 5 and starts of 5 to 20 points a cell.
GAIN = 4.0
SLOW_START = 10.0
POWER = 2
CLIP = 1.0
# Share of the tolerance at which to stop: the certificate's upper bound lies about 0.05 of the tolerance above its
# figure, and the figure on which the solver stops is known to 0.03.
STOP = 0.88
# Points for the mean gap between planes while few steps are taken: known to 6 per cent.
ROUGH = 256


@dataclass
class Averaged:
    """Heights now and their average with weights t^POWER, (n,) float64."""

    now: torch.Tensor
    mean: torch.Tensor
    steps: int = 0

    def add(self) -> None:
        """Take the heights as they are now into the average."""
        share = (POWER + 1) / (self.steps + POWER + 1)
        self.mean.lerp_(self.now, share)
        self.steps += 1


def solve_stochastic(
    target: np.ndarray,
    weights: np.ndarray,
    law: Source,
    tolerance: float = 0.05,
    seed: int = 0,
    time_limit: float | None = None,
    heights: np.ndarray | None = None,
    seen: int = 0,
    device: str | None = None,
    progress: bool = False,
    batch: int | None = None,
    sampling: str = "auto",
    max_points: float | None = None,
    record: list[tuple[float, int, np.ndarray]] | None = None,
    draws: Draws | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Heights whose mean relative cell error is at most the tolerance, by stochastic steps.

    The error is watched on fresh points of another stream, at points fixed in advance, so the answer depends on the
    seed alone (and on the time limit, where that ends it).

    Args:
        target: Target points (n, d), all different.
        weights: Wished masses (n,), summing to 1.
        law: Source of the map.
        tolerance: Mean relative cell error.
        seed: Seed of the source points.
        time_limit: Seconds; None is no limit.
        heights: Heights (n,) where an earlier solve stood (resume); default: the affine start.
        seen: Number of points that the earlier solve had seen.
        device: Device of the solver; default: the GPU where there is one.
        progress: Whether to show a progress bar of the error.
        batch: Source points a step; default: n / 3, from 2,048 to 65,536.
        sampling: product (sums of two half tables; box and Gaussian sources), plain, or auto, which takes product on a
            CPU where it can.
        max_points: Number of points after which to stop; default: 100 n / tolerance^2.
        record: List that receives (seconds, points, averaged heights) after 1, 1.3, 1.7, ... batches.
        draws: Source points and the cells that they fall into; default: all planes against each other (`sampling`).

    Returns:
        Heights (n,) and what happened: sampling, device, error, steps, points, seconds and the reason of the end.

    Raises:
        OtbenchError: Where the heights are not finite: the target's scale is beyond single precision.
    """
    began = time.perf_counter()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    n = len(target)
    if n == 1:
        return np.zeros(1), _told("one point", 0.0, 0, 0, began, device, "none")
    draws = draws or Draws(target, law, device, sampling, seed)
    nu = torch.as_tensor(weights, dtype=torch.float64, device=device)
    h = draws.affine_start(weights) if heights is None else draws.inward(heights)
    if heights is not None and seen == 0:
        seen = int(SLOW_START * n)
    state = Averaged(h.clone(), h.clone())
    size = draws.rounded(batch or int(min(65_536, max(2048, n / 3))))
    limit = max_points or 100 * n / tolerance**2
    watch = _Watch(n, seen, tolerance)
    noted, reason, error, spread = 1.0, "points", float("inf"), draws.gap(h, ROUGH)
    with _bar(progress, tolerance) as show:
        while seen < limit:
            index = draws.best(state.now, size)
            excess = torch.bincount(index, minlength=n) / (len(index) * nu) - 1
            gain = GAIN * len(index) / (SLOW_START / nu + seen)
            state.now.sub_(spread * (gain * excess).clamp_(max=CLIP))
            seen += len(index)
            state.add()
            if record is not None and state.steps >= noted:
                record.append((time.perf_counter() - began, seen, draws.outward(state.mean)))
                noted *= 1.3
            if state.steps & (state.steps - 1) == 0:
                # early on a rough figure will do, and costs less than the steps between two of them
                spread = draws.gap(state.now, ROUGH if state.steps < 64 else 4 * ROUGH)
            if watch.due(seen):
                error = draws.error(state.mean, nu, watch.points)
                if error <= STOP * tolerance:
                    # Once more, on as many points again: the first figure may have been lucky.
                    error = float(np.hypot(error, draws.error(state.mean, nu, watch.points)) / np.sqrt(2))
                show(error, seen)
                if error <= STOP * tolerance:
                    reason = "tolerance"
                    break
            if time_limit is not None and time.perf_counter() - began > time_limit:
                reason = "time"
                break
    if reason != "tolerance":
        # Stopped early: a rough figure, for less than the solving cost.
        error = draws.error(state.mean, nu, min(watch.points, max(65_536, seen // 4)))
    answer = draws.outward(state.mean)
    if not np.isfinite(answer).all():
        raise OtbenchError(
            "solve: the heights are not finite; the target's scale is beyond single precision, rescale it"
        )
    return answer, _told(reason, error, state.steps, seen, began, device, draws.kind)


def _told(reason, error, steps, seen, began, device, kind) -> dict[str, Any]:
    return {
        "method": "stochastic", "sampling": kind, "device": str(device), "error": float(error),
        "steps": int(steps), "points": int(seen), "seconds": time.perf_counter() - began, "reason": reason,
    }  # fmt: skip


class _Watch:
    """When to measure the error, and on how many points: at numbers of points seen fixed in advance, each 1.4 times the
    last.

    The noise of N points adds n / N to the mean squared error, known up to a factor 1 + (2 / n)^1/2: N makes what is
    not known of it a small part of tolerance^2.
    """

    def __init__(self, n: int, seen: int, tolerance: float) -> None:
        self.points = int(max(4 * n, 12 * (2 * n) ** 0.5 / tolerance**2))
        self.next = seen + max(5 * n, int(0.3 * n / tolerance**2), self.points)

    def due(self, seen: int) -> bool:
        """Whether it is time; if so, set the next."""
        if seen < self.next:
            return False
        self.next = max(int(1.4 * self.next), self.next + 2 * self.points)
        return True


class _bar:
    """A progress bar of the error on its way down to the tolerance (rich), or nothing."""

    def __init__(self, wanted: bool, tolerance: float) -> None:
        self.tolerance, self.progress = tolerance, None
        if wanted:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("transport"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self.progress = Progress(*columns, console=Console(stderr=True))

    def __enter__(self):
        if self.progress is not None:
            self.progress.start()
            self.task = self.progress.add_task("error not measured yet", total=1.0)
        return self

    def __exit__(self, *_: Any) -> None:
        if self.progress is not None:
            self.progress.stop()

    def __call__(self, error: float, seen: int) -> None:
        if self.progress is not None:
            # The error falls like points^-1/2, so its squared inverse grows evenly.
            done = min(1.0, (self.tolerance / max(error, 1e-12)) ** 2)
            self.progress.update(self.task, completed=done, description=f"cell error {error:.3g}, {seen:,} points")
