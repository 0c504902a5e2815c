"""What an extractor of image features is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
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

    name: its name in the registry. hash: twelve hexadecimal digits that identify its weights. resizer: how it brings
    images to its size.
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


@dataclass(frozen=True)
class Network:
    """A feature network by name: where its weights come from, and how it is opened.

    Attributes:
        name: key in protocols, configs and on the command line; letters, digits and `-`.
        paper: its source.
        find: the file of the weights that is at hand, from the path that the user names or None; None where none is.
        fetch: fetches the weights where none are at hand, or raises with a sentence that says how to get them.
        open: reads the weights, from (file, device of torch).
        train_rows: most training images whose features a features folder keeps.
        trained: whether it is trained on the data set's own labels, and so belongs to one data set.
        logits: whether it tells classes apart, and so gives logits.
    """

    name: str
    paper: str
    find: Callable[[str | Path | None], Path | None]
    fetch: Callable[[], Path]
    open: Callable[[Path, str], Extractor]
    train_rows: int = 10_000
    trained: bool = False
    logits: bool = True


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
