"""What `benchmarks/measuring.py` measures beside ours: precision and recall in two ways with scikit-learn's distances,
and weights that let torch-fidelity's network run where its own are not at hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from otbench.metrics import neighbours


def by_scikit_learn(real: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """Precision and recall with scikit-learn's NearestNeighbors by brute force, and balls asked for in blocks."""
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    k = neighbours.K_PRECISION

    def covered(support: np.ndarray, points: np.ndarray) -> float:
        found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(support)
        reach = found.kneighbors(support)[0][:, k]
        inside = [(block <= reach).any(axis=1) for block in pairwise_distances_chunked(points, support)]
        return float(np.concatenate(inside).mean())

    return covered(real, generated), covered(generated, real)


def as_in_prdc(real: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """Precision and recall, and with them density and coverage, as in Naeem et al.'s code: whole matrices of distances,
    scikit-learn's, and a partition of each; written anew from its description.
    """
    from sklearn.metrics import pairwise_distances

    def reach(points: np.ndarray, k: int) -> np.ndarray:
        return np.partition(pairwise_distances(points), k, axis=1)[:, k]

    between = pairwise_distances(real, generated)
    for k in (neighbours.K_PRECISION, neighbours.K_DENSITY):  # their code is called once for each k
        near_real, near_generated = reach(real, k), reach(generated, k)
        precision = (between <= near_real[:, None]).any(axis=0).mean()
        recall = (between <= near_generated[None]).any(axis=1).mean()
        if k == neighbours.K_PRECISION:
            found = float(precision), float(recall)
        (between < near_real[:, None]).sum(axis=0).mean()  # density
        (between.min(axis=1) < near_real).mean()  # coverage
    return found


def random_inception(path: Path) -> Path:
    """A file of the form of Inception's weights, random and so scaled that features neither vanish nor overflow."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    class Unread(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
            return None

    torch.save({}, path)
    state = Unread("random", ["2048"], str(path)).state_dict()
    generator = torch.Generator().manual_seed(0)
    for name, value in state.items():
        if value.dim() > 1:  # He et al. 2015: a layer keeps the scale of what it is given
            value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
        elif value.dim():
            value.fill_(float("var" in name or "bn.weight" in name))
    torch.save(state, path)
    return path


def prd_by_scikit_learn(real: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """PRD's (F8, F1/8) with scikit-learn's MiniBatchKMeans, one clustering after another, as in the authors' code."""
    from sklearn.cluster import MiniBatchKMeans

    from otbench.metrics import prd

    union, curves = np.concatenate([real, generated]), []
    for seed in range(prd.RUNS):
        model = MiniBatchKMeans(prd.CLUSTERS, n_init=prd.INITS, batch_size=prd.BATCH, random_state=seed)
        label = model.fit(union).labels_
        sides = label[: len(real)], label[len(real) :]
        curves.append(prd.curve(*(np.bincount(side, minlength=prd.CLUSTERS) / len(side) for side in sides)))
    return prd.f_pair(*np.mean(curves, axis=0))
