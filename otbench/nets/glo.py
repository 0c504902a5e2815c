"""Networks of latent optimisation: GLO's generator and free codes, and GLANN's map from noise to codes.

Layers and initialisation are those of the authors' code of GLANN (Hoshen and Malik 2018).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, Deconv, LeakyReLU, coarse
from otbench.nets.infogan import PYTORCH
from otbench.nets.layers import Linear

Shape = tuple[int, ...]


class Generator(nn.Module):
    """Codes (n, latent), of which the direction alone counts -> images (n, c, h, w) in [0, 1].

    Lucic et al.'s generator without biases in its dense layers and without normalisation of the first one. The length
    of a code is divided out but not differentiated. 6,632,897 parameters for 28x28x1, normalised. normalised: batch
    normalisation of the second dense layer and the first convolution, which the authors use on grey images alone.
    """

    def __init__(self, shape: Shape, latent: int = 64, width: int = 64, normalised: bool = True) -> None:
        super().__init__()
        h, w = coarse(shape, 2)
        hidden, top = 16 * width, 2 * width * h * w

        def norm(features: int) -> list[nn.Module]:
            return [BatchNorm(features, *PYTORCH)] if normalised else []

        self.body = nn.Sequential(
            *(Linear(latent, hidden, bias=False), LeakyReLU()),
            *(Linear(hidden, top, bias=False), *norm(top), LeakyReLU()),
            nn.Unflatten(1, (2 * width, h, w)),
            *(Deconv(2 * width, width), *norm(width), LeakyReLU()),
            *(Deconv(width, shape[0]), nn.Sigmoid()),
        )
        for part in self.body:
            if isinstance(part, nn.Linear | nn.ConvTranspose2d):
                nn.init.xavier_normal_(part.weight, math.sqrt(2))

    def forward(self, z: Tensor) -> Tensor:
        return self.body(unit(z))


def unit(codes: Tensor) -> Tensor:
    """Codes divided by their length, which is not differentiated.

    Args:
        codes: Codes (..., d).

    Returns:
        Codes (..., d) of length 1; 0 stays 0, as a ReLU map may give it.
    """
    return codes / codes.norm(dim=-1, keepdim=True).detach().clamp(min=1e-12)


class Codes(nn.Module):
    """A free code of every training image: row numbers (n,) -> codes (n, latent). At first ~ N(0, 0.01^2).

    The buffers are Adam's: moments of every code, the number of its steps, and the learning rate, which is a tensor
    because it falls while a captured step stays as it is.
    """

    def __init__(self, images: int, latent: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(images, latent))
        nn.init.normal_(self.weight, 0.0, 0.01)
        self.register_buffer("first", torch.zeros(images, latent))
        self.register_buffer("second", torch.zeros(images, latent))
        self.register_buffer("steps", torch.zeros(images))
        self.register_buffer("rate", torch.zeros(()))

    def forward(self, rows: Tensor) -> Tensor:
        return self.weight[rows]


class Mapping(nn.Module):
    """Noise (n, noise) -> codes (n, latent): two hidden layers with batch normalisation and ReLU, no biases.

    29,184 parameters at full size (noise 32, latent 64, width 64: 128 hidden units); PyTorch's own initialisation.
    """

    def __init__(self, noise: int = 32, latent: int = 64, width: int = 64) -> None:
        super().__init__()
        hidden = 2 * width
        self.body = nn.Sequential(
            *(Linear(noise, hidden, bias=False), BatchNorm(hidden, *PYTORCH), nn.ReLU()),
            *(Linear(hidden, hidden, bias=False), BatchNorm(hidden, *PYTORCH), nn.ReLU()),
            Linear(hidden, latent, bias=False),
        )

    def forward(self, e: Tensor) -> Tensor:
        return self.body(e)


class Matches(nn.Module):
    """The noise (images, noise) that each training image is matched with; never trained."""

    noise: Tensor

    def __init__(self, images: int, noise: int) -> None:
        super().__init__()
        self.register_buffer("noise", torch.zeros(images, noise))

    def forward(self, rows: Tensor) -> Tensor:
        return self.noise[rows]
