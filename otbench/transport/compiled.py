"""Two loops in C, compiled at first use where the machine has a compiler; everything works, more slowly, without them.

`product_best`: for p points of each half of the coordinates, the best target of all p^2 points, a sum of two tables.
`row_best`: the best column of a tile of scores. Both find the largest value of a block of columns first, which the
compiler vectorises, and its place afterwards.
The library goes into a folder of the user's cache, named after the source and the processor, and is written whole or
not at all.
Set OTBENCH_COMPILE=0 to do without.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from otbench.utils.temporary import make_temporary_folder

SOURCE = r"""
#include <math.h>
#include <stdint.h>
#define BLOCK 128

#define ROWS 4

/* Four rows of `a` against one of `b`: four independent maxima hide the latency of one. */
static void block_max(const float *a, int64_t stride, const float *b, int64_t m, float *top) {
    float t0 = -INFINITY, t1 = t0, t2 = t0, t3 = t0;
    const float *a1 = a + stride, *a2 = a1 + stride, *a3 = a2 + stride;
    #pragma omp simd reduction(max : t0, t1, t2, t3)
    for (int64_t k = 0; k < m; k++) {
        float s0 = a[k] + b[k], s1 = a1[k] + b[k], s2 = a2[k] + b[k], s3 = a3[k] + b[k];
        t0 = s0 > t0 ? s0 : t0;
        t1 = s1 > t1 ? s1 : t1;
        t2 = s2 > t2 ? s2 : t2;
        t3 = s3 > t3 ? s3 : t3;
    }
    top[0] = t0; top[1] = t1; top[2] = t2; top[3] = t3;
}

/* first, second: (p, n), the heights already in one of them. value, index: (p, p). */
static void group_best(
    const float *first, const float *second, int64_t p, int64_t n, float *value, int64_t *index
) {
    for (int64_t q = 0; q < p * p; q++) { value[q] = -INFINITY; index[q] = 0; }
    /* Columns outermost, so that a tile of both tables stays in the first-level cache; p is a multiple of four. */
    for (int64_t a0 = 0; a0 < p; a0 += ROWS) {
        int64_t a1 = a0 + ROWS;
        for (int64_t c = 0; c < n; c += BLOCK) {
            int64_t m = c + BLOCK < n ? BLOCK : n - c;
            for (int64_t b = 0; b < p; b++) {
                float top[ROWS];
                block_max(first + a0 * n + c, n, second + b * n + c, m, top);
                for (int64_t k = 0; k < ROWS; k++)
                    if (top[k] > value[(a0 + k) * p + b]) {
                        value[(a0 + k) * p + b] = top[k];
                        index[(a0 + k) * p + b] = c;
                    }
            }
        }
        for (int64_t a = a0; a < a1; a++)
            for (int64_t b = 0; b < p; b++) {
                int64_t c = index[a * p + b];
                while (c < n - 1 && !(first[a * n + c] + second[b * n + c] >= value[a * p + b])) c++;
                index[a * p + b] = c;
            }
    }
}

/* `groups` tables one after another; `value` is room for one group. */
void product_best(
    const float *first, const float *second, int64_t groups, int64_t p, int64_t n, float *value, int64_t *index
) {
    for (int64_t g = 0; g < groups; g++)
        group_best(first + g * p * n, second + g * p * n, p, n, value, index + g * p * p);
}

/* scores: (rows, n). Keeps value and index where they are already as large; offset: index of the first column. */
void row_best(const float *scores, int64_t rows, int64_t n, int64_t offset, float *value, int64_t *index) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = scores + r * n;
        float best = value[r];
        int64_t where = -1;
        for (int64_t c = 0; c < n; c += BLOCK) {
            int64_t m = c + BLOCK < n ? BLOCK : n - c;
            float top = -INFINITY;
            #pragma omp simd reduction(max : top)
            for (int64_t k = 0; k < m; k++) top = row[c + k] > top ? row[c + k] : top;
            if (top > best) { best = top; where = c; }
        }
        if (where >= 0) {
            while (where < n - 1 && !(row[where] >= best)) where++;
            value[r] = best;
            index[r] = offset + where;
        }
    }
}
"""
FLAGS = (
    "-O3",
    "-march=native",
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-signed-zeros",
    "-ffinite-math-only",
    "-fassociative-math",
)
FLAGS += ("-fno-trapping-math", "-shared", "-fPIC")
if platform.machine() == "x86_64":
    FLAGS += ("-mprefer-vector-width=512",)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled loops `product_best` and `row_best`.

    Returns:
        Loaded library, or None where there is no compiler, or it failed, or OTBENCH_COMPILE=0.
    """
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if os.environ.get("OTBENCH_COMPILE", "1") == "0" or compiler is None:
        return None
    try:
        path = _folder() / f"kernel-{_key(compiler)}.so"
        if not path.exists():
            _build(compiler, path)
        loops = ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError):
        return None
    for function in (loops.product_best, loops.row_best):
        function.restype = None
    return loops


def _folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(home) / "otbench"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
            return folder
    except OSError:
        pass
    return make_temporary_folder("otbench")


def _key(compiler: str) -> str:
    """A name that changes with the source, the flags, the compiler and the processor's abilities (-march=native)."""
    processor = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor += "".join(
            next((line for line in lines if line.startswith(name)), "") for name in ("flags", "Features")
        )
    except OSError:
        pass
    return hashlib.sha256("\n".join([SOURCE, *FLAGS, compiler, processor]).encode()).hexdigest()[:16]


def _build(compiler: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code, built = Path(folder) / "kernel.c", Path(folder) / "kernel.so"
        code.write_text(SOURCE)
        subprocess.run([compiler, *FLAGS, "-o", built, code], check=True, capture_output=True, timeout=60)
        os.replace(built, path)


def _pointer(tensor: torch.Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def product_best(first: torch.Tensor, second: torch.Tensor, index: torch.Tensor) -> None:
    """Fill `index` with each group's best targets: argmax_i first[g p + a, i] + second[g p + b, i].

    The groups are shared among torch's number of threads: Python threads, since a second OpenMP runtime beside torch's
    would fight it. All tensors are contiguous and on the CPU.

    Args:
        first: Scores (G p, n) float32 of the points' first halves, p of each group; 4 divides p.
        second: Scores (G p, n) float32 of the second halves; the heights are in one of the two tables.
        index: Indices (G, p, p) int64 of the best targets; overwritten.
    """
    groups, p, _ = index.shape
    kernels = library()
    assert kernels is not None
    n, size, call = first.shape[1], ctypes.c_int64, kernels.product_best

    def part(low: int, high: int) -> None:
        value = torch.empty((p, p), dtype=torch.float32)
        rows = slice(low * p, high * p)
        call(
            _pointer(first[rows]),
            _pointer(second[rows]),
            size(high - low),
            size(p),
            size(n),
            _pointer(value),
            _pointer(index[low:high]),
        )

    workers = min(groups, torch.get_num_threads())
    if workers == 1:
        part(0, groups)
        return
    edges = [groups * k // workers for k in range(workers + 1)]
    list(_pool(workers).map(part, edges[:-1], edges[1:]))


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="otbench-transport")


def row_best(scores: torch.Tensor, offset: int, value: torch.Tensor, index: torch.Tensor) -> None:
    """Raise the running best value and index of each row to those of a tile of scores where the tile is better.

    All tensors are contiguous and on the CPU.

    Args:
        scores: Scores (r, n) float32 of the tile.
        offset: Index of the tile's first column.
        value: Best values (r,) float32 so far; overwritten.
        index: Indices (r,) int64 of the best values so far; overwritten.
    """
    rows, n = scores.shape
    size, kernels = ctypes.c_int64, library()
    assert kernels is not None
    kernels.row_best(_pointer(scores), size(rows), size(n), size(offset), _pointer(value), _pointer(index))
