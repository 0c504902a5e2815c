"""Networks of adversarially learned inference (Dumoulin et al. 2017), its table of CIFAR-10 and its code.

The paper's layers fit 32x32 exactly: convolutions without padding from the image to one pixel, and back. Other images
take the same layers as far as they fit, until at most 5 pixels a side are left (64x64: with the fourth repeated;
16x16: the first two), and then one that covers what is left.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from otbench.errors import OtbenchError
from otbench.nets.image_layers import BatchNorm
from otbench.nets.layers import Linear

Shape = tuple[int, ...]
Size = tuple[int, int]
#: decay 0.95 of the running statistics (the code's), epsilon 1e-4 (of Blocks, its library)
NORM = (0.05, 1e-4)
#: kernel, stride and channels (in units of `width`) of the layers before the last, the fourth as often as needed
LAYERS = ((5, 1, 1), (4, 2, 2), (4, 1, 4), (4, 2, 8))
LEAK, LEFT, TOP = 0.1, 5, 16


def plan(shape: Shape) -> tuple[list[tuple[Size, int, int]], list[Size]]:
    """The layers from an image down to one pixel.

    Args:
        shape: Shape (c, h, w) of an image.

    Returns:
        Kernel, stride and channels (in units of `width`) of each layer, and the sizes (h, w) before each.

    Raises:
        OtbenchError: When an image has fewer than 6 pixels a side.
    """
    layers: list[tuple[Size, int, int]] = []
    h, w = shape[1:]
    sizes: list[Size] = [(h, w)]
    if min(shape[1:]) <= LEFT:
        raise OtbenchError(f"images of {shape[1]}x{shape[2]} pixels: this network needs sides of at least {LEFT + 1}")
    while max(sizes[-1]) > LEFT and min(sizes[-1]) >= LAYERS[min(len(layers), 3)][0]:
        kernel, stride, channels = LAYERS[min(len(layers), 3)]
        layers.append(((kernel, kernel), stride, channels))
        h, w = ((side - kernel) // stride + 1 for side in sizes[-1])
        sizes.append((h, w))
    return [*layers, (sizes[-1], 1, TOP)], sizes


def gaussian(module: nn.Module, deviation: float) -> None:
    """Draw weights from N(0, deviation^2) and set biases to 0.

    Args:
        module: Module whose affine and convolutional layers are changed.
        deviation: Standard deviation of the weights.
    """
    for part in module.modules():
        if isinstance(part, Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, deviation)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def normed(features: int) -> list[nn.Module]:
    """Batch normalisation and a leaky ReLU of slope 0.1.

    Args:
        features: Number of features or channels.

    Returns:
        The two layers.
    """
    return [BatchNorm(features, *NORM), nn.LeakyReLU(LEAK)]


class Encoder(nn.Module):
    """Images (n, c, h, w) -> (n, outputs): convolutions with batch normalisation, then two affine layers.

    With 2 * 64 outputs, mean and log deviation, it is the paper's.
    """

    def __init__(self, shape: Shape, outputs: int, width: int = 32, deviation: float = 0.01) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = shape[0]
        for kernel, stride, units in plan(shape)[0]:
            layers += [nn.Conv2d(channels, units * width, kernel, stride, bias=False), *normed(units * width)]
            channels = units * width
        layers += [nn.Flatten(), Linear(channels, channels, bias=False), *normed(channels)]
        self.body = nn.Sequential(*layers, Linear(channels, outputs))
        gaussian(self, deviation)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Decoder(nn.Module):
    """Codes (n, latent) -> images (n, c, h, w) in [0, 1]: transposed convolutions, the encoder's sizes in reverse.

    Every pixel of the last layer has a bias of its own. `marginals` (c, h, w) in [0, 1] are the data's means, whose
    log odds the biases start from; None: 0.
    """

    def __init__(
        self,
        shape: Shape,
        latent: int = 64,
        width: int = 32,
        deviation: float = 0.01,
        marginals: Tensor | None = None,
    ) -> None:
        super().__init__()
        down, sizes = plan(shape)
        layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
        units = [latent, *(channels * width for _, _, channels in down[-2::-1]), width]
        steps = zip(down[::-1], pairwise(units), pairwise([(1, 1), *sizes[::-1]]), strict=True)
        for (kernel, stride, _), (a, b), (small, large) in steps:
            # a stride that left pixels over on the way down has to give them back
            h, w = (y - (x - 1) * stride - k for x, y, k in zip(small, large, kernel, strict=True))
            layers += [nn.ConvTranspose2d(a, b, kernel, stride, 0, (h, w), bias=False), *normed(b)]
        layers += [nn.Conv2d(width, width, 1, bias=False), *normed(width), nn.Conv2d(width, shape[0], 1, bias=False)]
        self.body = nn.Sequential(*layers)
        odds = torch.zeros(shape) if marginals is None else marginals.clamp(1e-7, 1 - 1e-7).logit()
        self.bias = nn.Parameter(odds)
        gaussian(self, deviation)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.body(z) + self.bias)


def coins(seed: Tensor, layer: int, shape: torch.Size) -> Tensor:
    """Whole numbers on [0, 2^32) that look random.

    A hash of each place, the seed and the layer: the same under `vmap` and alone, which PyTorch's own dropout is not.

    Args:
        seed: Number (1,) on [0, 1).
        layer: Number of the layer, different for each.
        shape: Shape of the result.

    Returns:
        Numbers of `shape`, int64.
    """
    mask = 0xFFFFFFFF

    def mixed(x: Tensor) -> Tensor:
        for _ in range(2):  # two rounds of xor and multiply; the factor keeps products within 63 bits
            x = ((x ^ (x >> 16)) * 0x45D9F3B) & mask
        return x ^ (x >> 16)

    start = mixed((seed * 2**24).long() + (layer << 25))
    return mixed((torch.arange(shape.numel(), device=seed.device) * 0x9E3779B1 & mask) ^ start).view(shape)


class Dropout(nn.Module):
    """Sets each value to 0 with probability `rate` and divides the others by 1 - rate; `coins` decide which."""

    def __init__(self, rate: float, layer: int) -> None:
        super().__init__()
        self.rate, self.layer = rate, layer

    def forward(self, x: Tensor, seed: Tensor) -> Tensor:
        if not self.rate:
            return x
        return x * (coins(seed, self.layer, x.shape) >= self.rate * 2**32) / (1 - self.rate)


class Pieces(nn.Module):
    """Maximum over pairs of neighbouring channels: (n, 2 a, ...) -> (n, a, ...)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, 2)).amax(2)


class Discriminator(nn.Module):
    """Images (n, c, h, w), codes (n, latent) and a number (1,) on [0, 1) -> logits (n,).

    Two branches of maxout layers with two pieces and a joint part of three layers. As in the code, the table's number
    of units counts the pieces. dropout: of every layer's input and of the two branches' inputs; the number decides
    which values are dropped. Whether it is in training or not, it drops.
    """

    def __init__(
        self,
        shape: Shape,
        latent: int = 64,
        width: int = 32,
        dropout: tuple[float, float] = (0.5, 0.2),
        deviation: float = 0.01,
    ) -> None:
        super().__init__()
        hidden, first = dropout
        layers, self.drops = [], nn.ModuleList()

        def layer(affine: nn.Module, rate: float = hidden) -> None:
            layers.append(affine)
            self.drops.append(Dropout(rate, len(self.drops)))

        channels = shape[0]
        for k, (kernel, stride, units) in enumerate(plan(shape)[0]):
            layer(nn.Conv2d(channels, units * width, kernel, stride, bias=k == 0), hidden if k else first)
            channels = units * width // 2
        self.image, top = nn.ModuleList(layers), TOP * width
        layers = []
        layer(Linear(latent, top, bias=False), first)
        layer(Linear(top // 2, top, bias=False))
        self.code, layers = nn.ModuleList(layers), []
        layer(Linear(top, 2 * top))
        layer(Linear(top, 2 * top))
        layer(Linear(top, 1))
        self.joint, self.pieces = nn.ModuleList(layers), Pieces()
        gaussian(self, deviation)

    def forward(self, x: Tensor, z: Tensor, seed: Tensor) -> Tensor:
        drops = iter(self.drops)
        for layer in self.image:
            x = self.pieces(layer(next(drops)(x, seed)))
        for layer in self.code:
            z = self.pieces(layer(next(drops)(z, seed)))
        both = torch.cat([x.flatten(1), z], 1)
        for layer in self.joint[:-1]:
            both = self.pieces(layer(next(drops)(both, seed)))
        return self.joint[-1](next(drops)(both, seed)).squeeze(-1)
