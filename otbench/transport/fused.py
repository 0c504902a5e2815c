"""The argmax kernel on a GPU (Triton): <x, y_i> + h_i never leaves the chip.

Every program takes a block of source points, streams the targets past them, and keeps the running best value and index
in registers. With few source points the targets are split among several programs, whose bests a second pass joins.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

BLOCK_M, BLOCK_N = 128, 128
# Programs that fill a large GPU several times over; below this the targets are split.
PROGRAMS = 1024


@triton.jit
def _kernel(
    x, y, h, value, index, rows, n, d, span,
    PRECISION: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Best target of every row of x among targets [span * part, span * (part + 1))."""
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    part = tl.program_id(1)
    column = tl.arange(0, BLOCK_D)
    points = tl.load(
        x + row[:, None] * d + column[None, :], mask=(row[:, None] < rows) & (column[None, :] < d), other=0.0
    )
    best = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    where = tl.zeros((BLOCK_M,), tl.int32)
    low = part * span
    for start in range(low, tl.minimum(low + span, n), BLOCK_N):
        target = start + tl.arange(0, BLOCK_N)
        inside = target < tl.minimum(low + span, n)
        # Read transposed: (BLOCK_D, BLOCK_N).
        block = tl.load(
            y + target[None, :] * d + column[:, None], mask=inside[None, :] & (column[:, None] < d), other=0.0
        )
        height = tl.load(h + target, mask=inside, other=float("-inf"))
        score = tl.dot(points, block, input_precision=PRECISION) + height[None, :]
        top, place = tl.max(score, axis=1, return_indices=True)
        # Strictly better only: of equal scores the lowest index wins, as tl.max also decides within a block.
        better = top > best
        best = tl.where(better, top, best)
        where = tl.where(better, start + place, where)
    out = part * rows + row
    tl.store(value + out, best, mask=row < rows)
    tl.store(index + out, where, mask=row < rows)


def best(
    x: torch.Tensor, y: torch.Tensor, h: torch.Tensor, precision: str = "ieee"
) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest plane at each source point: max_i <x, y_i> + h_i and its argmax.

    Args:
        x: Source points (B, d), on the GPU.
        y: Target points (n, d), on the GPU.
        h: Heights (n,), on the GPU.
        precision: ieee (float32) or tf32 (ten bits of mantissa on the matrix units: several times faster; cells'
            borders move by about 1e-3 of the scores, which the solver would fit, so it is not the default).

    Returns:
        Values (B,) float32 and indices (B,) int64.
    """
    x, y, h = (t.float().contiguous() for t in (x, y, h))
    rows, d = x.shape
    n = len(y)
    blocks = triton.cdiv(rows, BLOCK_M)
    parts = max(1, min(triton.cdiv(n, 4 * BLOCK_N), PROGRAMS // max(1, blocks)))
    span = triton.cdiv(triton.cdiv(n, parts), BLOCK_N) * BLOCK_N
    parts = triton.cdiv(n, span)
    value = torch.empty((parts, rows), dtype=torch.float32, device=x.device)
    index = torch.empty((parts, rows), dtype=torch.int32, device=x.device)
    width = max(16, triton.next_power_of_2(d))
    launch: Any = _kernel  # triton has no types
    launch[(blocks, parts)](
        x, y, h, value, index, rows, n, d, span, PRECISION=precision, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N, BLOCK_D=width
    )
    # The first of equal parts holds the lower indices.
    top = value.argmax(dim=0, keepdim=True)
    return value.gather(0, top)[0], index.gather(0, top)[0].long()
