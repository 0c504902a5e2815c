"""Layers that several papers' networks share, and the CPU kernels under them.

On a CPU, PyTorch's matrix product goes to MKL, which runs at half the speed of oneDNN on processors of other makers.
`linear` therefore calls oneDNN there; everywhere else (GPU, float64, inside `torch.func.vmap`) it is `F.linear`.

Layers here also run R replicas at once, where their parameters have one leading axis, (R, ...), and so have inputs: one
batched matrix product in place of R. A module made of such layers says so with `stacked = True` (nets/replicas.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_POINTWISE: Any = getattr(getattr(torch.ops, "mkldnn", None), "_linear_pointwise", None)


def _usable(x: Tensor) -> bool:
    return (
        _POINTWISE is not None
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        # a module of torch that its types leave out
        and not torch._C._functorch.maybe_current_level()  # pyright: ignore[reportAttributeAccessIssue]
        and not torch.is_autocast_enabled("cpu")
    )


_WANTED: set[int] | None = None


@contextmanager
def gradients_of(tensors: list[Tensor]) -> Iterator[None]:
    """Inside, a backward pass computes weight gradients of these leaves only.

    Autograd cannot tell a custom function which of its inputs a call to `torch.autograd.grad` is after, so a pass
    through a discriminator to its generator would compute, and drop, all the discriminator's weight gradients.

    Args:
        tensors: Leaves whose gradients are computed.

    Yields:
        Nothing.
    """
    global _WANTED
    before, _WANTED = _WANTED, {id(t) for t in tensors}
    try:
        yield
    finally:
        _WANTED = before


def _wanted(weight: Tensor) -> bool:
    return _WANTED is None or not weight.is_leaf or id(weight) in _WANTED


class _Product(torch.autograd.Function):
    """a (n, k), b (m, k) -> a b' (n, m) through oneDNN; differentiable any number of times."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(a, b)
        return _POINTWISE(a, b, bias, "none", [], "")

    @staticmethod
    def backward(ctx, grad: Tensor):
        a, b = ctx.saved_tensors
        to_a = _Product.apply(grad, b.t(), None) if ctx.needs_input_grad[0] else None
        to_b = _Product.apply(grad.t(), a.t(), None) if ctx.needs_input_grad[1] and _wanted(b) else None
        return to_a, to_b, grad.sum(0) if ctx.needs_input_grad[2] else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The affine map x weight' + bias.

    Args:
        x: Inputs (..., k), or (R, ..., k) of R replicas.
        weight: Weights (m, k), or (R, m, k).
        bias: Biases (m,), or (R, m); None: none.

    Returns:
        Outputs (..., m).
    """
    if weight.dim() == 3:
        flat, mapped = x.reshape(len(weight), -1, x.shape[-1]), weight.transpose(1, 2)
        out = torch.bmm(flat, mapped) if bias is None else torch.baddbmm(bias.unsqueeze(1), flat, mapped)
        return out.reshape(*x.shape[:-1], -1)
    if not _usable(x):
        return F.linear(x, weight, bias)
    return _Product.apply(x.reshape(-1, x.shape[-1]), weight, bias).unflatten(0, x.shape[:-1])


class Linear(nn.Linear):
    """An affine layer, as `torch.nn.Linear`, that uses `linear`."""

    stacked = True

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class _Largest(torch.autograd.Function):
    """Maximum over dimension -2; the gradient goes to the piece that attains it."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        largest = x.amax(-2)
        ctx.save_for_backward(x, largest)
        return largest

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        x, largest = ctx.saved_tensors
        with torch.no_grad():
            # written as float straight away: a boolean mask times a float tensor is six times slower on a CPU
            attained = torch.eq(x, largest.unsqueeze(-2), out=torch.empty_like(x))
        grad = grad.unsqueeze(-2)
        return attained * grad if torch.is_grad_enabled() else attained.mul_(grad)


class Maxout(nn.Module):
    """Maximum over affine pieces (Goodfellow et al. 2013): (..., inputs) -> (..., outputs)."""

    stacked = True

    def __init__(self, inputs: int, outputs: int, pieces: int = 5) -> None:
        super().__init__()
        self.pieces = pieces
        self.affine = Linear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        values = self.affine(x).unflatten(-1, (self.pieces, -1))
        return _Largest.apply(values) if _usable(values) else values.amax(-2)


class BatchNorm(nn.Module):
    """Batch normalisation over dimension -2 of (..., n, features); leading dimensions are normalised apart.

    A pack of m slots is one such leading dimension; the running statistics move by the mean over the slots, with
    the biased variance: new = momentum * batch + (1 - momentum) * old (PacGAN's code).

    Args:
        features: size of the last dimension.
        momentum: weight of a batch in the running statistics.
        eps: added to a variance before its root is taken.
        deviation: average the standard deviations sqrt(variance + eps), as Blocks does, instead of the variances;
            `running_var` is then the variance whose standard deviation is that average.
    """

    stacked = True
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, features: int, momentum: float = 0.05, eps: float = 1e-5, deviation: bool = False) -> None:
        super().__init__()
        self.momentum, self.eps, self.deviation = momentum, eps, deviation
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            return x * _beside(scale, x) + _beside(self.bias - self.running_mean * scale, x)
        channels = x.shape[:-2].numel() * x.shape[-1]
        # replicas and slots become channels, so that the fused kernel serves any number of them
        flat = x.reshape(-1, *x.shape[-2:]).transpose(0, 1).flatten(1)
        weight, bias = self._channels(self.weight, channels), self._channels(self.bias, channels)
        out, mean, inverse = torch.native_batch_norm(flat, weight, bias, None, None, True, 0.0, self.eps)
        with torch.no_grad():
            self._move(self.running_mean, mean.detach())
            if self.deviation:
                average = (self.running_var + self.eps).sqrt()
                self._move(average, inverse.detach().reciprocal())
                self.running_var.copy_(average.square() - self.eps)
            else:
                self._move(self.running_var, inverse.detach().pow(-2) - self.eps)
        return out.unflatten(1, (-1, x.shape[-1])).transpose(0, 1).reshape(x.shape)

    @staticmethod
    def _channels(parameter: Tensor, channels: int) -> Tensor:
        """A parameter (f,) or (R, f), once for every slot: (channels,), the replicas' one after another."""
        slots = channels // parameter.numel()
        if slots == 1:
            return parameter.flatten()
        return parameter.unsqueeze(-2).expand(*parameter.shape[:-1], slots, -1).flatten()

    def _move(self, running: Tensor, batch: Tensor) -> None:
        """running <- (1 - momentum) running + momentum * mean of batch (channels,) over the slots."""
        batch = batch.reshape(*running.shape[:-1], -1, running.shape[-1])
        batch = batch.mean(-2) if batch.shape[-2] > 1 else batch.squeeze(-2)
        running.mul_(1 - self.momentum).add_(batch, alpha=self.momentum)


def _beside(parameter: Tensor, x: Tensor) -> Tensor:
    """A parameter (f,) or (R, f), in a shape that broadcasts against inputs (R, ..., f)."""
    lead = parameter.shape[:-1]
    return parameter.reshape(*lead, *[1] * (x.dim() - 1 - len(lead)), -1)


def initialise(module: nn.Module, deviation: float = 0.02) -> nn.Module:
    """Draw weights of every affine layer from N(0, deviation^2) and set biases to 0.

    Args:
        module: Module whose layers are changed.
        deviation: Standard deviation of the weights.

    Returns:
        The module.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, deviation)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module
