"""Spectral normalisation (Miyato et al. 2018), and the layers that the larger GANs' networks choose from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.errors import OtbenchError
from otbench.nets.image_layers import BatchNorm
from otbench.nets.layers import Linear, linear

#: momentum of the running statistics and epsilon of batch normalisation
NORM = (0.1, 1e-5)
#: what may normalise a discriminator: its activations (batch, layer), its weights (spectral), or nothing
NORMALISATIONS = ("none", "batch", "layer", "spectral")
#: of initial weights in front of a rectifier
RECTIFIED = math.sqrt(2)

Layer = TypeVar("Layer", bound=nn.Linear | nn.Conv2d | nn.ConvTranspose2d)


def power_iteration(matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the power iteration for the largest singular value.

    Args:
        matrix: Matrix (m, k).
        u: Left vector (m,).

    Returns:
        The next left vector (m,), and the right vector (k,), of length 1.
    """
    v = F.normalize(matrix.t() @ u, dim=0, eps=1e-12)
    return F.normalize(matrix @ v, dim=0, eps=1e-12), v


class Spectral:
    """For a layer with `weight` (m, ...): its weight over the largest singular value, as a matrix (m, the rest).

    One power iteration a pass in training mode, from the vector u that the last one left (Miyato et al. 2018,
    algorithm 1); in inference mode u stays. The singular value u' W v is differentiated with u and v held fixed.
    """

    weight: Tensor
    u: Tensor
    training: bool
    register_buffer: Callable[[str, Tensor], None]

    def start(self) -> None:
        """Register u, a random direction."""
        self.register_buffer("u", F.normalize(torch.randn(len(self.weight)), dim=0))

    def normalised(self) -> Tensor:
        """The weight that the layer works with.

        Returns:
            Weight over its largest singular value, of the weight's shape.
        """
        matrix = self.weight.flatten(1)
        # in full precision under mixed precision too: rounding would pile up in u
        with torch.autocast(matrix.device.type, enabled=False):
            with torch.no_grad():
                u, v = power_iteration(matrix, self.u)
                if self.training:
                    self.u.copy_(u)
                else:
                    u = self.u.clone()
            return self.weight / (u * (matrix @ v)).sum()


class SpectralConv(Spectral, nn.Conv2d):
    """A convolution with spectral normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True):
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.start()

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the normalised weight.

        Args:
            x: Feature maps (n, inputs, h, w).

        Returns:
            Feature maps (n, outputs, h', w').
        """
        return F.conv2d(x, self.normalised(), self.bias, self.stride, self.padding)


class SpectralLinear(Spectral, nn.Linear):
    """An affine layer with spectral normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.start()

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.normalised(), self.bias)


class LayerNorm(nn.Module):
    """Layer normalisation over all of an image (n, c, h, w), with a scale and a shift for every channel.

    As in the code of Gulrajani et al. 2017; it can be differentiated twice, as a penalty on slopes needs.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        variance = centred.square().mean((1, 2, 3), keepdim=True)
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias


def check(normalisation: str) -> str:
    """Check the name of a normalisation.

    Args:
        normalisation: Name to check.

    Returns:
        The name.

    Raises:
        OtbenchError: When it is not in `NORMALISATIONS`.
    """
    if normalisation not in NORMALISATIONS:
        raise OtbenchError(f"normalisation '{normalisation}' is not one of {', '.join(NORMALISATIONS)}")
    return normalisation


def convolution(
    normalisation: str, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True, gain: float = 1.0
) -> nn.Conv2d:
    """A convolution that keeps the size (halves it at a stride of 2), spectrally normalised where that is asked for.

    Weights are uniform with variance gain^2 * 2 / (fan in + fan out) (Glorot), biases 0.

    Args:
        normalisation: Name of the network's normalisation; `spectral` normalises the weights.
        inputs: Channels of the input.
        outputs: Channels of the output.
        kernel: Side of the kernel in pixels.
        stride: Stride in pixels.
        bias: Whether there is a bias.
        gain: Factor of the weights' scale.

    Returns:
        The layer.
    """
    kind = SpectralConv if check(normalisation) == "spectral" else nn.Conv2d
    layer = kind(inputs, outputs, kernel, stride=stride, padding=(kernel - 1) // 2, bias=bias)
    return glorot(layer, gain)


def affine(normalisation: str, inputs: int, outputs: int) -> nn.Linear:
    """An affine layer, spectrally normalised where that is asked for; weights as in `convolution`.

    Args:
        normalisation: Name of the network's normalisation; `spectral` normalises the weights.
        inputs: Number of inputs.
        outputs: Number of outputs.

    Returns:
        The layer.
    """
    return glorot((SpectralLinear if check(normalisation) == "spectral" else Linear)(inputs, outputs))


def glorot(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw uniform weights with variance gain^2 * 2 / (fan in + fan out) and set biases to 0.

    Args:
        layer: Layer that is changed.
        gain: Factor of the weights' scale.

    Returns:
        The layer.
    """
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def norm(normalisation: str, channels: int) -> nn.Module:
    """The layer that normalises activations (n, channels, h, w).

    Args:
        normalisation: Name of the network's normalisation.
        channels: Number of channels.

    Returns:
        Batch or layer normalisation, or the identity.
    """
    if check(normalisation) == "batch":
        return BatchNorm(channels, *NORM)
    return LayerNorm(channels) if normalisation == "layer" else nn.Identity()
