"""What gradient penalties share: where a critic is asked, and how steep it is there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from otbench.nets.layers import gradients_of


def between(real: Tensor, generated: Tensor, where: Tensor) -> Tensor:
    """Points real + where (generated - real) of the segments between two (R, B, c, h, w), at shares where (R, B)."""
    return torch.lerp(real, generated, where.reshape(*where.shape[:2], *[1] * (real.ndim - 2)))


def slopes(network: Callable[[Tensor], Tensor], x: Tensor, epsilon: float = 0.0) -> Tensor:
    """|grad f(x)| of a network's score f, Euclidean over the values of an image: (R, B, c, h, w) -> (R, B).

    It can be differentiated by the network's parameters, not by x. The network (`Replicas`, or a function of one) maps
    (R, B, c, h, w) to (R, B). epsilon is added to the square of the norm, as the code of some papers does (1e-4 in that
    of Lucic et al. 2018), which biases a penalty by up to sqrt(epsilon). With batch normalisation the scores of a batch
    depend on each other; the gradient is then that of the batch's sum, as in the papers' code.
    """
    x = x.detach().requires_grad_()
    # whatever else the caller computes, this pass needs no weight gradients
    with torch.enable_grad(), gradients_of([x]):
        gradient = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
    flat = gradient.flatten(2)
    # the norm's own derivative is 0 at 0, where that of a square root is not finite
    return (flat.square().sum(-1) + epsilon).sqrt() if epsilon else flat.norm(dim=-1)
