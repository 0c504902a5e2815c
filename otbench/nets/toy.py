"""Networks of the toy experiments of Gulrajani et al. 2017 (improved WGAN training)."""

from __future__ import annotations

from torch import Tensor, nn

from otbench.nets.layers import Linear


class Perceptron(nn.Module):
    """(..., inputs) -> (..., outputs); three hidden layers of 512 with ReLU, He initialisation, biases 0."""

    def __init__(self, inputs: int, outputs: int, width: int = 512, depth: int = 3) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        layers: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [Linear(a, b), nn.ReLU()]
        self.body = nn.Sequential(*layers, Linear(width, outputs))
        for part in self.body:
            if isinstance(part, Linear):
                nn.init.kaiming_normal_(part.weight)
                nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)
