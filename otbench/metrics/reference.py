"""The real side of image metrics: features of the real images and what is derived from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.base import Extracted, Extractor
from otbench.features.registry import Weights
from otbench.features.store import _arrays, _key, opener, protocol_start, read_info
from otbench.metrics import frechet
from otbench.metrics.memorisation import cell_of, cells, nearest


@dataclass(frozen=True)
class RealFeatures:
    """One extractor and its features of a data set's real images.

    info: its part of features.json. reference, held_out: (n, d) features and (n, K) logits. train (N, d): features of
    training images in a seeded random order, so that any first part of them is a random subset. device: where what
    metrics need of these features is computed, as in `otbench.metrics.measure`.
    """

    name: str
    info: dict[str, Any]
    reference: Extracted
    held_out: Extracted
    train: np.ndarray
    load: Callable[[], Extractor]
    device: str = "cpu"

    def on(self, device: str) -> RealFeatures:
        """These features, with what metrics need of them computed on a device, once for all that ask.

        Args:
            device: Where it is computed, as in `otbench.metrics.measure`.

        Returns:
            The same features, on that device.
        """
        return self if device == self.device else self._elsewhere.setdefault(device, replace(self, device=device))

    @cached_property
    def _elsewhere(self) -> dict[str, RealFeatures]:
        return {}

    @cached_property
    def extractor(self) -> Extractor:
        """The network itself, read when first needed."""
        network = self.load()
        if network.hash != self.info["weights"]:
            raise OtbenchError(
                f"the weights of extractor {self.name} have hash {network.hash}, expected {self.info['weights']}, those"
                " that the features of the real images were computed with"
            )
        return network

    @property
    def protocol(self) -> str:
        """How every protocol of a score in these features starts."""
        return protocol_start(self.name, self.info)

    @cached_property
    def reference_statistics(self) -> dict[str, np.ndarray]:
        """Mean and covariance of the reference features, float64."""
        return frechet.statistics(self.reference.features, self.device)

    @cached_property
    def held_out_statistics(self) -> dict[str, np.ndarray]:
        """Mean and covariance of the features of held-out images: those that a snapshot may be chosen on."""
        return frechet.statistics(self.held_out.features, self.device)

    @cached_property
    def train_statistics(self) -> dict[str, np.ndarray]:
        """Mean and covariance of as many training features as there are reference ones, or of all."""
        return frechet.statistics(self.train[: len(self.reference.features)], self.device)

    @cached_property
    def reference_distance(self) -> np.ndarray:
        """Distance (n,) of each reference feature to the nearest training one."""
        return nearest(self.train, self.reference.features, self.device)

    @cached_property
    def held_out_distance(self) -> np.ndarray:
        """Distance (n,) of each held-out feature to the nearest training one."""
        return nearest(self.train, self.held_out.features, self.device)

    @cached_property
    def _partitions(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        return {}

    def partition(self, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """The partition of the training features, found once for all samples of one number.

        Args:
            samples: Number of generated samples.

        Returns:
            Centres (k, d) float64 of the cells, and the cell (n,) of each reference feature.
        """
        least = min(samples, len(self.reference.features))
        if least not in self._partitions:
            centres = cells(self.train, least)
            self._partitions[least] = centres, cell_of(centres, self.reference.features)
        return self._partitions[least]


@dataclass(frozen=True)
class Features:
    """A features folder, read: its extractors by name."""

    folder: Path
    info: dict[str, Any]
    extractors: dict[str, RealFeatures]


def open_features(folder: str | Path, data: DataSet, weights: Weights = None, device: str = "cpu") -> Features:
    """Read a features folder for measuring samples of `data`.

    Args:
        folder: Features folder, as `otbench features` makes it.
        data: Data set whose real images the features are of.
        weights: Files of weights by the network's name, or Inception's; None for what is at hand.
        device: Where new images are extracted.

    Returns:
        The folder's extractors with their features of the real images.

    Raises:
        OtbenchError: Where a file is missing or damaged or does not belong to this data set, these weights and this
            resizer.
    """
    folder = Path(folder)
    info = read_info(folder, data)
    extractors = {}
    for name, summary in info["extractors"].items():
        arrays = _arrays(folder / f"{name}.npz", _key(info["digest"], summary))
        reference, held_out = (Extracted(arrays[p], arrays[f"{p}_logits"]) for p in ("reference", "held_out"))
        opened = opener(name, folder, weights, device)
        extractors[name] = RealFeatures(name, summary, reference, held_out, arrays["train"], opened)
    return Features(folder, info, extractors)
