"""One training step as a captured CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from otbench.errors import OtbenchError

Step = Callable[[dict[str, Tensor]], dict[str, Tensor]]


class Captured:
    """Runs the first steps as they are, records the next as a CUDA graph and replays it from then on.

    The warm-up steps are real steps of the training, so a captured run takes the same steps as a plain one. Raises
    OtbenchError without a GPU.
    """

    WARM_UP = 3

    def __init__(self, step: Step) -> None:
        if not torch.cuda.is_available():
            raise OtbenchError("option 'capture' records CUDA graphs and needs a GPU; leave it out on a CPU")
        self.step, self.calls = step, 0
        self.stream = torch.cuda.Stream()
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        self.calls += 1
        if self.calls <= self.WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                losses = self.step(batch)
            torch.cuda.current_stream().wait_stream(self.stream)
            return losses
        if self.graph is None:
            self.batch = {name: value.clone() for name, value in batch.items()}
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.losses = self.step(self.batch)
        for name, value in batch.items():
            self.batch[name].copy_(value)
        self.graph.replay()
        return self.losses
