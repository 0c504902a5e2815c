"""What an extractor of image features is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Extracted:
    """What a network sees of n images: features (n, d) float32, and logits (n, K) float32 over its classes."""

    features: np.ndarray
    logits: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """Class (n,) that each image looks like most."""
        return self.logits.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Probability (n,) float64 that the network gives to that class (softmax)."""
        logits = self.logits.astype(np.float64)
        return 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)


class Extractor(Protocol):
    """A network that turns images into features.

    name: `classifier` or `inception`. hash: twelve hexadecimal digits that identify its weights. resizer: how it
    brings images to its size.
    """

    name: str
    hash: str
    resizer: str

    def extract(self, images: np.ndarray) -> Extracted:
        """Features and logits of images.

        Args:
            images: Images (n, c, h, w) uint8.

        Returns:
            Features (n, d) and logits (n, K), float32.
        """
        ...


def file_hash(path: str | Path) -> str:
    """Hash that identifies a file.

    Args:
        path: The file.

    Returns:
        Twelve hexadecimal digits of its SHA-256.
    """
    sums = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sums.update(block)
    return sums.hexdigest()[:12]
