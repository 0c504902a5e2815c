"""What the study of blur measures an autoencoder with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from otbench.data.base import DataSet
from otbench.features.classifier import train
from otbench.metrics import memorisation
from otbench.metrics.frechet import frechet, statistics
from otbench.metrics.sharpness import laplacian_variance

#: principal components of the training images, where there is no classifier
COMPONENTS = 24
#: training images, at most, among which a sample's nearest is sought
NEAREST = 5000

Extract = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ruler:
    """Measures samples and reconstructions against held-out images.

    reference: those images. features: what the Frechet distance is taken in, in words. real: their statistics there.
    known: training images. far: mean distance from a held-out image to the nearest of them.
    """

    reference: np.ndarray
    features: str
    extract: Extract
    real: dict[str, np.ndarray]
    known: np.ndarray
    far: float

    def frechet(self, images: np.ndarray) -> float:
        """Frechet distance from the held-out images.

        Args:
            images: Images (n, c, h, w) uint8.

        Returns:
            Distance.
        """
        return frechet(self.real, statistics(self.extract(images)))

    def measure(self, samples: np.ndarray, given_back: np.ndarray) -> dict[str, float]:
        """Measures of samples, and of the held-out images as the autoencoder gives them back.

        Args:
            samples: Samples (n, c, h, w) uint8.
            given_back: Reconstructions of `reference` (m, c, h, w) uint8, in its order.

        Returns:
            l2: mean squared error per pixel and channel, values in [0, 1]; frechet and sharpness of the samples, and of
            the reconstructions (`_back`); novelty: mean distance of a sample to the nearest training image, in units of
            the held-out images' own.
        """
        error = (given_back.astype(np.float64) - self.reference) / 255
        return {
            "l2": float((error**2).mean()),
            "frechet": self.frechet(samples),
            "frechet_back": self.frechet(given_back),
            "sharpness": float(laplacian_variance(samples).mean()),
            "sharpness_back": float(laplacian_variance(given_back).mean()),
            "novelty": float(nearest(samples, self.known).mean() / self.far),
        }


def ruler(data: DataSet, steps: int, most: int, seed: int, device: str) -> Ruler:
    """Measures in the features of the data's own classifier, or of pixels where there is none.

    Args:
        data: Images.
        steps: Batches that the classifier is trained for; 0, or data without labels: principal components of pixels.
        most: Number of held-out images, at most, that everything is measured on.
        seed: Seed of the classifier or the components, and of the training images that are compared with.
        device: Where the classifier is trained.

    Returns:
        The ruler.
    """
    reference = data.reference[:most]
    extract: Extract
    if steps and data.labels_of("train") is not None:
        network = train(data, steps=steps, seed=seed, device=device)
        caption = f"{network.width} features of a classifier trained on the same data"
        if (labels := data.labels_of("reference")) is not None:
            right = float((network.extract(reference).classes == labels[:most]).mean())
            caption += f", right on {100 * right:.1f} % of the held-out images"

        def features(images: np.ndarray) -> np.ndarray:
            return network.extract(images).features

        extract = features
    else:
        extract, count = principal(data.train, seed)
        caption = f"the first {count} principal components of the training images' pixels"
    training = data.train[np.random.default_rng(seed).permutation(len(data.train))[:NEAREST]]
    far = float(nearest(reference, training).mean())
    return Ruler(reference, caption, extract, statistics(extract(reference)), training, far)


def principal(images: np.ndarray, seed: int) -> tuple[Extract, int]:
    """First principal components of images, on [0, 1].

    Args:
        images: Images (n, c, h, w) uint8, of which the first 10,000 are used.
        seed: Seed of the randomised solver.

    Returns:
        Function from images (m, c, h, w) uint8 to components (m, k), and their number k.
    """
    from sklearn.decomposition import PCA

    count = min(COMPONENTS, len(images) - 1, images[0].size)
    pca = PCA(count, svd_solver="randomized", random_state=seed).fit(flat(images[:10_000]))
    return lambda new: pca.transform(flat(new)), count


def nearest(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Distance of each image to the nearest known one, values in [0, 1].

    Args:
        images: Images (n, c, h, w) uint8.
        known: Known images (m, c, h, w) uint8.

    Returns:
        Distances (n,).
    """
    return memorisation.nearest(flat(known), flat(images))


def flat(images: np.ndarray) -> np.ndarray:
    """Images as rows of values on [0, 1].

    Args:
        images: Images (n, c, h, w) uint8.

    Returns:
        Values (n, c h w) float32.
    """
    return images.reshape(len(images), -1).astype(np.float32) / 255
