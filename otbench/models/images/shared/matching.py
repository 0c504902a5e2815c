"""What models share that keep something for every training image: epochs, drawing in batches, nearest points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from otbench.models.base import noise
from otbench.models.images.shared.base import ImageModel
from otbench.nets.replicas import Replicas

#: training images of the papers' data sets; 60,000 of those of MNIST's kind
TRAINING = {"cifar10": 50_000, "celeba": 162_770, "celeba-140": 162_770}

#: targets that are compared with all points at once
ROWS = 4096


class Indexed(ImageModel):
    """A model that knows its training images by number, and does something once in so many steps."""

    #: steps of the stage that were begun
    begun: int = 0

    @cached_property
    def images(self) -> Tensor:
        """The training images (n, c, h, w) uint8 where the model is."""
        return torch.from_numpy(self.data.train).to(self.device)

    @property
    def epoch(self) -> int:
        """Steps in an epoch, of whole batches."""
        return max(1, len(self.data.train) // self.config.batch)

    @staticmethod
    def batches_of(dataset: str, batch: int) -> int:
        """Whole batches in an epoch of the papers' data set of a name.

        Args:
            dataset: Name of the data set.
            batch: Images in a batch.

        Returns:
            Number of batches.
        """
        return TRAINING.get(dataset, 60_000) // batch

    def count(self, fraction: float) -> int:
        """Steps of the stage that were begun before this one; to be called once a step.

        Args:
            fraction: Share of the stage's steps already taken, in [0, 1).

        Returns:
            Number of steps, 0 for the first.
        """
        self.begun = 1 if fraction == 0 else self.begun + 1
        return self.begun - 1

    def parameters(self) -> dict[str, int]:
        """Number of trained values of each network that has some."""
        return {name: count for name, count in super().parameters().items() if count}

    def training_state(self) -> dict[str, Any]:
        """Networks, optimisers, and where in an epoch the stage is."""
        return super().training_state() | {"begun": self.begun}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from what `training_state` returned."""
        super().load_training_state(state)
        self.begun = state["begun"]


def as_trained(network: Replicas, inputs: Tensor, size: int) -> Tensor:
    """A network in training mode over equal parts of the rows, without gradients.

    Each part is normalised by its own statistics, as a batch in training is; the running statistics and the mode are
    left as they were.

    Args:
        network: Network to run.
        inputs: Inputs (R, n, ...).
        size: Largest number of rows in a part.

    Returns:
        Outputs (R, n, ...).
    """
    before = network.module.training
    buffers = {name: network.tensor(name).clone() for name, _ in network.module.named_buffers()}
    network.train()
    try:
        with torch.no_grad():
            return torch.cat([network(part) for part in inputs.chunk(-(-inputs.shape[1] // size), 1)], 1)
    finally:
        network.train(before)
        for name, value in buffers.items():
            network.tensor(name).copy_(value)


def candidates(
    network: Replicas, streams: list[torch.Generator], count: int, most: int, shape: tuple[int, int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs of a network on batches of Gaussian noise, in training mode, with that noise.

    Args:
        network: Network to run.
        streams: Generators of the noise, one a replica.
        count: Number of batches.
        most: Largest number of batches at once.
        shape: Rows of a batch and length of a noise vector, (batch, e).

    Yields:
        Points (R, m, d), flat, and noise (R, m, e).
    """
    batch, width = shape
    for start in range(0, count, most):
        e = noise((min(most, count - start) * batch, width), streams, next(iter(network.state().values())).device)
        yield as_trained(network, e, batch).flatten(2), e


def nearest(targets: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The point nearest to every target, exactly.

    Coordinates are taken from the targets' mean, which keeps rounding small where both lie far from zero.

    Args:
        targets: Targets (n, d).
        points: Points (m, d).

    Returns:
        Squared distances (n,), and numbers (n,) of the points.
    """
    centre = targets.mean(0)
    points = points - centre
    squares = points.square().sum(1)
    distances, numbers = [], []
    for start in range(0, len(targets), ROWS):
        part = targets[start : start + ROWS] - centre
        gap, number = (squares - 2 * part @ points.T).min(1)
        distances.append((gap + part.square().sum(1)).clamp(min=0))
        numbers.append(number)
    return torch.cat(distances), torch.cat(numbers)


def matched(targets: Tensor, offers: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The noise whose point is nearest to every target, among all candidates.

    Args:
        targets: Targets (R, n, d).
        offers: Parts of the candidates: points (R, m, d) with their noise (R, m, e).

    Returns:
        Noise (R, n, e).
    """
    best: Tensor | None = None
    chosen: Tensor | None = None
    for points, inputs in offers:
        neighbours = [nearest(*pair) for pair in zip(targets, points, strict=True)]
        gap = torch.stack([distance for distance, _ in neighbours])
        vectors = torch.stack([e[number] for e, (_, number) in zip(inputs, neighbours, strict=True)])
        if best is not None and chosen is not None:
            better = gap < best
            vectors, gap = torch.where(better.unsqueeze(-1), vectors, chosen), torch.where(better, gap, best)
        best, chosen = gap, vectors
    assert chosen is not None
    return chosen
