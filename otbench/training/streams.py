"""Random streams: every replica owns one for each purpose, so that seed k means the same alone and in a group."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


def stream_seed(seed: int, name: str) -> int:
    """A 63-bit seed for the stream `name` of replica `seed`; streams of different names are independent."""
    digest = hashlib.sha256(f"otbench/{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, name: str, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator at the start of stream `name` of replica `seed`."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))


@dataclass(frozen=True)
class Real:
    """Rows of the training data, drawn uniformly with replacement: (R, *shape, ...)."""

    shape: tuple[int, ...]

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """`steps` batches at once, (steps, *shape, ...), on the data's device; images come as floats in [0, 1]."""
        index = torch.randint(len(data), (steps, *self.shape), generator=stream, device=stream.device)
        rows = data[index.to(data.device)]
        return rows.float().div_(255) if rows.dtype == torch.uint8 else rows


@dataclass(frozen=True)
class Rows:
    """Numbers of rows of the training data, drawn uniformly with replacement: int64 (R, *shape).

    For models that keep something of their own for every training image.
    """

    shape: tuple[int, ...]

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """`steps` batches at once, (steps, *shape), on the data's device."""
        return torch.randint(len(data), (steps, *self.shape), generator=stream, device=stream.device).to(data.device)


@dataclass(frozen=True)
class Normal:
    """Standard Gaussian noise (R, *shape)."""

    shape: tuple[int, ...]

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """`steps` batches at once, (steps, *shape)."""
        return torch.randn((steps, *self.shape), generator=stream, device=stream.device)


@dataclass(frozen=True)
class Uniform:
    """Uniform noise (R, *shape) on [low, high)."""

    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0

    def draw(self, steps: int, data: Tensor, stream: torch.Generator) -> Tensor:
        """`steps` batches at once, (steps, *shape)."""
        noise = torch.rand((steps, *self.shape), generator=stream, device=stream.device)
        return noise.mul_(self.high - self.low).add_(self.low)


Input = Real | Rows | Normal | Uniform


class Feed:
    """The inputs of a stage, drawn a chunk of steps at a time from each replica's own streams.

    Chunks have a fixed length, so that what a stream yields does not depend on where a run was interrupted.
    """

    CHUNK = 50

    def __init__(self, inputs: dict[str, Input], data: Tensor, seeds: list[int], stage: str, device: torch.device):
        self.inputs, self.data, self.seeds, self.device = inputs, data, list(seeds), device
        self.streams = {(s, name): generator(s, f"{stage}/{name}", device) for s in seeds for name in inputs}

    def chunk(self) -> dict[str, Tensor]:
        """The next CHUNK batches of every input, each (CHUNK, R, ...)."""
        return {
            name: torch.stack([kind.draw(self.CHUNK, self.data, self.streams[s, name]) for s in self.seeds], 1)
            for name, kind in self.inputs.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Where every stream stands, to be saved at a chunk's end."""
        return {f"{s}|{name}": stream.get_state() for (s, name), stream in self.streams.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Put the streams back to where `state` says."""
        for (s, name), stream in self.streams.items():
            stream.set_state(state[f"{s}|{name}"])

    def keep(self, alive: list[int]) -> None:
        """Go on with the replicas at these positions only."""
        self.seeds = [self.seeds[k] for k in alive]
        self.streams = {key: stream for key, stream in self.streams.items() if key[0] in self.seeds}
