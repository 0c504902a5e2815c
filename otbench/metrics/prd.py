"""Precision and recall for distributions (Sajjadi et al. 2018), with the settings of the authors' code.

It sees no finer than its clusters: noise spread evenly over a grid of 25 modes fills 20 clusters as true samples do,
and scores like them.

statistics: `histograms` over the clusters of the union; score: `curve`, averaged by `prd`, then `f_pair`. What the
authors leave open is fixed here: the clusterings are seeded, their mini-batches are of 100 rows (scikit-learn's default
when the code was published; it is 1,024 today), and the argument order is (real, generated) throughout: theirs is
(eval, ref), and their own example calls it the wrong way round. Theirs is scikit-learn's k-means, one clustering after
another; here `otbench.metrics.clustering` finds all at once.
"""

from __future__ import annotations

import numpy as np

from otbench.errors import OtbenchError
from otbench.metrics.base import BOTH, IMAGES, Metric, Parts, Setting, check_pair, pair_parts

CLUSTERS, ANGLES, RUNS, INITS, BATCH, STEPS = 20, 1001, 10, 10, 100, 50
EPSILON = 1e-10


def histograms(
    real: np.ndarray, generated: np.ndarray, seed: int, clusters: int = CLUSTERS, runs: int = RUNS, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Histograms of real and generated rows over the clusters of their union, in each of several clusterings.

    Args:
        real: Real rows (n, d).
        generated: Generated rows (m, d).
        seed: Seed of the clusterings.
        clusters: Number of clusters of each clustering.
        runs: Number of clusterings.
        device: Where they are found: `cpu`, or a device of `otbench.metrics.torch_backend`.

    Returns:
        Shares (runs, clusters) of the real and of the generated rows, each row of them summing to 1.
    """
    import torch

    from otbench.metrics import clustering
    from otbench.metrics.torch_backend import place

    where = place(device)
    rows = torch.cat(
        [torch.as_tensor(np.ascontiguousarray(side)).to(where, torch.float64) for side in (real, generated)]
    )
    rows -= rows[: len(real)].mean(dim=0)  # far from the origin scalar products would drown the distances
    clusterings = clustering.cluster(rows, clusters, runs, INITS, max(BATCH, clusters), STEPS, seed)
    # a side at a time: where both hold the same rows, their labels come of the same arithmetic
    counts = [clusterings.histograms(side).cpu().numpy() for side in (rows[: len(real)], rows[len(real) :])]
    return counts[0] / len(real), counts[1] / len(generated)


def curve(p_real: np.ndarray, q_generated: np.ndarray, angles: int = ANGLES) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of a generated histogram against a real one.

    precision(l) = sum_k min(l p_k, q_k), recall(l) = precision(l) / l, slopes l = tan(angle) over the open quarter
    circle.

    Args:
        p_real: Real histogram (K,), summing to 1.
        q_generated: Generated histogram (K,), summing to 1.
        angles: Number of slopes.

    Returns:
        Precision and recall (angles,), in [0, 1].

    Raises:
        OtbenchError: Where a value on the curve is above 1.001, so that the histograms do not sum to 1.

    Source: Sajjadi et al. (2018), Eqs. 6 and 7.
    """
    slope = np.tan(np.linspace(EPSILON, np.pi / 2 - EPSILON, angles))
    precision = np.minimum(slope[:, None] * p_real, q_generated).sum(axis=1)
    recall = precision / slope
    if max(precision.max(), recall.max()) > 1.001:
        raise OtbenchError("prd: a value above 1.001 on the curve, expected two histograms that each sum to 1")
    return precision.clip(0, 1), recall.clip(0, 1)


def prd(
    real: np.ndarray,
    generated: np.ndarray,
    seed: int = 0,
    runs: int = RUNS,
    clusters: int = CLUSTERS,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall curves, averaged point by point over `runs` clusterings.

    Args:
        real: Real rows (n, d), at least `clusters`.
        generated: Generated rows (n, d).
        seed: Seed of the clusterings.
        runs: Number of clusterings.
        clusters: Number of clusters of each clustering.
        device: Where they are found: `cpu`, or a device of `otbench.metrics.torch_backend`.

    Returns:
        Precision and recall (1001,), in [0, 1].

    Raises:
        OtbenchError: Where real and generated rows are not equally many, or fewer than `clusters`.
    """
    real, generated = check_pair(real, generated, least=clusters)
    if len(real) != len(generated):
        raise OtbenchError(f"prd: {len(real)} real and {len(generated)} generated rows, expected equal numbers")
    shares = zip(*histograms(real, generated, seed, clusters, runs, device), strict=True)
    precision, recall = np.mean([curve(*pair) for pair in shares], axis=0)
    return precision, recall


def f_beta(precision: np.ndarray, recall: np.ndarray, beta: float) -> float:
    """Largest F_b = (1 + b^2) P R / (b^2 P + R + 1e-10) over the curve.

    Args:
        precision: Precision P (angles,).
        recall: Recall R (angles,).
        beta: Weight b of recall.

    Returns:
        Largest value, in [0, 1].
    """
    return float(np.max((1 + beta**2) * precision * recall / (beta**2 * precision + recall + EPSILON)))


def f_pair(precision: np.ndarray, recall: np.ndarray) -> tuple[float, float]:
    """F_8, which weighs recall, and F_1/8, which weighs precision.

    Args:
        precision: Precision (angles,).
        recall: Recall (angles,).

    Returns:
        (F_8, F_1/8).
    """
    return f_beta(precision, recall, 8.0), f_beta(precision, recall, 1 / 8)


SAJJADI = "Sajjadi et al. 2018, Assessing generative models via precision and recall"
SETTINGS: Parts = {"clusters": CLUSTERS, "angles": ANGLES, "runs": RUNS, "batch": BATCH, "steps": STEPS}


def _parts(setting: Setting) -> Parts:
    return pair_parts(setting) | SETTINGS


METRICS = (
    Metric(
        "prd_f8",
        "PRD F8",
        "1",
        "higher",
        BOTH,
        SAJJADI,
        "Largest F8 on the PRD curve: weighs recall.",
        of_points=lambda view: view.f_pair[0],
        of_images=lambda view: view.f_pair[0],
        point_parts=_parts,
        image_parts=_parts,
        cheap=IMAGES,
        scale="logit",
    ),
    Metric(
        "prd_f1_8",
        "PRD F1/8",
        "1",
        "higher",
        BOTH,
        SAJJADI,
        "Largest F1/8 on the PRD curve: weighs precision.",
        of_points=lambda view: view.f_pair[1],
        of_images=lambda view: view.f_pair[1],
        point_parts=_parts,
        image_parts=_parts,
        cheap=IMAGES,
        scale="logit",
    ),
)
