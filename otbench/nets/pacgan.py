"""Networks for points in the plane of PacGAN (Lin et al. 2018) and of its ALI baseline."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from otbench.nets.layers import BatchNorm, Linear, Maxout, initialise

Norm = Literal["blocks", "pytorch"]
#: batch normalisation's epsilon and running statistics: of Blocks, PacGAN's framework (bricks/bn.py), and of PyTorch.
#: At the start the first layer's variance is 2 * 0.02^2 = 8e-4, of which epsilon takes 6 % of the scale, not 0.6 %; and
#: over batches of 100 Gaussian values the mean deviation is 0.25 % below the root of the mean variance.
NORMS: dict[Norm, dict] = {"blocks": {"eps": 1e-4, "deviation": True}, "pytorch": {"eps": 1e-5, "deviation": False}}


def perceptron(inputs: int, outputs: int, width: int, depth: int, norm: Norm = "blocks") -> nn.Sequential:
    """Hidden layers of (affine without bias, BatchNorm, ReLU), then an affine layer.

    Args:
        inputs: Number of inputs.
        outputs: Number of outputs.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        norm: Epsilon and running statistics of batch normalisation, a key of `NORMS`.

    Returns:
        The layers, (..., n, inputs) -> (..., n, outputs).
    """
    layers: list[nn.Module] = []
    for k in range(depth):
        layers += [Linear(inputs if k == 0 else width, width, bias=False), BatchNorm(width, **NORMS[norm]), nn.ReLU()]
    return nn.Sequential(*layers, Linear(width, outputs))


class Generator(nn.Module):
    """Noise (..., n, 2) -> points (..., n, 2); four hidden layers of 400; 484,802 parameters."""

    stacked = True

    def __init__(
        self, noise: int = 2, outputs: int = 2, width: int = 400, depth: int = 4, norm: Norm = "blocks"
    ) -> None:
        super().__init__()
        self.body = perceptron(noise, outputs, width, depth, norm)
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z)


class Encoder(nn.Module):
    """Points and noise, two tensors (..., n, 2) -> codes (..., n, 2); two hidden layers of 400; 164,002 parameters."""

    stacked = True

    def __init__(self, inputs: int = 2, noise: int = 2, code: int = 2, width: int = 400, norm: Norm = "blocks") -> None:
        super().__init__()
        self.body = perceptron(inputs + noise, code, width, 2, norm)
        initialise(self)

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        return self.body(torch.cat([x, eps], -1))


class Discriminator(nn.Module):
    """Packed points (..., n, inputs) -> logits (..., n); three maxout layers of 200 with 5 pieces, then one unit.

    405,201 parameters for two inputs, 407,201 for four.
    """

    stacked = True

    def __init__(self, inputs: int = 2, width: int = 200, pieces: int = 5) -> None:
        super().__init__()
        sizes = [inputs, width, width, width]
        self.body = nn.Sequential(*(Maxout(a, b, pieces) for a, b in zip(sizes, sizes[1:], strict=False)))
        self.last = Linear(width, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x)).squeeze(-1)
