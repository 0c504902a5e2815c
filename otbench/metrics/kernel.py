"""Squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (KID: Binkowski et al. 2018).

Mean and standard deviation over random subsets. The subsets overlap, so the deviation describes the spread at the
subset size; it is no standard error of the mean, and it is nought where a subset is the whole set. `library_kid` is
torch-fidelity's computation: it serves `otbench score`; to load that library takes longer than to measure a model, so
the runs do without. The two draw the same subsets and agree (tests).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_pair, split_parts

SUBSETS, SUBSET_SIZE = 100, 1000


def subset_size(n_real: int, n_generated: int, largest: int = SUBSET_SIZE) -> int:
    """Rows of a subset.

    Args:
        n_real: Number of real rows.
        n_generated: Number of generated rows.
        largest: Largest size.

    Returns:
        `largest` (1,000), or as many as the smaller set has.
    """
    return min(largest, n_real, n_generated)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base


def mmd(real: np.ndarray, generated: np.ndarray) -> float:
    """Unbiased estimate of the squared MMD under the cubic kernel: a point is not compared with itself.

    Args:
        real: Real features (n, d).
        generated: Generated features (m, d).

    Returns:
        Estimate, which can fall below zero.
    """
    within = 0.0
    for x in (real, generated):
        k = _kernel(x, x)
        within += (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))
    return float(within - 2 * _kernel(real, generated).mean())


def kid(
    real: np.ndarray,
    generated: np.ndarray,
    seed: int = 0,
    subsets: int = SUBSETS,
    largest: int = SUBSET_SIZE,
    device: str = "cpu",
) -> tuple[float, float]:
    """Mean and standard deviation of the unbiased estimate over seeded subsets.

    Args:
        real: Real features (n, d), at least two rows.
        generated: Generated features (m, d), at least two rows.
        seed: Seed of the subsets.
        subsets: Number of subsets.
        largest: Largest number of rows of a subset.
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        Mean and standard deviation of the squared MMD; the mean can fall below zero.
    """
    real, generated = check_pair(real, generated, least=2)
    size = subset_size(len(real), len(generated), largest)
    draws = np.random.RandomState(seed)  # torch-fidelity's, so that its figures come out
    if device != "cpu":
        from otbench.metrics import torch_backend

        rows = [[draws.choice(len(x), size, replace=False) for x in (real, generated)] for _ in range(subsets)]
        first, second = np.array(rows).swapaxes(0, 1)
        values = torch_backend.mmds(real, generated, first, second, device)
        return float(np.mean(values)), float(np.std(values))
    values = [mmd(*(x[draws.choice(len(x), size, replace=False)] for x in (real, generated))) for _ in range(subsets)]
    return float(np.mean(values)), float(np.std(values))


def library_kid(
    real: np.ndarray, generated: np.ndarray, seed: int = 0, subsets: int = SUBSETS, largest: int = SUBSET_SIZE
) -> tuple[float, float]:
    """Mean and standard deviation of the unbiased estimate over the same subsets, by torch-fidelity.

    Args:
        real: Real features (n, d), at least two rows.
        generated: Generated features (m, d), at least two rows.
        seed: Seed of the subsets.
        subsets: Number of subsets.
        largest: Largest number of rows of a subset.

    Returns:
        Mean and standard deviation of the squared MMD; the mean can fall below zero.
    """
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    real, generated = check_pair(real, generated, least=2)
    values = kid_features_to_metric(
        torch.from_numpy(np.array(real)),
        torch.from_numpy(np.array(generated)),
        kid_subsets=subsets,
        kid_subset_size=subset_size(len(real), len(generated), largest),
        rng_seed=seed,
        verbose=False,
    )
    return float(values[KEY_METRIC_KID_MEAN]), float(values[KEY_METRIC_KID_STD])


def subset_count(n_real: int, n_generated: int) -> int:
    """Number of subsets of the kernel distance.

    Args:
        n_real: Number of real rows.
        n_generated: Number of generated rows.

    Returns:
        100, but 1 where a subset is all there is of both sides, as every other would be the same.
    """
    return 1 if n_real == n_generated == subset_size(n_real, n_generated) else SUBSETS


def _of_images(view: Any) -> float:
    real = view.known.reference.features
    subsets = subset_count(len(real), len(view.samples))
    return kid(real, view.generated.features, view.seed, subsets, device=view.device)[0]


def _image_parts(setting: Setting) -> Parts:
    sizes = setting.n_real, setting.n
    return split_parts(setting) | {"subsets": subset_count(*sizes), "subset_size": subset_size(*sizes)}


METRICS = (
    Metric(
        "kid",
        "Kernel distance",
        "squared MMD",
        "lower",
        IMAGES,
        "Binkowski et al. 2018, Demystifying MMD GANs",
        "Squared MMD of the features under a cubic kernel, mean over subsets.",
        of_images=_of_images,
        image_parts=_image_parts,
        label="Kernel distance",
        significant=3,
        scale="log",
    ),
)
