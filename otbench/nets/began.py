"""The autoencoder that Lucic et al. 2018 take for BEGAN's discriminator (code; full size at width 64).

Berthelot et al.'s own has 3x3 convolutions with ELU and is not reproduced; Lucic et al.'s follows their other networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, Conv, Deconv, LeakyReLU, coarse, initialise
from otbench.nets.infogan import STUDY, Shape
from otbench.nets.layers import Linear


class Autoencoder(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> errors (n,) of their reconstructions, mean absolute over an image's values.

    A code of `width` values; nothing follows the second convolution but the affine layer to the code. Normalisation,
    where asked, after the two affine layers and the first transposed convolution. 1,073,601 parameters for 28x28x1,
    1,325,379 for 32x32x3 without it. The buffer `k` is the weight of generated images in the discriminator's loss,
    which training carries from step to step.
    """

    def __init__(self, shape: Shape, width: int = 64, normalised: bool = False) -> None:
        super().__init__()
        h, w = coarse(shape, 2)
        inner = (2 * width, h, w)
        top = 2 * width * h * w

        def norm(features: int) -> list[nn.Module]:
            return [BatchNorm(features, *STUDY)] if normalised else []

        self.encoder = nn.Sequential(
            *(Conv(shape[0], width), LeakyReLU(), Conv(width, 2 * width), nn.Flatten()),
            *(Linear(top, width), *norm(width), LeakyReLU()),
        )
        self.decoder = nn.Sequential(
            *(Linear(width, top), *norm(top), LeakyReLU(), nn.Unflatten(1, inner)),
            *(Deconv(2 * width, width), *norm(width), LeakyReLU()),
            *(Deconv(width, shape[0]), nn.Sigmoid()),
        )
        initialise(self)
        self.register_buffer("k", torch.zeros(()))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Images made of the codes of images.

        Args:
            x: Images (n, c, h, w) in [0, 1].

        Returns:
            Images (n, c, h, w) in [0, 1].
        """
        return self.decoder(self.encoder(x))

    def forward(self, x: Tensor) -> Tensor:
        return (self.reconstruct(x) - x).abs().mean((1, 2, 3))
