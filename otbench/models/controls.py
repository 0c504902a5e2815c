"""Controls: models that keep the metrics honest. They learn nothing and go through the same steps as the rest."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, Model


def _rows(values: np.ndarray, n: int, stream: torch.Generator) -> Tensor:
    """n rows, without repeats as long as there are enough."""
    if n <= len(values):
        index = torch.randperm(len(values), generator=stream)[:n]
    else:
        index = torch.randint(len(values), (n,), generator=stream)
    return torch.from_numpy(values[index.numpy()])


class Control(Model):
    """A model without networks; `sample` says what it draws."""

    kinds = ("points", "images")
    control = True
    family = "control"
    sampler = ()

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """n samples of every replica; images as floats in [0, 1]."""
        drawn = torch.stack([self.sample(n, stream, seed) for stream, seed in zip(streams, self.seeds, strict=True)])
        return drawn.float() / 255 if drawn.dtype == torch.uint8 else drawn

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Samples of one replica.

        Args:
            n: Number of samples.
            stream: The replica's generator.
            seed: Seed of the replica.

        Returns:
            Samples (n, ...); images as uint8, or as floats in [0, 1].
        """
        raise AssertionError(f"{type(self).__name__} defines no sampler")


class HeldOut(Control):
    """Held-out real data: what a perfect generator would score. Metrics never compare it with the same rows."""

    names = {"real": {}}
    title = "Held-out real"
    paper = "control"

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Rows that neither models nor metrics see."""
        return _rows(self.data.held_out, n, stream)


class Memoriser(Control):
    """Gives training samples back: what a generator that has learnt nothing but its training set would score."""

    names = {"memoriser": {}}
    title = "Memoriser"
    paper = "control"

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Rows of the training split."""
        return _rows(self.data.train, n, stream)


class CollapsedConfig(Config):
    """How much of the data is left."""

    share: float = Field(0.4, gt=0, le=1)


class Collapsed(Control):
    """Perfect samples of a part of the modes: what mode collapse alone does to a metric.

    Modes are the centres of the mixture, the classes of labelled images, or ten k-means clusters where neither is
    known; a share of them, chosen by the seed, is kept.
    """

    names = {"collapsed": {}}
    title = "Collapsed"
    paper = "control"
    Config = CollapsedConfig
    config: CollapsedConfig

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Held-out rows of the modes that are kept."""
        mode, count = self._modes()
        chosen = torch.randperm(count, generator=stream)[: max(1, round(self.config.share * count))]
        rows = self.data.held_out[np.isin(mode, chosen.numpy())]
        # few rows of many modes may all have been left out
        return _rows(rows if len(rows) else self.data.held_out[:1], n, stream)

    def _modes(self) -> tuple[np.ndarray, int]:
        """The mode of every held-out row (m,), and the number of modes."""
        rows = self.data.held_out
        labels = self.data.labels_of("held_out")
        if labels is not None:
            classes, mode = np.unique(labels, return_inverse=True)
            return mode, len(classes)
        centres = self.data.truth.centres if self.data.truth else self._clusters()
        flat = _flat(rows)
        # a centre at a time: images times centres times pixels would not fit
        distance = np.stack([((flat - c) ** 2).sum(1) for c in centres.astype(np.float32)], axis=1)
        return distance.argmin(1), len(centres)

    def _clusters(self) -> np.ndarray:
        from sklearn.cluster import KMeans

        return KMeans(10, n_init=1, random_state=0).fit(_flat(self.data.train[:2000])).cluster_centers_


def _flat(values: np.ndarray) -> np.ndarray:
    """Rows (n, d) float32 of points (n, d) or of images (n, c, h, w)."""
    return values.reshape(len(values), -1).astype(np.float32)


class Noise(Control):
    """Uniform noise: over the bounding box of training points, or over all pixel values of an image."""

    names = {"noise": {}}
    title = "Noise"
    paper = "control"

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Points of the box, or pixels in [0, 1]."""
        if self.data.kind == "images":
            return torch.rand((n, *self.data.shape), generator=stream)
        low, high = (torch.from_numpy(f(self.data.train, axis=0)) for f in (np.min, np.max))
        return low + (high - low) * torch.rand((n, len(low)), generator=stream)


class BlurConfig(Config):
    """How much the images differ."""

    #: standard deviation of the noise, of pixels in [0, 1]
    deviation: float = Field(0.02, ge=0, le=1)


class Blur(Control):
    """One grey image, the mean of the training set, with a little noise: what a metric makes of blur without variety.

    The mean is over images and channels; the noise is Gaussian and the same in all channels, so that samples are grey.
    """

    names = {"blur": {}}
    kinds = ("images",)
    title = "Mean image"
    paper = "control"
    Config = BlurConfig
    config: BlurConfig

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Images in [0, 1]."""
        channels, h, w = self.data.shape
        mean = torch.from_numpy(self.data.train.mean((0, 1)) / 255).float()
        noise = self.config.deviation * torch.randn((n, 1, h, w), generator=stream)
        return (mean + noise).clamp(0, 1).expand(n, channels, h, w)
