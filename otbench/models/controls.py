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
    """A model without networks; `rows` says what it draws from."""

    control = True
    family = "control"
    sampler = ()

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """n samples of every replica."""
        return torch.stack([self.sample(n, stream, seed) for stream, seed in zip(streams, self.seeds, strict=True)])

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """n samples of one replica."""
        raise AssertionError(f"{type(self).__name__} defines no sampler")


class HeldOut(Control):
    """Held-out real data: what a perfect generator would score. Metrics never compare it with the same rows."""

    names = {"real": {}}
    title = "Held-out real"
    paper = "control"

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Rows of the held-out half of the test split."""
        return _rows(self.data.held_out, n, stream)


class Memoriser(Control):
    """Gives training points back: what a generator that has learnt nothing but its training set would score."""

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

    Modes are those of the mixture, or ten k-means clusters where none is known; a share of them, chosen by the seed,
    is kept.
    """

    names = {"collapsed": {}}
    title = "Collapsed"
    paper = "control"
    Config = CollapsedConfig

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Held-out rows of the modes that are kept."""
        held = self.data.held_out
        centres = self.data.truth.centres if self.data.truth else self._clusters()
        nearest = ((held[:, None] - centres[None].astype(np.float32)) ** 2).sum(-1).argmin(1)
        kept = torch.randperm(len(centres), generator=stream)[: max(1, round(self.config.share * len(centres)))]
        return _rows(held[np.isin(nearest, kept.numpy())], n, stream)

    def _clusters(self) -> np.ndarray:
        from sklearn.cluster import KMeans

        return KMeans(10, n_init=1, random_state=0).fit(self.data.train[:2000]).cluster_centers_


class Noise(Control):
    """Uniform noise over the bounding box of the training points: what no learning at all would score."""

    names = {"noise": {}}
    title = "Noise"
    paper = "control"

    def sample(self, n: int, stream: torch.Generator, seed: int) -> Tensor:
        """Points of the box."""
        low, high = (torch.from_numpy(f(self.data.train, axis=0)) for f in (np.min, np.max))
        return low + (high - low) * torch.rand((n, len(low)), generator=stream)
