"""Networks that are convex in their input (Amos et al. 2017), as Makkuva et al. 2020 use them for potentials."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.nets.layers import Linear, gradients_of
from otbench.nets.replicas import Replicas

#: slope of the first layer's leaky ReLU below 0
SLOPE = 0.2


class ConvexNetwork(nn.Module):
    """(..., n, inputs) -> (..., n), convex in each row while the weights between layers are not negative.

    h_1 = s(A_0 x + b_0)^2, h_(k+1) = t(A_k x + b_k + W_k h_k), value a x + w h_K + c |x|^2 / 2, with s the leaky ReLU
    and t the CELU (Makkuva et al. 2020, equation 11, and code). W_k, w and c have to stay at 0 or above: `clamp` holds
    them there and `concavity` says how far below they are. CELU and the quadratic term with its trained c are those of
    the paper's code for more than two dimensions: with its leaky ReLUs for two, a map that is a gradient has no slope
    by the biases b_k, k > 0, which then never move. c starts at 1, where the gradient is nearly the identity.

    Args:
        inputs: number of inputs.
        width: units of each hidden layer.
        depth: number of hidden layers.
    """

    def __init__(self, inputs: int, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.first = Linear(inputs, width)
        self.skips = nn.ModuleList(Linear(inputs, width) for _ in range(depth - 1))
        self.inner = nn.ModuleList(Linear(width, width, bias=False) for _ in range(depth - 1))
        self.inner.append(Linear(width, 1, bias=False))
        self.last = Linear(inputs, 1, bias=False)
        self.curvature = nn.Parameter(torch.ones(1))
        for weight in self.inner.parameters():
            # of mean 1 / width, so that values keep their size from layer to layer
            nn.init.uniform_(weight, 0.0, 2 / width)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.first(x), SLOPE).square()
        for skip, inner in zip(self.skips, self.inner, strict=False):
            h = F.celu(skip(x) + inner(h))
        value = (self.last(x) + self.inner[-1](h)).squeeze(-1)
        return value + self.curvature * x.square().sum(-1) / 2


def constrained(network: Replicas) -> list[Tensor]:
    """The weights of a convex network that must not be negative.

    Args:
        network: Replicas of a `ConvexNetwork`.

    Returns:
        Tensors (R, ...), in the network's own memory.
    """
    names = [name for name, _ in network.module.named_parameters()]
    return [network.tensor(name) for name in names if name.startswith("inner") or name == "curvature"]


def clamp(network: Replicas) -> None:
    """Set negative ones among the weights that must not be negative to 0.

    Args:
        network: Replicas of a `ConvexNetwork`.
    """
    with torch.no_grad():
        for tensor in constrained(network):
            tensor.clamp_(min=0)


def concavity(network: Replicas) -> Tensor:
    """Half the sum of squares of negative ones among the weights that must not be negative.

    Args:
        network: Replicas of a `ConvexNetwork`.

    Returns:
        Values (R,), 0 where the network is convex by construction.

    Source: Makkuva et al. 2020, equation 12.
    """
    parts = [F.relu(-tensor).square().flatten(1).sum(1) / 2 for tensor in constrained(network)]
    return torch.stack(parts).sum(0)


def gradient(network: Replicas, x: Tensor, create_graph: bool = False) -> Tensor:
    """The gradient of a network's value by its input.

    Args:
        network: Replicas that map (R, n, d) to (R, n).
        x: Points (R, n, d).
        create_graph: Whether the gradient can be differentiated by the network's parameters.

    Returns:
        Gradients (R, n, d).
    """
    x = x.detach().requires_grad_()
    # this pass needs no weight gradients; a later one through its graph may
    with torch.enable_grad(), gradients_of([x]):
        return torch.autograd.grad(network(x).sum(), x, create_graph=create_graph)[0]
