"""What gradient penalties share: where a critic is asked, and how steep it is there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from otbench.nets.layers import gradients_of


def between(real: Tensor, generated: Tensor, where: Tensor) -> Tensor:
    """Points of the segments between real and generated images.

    Args:
        real: Real images (R, B, c, h, w).
        generated: Generated images (R, B, c, h, w).
        where: Shares (R, B) of the way, 0 at the real image.

    Returns:
        Points real + where (generated - real), (R, B, c, h, w).
    """
    # in mixed precision generated images are shorter numbers, which lerp does not mix
    return torch.lerp(real, generated.to(real.dtype), where.reshape(*where.shape[:2], *[1] * (real.ndim - 2)))


def slopes(network: Callable[[Tensor], Tensor], x: Tensor, epsilon: float = 0.0) -> Tensor:
    """|grad f(x)| of a network's score f, Euclidean over the values of an image.

    It can be differentiated by the network's parameters, not by x. With batch normalisation the scores of a batch
    depend on each other; the gradient is then that of the batch's sum, as in the papers' code.

    Args:
        network: `Replicas`, or a function of one, that maps (R, B, c, h, w) to (R, B).
        x: Images (R, B, c, h, w).
        epsilon: Value added to the square of the norm, as the code of some papers does (1e-4 in that of Lucic et al.
            2018), which biases a penalty by up to sqrt(epsilon).

    Returns:
        Slopes (R, B).
    """
    x = x.detach().requires_grad_()
    # whatever else the caller computes, this pass needs no weight gradients
    with torch.enable_grad(), gradients_of([x]):
        gradient = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
    flat = gradient.flatten(2)
    # the norm's own derivative is 0 at 0, where that of a square root is not finite
    return (flat.square().sum(-1) + epsilon).sqrt() if epsilon else flat.norm(dim=-1)
