"""R copies of a plain module, one a seed, run as one.

With one replica the module itself is called: on a CPU `vmap` over a single copy would only cost time. With several,
their parameters are stacked and `torch.func` runs the plain module over the leading axis. Model code sees (R, ...) in
both cases.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from otbench.utils.rng import stream_seed


def seeded(build: Callable[[], nn.Module], seed: int, name: str) -> nn.Module:
    """The module that `build` makes when its weights are drawn from stream `name` of replica `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, name))
        return build()


def layout(device: torch.device) -> torch.memory_format:
    """How a single replica's images lie in memory: on a GPU channels last, as its matrix units read them.

    The convolutions of several replicas become one with groups, for which that order is of no use.
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def laid_out(gradient: Tensor, tensor: Tensor) -> Tensor:
    """The gradient, in memory as its tensor lies there.

    Fused optimisers walk memory in order: of a gradient laid out otherwise they would move the wrong weights.
    """
    if gradient.stride() == tensor.stride():
        return gradient
    return torch.empty_like(tensor, dtype=gradient.dtype).copy_(gradient)


class Replicas:
    """R copies of a module; calling it maps tensors (R, ...) to tensors (R, ...)."""

    def __init__(self, build: Callable[[], nn.Module], seeds: list[int], name: str, device: torch.device) -> None:
        modules = [seeded(build, seed, f"weights/{name}").to(device) for seed in seeds]
        self.module = modules[0]
        self.size = len(modules)
        if self.size > 1:
            self._params, self._buffers = stack_module_state(modules)
            self.module = modules[0].to("meta")
        else:
            self.module.to(memory_format=layout(device))

    @property
    def single(self) -> bool:
        """Whether there is one replica, held as the plain module."""
        return self.size == 1

    def parameters(self) -> list[Tensor]:
        """The trained tensors, for an optimiser."""
        return list(self.module.parameters()) if self.single else list(self._params.values())

    def train(self, mode: bool = True) -> Replicas:
        """Training (or inference) mode, as of a plain module."""
        self.module.train(mode)
        return self

    def eval(self) -> Replicas:
        """Inference mode."""
        return self.train(False)

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self.single:
            return self.module(*(x[0] for x in inputs)).unsqueeze(0)
        return self._mapped(self._params, inputs)

    def call_with(self, parameters: list[Tensor], *inputs: Tensor) -> Tensor:
        """As calling, but with these tensors, in the order of `parameters()`, in place of its own parameters."""
        if self.single:
            named = dict(zip((n for n, _ in self.module.named_parameters()), parameters, strict=True))
            return functional_call(self.module, named, tuple(x[0] for x in inputs)).unsqueeze(0)
        return self._mapped(dict(zip(self._params, parameters, strict=True)), inputs)

    def _mapped(self, parameters: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        def run(p: dict[str, Tensor], b: dict[str, Tensor], *x: Tensor) -> Tensor:
            return functional_call(self.module, (p, b), x)

        return torch.vmap(run)(parameters, self._buffers, *inputs)

    def state(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, each (R, ...), detached."""
        if self.single:
            return {k: v.detach().unsqueeze(0) for k, v in self.module.state_dict().items()}
        return {k: v.detach() for k, v in {**self._params, **self._buffers}.items()}

    def tensor(self, name: str) -> Tensor:
        """The parameter or buffer of this name, (R, ...): the replicas' own memory, to be read or changed in place."""
        if self.single:
            own = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
            return own[name].unsqueeze(0)
        return {**self._params, **self._buffers}[name]

    def load(self, state: dict[str, Tensor]) -> None:
        """Copy the tensors of `state`, each (R, ...), into the replicas."""
        own = self.state()
        if set(own) != set(state):
            raise KeyError(f"expected tensors {sorted(own)}, got {sorted(state)}")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])

    def keep(self, alive: list[int]) -> dict[Tensor, Tensor]:
        """Go on with the replicas at these positions; returns the new tensor of every parameter that was replaced."""
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
            own = dict(self.module.named_parameters())
            replaced = {old: own[name] for (old, name) in zip(replaced, self._params, strict=True)}
        return replaced
