"""Networks of the OTVAE report and of the WGAN that it is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, Conv, Deconv, LeakyReLU, coarse
from otbench.nets.layers import Linear

Shape = tuple[int, ...]


class Encoder(nn.Module):
    """Images (n, c, h, w) -> mean and logarithm of the variance of the code, side by side (n, 2 * latent).

    Three convolutions (4x4 of stride 2, twice; 3x3) with BatchNorm, one affine layer for both halves (two in the
    report: the same map). PyTorch's initialisation, as in the authors' code.
    """

    def __init__(self, shape: Shape, latent: int = 32, width: int = 64) -> None:
        super().__init__()
        h, w = coarse(shape, 2)
        self.body = nn.Sequential(
            *(Conv(shape[0], width), BatchNorm(width, 0.1, 1e-5), LeakyReLU()),
            *(Conv(width, 2 * width), BatchNorm(2 * width, 0.1, 1e-5), LeakyReLU()),
            *(nn.Conv2d(2 * width, 2 * width, 3, padding=1), BatchNorm(2 * width, 0.1, 1e-5), LeakyReLU()),
            nn.Flatten(),
        )
        self.last = Linear(2 * width * h * w, 2 * latent)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x))


class Decoder(nn.Module):
    """Codes (n, latent) -> logits of images (n, c, h, w): one affine layer and two transposed convolutions."""

    def __init__(self, shape: Shape, latent: int = 32, width: int = 64) -> None:
        super().__init__()
        h, w = coarse(shape, 2)
        self.body = nn.Sequential(
            *(Linear(latent, 2 * width * h * w), nn.Unflatten(1, (2 * width, h, w))),
            *(Deconv(2 * width, width), nn.ReLU(), Deconv(width, shape[0])),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z)


class MLPGenerator(nn.Module):
    """Noise (n, latent) -> images (n, c, h, w) in [0, 1]; hidden layers of 2, 4, 8 and 16 times `width` (64).

    BatchNorm after all but the first. The code's output is tanh, in [-1, 1]: this is the same image as (tanh + 1) / 2.
    """

    def __init__(self, shape: Shape, latent: int = 100, width: int = 64, eps: float = 1e-5) -> None:
        super().__init__()
        sizes = [2 * width, 4 * width, 8 * width, 16 * width]
        layers: list[nn.Module] = [Linear(latent, sizes[0]), LeakyReLU()]
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [Linear(a, b), BatchNorm(b, 0.1, eps), LeakyReLU()]
        pixels = shape[0] * shape[1] * shape[2]
        self.body = nn.Sequential(*layers, Linear(sizes[-1], pixels))
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        return ((torch.tanh(self.body(z)) + 1) / 2).unflatten(-1, self.shape)


class MLPCritic(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> scores (n,); two hidden layers of 8 and 4 times `width` (64) on 2 x - 1."""

    def __init__(self, shape: Shape, width: int = 64) -> None:
        super().__init__()
        pixels = shape[0] * shape[1] * shape[2]
        self.body = nn.Sequential(
            *(nn.Flatten(), Linear(pixels, 8 * width), LeakyReLU()),
            *(Linear(8 * width, 4 * width), LeakyReLU(), Linear(4 * width, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(2 * x - 1).squeeze(-1)
