"""Frechet distance between Gaussians fitted to two feature sets (FID: Heusel et al. 2017).

statistics: `statistics`; score: `frechet`. Deterministic. With fewer rows than columns the estimate is far too high:
the protocol states both. `library_fid` is torch-fidelity's computation: it serves `otbench score`; to load that library
takes longer than to measure a model, so the runs do without. The two agree (tests).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_pair, split_parts


def statistics(features: np.ndarray, device: str = "cpu") -> dict[str, np.ndarray]:
    """Mean and covariance of features.

    Args:
        features: Features (n, d).
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        `mu` (d,) and `sigma` (d, d), the covariance with n - 1, float64.
    """
    if device != "cpu":
        from otbench.metrics import torch_backend

        return torch_backend.moments(features, device)
    features = np.asarray(features, np.float64)
    mu = features.mean(axis=0)
    return {"mu": mu, "sigma": (features - mu).T @ (features - mu) / (len(features) - 1)}


def frechet(real: dict[str, np.ndarray], generated: dict[str, np.ndarray], device: str = "cpu") -> float:
    """Frechet distance |mu_r - mu_g|^2 + tr(S_r + S_g - 2 (S_r S_g)^1/2) of two Gaussians.

    S_r S_g has the eigenvalues of S_r^1/2 S_g S_r^1/2, which is symmetric: faster than a general eigenproblem, and all
    of them are real.

    Args:
        real: `statistics` of the real features.
        generated: `statistics` of the generated features.
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        Distance in squared units of the features; at rounding level it can fall just below zero.
    """
    if device != "cpu":
        from otbench.metrics import torch_backend

        shared = torch_backend.root_trace(real["sigma"], generated["sigma"], device)
    else:
        values, vectors = np.linalg.eigh(real["sigma"])
        root = vectors * np.sqrt(values.clip(0)) @ vectors.T
        product = np.linalg.eigvalsh(root @ generated["sigma"] @ root)
        shared = np.sqrt(product.clip(0)).sum()
    gap = real["mu"] - generated["mu"]
    spread = np.trace(real["sigma"]) + np.trace(generated["sigma"]) - 2 * shared
    return float(gap @ gap + spread)


def fid(real: np.ndarray, generated: np.ndarray, device: str = "cpu") -> float:
    """Frechet distance of two feature sets.

    Args:
        real: Real features (n, d), at least two rows.
        generated: Generated features (m, d), at least two rows.
        device: `cpu` for NumPy, else a device of `otbench.metrics.torch_backend`.

    Returns:
        Distance in squared units of the features.

    Raises:
        OtbenchError: Where the arrays do not fit (`check_pair`).
    """
    real, generated = check_pair(real, generated, least=2)
    return frechet(statistics(real, device), statistics(generated, device), device)


def library_fid(real: np.ndarray, generated: np.ndarray) -> float:
    """Frechet distance of two feature sets by torch-fidelity.

    Args:
        real: Real features (n, d), at least two rows.
        generated: Generated features (m, d), at least two rows.

    Returns:
        Distance in squared units of the features.
    """
    import torch
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    fits = [fid_features_to_statistics(torch.from_numpy(np.array(x))) for x in check_pair(real, generated, least=2)]
    for fit in fits:  # a single column's covariance comes as a scalar
        fit["sigma"] = np.atleast_2d(fit["sigma"])
    return float(fid_statistics_to_metric(*fits, verbose=False)[KEY_METRIC_FID])


def _train_parts(setting: Setting) -> Parts:
    return {"n_real": min(setting.n_real, setting.n_train), "n_generated": setting.n, "split": "train"}


def _validation_parts(setting: Setting) -> Parts:
    split = "validation" if setting.dataset.validation is not None else "test-held-out"
    return {"n_real": setting.n_held_out, "n_generated": setting.n, "split": split}


def _reconstruction_parts(setting: Setting) -> Parts:
    return {"n_real": setting.n_real, "n_generated": setting.n_real, "split": "test"}


def _distance(
    name: str,
    title: str,
    label: str,
    description: str,
    of_images: Callable[[Any], float],
    image_parts: Callable[[Setting], Parts] = split_parts,
    cheap: tuple[str, ...] = (),
    uses: str = "features",
) -> Metric:
    return Metric(
        name,
        title,
        "squared feature units",
        "lower",
        IMAGES,
        "Heusel et al. 2017, GANs trained by a two time-scale update rule",
        description,
        of_images=of_images,
        image_parts=image_parts,
        cheap=cheap,
        uses=uses,
        label=label,
        significant=3,
        scale="log",
    )


METRICS = (
    _distance(
        "fid",
        "Frechet distance",
        "Fréchet distance",
        "Frechet distance of Gaussians fitted to features of the test images and of the generated ones.",
        lambda view: view.frechet(view.real.reference_statistics),
        cheap=IMAGES,
    ),
    _distance(
        "fid_train",
        "Frechet distance to the training set",
        "Fréchet distance to training images",
        "As the Frechet distance, against as many training images; test minus train is the generalisation gap.",
        lambda view: view.frechet(view.real.train_statistics),
        _train_parts,
    ),
    _distance(
        "fid_validation",
        "Frechet distance to the validation set",
        "Fréchet distance to validation images",
        "As the Frechet distance, against validation images, to choose by; void for `real`, which draws from these.",
        lambda view: view.frechet(view.real.held_out_statistics),
        _validation_parts,
        cheap=IMAGES,
    ),
    _distance(
        "fid_reconstruction",
        "Frechet distance of reconstructions",
        "Fréchet distance of reconstructions",
        "Frechet distance of the test images and their reconstructions: the floor of a model that draws codes.",
        lambda view: frechet(view.real.reference_statistics, view.reconstruction_statistics, view.device),
        _reconstruction_parts,
        uses="reconstructions",
    ),
)
