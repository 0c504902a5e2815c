"""Larger networks of the Wasserstein autoencoder: a ResNet-50 of the second kind as encoder, its mirror as decoder.

The big models of Tolstikhin et al. 2018 (table 1) are the best of a search over, among other things, networks like the
smaller ones and "ResNet50-v2"; which of the two won, and the decoder beside the latter, are not published. What stands
here is He et al. 2016 ("Identity mappings"): bottlenecks with normalisation and ReLU before every convolution, 3, 4, 6
and 3 of them. As images are small, the first layer is a 3x3 convolution without stride, no pooling follows it, and each
of the four parts halves the image once. The decoder is the same backwards, with nearest neighbours in place of strides.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm
from otbench.nets.layers import Linear
from otbench.nets.wae import NORM, Shape, symmetric

#: bottlenecks in each part of ResNet-50
BLOCKS = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    """x (n, inputs, h, w) -> shortcut(x) + F(x), F three convolutions (1x1, 3x3, 1x1) with outputs / 4 channels within.

    The result has `outputs` channels and half the size (stride 2), or the given size `up` (rows, columns), at most
    twice the input's. The shortcut is x itself where channels and size stay, else a 1x1 convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, up: tuple[int, int] | None = None) -> None:
        super().__init__()
        inner = max(1, outputs // 4)
        self.up = up
        self.before = BatchNorm(inputs, *NORM)
        self.reduce = nn.Conv2d(inputs, inner, 1, bias=False)
        self.middle = nn.Sequential(BatchNorm(inner, *NORM), nn.ReLU())
        self.convolve = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.expand = nn.Sequential(BatchNorm(inner, *NORM), nn.ReLU(), nn.Conv2d(inner, outputs, 1, bias=False))
        same = inputs == outputs and stride == 1 and up is None
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = torch.relu(self.before(x))
        inner = self.middle(self.reduce(active))
        if self.shortcut is None:
            return x + self.expand(self.convolve(inner))
        beside = self.shortcut(active)
        if self.up is not None:
            inner, beside = enlarge(inner, self.up), enlarge(beside, self.up)
        return beside + self.expand(self.convolve(inner))


def enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Feature maps at twice their size, every value four times, cut to a size.

    Args:
        x: Feature maps (n, c, h, w).
        size: Rows and columns, at most twice the input's.

    Returns:
        Feature maps (n, c, *size).
    """
    n, c, h, w = x.shape
    wide = x[:, :, :, None, :, None].expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)
    return wide[:, :, : size[0], : size[1]]


def pyramid(shape: Shape, count: int) -> list[tuple[int, int]]:
    """Sizes of an image before and after each of several strides of 2, rounded up.

    Args:
        shape: Shape (c, h, w) of an image.
        count: Number of strides.

    Returns:
        Rows and columns, the image's first.
    """
    sizes = [(shape[1], shape[2])]
    for _ in range(count):
        h, w = sizes[-1]
        sizes.append((-(-h // 2), -(-w // 2)))
    return sizes


class Encoder(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> (n, outputs): bottlenecks, the mean over the image, an affine layer.

    Part k has 4 * width * 2^k channels. At width 64 and with 64 outputs, 23,623,808 parameters for 64x64x3.
    """

    def __init__(self, shape: Shape, outputs: int, width: int = 64, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        self.symmetric = symmetric(shape)
        layers: list[nn.Module] = [nn.Conv2d(shape[0], width, 3, padding=1, bias=False)]
        channels = width
        for k, count in enumerate(blocks):
            for first in [True] + [False] * (count - 1):
                layers.append(Bottleneck(channels, 4 * width * 2**k, stride=2 if first else 1))
                channels = 4 * width * 2**k
        self.body = nn.Sequential(*layers, BatchNorm(channels, *NORM), nn.ReLU())
        self.last = Linear(channels, outputs)
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(2 * x - 1 if self.symmetric else x).mean((2, 3)))


class Decoder(nn.Module):
    """Codes (n, latent) -> images (n, c, h, w) in [0, 1], or their logits: an affine layer, then the encoder backwards.

    Part k, from the last to the first, gives 2 * width * 2^k channels. At width 64 and with codes of 64 values,
    10,637,827 parameters for 64x64x3.
    """

    def __init__(
        self,
        shape: Shape,
        latent: int,
        width: int = 64,
        blocks: tuple[int, ...] = BLOCKS,
        logits: bool = False,
    ) -> None:
        super().__init__()
        *finer, (h, w) = pyramid(shape, len(blocks))
        channels = 2 * width * 2 ** len(blocks)
        layers: list[nn.Module] = [Linear(latent, channels * h * w), nn.Unflatten(1, (channels, h, w))]
        for k, count in reversed(list(enumerate(blocks))):
            for first in [True] + [False] * (count - 1):
                layers.append(Bottleneck(channels, 2 * width * 2**k, up=finer[k] if first else None))
                channels = 2 * width * 2**k
        layers += [BatchNorm(channels, *NORM), nn.ReLU(), nn.Conv2d(channels, shape[0], 3, padding=1)]
        self.body = nn.Sequential(*layers)
        self.gain, self.logits = 2 if symmetric(shape) else 1, logits
        start(self)

    def forward(self, z: Tensor) -> Tensor:
        x = self.gain * self.body(z)
        return x if self.logits else torch.sigmoid(x)


def start(module: nn.Module) -> None:
    """Draw He et al.'s weights of convolutions, N(0, 2 / fan out), before ReLU; affine layers ~ N(0, 0.01^2), biases 0.

    Args:
        module: Module whose layers are changed.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.01)
        if isinstance(part, nn.Conv2d | nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
