"""Perceptrons of toy experiments: Gulrajani et al. 2017's, and those of the notebooks of unrolled GANs and VEEGAN."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn

from otbench.nets.layers import Linear

Start = Literal["he", "glorot", "orthogonal"]
#: how weights are drawn; "orthogonal" has the gain 1.4 of the unrolled GAN's notebook
STARTS: dict[Start, Callable[[Tensor], Tensor]] = {
    "he": nn.init.kaiming_normal_,
    "glorot": nn.init.xavier_uniform_,
    "orthogonal": partial(nn.init.orthogonal_, gain=1.4),
}


class Perceptron(nn.Module):
    """(..., inputs) -> (..., outputs); `depth` hidden layers of `width`, an affine layer; biases start at 0.

    The defaults are Gulrajani et al.'s: three hidden layers of 512 with ReLU, He initialisation.
    """

    stacked = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 512,
        depth: int = 3,
        activation: type[nn.Module] = nn.ReLU,
        start: Start = "he",
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        layers: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [Linear(a, b), activation()]
        self.body = nn.Sequential(*layers, Linear(width, outputs))
        for part in self.body:
            if isinstance(part, Linear):
                STARTS[start](part.weight)
                nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Discriminator(Perceptron):
    """A perceptron with one output: (..., n, inputs) -> logits (..., n)."""

    stacked = True

    def __init__(self, inputs: int, width: int, depth: int, activation: type[nn.Module], start: Start) -> None:
        super().__init__(inputs, 1, width, depth, activation, start)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(-1)
