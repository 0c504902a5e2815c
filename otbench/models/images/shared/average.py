"""A generator's weights averaged over its training, from which some papers draw."""

from __future__ import annotations

import torch
from torch import Tensor

from otbench.models.images.shared.base import ImageModel
from otbench.nets.replicas import Replicas


class Averaged(ImageModel):
    """A model that draws from its network `average`, which follows its generator and has no trained values."""

    sampler = ("average",)

    def parameters(self) -> dict[str, int]:
        """Number of trained values; the average has none of its own."""
        return {n: count for n, count in super().parameters().items() if n != "average"}


def follow(average: Replicas, network: Replicas, share: float | Tensor = 1.0) -> None:
    """Move parameters and buffers of an average towards those of a network.

    Buffers move too: running statistics must suit the averaged weights. What only `average` has is left as it is.

    Args:
        average: Network that is moved.
        network: Network that it follows.
        share: Part of the way, 1 less the decay of the exponential average: a number, or a tensor of one value or of
            one a replica. With 1 the average becomes a copy.
    """
    tensors = average.state()
    with torch.no_grad():
        for name, value in network.state().items():
            part = share
            if isinstance(share, Tensor):
                part = share.reshape(-1, *[1] * (value.ndim - 1))
            tensors[name].lerp_(value, part)
