"""Random streams: every replica owns one for each purpose, so that seed k means the same alone and in a group."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from otbench.models.inputs import Input
from otbench.utils.rng import generator


class Feed:
    """The inputs of a stage, drawn a chunk of steps at a time from each replica's own streams.

    Chunks have a fixed length, so that what a stream yields does not depend on where a run was interrupted.
    """

    CHUNK = 50

    def __init__(self, inputs: Mapping[str, Input], data: Tensor, seeds: list[int], stage: str, device: torch.device):
        self.inputs, self.data, self.seeds, self.device = inputs, data, list(seeds), device
        self.streams = {(s, name): generator(s, f"{stage}/{name}", device) for s in seeds for name in inputs}

    def chunk(self) -> dict[str, Tensor]:
        """The next CHUNK batches of every input.

        Returns:
            Batches (CHUNK, R, ...) by name of the input.
        """
        return {
            name: torch.stack([kind.draw(self.CHUNK, self.data, self.streams[s, name]) for s in self.seeds], 1)
            for name, kind in self.inputs.items()
        }

    def state(self) -> dict[str, Tensor]:
        """The states of all streams, to be saved at a chunk's end.

        Returns:
            States by `seed|input`.
        """
        return {f"{s}|{name}": stream.get_state() for (s, name), stream in self.streams.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Put the streams back to saved states.

        Args:
            state: What `state` returned.
        """
        for (s, name), stream in self.streams.items():
            stream.set_state(state[f"{s}|{name}"])

    def keep(self, alive: list[int]) -> None:
        """Go on with some of the replicas only.

        Args:
            alive: Positions of these replicas among the seeds.
        """
        self.seeds = [self.seeds[k] for k in alive]
        self.streams = {key: stream for key, stream in self.streams.items() if key[0] in self.seeds}
