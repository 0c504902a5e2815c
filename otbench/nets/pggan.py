"""Networks that grow with the resolution (Karras et al. 2018), and the layers that they are known for.

At full size `width` is 512: the number of feature maps up to 32 pixels, halved with every doubling of the sides from
there (the paper's appendix A, table 2). Both networks work on images in [-1, 1], and a generator's last layer is
affine, so that its images may leave that range.

A network holds the layers of every resolution and works at one of them, its `level`: 0 is the lowest. While a level is
faded in, its part is weighed by `fade` in [0, 1) against the level below. Both are buffers, so that whoever reads the
weights knows how far the network had grown; `grow` sets them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.nets.layers import linear

Shape = tuple[int, ...]
#: side up to which all layers have the full width
FULL = 32


def sizes(shape: Shape) -> list[tuple[int, int]]:
    """Height and width at every level: halved while both are even and at least 8, down to 4 in the paper.

    28 pixels start from 7; sides that are odd do not grow.

    Args:
        shape: Shape (c, h, w) of an image.

    Returns:
        Heights and widths, lowest level first.
    """
    h, w = shape[1:]
    levels = [(h, w)]
    while all(side % 2 == 0 and side >= 8 for side in levels[0]):
        levels.insert(0, (levels[0][0] // 2, levels[0][1] // 2))
    return levels


def channels(shape: Shape, width: int) -> list[int]:
    """Feature maps at every level: `width` up to 32 pixels, then halved with every level.

    Args:
        shape: Shape (c, h, w) of an image.
        width: Feature maps up to 32 pixels.

    Returns:
        Numbers of feature maps, lowest level first.
    """
    return [max(1, int(width * min(1.0, FULL / max(size)))) for size in sizes(shape)]


def larger(x: Tensor) -> Tensor:
    """Images at twice their size: every pixel becomes four equal ones.

    Args:
        x: Images (n, c, h, w).

    Returns:
        Images (n, c, 2 h, 2 w).
    """
    n, c, h, w = x.shape
    return x[:, :, :, None, :, None].expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)


def smaller(x: Tensor) -> Tensor:
    """Images at half their size: the mean of every four pixels.

    Args:
        x: Images (n, c, h, w).

    Returns:
        Images (n, c, h / 2, w / 2).
    """
    return F.avg_pool2d(x, 2)


def pixel_norm(x: Tensor) -> Tensor:
    """Every pixel's features over their root mean square.

    Args:
        x: Feature maps or vectors (n, c, ...).

    Returns:
        The same shape, with mean square 1 over c.

    Source: Karras et al. 2018, section 4.2.
    """
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def batch_deviation(x: Tensor) -> Tensor:
    """One more feature map, constant and the same for the whole batch.

    It is the mean, over features and pixels, of the standard deviation over the batch. The paper's later code takes
    groups of four images; here, as in the text, it is the whole batch.

    Args:
        x: Feature maps (n, c, h, w).

    Returns:
        Feature maps (n, c + 1, h, w).

    Source: Karras et al. 2018, section 3.
    """
    deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()
    return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)


class Equalised(nn.Module):
    """An affine map or a k x k convolution whose weights are N(0, 1) and scaled in use by He's constant (section 4.1).

    Adam's steps are of one size whatever the scale of the weights, so that all layers learn at the same speed. gain:
    over the square root of the number of inputs, the scale; kernel 0 is an affine map (n, inputs) -> (n, outputs).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 0, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        shape = (outputs, inputs, kernel, kernel) if kernel else (outputs, inputs)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.kernel, self.scale = kernel, gain / math.sqrt(self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if self.kernel:
            return F.conv2d(x, weight, self.bias, padding=self.kernel // 2)
        return linear(x, weight, self.bias)


class First(nn.Module):
    """Latent vectors (n, latent) -> feature maps (n, c, h, w), one bias a map.

    The gain is smaller than elsewhere by the square root of h w, as in the paper's code.
    """

    def __init__(self, latent: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.shape = (outputs, *size)
        self.weight = nn.Parameter(torch.randn(math.prod(self.shape), latent))
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.scale = math.sqrt(2 / (latent * math.prod(size)))

    def forward(self, z: Tensor) -> Tensor:
        return linear(z, self.weight * self.scale).unflatten(1, self.shape) + self.bias


def rectified(x: Tensor) -> Tensor:
    """The leaky ReLU max(x, 0.2 x).

    Args:
        x: Values of any shape.

    Returns:
        Values of the same shape.
    """
    return F.leaky_relu(x, 0.2)


class Growing(nn.Module):
    """What both networks share: how far they have grown, and which of their layers work there."""

    #: name of the list of layers between feature maps and colours
    colours = ""
    #: of every level its layers, a ModuleList in a ModuleList
    blocks: Any
    level: Tensor
    fade: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.sizes = sizes(shape)
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("fade", torch.ones(()))
        # plain values beside the buffers: a forward pass must not read numbers off the device
        self.at, self.fading = 0, False

    def uses(self, name: str) -> bool:
        """Whether a parameter works at the present level.

        Args:
            name: Name of the parameter in the module.

        Returns:
            True where a pass at this level takes it.
        """
        part, _, rest = name.partition(".")
        if part not in ("blocks", self.colours):
            return True
        level = int(rest.partition(".")[0])
        return level <= self.at if part == "blocks" else level == self.at or (self.fading and level == self.at - 1)


class Generator(Growing):
    """Latent vectors (n, latent) -> images (n, c, h, w) of the present level's size.

    z and, behind every 3x3 convolution with its leaky ReLU, the features are normalised pixel by pixel.
    """

    colours = "to_colours"

    def __init__(self, shape: Shape, latent: int = 512, width: int = 512) -> None:
        super().__init__(shape)
        maps = channels(shape, width)
        self.first = First(latent, maps[0], self.sizes[0])
        self.blocks = nn.ModuleList([nn.ModuleList([Equalised(maps[0], maps[0], 3)])])
        for a, b in zip(maps, maps[1:], strict=False):
            self.blocks.append(nn.ModuleList([Equalised(a, b, 3), Equalised(b, b, 3)]))
        self.to_colours = nn.ModuleList([Equalised(m, shape[0], 1, gain=1.0) for m in maps])

    def forward(self, z: Tensor) -> Tensor:
        x = pixel_norm(rectified(self.first(pixel_norm(z))))
        for level in range(self.at + 1):
            below = x
            x = larger(x) if level else x
            for layer in self.blocks[level]:
                x = pixel_norm(rectified(layer(x)))
        images = self.to_colours[self.at](x)
        if not self.fading:
            return images
        return torch.lerp(larger(self.to_colours[self.at - 1](below)), images, self.fade)


class Discriminator(Growing):
    """Images (n, c, h, w) of the present level's size -> raw scores (n,).

    The scores of a batch depend on each other through `batch_deviation`.
    """

    colours = "from_colours"

    def __init__(self, shape: Shape, width: int = 512) -> None:
        super().__init__(shape)
        maps = channels(shape, width)
        self.from_colours = nn.ModuleList([Equalised(shape[0], m, 1) for m in maps])
        self.blocks = nn.ModuleList([nn.ModuleList([Equalised(maps[0] + 1, maps[0], 3)])])
        for a, b in zip(maps, maps[1:], strict=False):
            self.blocks.append(nn.ModuleList([Equalised(b, b, 3), Equalised(b, a, 3)]))
        self.hidden = Equalised(maps[0] * math.prod(self.sizes[0]), maps[0])
        self.last = Equalised(maps[0], 1, gain=1.0)

    def forward(self, images: Tensor) -> Tensor:
        x = rectified(self.from_colours[self.at](images))
        for level in range(self.at, -1, -1):
            x = x if level else batch_deviation(x)
            for layer in self.blocks[level]:
                x = rectified(layer(x))
            x = smaller(x) if level else x
            if self.fading and level == self.at:
                x = torch.lerp(rectified(self.from_colours[level - 1](smaller(images))), x, self.fade)
        return self.last(rectified(self.hidden(x.flatten(1)))).squeeze(-1)
