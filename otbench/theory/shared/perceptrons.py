"""Small networks: a perceptron, and several side by side as one batch of matrices, each a replica of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Layers = list[tuple[Tensor, Tensor]]
"""Weights (R, inputs, outputs) and biases (R, 1, outputs), layer by layer."""


def perceptrons(replicas: int, sizes: Sequence[int], stream: torch.Generator, dtype: torch.dtype) -> Layers:
    """Perceptrons side by side, He's initialisation, biases 0, ready to be trained.

    Args:
        replicas: Number of perceptrons R.
        sizes: Units of every layer, from inputs to outputs.
        stream: Random stream of the initial weights.
        dtype: Type of weights and biases.

    Returns:
        Layers, which require gradients.
    """
    layers = []
    for inputs, outputs in pairwise(sizes):
        weight = torch.randn(replicas, inputs, outputs, generator=stream, dtype=dtype) * (2 / inputs) ** 0.5
        bias = torch.zeros(replicas, 1, outputs, dtype=dtype)
        layers.append((weight.requires_grad_(), bias.requires_grad_()))
    return layers


def parameters(layers: Layers) -> list[Tensor]:
    """All weights and biases, for an optimiser.

    Args:
        layers: Layers of the perceptrons.

    Returns:
        Tensors, weight and bias of each layer in turn.
    """
    return [tensor for layer in layers for tensor in layer]


def apply(layers: Layers, x: Tensor, activation: Callable[[Tensor], Tensor] = torch.relu) -> Tensor:
    """Outputs of perceptrons side by side.

    Args:
        layers: Layers of R perceptrons.
        x: Inputs (R, B, inputs), or (B, inputs) for all replicas alike.
        activation: Between the layers.

    Returns:
        Outputs (R, B, outputs).
    """
    for depth, (weight, bias) in enumerate(layers):
        x = torch.matmul(activation(x) if depth else x, weight) + bias
    return x


def perceptron(
    inputs: int, outputs: int, width: int, activation: type[nn.Module], stream: torch.Generator
) -> nn.Sequential:
    """Perceptron with three hidden layers; He initialisation, biases zero.

    Args:
        inputs: Number of inputs.
        outputs: Number of outputs.
        width: Units of each hidden layer.
        activation: Layer after each hidden one.
        stream: Random stream of the initial weights, the only one that is used.

    Returns:
        Network, (m, inputs) -> (m, outputs).
    """
    sizes = [inputs, width, width, width, outputs]
    layers: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layer = nn.utils.skip_init(nn.Linear, a, b)
        assert isinstance(layer, nn.Linear)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=stream)
        nn.init.zeros_(layer.bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])
