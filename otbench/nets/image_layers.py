"""Layers for images (n, c, h, w), with the conventions of TensorFlow in which Lucic et al.'s networks are written."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.errors import OtbenchError


class BatchNorm(nn.Module):
    """Batch normalisation over all but dimension 1 of (n, features) or (n, channels, h, w).

    The running statistics take the biased variance: new = m * batch + (1 - m) * old. While few batches have been seen,
    m is larger than `momentum`: m = max(momentum, 9 / (10 + batches)), the rule of TensorFlow's moving averages with
    `num_updates`. With Lucic et al.'s momentum of 0.001, inference after a few hundred batches would otherwise still
    see the statistics of the start; from 8,990 batches on the two rules are one.
    """

    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(self, features: int, momentum: float = 0.001, eps: float = 1e-3) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        out, mean, inverse = torch.native_batch_norm(x, self.weight, self.bias, None, None, True, 0.0, self.eps)
        with torch.no_grad():
            m = (9 / (10 + self.batches)).clamp(min=self.momentum)
            self.batches.add_(1)
            self.running_mean.add_((mean.detach() - self.running_mean) * m)
            self.running_var.add_((inverse.detach().pow(-2) - self.eps - self.running_var) * m)
        return out


class Conv(nn.Conv2d):
    """A 4x4 convolution of stride 2 with padding SAME: (n, a, h, w) -> (n, b, h / 2, w / 2) for even h and w."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)


class Deconv(nn.ConvTranspose2d):
    """A 4x4 transposed convolution of stride 2 with padding SAME: (n, a, h, w) -> (n, b, 2 h, 2 w)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)


class LeakyReLU(nn.LeakyReLU):
    """max(x, 0.2 x), the slope of all papers here."""

    def __init__(self) -> None:
        super().__init__(0.2)


def initialise(module: nn.Module, deviation: float = 0.02) -> nn.Module:
    """Draw initial weights as Lucic et al. do.

    Weights of affine layers and transposed convolutions ~ N(0, deviation^2), of convolutions the same cut at two
    deviations; biases 0.

    Args:
        module: Module whose layers are changed.
        deviation: Standard deviation of the weights.

    Returns:
        The module.

    Source: Lucic et al. 2018, code.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.trunc_normal_(part.weight, 0.0, deviation, -2 * deviation, 2 * deviation)
        elif isinstance(part, nn.Linear | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, deviation)
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and part.bias is not None:
            nn.init.zeros_(part.bias)
    return module


def coarse(shape: tuple[int, ...], halvings: int) -> tuple[int, int]:
    """Height and width of an image after several strides of 2.

    Args:
        shape: Shape (c, h, w) of an image.
        halvings: Number of strides.

    Returns:
        Height and width.

    Raises:
        OtbenchError: When one of them is not whole.
    """
    _, h, w = shape
    if h % 2**halvings or w % 2**halvings:
        raise OtbenchError(f"images of {h}x{w} pixels: this network needs sides divisible by {2**halvings}")
    return h // 2**halvings, w // 2**halvings
