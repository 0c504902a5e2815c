"""Metrics from nearest neighbours: precision, recall (Kynkaanniemi et al. 2019), density, coverage (Naeem et al. 2020).

statistics: `statistics`, one pass over the distances that serves all four; scores: the four functions of it. Balls
are closed for precision and recall and open for density and coverage, as in the authors' code.
`library_precision_recall` is torch-fidelity's computation of the first two: it serves `otbench score`, which loads
that library anyway; on points, loading it would cost more time and memory than all metrics together. The two agree
(tests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics.base import BOTH, IMAGES, Metric, Parts, Setting, check_pair, pair_parts, pair_size

K_PRECISION, K_DENSITY = 3, 5
ROWS, BLOCK = 2000, 2**25
"""Most rows, and most entries, of the distance matrix held at a time."""


@dataclass(frozen=True)
class Neighbours:
    """Membership of points in the balls of the other side.

    generated_in_real (m,) bool and real_in_generated (n,) bool: in some closed ball that reaches to the k-th
    neighbour, k = 3. real_hits (n,) int: generated points in the open ball around each real point, k = 5.
    """

    generated_in_real: np.ndarray
    real_in_generated: np.ndarray
    real_hits: np.ndarray


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances of rows.

    They come from differences in up to 16 dimensions, else from scalar products (centre the data first).

    Args:
        first: Rows (n, d) float64.
        second: Rows (m, d) float64.

    Returns:
        Distances (n, m) float64.
    """
    if first.shape[1] <= 16:
        from scipy.spatial.distance import cdist

        return cdist(first, second)
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.sqrt(np.maximum(squared, 0))


def block_rows(columns: int) -> int:
    """Rows of a distance matrix that are held at a time.

    Args:
        columns: Number of columns of the matrix.

    Returns:
        Number of rows, at least one.
    """
    return max(1, min(ROWS, BLOCK // columns))


def _blocks(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    step = block_rows(len(second))
    for start in range(0, len(first), step):
        rows = slice(start, min(start + step, len(first)))
        yield rows, distances(first[rows], second)


def radii(points: np.ndarray, ks: tuple[int, ...]) -> np.ndarray:
    """Distance of each point to its k-th nearest other point.

    Args:
        points: Points (n, d) float64.
        ks: Values of k, from 1.

    Returns:
        Distances (len(ks), n) float64.
    """
    radius = np.empty((len(ks), len(points)))
    for rows, block in _blocks(points, points):
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = 0
        # position k counts the point itself, at position 0
        radius[:, rows] = np.partition(block, ks, axis=1)[:, ks].T
    return radius


def statistics(real: np.ndarray, generated: np.ndarray, device: str = "cpu") -> Neighbours:
    """Neighbour counts of real and generated points.

    Args:
        real: Real points (n, d).
        generated: Generated points (m, d).
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        Membership of each point in the balls of the other side.

    Raises:
        OtbenchError: Where either has fewer than 6 rows.
    """
    real, generated = check_pair(real, generated, least=K_DENSITY + 1)
    centre = real.mean(axis=0)
    real, generated = real - centre, generated - centre
    if device != "cpu":
        from otbench.metrics import torch_backend

        return Neighbours(*torch_backend.neighbours(real, generated, K_PRECISION, K_DENSITY, device))
    closed_real, open_real = radii(real, (K_PRECISION, K_DENSITY))
    (closed_generated,) = radii(generated, (K_PRECISION,))
    generated_in_real = np.zeros(len(generated), bool)
    real_in_generated = np.zeros(len(real), bool)
    hits = np.zeros(len(real), np.int64)
    for rows, block in _blocks(real, generated):
        generated_in_real |= (block <= closed_real[rows, None]).any(axis=0)
        real_in_generated[rows] = (block <= closed_generated).any(axis=1)
        hits[rows] = (block < open_real[rows, None]).sum(axis=1)
    return Neighbours(generated_in_real, real_in_generated, hits)


def precision(found: Neighbours) -> float:
    """Share of generated points in the estimated support of the real ones.

    Args:
        found: Neighbour counts (`statistics`).

    Returns:
        Share in [0, 1].
    """
    return float(found.generated_in_real.mean())


def recall(found: Neighbours) -> float:
    """Share of real points in the estimated support of the generated ones.

    Args:
        found: Neighbour counts (`statistics`).

    Returns:
        Share in [0, 1].
    """
    return float(found.real_in_generated.mean())


def density(found: Neighbours) -> float:
    """Mean number of real balls around a generated point, over k.

    Args:
        found: Neighbour counts (`statistics`).

    Returns:
        Density, 1 in expectation for a perfect sampler, and not bounded by 1.
    """
    return float(found.real_hits.sum() / (K_DENSITY * len(found.generated_in_real)))


def coverage(found: Neighbours) -> float:
    """Share of real balls that hold a generated point.

    Args:
        found: Neighbour counts (`statistics`).

    Returns:
        Share in [0, 1].
    """
    return float((found.real_hits > 0).mean())


def ideal_density(dataset: DataSet, n: int) -> float:
    """Expected density of a perfect sampler, whatever n.

    Around a real point the N - 1 other real ones and a generated one are exchangeable, so the latter is among the k
    nearest with probability k / N; there are N such balls, and the sum is divided by k.

    Args:
        dataset: Data set that samples are measured against; it does not matter.
        n: Number of generated samples; it does not matter.

    Returns:
        1.
    """
    return 1.0


def ideal_coverage(n_real: int, n_generated: int, k: int = K_DENSITY) -> float:
    """Expected coverage of a perfect sampler, exact for any law without atoms.

    A ball is missed where the k points nearest to its centre are all real. The n - 1 other real and the m generated
    points are exchangeable, so that has probability prod_{j<k} (n - 1 - j) / (n + m - 1 - j).

    Args:
        n_real: Number of real points.
        n_generated: Number of generated points.
        k: Neighbour that a ball reaches to.

    Returns:
        Share in [0, 1].

    Source: Naeem et al. (2020).
    """
    j = np.arange(k)
    return float(1 - np.prod((n_real - 1 - j) / (n_real + n_generated - 1 - j)))


def library_precision_recall(real: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """Precision and recall by torch-fidelity, k = 3, in float64 about the real mean.

    Args:
        real: Real points (n, d), at least 4.
        generated: Generated points (m, d), at least 4.

    Returns:
        Precision and recall.

    Raises:
        OtbenchError: Under torch-fidelity before 0.4, which had the two swapped.
    """
    import torch
    import torch_fidelity
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    if tuple(int(part) for part in torch_fidelity.__version__.split(".")[:2]) < (0, 4):
        raise OtbenchError(
            f"torch-fidelity {torch_fidelity.__version__} has precision and recall swapped, expected 0.4.0 or later"
        )
    real, generated = check_pair(real, generated, least=K_PRECISION + 1)
    centre = real.mean(axis=0)
    # its argument order is (generated, real); the sliced variant gives the same in little memory
    values = prc_features_to_metric(
        torch.from_numpy(generated - centre),
        torch.from_numpy(real - centre),
        prc_neighborhood=K_PRECISION,
        prc_batch_size=block_rows(max(len(real), len(generated))),
        save_cpu_ram=True,
        verbose=False,
    )
    return float(values[KEY_METRIC_PRECISION]), float(values[KEY_METRIC_RECALL])


def _pair_ideal_coverage(dataset: DataSet, n: int) -> float:
    size = pair_size(dataset, n)
    return ideal_coverage(size, size)


def _of_pairs(
    name: str,
    unit: str,
    paper: str,
    description: str,
    score: Callable[[Neighbours], float],
    k: int,
    cheap: tuple[str, ...] = (),
    ideal: Callable[[DataSet, int], float] | None = None,
    scale: str = "logit",
    counted: bool = False,
) -> Metric:
    def parts(setting: Setting) -> Parts:
        return pair_parts(setting) | {"k": k}

    return Metric(
        name,
        name.capitalize(),
        unit,
        "higher",
        BOTH,
        paper,
        description,
        of_points=lambda view: score(view.neighbours),
        of_images=lambda view: score(view.neighbours),
        point_parts=parts,
        image_parts=parts,
        cheap=cheap,
        ideal=ideal,
        scale=scale,
        counted=counted,
    )


KYNKAANNIEMI = "Kynkaanniemi et al. 2019, Improved precision and recall"
NAEEM = "Naeem et al. 2020, Reliable fidelity and diversity metrics"

METRICS = (
    _of_pairs(
        "precision",
        "share",
        KYNKAANNIEMI,
        "Share of generated points within reach of the third neighbour of some real point.",
        precision,
        K_PRECISION,
        cheap=IMAGES,
        counted=True,
    ),
    _of_pairs(
        "recall",
        "share",
        KYNKAANNIEMI,
        "Share of real points within reach of the third neighbour of some generated point.",
        recall,
        K_PRECISION,
        cheap=IMAGES,
    ),
    _of_pairs(
        "density",
        "1",
        NAEEM,
        "Mean number of real balls (fifth neighbour) around a generated point, over 5; can exceed 1.",
        density,
        K_DENSITY,
        ideal=ideal_density,
        scale="log",
    ),
    _of_pairs(
        "coverage",
        "share",
        NAEEM,
        "Share of real balls (fifth neighbour) that hold a generated point.",
        coverage,
        K_DENSITY,
        ideal=_pair_ideal_coverage,
    ),
)
