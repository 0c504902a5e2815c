"""Networks of continuous-time models: a field v(x, t) on points, and a small U-Net on images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.nets.layers import Linear

#: levels of resolution below the image's own; fewer where its sides cannot be halved so often
HALVINGS = 2
#: channels of a level, in units of the first one's
FACTORS = (1, 2, 2)
#: frequencies of the time: t in [0, 1] is taken for a step of 1,000, as in Ho et al.
STEPS = 1000.0


class PointField(nn.Module):
    """Points (n, d) and times (n,) -> (n, d): three hidden layers with SELU, the time beside the coordinates.

    The network of Tong et al.'s code for the plane (its MLP with `time_varying`, 64 units a layer), with PyTorch's
    initialisation as there.
    """

    def __init__(self, outputs: int, width: int = 64) -> None:
        super().__init__()
        sizes = [outputs + 1, width, width, width]
        layers: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [Linear(a, b), nn.SELU()]
        self.body = nn.Sequential(*layers, Linear(width, outputs))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.body(torch.cat([x, t.unsqueeze(-1)], -1))


def frequencies(t: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding of times.

    Args:
        t: Times (n,) in [0, 1].
        width: Number of values of an embedding.

    Returns:
        Embeddings (n, width), sines and then cosines, of periods from 2 pi to 20,000 pi steps of 1/1,000.

    Source: Ho et al. 2020, appendix B and code; Vaswani et al. 2017.
    """
    half = max(1, width // 2)
    rates = torch.exp(-math.log(10_000) / max(1, half - 1) * torch.arange(half, dtype=t.dtype, device=t.device))
    angles = STEPS * t.unsqueeze(-1) * rates
    return F.pad(torch.cat([angles.sin(), angles.cos()], -1), (0, width - 2 * half))


class Block(nn.Module):
    """A residual block whose middle is shifted by the time: (n, a, h, w), (n, e) -> (n, b, h, w).

    Normalised by groups, whose statistics are an image's own; the last convolution starts at zero (Ho et al. 2020,
    code).
    """

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Sequential(normalisation(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.shift = Linear(embedding, outputs)
        self.norm = normalisation(outputs)
        self.last = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.first(x) + self.shift(e)[:, :, None, None]
        return self.skip(x) + self.last(F.silu(self.norm(h)))


def normalisation(channels: int) -> nn.GroupNorm:
    """Normalisation by eight groups of channels, or by as many as divide them.

    Args:
        channels: Number of channels.

    Returns:
        The layer.
    """
    return nn.GroupNorm(math.gcd(8, channels), channels)


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights and biases of zero.

    Args:
        layer: Layer that is changed.

    Returns:
        The same layer.
    """
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def halvings(shape: tuple[int, ...]) -> int:
    """How often the U-Net halves an image.

    Args:
        shape: Shape (c, h, w) of an image.

    Returns:
        HALVINGS, or as often as both sides can be halved: 2 for 16, 28 and 32 pixels.
    """
    return next(k for k in range(HALVINGS, -1, -1) if not any(side % 2**k for side in shape[1:]))


class UNet(nn.Module):
    """Images (n, c, h, w) and times (n,) in [0, 1] -> (n, c, h, w): a small U-Net.

    Of Ho et al. 2020 it has the order of layers, the embedding of the time, skips between equal resolutions, and the
    zero start; it is smaller: one block a level in place of two, three levels with 1, 2 and 2 times `width` channels in
    place of four, no attention, no dropout.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__()
        self.width, levels = width, halvings(shape) + 1
        sizes = [width * factor for factor in FACTORS[:levels]]
        embedding = 4 * width
        self.time = nn.Sequential(Linear(width, embedding), nn.SiLU(), Linear(embedding, embedding), nn.SiLU())
        self.enter = nn.Conv2d(shape[0], width, 3, padding=1)
        before = [width, *sizes[:-1]]
        self.down = nn.ModuleList(Block(a, b, embedding) for a, b in zip(before, sizes, strict=True))
        self.shrink = nn.ModuleList(nn.Conv2d(size, size, 3, stride=2, padding=1) for size in sizes[:-1])
        self.middle = Block(sizes[-1], sizes[-1], embedding)
        self.up = nn.ModuleList(Block(2 * b, a, embedding) for a, b in zip(before, sizes, strict=True))
        self.grow = nn.ModuleList(nn.Conv2d(size, size, 3, padding=1) for size in sizes[:-1])
        self.leave = nn.Sequential(normalisation(width), nn.SiLU(), zero(nn.Conv2d(width, shape[0], 3, padding=1)))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        e = self.time(frequencies(t, self.width))
        h, kept = self.enter(x), []
        for level, block in enumerate(self.down):
            h = block(h, e)
            kept.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)
        h = self.middle(h, e)
        for level in reversed(range(len(self.up))):
            if level < len(self.grow):
                h = self.grow[level](F.interpolate(h, scale_factor=2.0, mode="nearest"))
            h = self.up[level](torch.cat([h, kept[level]], 1), e)
        return self.leave(h)


class AverageUNet(UNet):
    """A U-Net that follows another one, and how often it has moved."""

    moves: Tensor

    def __init__(self, shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__(shape, width)
        self.register_buffer("moves", torch.zeros(()))
