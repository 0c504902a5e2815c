"""The "standard" CNN of the larger GANs: the networks of SNGAN without residual blocks (Miyato et al. 2018, table 3).

At full size `width` is 64. Layers and channels as in compare_gan's `sndcgan`. Sides that 8 does not divide are halved
with TensorFlow's padding SAME, which rounds up: 28 pixels become 14, 7 and 4. Initial weights are Glorot's, as in the
ResNets: at full size they are of the size of compare_gan's N(0, 0.02^2), and they suit other widths too.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm
from otbench.nets.layers import Linear
from otbench.nets.spectral import NORM, RECTIFIED, affine, convolution, glorot, norm

Shape = tuple[int, ...]
Size = tuple[int, int]


def halved(size: Size) -> Size:
    """Half of a height and a width, rounded up.

    Args:
        size: Height and width.

    Returns:
        Height and width.
    """
    return (size[0] + 1) // 2, (size[1] + 1) // 2


class Up(nn.ConvTranspose2d):
    """A 4x4 transposed convolution of stride 2 without bias, to twice the size or, where `size` is odd, one less."""

    def __init__(self, inputs: int, outputs: int, size: Size) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1, bias=False)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and cut to the size.

        Args:
            x: Feature maps (n, inputs, ceil(h / 2), ceil(w / 2)).

        Returns:
            Feature maps (n, outputs, h, w).
        """
        return super().forward(x)[..., : self.size[0], : self.size[1]]


class Even(nn.Module):
    """Images (n, c, h, w) with a row or a column of zeros at the end where h or w is odd."""

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        return F.pad(x, (0, w % 2, 0, h % 2)) if h % 2 or w % 2 else x


class Generator(nn.Module):
    """Noise or codes (n, latent) -> images (n, c, h, w) in [0, 1].

    An affine layer and three 4x4 transposed convolutions of stride 2, each with BatchNorm and ReLU, then a 3x3
    convolution and tanh, mapped to [0, 1]. 3,820,099 parameters for 32x32x3 and 128 inputs. Layers in front of a
    BatchNorm have no bias.
    """

    def __init__(self, shape: Shape, latent: int = 128, width: int = 64) -> None:
        super().__init__()
        sizes = [(shape[1], shape[2])]
        for _ in range(3):
            sizes.insert(0, halved(sizes[0]))
        (h, w), top = sizes[0], 8 * width
        first = glorot(Linear(latent, top * h * w, bias=False))
        layers: list[nn.Module] = [first, BatchNorm(top * h * w, *NORM), nn.ReLU(), nn.Unflatten(1, (top, h, w))]
        for k, size in enumerate(sizes[1:]):
            up = glorot(Up(top >> k, top >> (k + 1), size), RECTIFIED)
            layers += [up, BatchNorm(top >> (k + 1), *NORM), nn.ReLU()]
        self.body = nn.Sequential(*layers, convolution("none", width, shape[0], 3), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return (self.body(z) + 1) / 2


class Encoder(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> (n, outputs): seven convolutions with leaky ReLUs (0.1), an affine layer.

    3x3 of stride 1 and 4x4 of stride 2 in turn, with 1, 2, 2, 4, 4, 8, 8 times `width` channels. The network works on
    [-1, 1]. normalisation: `batch` or `layer` (after all convolutions but the first), `spectral` (of all weights) or
    `none`.
    """

    def __init__(self, shape: Shape, outputs: int, width: int = 64, normalisation: str = "batch") -> None:
        super().__init__()
        size, layers = (shape[1], shape[2]), []
        channels = [shape[0], *(k * width for k in (1, 2, 2, 4, 4, 8, 8))]
        for k, (a, b) in enumerate(zip(channels, channels[1:], strict=False)):
            bias = not (normalisation == "batch" and k)
            if k % 2:
                size = halved(size)
                layers += [Even(), convolution(normalisation, a, b, 4, 2, bias, RECTIFIED)]
            else:
                layers.append(convolution(normalisation, a, b, 3, 1, bias, RECTIFIED))
            layers += [*([norm(normalisation, b)] if k else []), nn.LeakyReLU(0.1)]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.last = affine(normalisation, channels[-1] * size[0] * size[1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(2 * x - 1))


class Discriminator(Encoder):
    """Images (n, c, h, w) in [0, 1] -> raw scores (n,).

    5,860,865 parameters for 32x32x3 without normalisation or with the spectral one.
    """

    def __init__(self, shape: Shape, width: int = 64, normalisation: str = "none") -> None:
        super().__init__(shape, 1, width, normalisation)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(-1)
