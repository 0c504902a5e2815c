"""Residual networks of WGAN-QC (Liu et al. 2019), as in the authors' code.

`repeat` is the number of residual blocks at every size but the full one, which has two: 2 for CelebA (its `resnet2`), 1
for LSUN and CelebA-HQ (its `resnet1`). At full size `width` is 64, and no layer has more than 8 times as many channels.
Other sizes than 64x64 pixels are halved as long as both sides are even and at least 8. Inside, images are in [-1, 1].
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, LeakyReLU
from otbench.nets.infogan import PYTORCH
from otbench.nets.layers import Linear
from otbench.nets.pggan import larger, sizes

Shape = tuple[int, ...]


class Block(nn.Module):
    """(n, a, h, w) -> (n, b, h, w): leaky(shortcut(x) + residual * f(x)), f two 3x3 convolutions.

    residual: the factor of what the block adds, 0.1 in the paper. The shortcut is a 1x1 convolution without bias where
    a and b differ. With normalisation, BatchNorm stands behind every convolution, which then has no bias.
    """

    def __init__(self, inputs: int, outputs: int, normalised: bool, residual: float) -> None:
        super().__init__()
        hidden, bias = min(inputs, outputs), not normalised

        def normed(layer: nn.Conv2d) -> list[nn.Module]:
            return [layer, BatchNorm(layer.out_channels, *PYTORCH)] if normalised else [layer]

        self.body = nn.Sequential(
            *normed(nn.Conv2d(inputs, hidden, 3, padding=1, bias=bias)),
            LeakyReLU(),
            *normed(nn.Conv2d(hidden, outputs, 3, padding=1, bias=bias)),
        )
        shortcut = normed(nn.Conv2d(inputs, outputs, 1, bias=False)) if inputs != outputs else []
        self.shortcut, self.last, self.residual = nn.Sequential(*shortcut), LeakyReLU(), residual

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.shortcut(x) + self.residual * self.body(x))


class Larger(nn.Module):
    """(n, c, h, w) -> (n, c, 2 h, 2 w): every pixel becomes four equal ones."""

    def forward(self, x: Tensor) -> Tensor:
        return larger(x)


def start(network: nn.Module, mode: Literal["fan_in", "fan_out"]) -> None:
    """Draw convolutions' weights by He's rule; everything else stays as PyTorch has it.

    Args:
        network: Network that is changed.
        mode: Number of connections that sets the scale, `fan_in` or `fan_out`.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode=mode)


class Generator(nn.Module):
    """Noise (n, latent) -> images (n, c, h, w) in [0, 1]; batch normalisation throughout.

    An affine layer, `repeat` blocks before every doubling and two at full size, a 3x3 convolution and tanh.
    """

    def __init__(
        self, shape: Shape, latent: int = 128, width: int = 64, repeat: int = 2, residual: float = 0.1
    ) -> None:
        super().__init__()
        levels = sizes(shape)
        maps = [min(width << k, 8 * width) for k in range(len(levels), -1, -1)]
        first = (maps[0], *levels[0])
        top = first[0] * first[1] * first[2]
        layers: list[nn.Module] = [Linear(latent, top), BatchNorm(top, *PYTORCH), LeakyReLU(), nn.Unflatten(1, first)]
        for k, (a, b) in enumerate(zip(maps, maps[1:], strict=False)):
            layers += [Larger()] if k else []
            count = repeat if k < len(levels) - 1 else 2
            layers += [Block(a, b, True, residual), *(Block(b, b, True, residual) for _ in range(count - 1))]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, shape[0], 3, padding=1))
        start(self, "fan_in")

    def forward(self, z: Tensor) -> Tensor:
        return (torch.tanh(self.body(z)) + 1) / 2


class Critic(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> raw scores (n,); no normalisation.

    A 3x3 convolution, two blocks at full size and `repeat` behind every halving (the mean of 3x3 pixels at a stride of
    2), an affine layer.
    """

    def __init__(self, shape: Shape, width: int = 64, repeat: int = 2, residual: float = 0.1) -> None:
        super().__init__()
        levels = sizes(shape)
        maps = [width, *(min(width << k, 8 * width) for k in range(1, len(levels) + 1))]
        layers: list[nn.Module] = [nn.Conv2d(shape[0], width, 3, padding=1), LeakyReLU()]
        for k, (a, b) in enumerate(zip(maps, maps[1:], strict=False)):
            layers += [nn.AvgPool2d(3, stride=2, padding=1)] if k else []
            count = repeat if k else 2
            layers += [*(Block(a, a, False, residual) for _ in range(count - 1)), Block(a, b, False, residual)]
        h, w = levels[0]
        self.body = nn.Sequential(*layers, nn.Flatten(), Linear(maps[-1] * h * w, 1))
        start(self, "fan_out")

    def forward(self, x: Tensor) -> Tensor:
        return self.body(2 * x - 1).squeeze(-1)
