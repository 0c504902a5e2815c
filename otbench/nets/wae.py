"""Networks of the Wasserstein autoencoder (Tolstikhin et al. 2018; its code), for CelebA and MNIST."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, initialise
from otbench.nets.layers import Linear

Shape = tuple[int, ...]
#: decay 0.9 of the running statistics, epsilon 1e-5
NORM = (0.1, 1e-5)


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding SAME, where an odd pixel goes to the right and the bottom.

    (n, a, h, w) -> (n, b, h / stride, w / stride), rounded up.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 2) -> None:
        super().__init__(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Pad, and convolve.

        Args:
            x: Feature maps (n, a, h, w).

        Returns:
            Feature maps (n, b, h / stride, w / stride), rounded up.
        """
        k, s = self.kernel_size[0], self.stride[0]
        pads: list[int] = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // s) - 1) * s + k - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


class SameDeconv(nn.ConvTranspose2d):
    """The transposed convolution of `SameConv`: (n, a, h, w) -> (n, b, stride h, stride w)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 2) -> None:
        super().__init__(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and cut to the size.

        Args:
            x: Feature maps (n, a, h, w).

        Returns:
            Feature maps (n, b, stride h, stride w).
        """
        k, s = self.kernel_size[0], self.stride[0]
        first = (k - s) // 2
        h, w = s * x.shape[-2], s * x.shape[-1]
        return super().forward(x)[..., first : first + h, first : first + w]


def symmetric(shape: Shape) -> bool:
    """Whether the paper's networks see images in [-1, 1] (CelebA, 64 pixels), not [0, 1].

    Args:
        shape: Shape (c, h, w) of an image.

    Returns:
        True from 64 pixels on.
    """
    return shape[1] >= 64


def sizes(shape: Shape) -> tuple[int, int]:
    """Kernel and depth of the networks: CelebA's 5 and 3 from 64 pixels on, else MNIST's.

    Args:
        shape: Shape (c, h, w) of an image.

    Returns:
        Kernel size, and number of strided layers of the decoder.
    """
    return (5, 3) if symmetric(shape) else (4, 2)


class Encoder(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> (n, outputs): four strided convolutions (BatchNorm, ReLU), an affine layer.

    From 64 pixels on, images are brought to [-1, 1] first.
    """

    def __init__(self, shape: Shape, outputs: int, width: int = 128) -> None:
        super().__init__()
        self.symmetric = symmetric(shape)
        kernel, _ = sizes(shape)
        h, w = shape[1:]
        layers: list[nn.Module] = []
        for a, b in pairwise([shape[0], width, 2 * width, 4 * width, 8 * width]):
            layers += [SameConv(a, b, kernel), BatchNorm(b, *NORM), nn.ReLU()]
            h, w = -(-h // 2), -(-w // 2)
        self.body = nn.Sequential(*layers, nn.Flatten(), Linear(8 * width * h * w, outputs))
        initialise(self, 0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(2 * x - 1 if self.symmetric else x)


class Decoder(nn.Module):
    """Codes (n, latent) -> images (n, c, h, w) in [0, 1], or their logits.

    tanh of CelebA's images in [-1, 1] is brought to [0, 1], where it is the sigmoid of twice its argument.
    """

    def __init__(self, shape: Shape, latent: int, width: int = 128, logits: bool = False) -> None:
        super().__init__()
        kernel, count = sizes(shape)
        h, w = shape[1] // 2**count, shape[2] // 2**count
        layers: list[nn.Module] = [Linear(latent, 8 * width * h * w), nn.ReLU(), nn.Unflatten(1, (8 * width, h, w))]
        channels = [8 * width // 2**k for k in range(count + 1)]
        for a, b in pairwise(channels):
            layers += [SameDeconv(a, b, kernel), BatchNorm(b, *NORM), nn.ReLU()]
        self.body = nn.Sequential(*layers, SameDeconv(channels[-1], shape[0], kernel, stride=1))
        self.gain, self.logits = 2 if symmetric(shape) else 1, logits
        initialise(self, 0.01)

    def forward(self, z: Tensor) -> Tensor:
        x = self.gain * self.body(z)
        return x if self.logits else torch.sigmoid(x)


class Adversary(nn.Module):
    """Codes (n, latent) -> logits (n,); four hidden layers with ReLU."""

    def __init__(self, latent: int, width: int = 512) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise([latent, width, width, width, width]):
            layers += [Linear(a, b), nn.ReLU()]
        self.body = nn.Sequential(*layers, Linear(width, 1))
        initialise(self, 0.01)

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z).squeeze(-1)
