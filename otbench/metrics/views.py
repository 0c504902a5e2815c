"""What metrics see of one set of samples: points, images through an extractor, or pixels; shared work done once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from otbench.data.base import DataSet, Mixture
from otbench.metrics import frechet, memorisation, modes, reverse_kl, sharpness
from otbench.metrics.pairs import Paired

if TYPE_CHECKING:
    from otbench.features.base import Extracted
    from otbench.metrics.reference import RealFeatures


class PointView(Paired):
    """What metrics see of one set of points (n, d), each part computed when first asked for."""

    def __init__(self, dataset: DataSet, samples: np.ndarray, seed: int, device: str):
        self.dataset, self.samples, self.seed, self.device = dataset, samples, seed, device

    @property
    def truth(self) -> Mixture:
        """The true mixture, which metrics of modes need."""
        assert self.dataset.truth is not None
        return self.dataset.truth

    @cached_property
    def assignment(self) -> modes.Assignment:
        """The generated points' nearest modes."""
        return modes.assign(self.samples, self.truth)

    @cached_property
    def train_assignment(self) -> modes.Assignment:
        """The training points' nearest modes."""
        return modes.assign(self.dataset.train, self.truth)

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Points of the reference and generated points."""
        return self.dataset.reference, self.samples

    def mode_counts(self, assignment: modes.Assignment, high_quality_only: bool) -> np.ndarray:
        """Number of points per mode.

        Args:
            assignment: The points' nearest modes.
            high_quality_only: Whether points of high quality alone are counted.

        Returns:
            Counts (K,) int64.
        """
        return modes.histogram(assignment, len(self.truth.centres), high_quality_only)

    def reverse_kl(self, train: bool = False, high_quality_only: bool = False) -> float:
        """KL of the generated points' histogram over modes against the true weights or the training points' histogram.

        Args:
            train: Whether the reference is the training points' histogram, in place of the true weights.
            high_quality_only: Whether points of high quality alone count.

        Returns:
            Divergence in nats.
        """
        reference = self.mode_counts(self.train_assignment, high_quality_only) if train else self.truth.weights
        return reverse_kl.reverse_kl(self.mode_counts(self.assignment, high_quality_only), reference)


class ImageView(Paired):
    """What one extractor sees of one set of images, each part computed when first asked for.

    Attributes:
        known: the extractor and its features of the real images.
        samples: generated images (n, c, h, w), uint8.
        reconstructions: the reference images as the model gives them back, or None.
    """

    def __init__(
        self,
        known: RealFeatures,
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
        """Features and logits of the generated images."""
        return self.known.extractor.extract(self.samples)

    @cached_property
    def statistics(self) -> dict[str, np.ndarray]:
        """Mean `mu` (d,) and covariance `sigma` (d, d) of the features of the generated images."""
        return frechet.statistics(self.generated.features, self.device)

    @property
    def real(self) -> RealFeatures:
        """What the metrics need of the real images, computed once for all samples."""
        return self.known.on(self.device)

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of test images and of generated ones."""
        return self.known.reference.features, self.generated.features

    @cached_property
    def distance(self) -> np.ndarray:
        """Distance (n,) of each generated image's features to the nearest training image's."""
        return memorisation.nearest(self.known.train, self.generated.features, self.device)

    @property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cell of each test image and of each generated one in the partition of the training features."""
        centres, reference = self.real.partition(len(self.samples))
        return reference, memorisation.cell_of(centres, self.generated.features)

    @cached_property
    def reconstruction_statistics(self) -> dict[str, np.ndarray]:
        """Mean and covariance of the features of the reconstructions."""
        assert self.reconstructions is not None
        extracted = self.known.extractor.extract(self.reconstructions)
        return frechet.statistics(extracted.features, self.device)

    def frechet(self, statistics: dict[str, np.ndarray]) -> float:
        """Frechet distance of the generated images to real ones.

        Args:
            statistics: Mean `mu` (d,) and covariance `sigma` (d, d) of the real images' features.

        Returns:
            Distance in squared units of the features.
        """
        return frechet.frechet(statistics, self.statistics, self.device)

    def class_counts(self, seen: Extracted) -> np.ndarray:
        """Number of images per class that the extractor finds.

        Args:
            seen: What the extractor sees of the images.

        Returns:
            Counts (K,) int64.
        """
        return np.bincount(seen.classes, minlength=seen.logits.shape[1])


class PixelView:
    """What metrics of the pixels themselves see of one set of images (n, c, h, w), uint8."""

    def __init__(self, dataset: DataSet, samples: np.ndarray):
        self.dataset, self.samples = dataset, samples

    @cached_property
    def laplacian_variance(self) -> np.ndarray:
        """Variance (n,) of each image's Laplacian, on [0, 1]."""
        return sharpness.laplacian_variance(self.samples)
