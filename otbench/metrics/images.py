"""Scores of images: in the features of each extractor, through the classifier's classes, and of the pixels.

Frechet and kernel distance and the Inception score take every image there is. The metrics that need equal numbers (PRD,
precision, recall, density, coverage) take seeded subsets of as many as both sides have, at most 10,000.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.store import REAL_PASS
from otbench.metrics import (
    frechet,
    inception_score,
    kernel,
    memorisation,
    modes,
    neighbours,
    prd,
    reverse_kl,
    sharpness,
)
from otbench.metrics.base import Score, pair_size
from otbench.metrics.pairs import Paired
from otbench.metrics.registry import METRICS, settings
from otbench.utils.protocol import protocol

if TYPE_CHECKING:
    from otbench.features.base import Extracted
    from otbench.metrics.reference import Features, Known

PIXELS = "features=pixels"


class View(Paired):
    """What one extractor sees of one set of images, each part computed when first asked for."""

    def __init__(
        self,
        known: Known,
        dataset: DataSet,
        samples: np.ndarray,
        seed: int,
        reconstructions: np.ndarray | None = None,
        device: str = "cpu",
    ) -> None:
        self.known, self.dataset, self.samples, self.seed = known, dataset, samples, seed
        self.reconstructions, self.device = reconstructions, device

    @cached_property
    def generated(self) -> Extracted:
        return self.known.extractor.extract(self.samples)

    @cached_property
    def statistics(self) -> dict[str, np.ndarray]:
        return frechet.statistics(self.generated.features, self.device)

    @property
    def real(self) -> Known:
        """What the metrics need of the real images, computed once for all samples."""
        return self.known.on(self.device)

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of test images and of generated ones."""
        return self.known.reference.features, self.generated.features

    @cached_property
    def distance(self) -> np.ndarray:
        return memorisation.nearest(self.known.train, self.generated.features, self.device)

    def kid(self) -> float:
        real = self.known.reference.features
        subsets = kid_subsets(len(real), len(self.samples))
        return kernel.kid(real, self.generated.features, self.seed, subsets, device=self.device)[0]

    def fid(self, statistics: dict[str, np.ndarray]) -> float:
        return frechet.frechet(statistics, self.statistics, self.device)

    def fid_reconstruction(self) -> float:
        found = self.known.extractor.extract(self.reconstructions)
        statistics = frechet.statistics(found.features, self.device)
        return frechet.frechet(self.real.reference_statistics, statistics, self.device)

    def counts(self, seen: Extracted) -> np.ndarray:
        return np.bincount(seen.classes, minlength=seen.logits.shape[1])

    def reverse_kl(self) -> float:
        return reverse_kl.reverse_kl(self.counts(self.generated), self.counts(self.known.reference))

    def excellence(self) -> float:
        return float(np.mean(self.generated.confidence >= self.known.info["threshold"]))


VIEWED: dict[str, Callable[[View], float]] = {
    "modes": lambda view: modes.modes(view.counts(view.generated)),
    "reverse_kl": lambda view: view.reverse_kl(),
    "fid": lambda view: view.fid(view.real.reference_statistics),
    "fid_train": lambda view: view.fid(view.real.train_statistics),
    "fid_validation": lambda view: view.fid(view.real.held_out_statistics),
    "fid_reconstruction": lambda view: view.fid_reconstruction(),
    "kid": lambda view: view.kid(),
    "is": lambda view: inception_score.inception_score(view.generated.logits, view.seed),
    "prd_f8": lambda view: view.f_pair[0],
    "prd_f1_8": lambda view: view.f_pair[1],
    "precision": lambda view: neighbours.precision(view.neighbours),
    "recall": lambda view: neighbours.recall(view.neighbours),
    "density": lambda view: neighbours.density(view.neighbours),
    "coverage": lambda view: neighbours.coverage(view.neighbours),
    "memorised": lambda view: memorisation.memorised(view.real.reference_distance, view.distance),
    "data_copying": lambda view: memorisation.data_copying(view.real.reference_distance, view.distance),
    "excellence_proxy": lambda view: view.excellence(),
}
PIXELWISE: dict[str, Callable[[np.ndarray], float]] = {
    "sharpness": lambda variance: float(variance.mean()),
    "sharpness_min": lambda variance: float(variance.min()),
}


def kid_subsets(n_real: int, n_generated: int) -> int:
    """100, but 1 where a subset is all there is of both sides: every other would be the same."""
    return 1 if n_real == n_generated == kernel.subset_size(n_real, n_generated) else kernel.SUBSETS


def chosen(names: list[str], extractors: list[str], last: bool) -> list[tuple[str, str]]:
    """(metric, extractor) for each score of images, in the metrics' order; the extractor of pixels is `pixels`.

    Before the last snapshot the classifier's alone where there is one, as Inception takes its time.
    """
    found = []
    for name in names:
        if METRICS[name].uses == "pixels":
            found.append((name, "pixels"))
        elif METRICS[name].uses == "classes" or (not last and "classifier" in extractors):
            found.append((name, "classifier"))
        else:
            found += [(name, extractor) for extractor in extractors]
    return found


def protocol_of(name: str, extractor: str, start: str, dataset: DataSet, n: int, info: dict[str, Any]) -> str:
    """The protocol under which a metric is computed from n generated images.

    start: how the extractor's protocols start; info: its part of features.json, empty where that is not known.
    """
    if extractor == "pixels":
        return protocol(features="pixels", n_generated=n, range="0..1")
    n_real = info.get("n", {}).get("reference", len(dataset.reference))
    n_train = info.get("n", {}).get("train", len(dataset.train))
    if name in ("prd_f8", "prd_f1_8", "precision", "recall", "density", "coverage"):
        size = pair_size(dataset, n)
        parts = {"n_real": size, "n_generated": size, "split": "test"} | settings(name)
    elif name == "fid_train":
        parts = {"n_real": min(n_real, n_train), "n_generated": n, "split": "train"}
    elif name == "fid_validation":
        n_held_out = info.get("n", {}).get("held_out", len(dataset.held_out))
        split = "validation" if dataset.validation is not None else "test-held-out"
        parts = {"n_real": n_held_out, "n_generated": n, "split": split}
    elif name == "fid_reconstruction":
        parts = {"n_real": n_real, "n_generated": n_real, "split": "test"}
    elif name == "kid":
        parts = {"n_real": n_real, "n_generated": n, "split": "test", "subsets": kid_subsets(n_real, n)}
        parts["subset_size"] = kernel.subset_size(n_real, n)
    elif name == "is":
        parts = {"n_generated": n, "splits": inception_score.splits(n)}
    elif name in ("memorised", "data_copying"):
        parts = {"n_train": n_train, "n_real": n_real, "n_generated": n, "split": "test"}
        parts |= {"quantile": memorisation.QUANTILE} if name == "memorised" else {}
    elif name == "excellence_proxy":
        parts = {"n_generated": n, "real_pass": REAL_PASS} | (
            {"confidence": f"{info['threshold']:.4f}"} if "threshold" in info else {}
        )
    elif name == "modes":
        parts = {"n_generated": n, "classes": info.get("classes", len(dataset.classes))}
    else:
        parts = {"n_real": n_real, "n_generated": n, "split": "test"}
    return f"{start};{protocol(**parts)}"


def measure_images(
    dataset: DataSet,
    samples: np.ndarray,
    seed: int,
    names: list[str],
    features: Features | None,
    reconstructions: np.ndarray | None = None,
    curves: dict[str, tuple[np.ndarray, np.ndarray]] | None = None,
    last: bool = True,
    device: str = "cpu",
) -> list[Score]:
    """Scores of images (n, c, h, w) uint8 under the metrics `names`, one a metric and extractor.

    curves: is given each extractor's PRD curve (precision, recall), where PRD is among the metrics. device: as in
    `measure`. Raises OtbenchError on images of another shape or type, and fewer than 20.
    """
    if samples.shape[1:] != dataset.shape or samples.dtype != np.uint8 or len(samples) < prd.CLUSTERS:
        raise OtbenchError(
            f"samples: expected at least {prd.CLUSTERS} uint8 images {dataset.shape} as in data set {dataset.name},"
            f" got {samples.dtype} {samples.shape}"
        )
    known = features.extractors if features else {}
    views = {name: View(one, dataset, samples, seed, reconstructions, device) for name, one in known.items()}
    variance: np.ndarray | None = None
    found = []
    for name, extractor in chosen(names, list(views), last):
        if extractor == "pixels":
            variance = sharpness.laplacian_variance(samples) if variance is None else variance
            value, start, info = PIXELWISE[name](variance), PIXELS, {}
        else:
            value, start, info = VIEWED[name](views[extractor]), known[extractor].protocol, known[extractor].info
        found.append(Score(name, value, protocol_of(name, extractor, start, dataset, len(samples), info)))
    if curves is not None:
        curves |= {name: view.curve for name, view in views.items() if "curve" in vars(view)}
    return found
