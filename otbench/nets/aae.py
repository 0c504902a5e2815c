"""Perceptrons of the adversarial autoencoder, as PyTorch-GAN's `aae.py` sets them; at full size `width` is 64."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, LeakyReLU
from otbench.nets.infogan import PYTORCH, Shape
from otbench.nets.layers import Linear


class Encoder(nn.Module):
    """Images (n, c, h, w) in [0, 1] -> (n, outputs): two hidden layers of 8 * width units, seen in [-1, 1]."""

    def __init__(self, shape: Shape, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.body = hidden(prod(shape), 8 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(2 * x.flatten(1) - 1)


class Decoder(nn.Module):
    """Codes (n, latent) -> images (n, c, h, w) in [0, 1]: (tanh + 1) / 2 of the encoder's mirror."""

    def __init__(self, shape: Shape, latent: int, width: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(hidden(latent, 8 * width, prod(shape)), nn.Unflatten(1, shape))

    def forward(self, z: Tensor) -> Tensor:
        return (torch.tanh(self.body(z)) + 1) / 2


class Discriminator(nn.Module):
    """Codes (n, latent) -> logits (n,); hidden layers of 8 * width and 4 * width units."""

    def __init__(self, latent: int, width: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(Linear(latent, 8 * width), LeakyReLU()),
            *(Linear(8 * width, 4 * width), LeakyReLU()),
            Linear(4 * width, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z).squeeze(-1)


def hidden(inputs: int, units: int, outputs: int) -> nn.Sequential:
    """Two hidden layers, BatchNorm in the second, and an affine layer; PyTorch's initialisation.

    Args:
        inputs: Number of inputs.
        units: Units of each hidden layer.
        outputs: Number of outputs.

    Returns:
        The layers, (n, inputs) -> (n, outputs).
    """
    return nn.Sequential(
        *(Linear(inputs, units), LeakyReLU()),
        *(Linear(units, units), BatchNorm(units, *PYTORCH), LeakyReLU()),
        Linear(units, outputs),
    )
