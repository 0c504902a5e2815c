"""R copies of a plain module, one a seed, run as one.

With one replica the module itself is called: on a CPU `vmap` over a single copy would only cost time. With several,
their parameters are stacked. Modules whose layers all know that leading axis (nets/layers.py) are then called once with
stacked parameters; `torch.func` maps every other module over the axis, at some microseconds an operation. Model code
sees (R, ...) in all cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from otbench.utils.rng import stream_seed


def seeded(build: Callable[[], nn.Module], seed: int, name: str) -> nn.Module:
    """The module of one replica, its weights drawn from a stream of its own.

    Args:
        build: Function that makes the module.
        seed: Seed of the replica.
        name: Name of the stream.

    Returns:
        The module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, name))
        return build()


def layout(device: torch.device) -> torch.memory_format:
    """The memory format of a single replica's images: on a GPU channels last, as its matrix units read them.

    The convolutions of several replicas become one with groups, for which that order is of no use.

    Args:
        device: Where the network is.

    Returns:
        The memory format.
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def laid_out(gradient: Tensor, tensor: Tensor) -> Tensor:
    """The gradient, in memory as its tensor lies there.

    Fused optimisers walk memory in order: of a gradient laid out otherwise they would move the wrong weights.

    Args:
        gradient: Gradient of the tensor.
        tensor: Parameter of the same shape.

    Returns:
        The gradient, or a copy with the tensor's strides.
    """
    if gradient.stride() == tensor.stride():
        return gradient
    return torch.empty_like(tensor, dtype=gradient.dtype).copy_(gradient)


#: layers of torch without parameters that treat every dimension but the last two as leading
_PLAIN = (
    nn.Sequential,
    nn.ModuleList,
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.SELU,
    nn.SiLU,
    nn.ELU,
)


def knows_replicas(module: nn.Module) -> bool:
    """Whether a module runs R replicas at once, given parameters and inputs (R, ...).

    Args:
        module: A module; one that has the attribute `stacked` says it of its own class, not of its parts.

    Returns:
        True where that holds of the module and of all its parts.
    """
    return all(type(part) in _PLAIN or type(part).__dict__.get("stacked", False) for part in module.modules())


class Replicas:
    """R copies of a module; calling it maps tensors (R, ...) to tensors (R, ...)."""

    def __init__(self, build: Callable[[], nn.Module], seeds: list[int], name: str, device: torch.device) -> None:
        modules = [seeded(build, seed, f"weights/{name}").to(device) for seed in seeds]
        # any class of modules: models read what their own have
        self.module: Any = modules[0]
        self.size = len(modules)
        if self.size > 1:
            self._params, self._buffers = stack_module_state(modules)
            self._direct = knows_replicas(modules[0])
            self.module = modules[0].to("meta")
        else:
            self.module.to(memory_format=layout(device))

    @property
    def single(self) -> bool:
        """Whether there is one replica, held as the plain module."""
        return self.size == 1

    def parameters(self) -> list[Tensor]:
        """The trained tensors, for an optimiser.

        Returns:
            Parameters of the module, or those of all replicas stacked, (R, ...).
        """
        return list(self.module.parameters()) if self.single else list(self._params.values())

    def train(self, mode: bool = True) -> Replicas:
        """Set the mode, as of a plain module.

        Args:
            mode: Training mode, or inference mode where False.

        Returns:
            The replicas themselves.
        """
        self.module.train(mode)
        return self

    def eval(self) -> Replicas:
        """Set inference mode.

        Returns:
            The replicas themselves.
        """
        return self.train(False)

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self.single:
            return self.module(*(x[0] for x in inputs)).unsqueeze(0)
        return self._mapped(self._params, inputs)

    def call_with(self, parameters: list[Tensor], *inputs: Tensor) -> Tensor:
        """Call the network with other parameters than its own.

        Args:
            parameters: Tensors in the order of `parameters()`.
            *inputs: Inputs (R, ...).

        Returns:
            Outputs (R, ...).
        """
        if self.single:
            named = dict(zip((n for n, _ in self.module.named_parameters()), parameters, strict=True))
            return functional_call(self.module, named, tuple(x[0] for x in inputs)).unsqueeze(0)
        return self._mapped(dict(zip(self._params, parameters, strict=True)), inputs)

    def _mapped(self, parameters: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        if self._direct:
            return functional_call(self.module, (parameters, self._buffers), inputs)

        def run(p: dict[str, Tensor], b: dict[str, Tensor], *x: Tensor) -> Tensor:
            return functional_call(self.module, (p, b), x)

        return torch.vmap(run)(parameters, self._buffers, *inputs)

    def state(self) -> dict[str, Tensor]:
        """Parameters and buffers, detached.

        Returns:
            Tensors (R, ...) by name.
        """
        if self.single:
            return {k: v.detach().unsqueeze(0) for k, v in self.module.state_dict().items()}
        return {k: v.detach() for k, v in {**self._params, **self._buffers}.items()}

    def tensor(self, name: str) -> Tensor:
        """A parameter or a buffer: the replicas' own memory, to be read or changed in place.

        Args:
            name: Name in the module.

        Returns:
            Tensor (R, ...).
        """
        if self.single:
            tensors = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
            return tensors[name].unsqueeze(0)
        return {**self._params, **self._buffers}[name]

    def load(self, state: dict[str, Tensor]) -> None:
        """Copy tensors into the replicas.

        Args:
            state: Tensors (R, ...) by name, as `state` returned them.

        Raises:
            KeyError: When the names are not those of the network.
        """
        tensors = self.state()
        if set(tensors) != set(state):
            raise KeyError(f"expected tensors {sorted(tensors)}, got {sorted(state)}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(state[name])

    def keep(self, alive: list[int]) -> dict[Tensor, Tensor]:
        """Go on with some of several replicas.

        Args:
            alive: Positions of the replicas that stay.

        Returns:
            The new tensor of every parameter that was replaced.
        """
        replaced: dict[Tensor, Tensor] = {}
        for name, old in list(self._params.items()):
            self._params[name] = old.detach()[alive].clone().requires_grad_(old.requires_grad)
            replaced[old] = self._params[name]
        self._buffers = {k: v[alive].clone() for k, v in self._buffers.items()}
        self.size = len(alive)
        if self.size == 1:
            every = {**self._params, **self._buffers}  # a network may have buffers alone
            self.module = self.module.to_empty(device=next(iter(every.values())).device)
            self.module.load_state_dict({k: v[0] for k, v in every.items()})
            parameters = dict(self.module.named_parameters())
            replaced = {old: parameters[name] for (old, name) in zip(replaced, self._params, strict=True)}
        return replaced
