"""The inputs of a training step: real rows, their numbers, noise; drawn from a replica's own streams."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Real:
    """Rows of the training data, drawn uniformly with replacement: (R, *shape, ...)."""

    shape: tuple[int, ...]

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """Several batches at once.

        Args:
            steps: Number of batches.
            data: Training data (n, ...), points or uint8 images.
            stream: The replica's generator for this input.

        Returns:
            Rows (steps, *shape, ...) on the data's device, images as floats in [0, 1].
        """
        index = torch.randint(len(data), (steps, *self.shape), generator=stream, device=stream.device)
        rows = data[index.to(data.device)]
        values = rows.to(torch.get_default_dtype())
        return values.div_(255) if rows.dtype == torch.uint8 else values


@dataclass(frozen=True)
class Rows:
    """Numbers of rows of the training data, drawn uniformly with replacement: int64 (R, *shape).

    For models that keep something of their own for every training image.
    """

    shape: tuple[int, ...]

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """Several batches at once.

        Args:
            steps: Number of batches.
            data: Training data (n, ...).
            stream: The replica's generator for this input.

        Returns:
            Row numbers (steps, *shape) int64 on the data's device.
        """
        return torch.randint(len(data), (steps, *self.shape), generator=stream, device=stream.device).to(data.device)


@dataclass(frozen=True)
class Normal:
    """Standard Gaussian noise (R, *shape)."""

    shape: tuple[int, ...]

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """Several batches at once.

        Args:
            steps: Number of batches.
            data: Training data; not used.
            stream: The replica's generator for this input.

        Returns:
            Noise (steps, *shape) on the generator's device.
        """
        return torch.randn((steps, *self.shape), generator=stream, device=stream.device)


@dataclass(frozen=True)
class Uniform:
    """Uniform noise (R, *shape) on [low, high)."""

    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """Several batches at once.

        Args:
            steps: Number of batches.
            data: Training data; not used.
            stream: The replica's generator for this input.

        Returns:
            Noise (steps, *shape) on [low, high), on the generator's device.
        """
        noise = torch.rand((steps, *self.shape), generator=stream, device=stream.device)
        return noise.mul_(self.high - self.low).add_(self.low)


Input = Real | Rows | Normal | Uniform
