"""Sizes of networks, to hold against those that papers state."""

from torch import nn


def parameter_count(module: nn.Module) -> int:
    """Number of trained values of a module."""
    return sum(p.numel() for p in module.parameters())
