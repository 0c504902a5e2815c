"""Small networks: a perceptron, and several side by side as one batch of matrices, each a replica of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Layers = list[tuple[Tensor, Tensor]]
"""Weights (R, inputs, outputs) and biases (R, 1, outputs), layer by layer."""


def perceptrons(replicas: int, sizes: Sequence[int], stream: torch.Generator, dtype: torch.dtype) -> Layers:
    """R perceptrons of the given layer sizes, He's initialisation from `stream`, biases 0, ready to be trained."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        weight = torch.randn(replicas, inputs, outputs, generator=stream, dtype=dtype) * (2 / inputs) ** 0.5
        bias = torch.zeros(replicas, 1, outputs, dtype=dtype)
        layers.append((weight.requires_grad_(), bias.requires_grad_()))
    return layers


def parameters(layers: Layers) -> list[Tensor]:
    """All weights and biases, for an optimiser."""
    return [tensor for layer in layers for tensor in layer]


def apply(layers: Layers, x: Tensor, activation: Callable[[Tensor], Tensor] = torch.relu) -> Tensor:
    """(R, B, inputs), or (B, inputs) for all replicas alike -> (R, B, outputs)."""
    for depth, (weight, bias) in enumerate(layers):
        x = torch.matmul(activation(x) if depth else x, weight) + bias
    return x


def perceptron(
    inputs: int, outputs: int, width: int, activation: type[nn.Module], stream: torch.Generator
) -> nn.Sequential:
    """Three hidden layers; He initialisation from `stream` alone, biases zero."""
    sizes = [inputs, width, width, width, outputs]
    layers: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        one = nn.utils.skip_init(nn.Linear, a, b)
        nn.init.kaiming_normal_(one.weight, nonlinearity="relu", generator=stream)
        nn.init.zeros_(one.bias)
        layers += [one, activation()]
    return nn.Sequential(*layers[:-1])
