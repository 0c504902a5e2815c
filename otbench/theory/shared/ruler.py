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
        """Frechet distance of uint8 images (n, c, h, w) from the held-out ones."""
        return frechet(self.real, statistics(self.extract(images)))

    def measure(self, samples: np.ndarray, given_back: np.ndarray) -> dict[str, float]:
        """Numbers of samples, and of the held-out images as the autoencoder gives them back, uint8 (n, c, h, w).

        l2: mean squared error per pixel and channel, values in [0, 1]. novelty: mean distance of a sample to the
        nearest training image, in units of the held-out images' own.
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
    """Features of the data's own classifier, trained for so many steps; of pixels for 0 and where none is labelled.

    most: held-out images, at most, that everything is measured on.
    """
    reference = data.reference[:most]
    if steps and data.labels_of("train") is not None:
        network = train(data, steps=steps, seed=seed, device=device)
        said = f"{network.width} features of a classifier trained on the same data"
        if (labels := data.labels_of("reference")) is not None:
            right = float((network.extract(reference).classes == labels[:most]).mean())
            said += f", right on {100 * right:.1f} % of the held-out images"

        def extract(images: np.ndarray) -> np.ndarray:
            return network.extract(images).features
    else:
        extract, kept = principal(data.train, seed)
        said = f"the first {kept} principal components of the training images' pixels"
    known = data.train[np.random.default_rng(seed).permutation(len(data.train))[:NEAREST]]
    far = float(nearest(reference, known).mean())
    return Ruler(reference, said, extract, statistics(extract(reference)), known, far)


def principal(images: np.ndarray, seed: int) -> tuple[Extract, int]:
    """What gives the first principal components of uint8 images, on [0, 1], and how many they are."""
    from sklearn.decomposition import PCA

    kept = min(COMPONENTS, len(images) - 1, images[0].size)
    found = PCA(kept, svd_solver="randomized", random_state=seed).fit(flat(images[:10_000]))
    return lambda new: found.transform(flat(new)), kept


def nearest(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Distance (n,) of each uint8 image to the nearest known one, values in [0, 1]."""
    return memorisation.nearest(flat(known), flat(images))


def flat(images: np.ndarray) -> np.ndarray:
    """uint8 (n, c, h, w) -> float32 (n, c h w) on [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / 255
