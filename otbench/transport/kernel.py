"""The kernel of everything in high dimension: for each source point, the target whose plane <x, y_i> + h_i is highest.

The (B, n) scores are never stored: on a CPU they are made in tiles that stay in cache, on a GPU a Triton kernel keeps
the running best in registers. Of equal scores the lowest index wins.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from otbench.transport import compiled

# Scores of one CPU tile: 256 source points against up to 2,048 targets, 2 MiB in float32.
ROWS = 256
COLUMNS = 2048


@contextmanager
def whole_floats() -> Iterator[None]:
    """No TF32 in a GPU's matrix products, whatever models are trained in: a solver would fit its rounding.

    Yields:
        Nothing; the setting before is restored at the end of the block.
    """
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@whole_floats()
def best(x: torch.Tensor, y: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest plane at each source point: max_i <x, y_i> + h_i and its argmax.

    Args:
        x: Source points (B, d).
        y: Target points (n, d), of x's type and device.
        h: Heights (n,), of x's type and device.

    Returns:
        Values (B,) and indices (B,) int64.
    """
    if x.is_cuda and x.dtype == torch.float32 and fused_available():
        from otbench.transport.fused import best as fused

        return fused(x, y, h)
    if x.is_cuda:
        return _whole_rows(x, y, h, max(1, 2**28 // max(1, len(y))))
    if x.dtype == torch.float32 and compiled.library() is not None:
        return _tiles(x, y, h)
    return _whole_rows(x, y, h, ROWS)


def _whole_rows(x: torch.Tensor, y: torch.Tensor, h: torch.Tensor, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Plain torch: `rows` source points at a time against all targets."""
    value = torch.empty(len(x), dtype=x.dtype, device=x.device)
    index = torch.empty(len(x), dtype=torch.int64, device=x.device)
    turned = y.T
    for r in range(0, len(x), rows):
        value[r : r + rows], index[r : r + rows] = torch.addmm(h, x[r : r + rows], turned).max(dim=1)
    return value, index


def _tiles(x: torch.Tensor, y: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tiles of scores by torch's matrix product, their maxima by the compiled loop while they are in cache."""
    value = torch.full((len(x),), -torch.inf, dtype=x.dtype)
    index = torch.zeros(len(x), dtype=torch.int64)
    room = torch.empty(ROWS * COLUMNS, dtype=x.dtype)
    turned = y.T
    for r in range(0, len(x), ROWS):
        part = x[r : r + ROWS]
        for c in range(0, len(y), COLUMNS):
            m = min(COLUMNS, len(y) - c)
            tile = room[: len(part) * m].view(len(part), m)
            torch.addmm(h[c : c + m], part, turned[:, c : c + m], out=tile)
            compiled.row_best(tile, c, value[r : r + ROWS], index[r : r + ROWS])
    return value, index


@whole_floats()
def best_of(x: torch.Tensor, y: torch.Tensor, h: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k highest planes at each source point.

    Args:
        x: Source points (B, d).
        y: Target points (n, d), of x's type and device.
        h: Heights (n,), of x's type and device.
        k: Number of planes, at most n of which there are.

    Returns:
        Values (B, k), falling, and indices (B, k) int64.
    """
    k = min(k, len(y))
    rows = ROWS if not x.is_cuda else max(1, 2**28 // max(1, len(y)))
    parts = [torch.addmm(h, x[r : r + rows], y.T).topk(k, dim=1) for r in range(0, len(x), rows)]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


@functools.cache
def fused_available() -> bool:
    """Whether the Triton kernel works on this machine's GPU (Triton also needs a compiler for its launcher).

    Returns:
        Outcome of one trial on a few points, kept for the process.
    """
    if not torch.cuda.is_available():
        return False
    try:
        from otbench.transport.fused import best as fused

        x = torch.eye(4, device="cuda")
        return bool((fused(x, x, torch.zeros(4, device="cuda"))[1].cpu() == torch.arange(4)).all())
    except Exception as error:  # Triton fails in many ways, none of which should stop a solve that torch can do.
        logging.getLogger(__name__).warning("the Triton kernel does not work here (%s); torch's is used", error)
        return False
