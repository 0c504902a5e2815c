"""The ResNets of WGAN-GP (Gulrajani et al. 2017, and its code) and SNGAN (Miyato et al. 2018, table 4).

`width` is 128 at full size, 256 in SNGAN's generator at 32 pixels. Below 64 pixels all layers have `width` channels, as
in both papers at 32: blocks of the generator double the size from 4x4 (7x7 for 28 pixels), the discriminator's four
blocks halve it twice. From 64 pixels on, as in WGAN-GP's code for 64x64, the finest layer has width / 2 channels, which
double with every halving of the size up to 4 * width. Where a batch normalisation follows, a convolution has no bias.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from otbench.errors import OtbenchError
from otbench.nets.image_layers import BatchNorm, coarse
from otbench.nets.layers import Linear
from otbench.nets.spectral import NORM, RECTIFIED, affine, convolution, glorot, norm

Shape = tuple[int, ...]
#: smallest side of an image from which channels double as the size is halved
LARGE = 64


def halvings(shape: Shape) -> int:
    """How often an image is halved until its smaller side has fewer than 8 pixels.

    Args:
        shape: Shape (c, h, w) of an image.

    Returns:
        Number of halvings.

    Raises:
        OtbenchError: When a side has fewer than 4 pixels.
    """
    smaller = min(shape[1:])
    if smaller < 4:
        raise OtbenchError(f"images of {shape[1]}x{shape[2]} pixels: this network needs sides of 4 or more")
    return (smaller // 4).bit_length() - 1


def widths(shape: Shape, width: int) -> list[int]:
    """Channels at each size, from the image's own to the coarsest.

    Args:
        shape: Shape (c, h, w) of an image.
        width: Channels below 64 pixels; from 64 on, twice those of the finest layer.

    Returns:
        Numbers of channels, one more than halvings.
    """
    if min(shape[1:]) < LARGE:
        return [width] * (halvings(shape) + 1)
    return [max(1, min(width << k, 8 * width) // 2) for k in range(halvings(shape) + 1)]


class Pool(nn.Module):
    """Half the size by means of 2x2 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)


class Double(nn.Module):
    """Twice the size, each pixel four times."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Block(nn.Module):
    """Residual block (n, inputs, h, w) -> (n, outputs, h', w'): x + residual * conv(relu(norm(conv(relu(norm(x)))))).

    size: -1 halves the size after the second convolution, 1 doubles it before the first, 0 keeps it; the shortcut does
    the same, and has a 1x1 convolution where size or channels change. first: x is the image, without normalisation and
    rectifier in front.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int = 0,
        normalisation: str = "none",
        residual: float = 1.0,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        hidden = inputs if size < 0 and not first else outputs
        # the first block of a discriminator is not normalised
        kind = "none" if first and normalisation != "spectral" else normalisation
        front = [] if first else [norm(kind, inputs), nn.ReLU()]
        up, down = [Double()] if size > 0 else [], [Pool()] if size < 0 else []
        self.branch = nn.Sequential(
            *front,
            *up,
            convolution(kind, inputs, hidden, 3, bias=kind != "batch", gain=RECTIFIED),
            norm(kind, hidden),
            nn.ReLU(),
            convolution(kind, hidden, outputs, 3, gain=RECTIFIED),
            *down,
        )
        # a 1x1 convolution and a change of size commute: the papers' order costs four times as much
        learned = [convolution(kind, inputs, outputs, 1)] if size or inputs != outputs else []
        self.shortcut = nn.Sequential(*down, *learned, *up)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual * self.branch(x)


class Generator(nn.Module):
    """Noise or codes (n, latent) -> images (n, c, h, w) in [0, 1].

    An affine layer, a block with BatchNorm for every doubling of the size, BatchNorm, ReLU, a 3x3 convolution and tanh,
    mapped to [0, 1]. With 128 inputs 1,204,099 parameters for 32x32x3 (4,275,971
    with width 256) and 8,540,483 for 64x64x3.
    """

    def __init__(self, shape: Shape, latent: int = 128, width: int = 128, residual: float = 1.0) -> None:
        super().__init__()
        channels = widths(shape, width)[::-1]
        h, w = coarse(shape, len(channels) - 1)
        layers: list[nn.Module] = [glorot(Linear(latent, channels[0] * h * w)), nn.Unflatten(1, (channels[0], h, w))]
        # a block brings its input to the width of the next finer size
        for a, b in zip(channels, channels[1:], strict=False):
            layers.append(Block(a, b, 1, "batch", residual))
        layers += [BatchNorm(channels[-1], *NORM), nn.ReLU(), convolution("none", channels[-1], shape[0], 3)]
        self.body = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return (self.body(z) + 1) / 2


def body(shape: Shape, width: int, normalisation: str, residual: float) -> tuple[nn.Sequential, int]:
    """The discriminators' blocks, images (n, c, h, w) in [-1, 1] -> (n, channels, h', w').

    Args:
        shape: Shape (c, h, w) of an image.
        width: Channels, as in `widths`.
        normalisation: Name of the normalisation, as in `Discriminator`.
        residual: Factor of the blocks' branches.

    Returns:
        The blocks and their channels.
    """
    if min(shape[1:]) < LARGE:
        coarse(shape, 2)
        layers: list[nn.Module] = [Block(shape[0], width, -1, normalisation, residual, first=True)]
        layers += [Block(width, width, size, normalisation, residual) for size in (-1, 0, 0)]
        return nn.Sequential(*layers, nn.ReLU()), width
    channels = widths(shape, width)
    coarse(shape, len(channels) - 1)
    layers = [convolution(normalisation, shape[0], channels[0], 3)]
    layers += [Block(a, b, -1, normalisation, residual) for a, b in zip(channels, channels[1:], strict=False)]
    return nn.Sequential(*layers), channels[-1]


class Discriminator(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> raw scores (n,). The network works on [-1, 1].

    Below 64 pixels the last features are summed over the image where the weights are spectrally normalised (SNGAN), and
    averaged otherwise (WGAN-GP); from 64 on all of them go to the affine layer. normalisation: `none`, `batch` or
    `layer` (in the blocks, the first below 64 pixels apart), `spectral` (of all weights). residual: factor of the
    blocks' branches. 1,053,825 parameters for 32x32x3 and 7,488,961 for 64x64x3, without normalisation or with the
    spectral one.
    """

    def __init__(self, shape: Shape, width: int = 128, normalisation: str = "none", residual: float = 1.0) -> None:
        super().__init__()
        self.body, channels = body(shape, width, normalisation, residual)
        self.pooled, self.summed = min(shape[1:]) < LARGE, normalisation == "spectral"
        if not self.pooled:
            h, w = coarse(shape, halvings(shape))
            channels *= h * w
        self.last = affine(normalisation, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(2 * x - 1)
        if self.pooled:
            x = x.sum((2, 3)) if self.summed else x.mean((2, 3))
        return self.last(x.flatten(1)).squeeze(-1)


class Encoder(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> (n, outputs): the discriminator's blocks with BatchNorm, an affine layer.

    Features are not pooled, so that the code can tell where things are.
    """

    def __init__(self, shape: Shape, outputs: int, width: int = 128, residual: float = 1.0) -> None:
        super().__init__()
        self.body, channels = body(shape, width, "batch", residual)
        h, w = coarse(shape, 2 if min(shape[1:]) < LARGE else halvings(shape))
        self.last = affine("none", channels * h * w, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(2 * x - 1).flatten(1))
