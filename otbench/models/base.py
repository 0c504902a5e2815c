"""What a model is: a validated config, a sequence of stages, then a sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from otbench.data.base import DataSet
from otbench.models.inputs import Input
from otbench.nets.layers import gradients_of
from otbench.nets.replicas import Replicas, laid_out

Losses = dict[str, Tensor]


class Config(BaseModel):
    """A model's values; defaults are the paper's. Unknown names and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Stage:
    """One part of a model's training.

    Either `step` maps a batch {name: (R, ...)} to losses {name: (R,)} and updates the networks, or `solve` does all at
    once. `cost` is the number of discriminator (or critic) updates in a step, unrolled ones included: budgets count
    those, so that the same budget is the same work. `share` is the part of the model's budget that the stage gets.
    `schedule` is called before every step with the share of the stage's steps already taken, in [0, 1): there learning
    rates decay (`Model.set_rate`) and layers fade in. What it sets must be tensors, as a captured step sees no other
    change.
    """

    name: str
    step: Callable[[dict[str, Tensor]], Losses] | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    solve: Callable[[], list[dict[str, float]]] | None = None
    cost: int = 1
    share: float = 1.0
    schedule: Callable[[float], None] | None = None


class Model:
    """Base of every model: holds its networks and optimisers, one leading axis of replicas on each tensor.

    A subclass names itself (`names`: every name it registers, with the options each implies), says where it comes
    from, and defines `build`, `stages` and `draw`. A model that can encode and decode also defines
    `reconstruct(images (n, c, h, w)) -> (R, n, c, h, w)`.
    """

    names: ClassVar[dict[str, dict]] = {}
    #: what the model is called in a table; `titles` where its names differ
    title: ClassVar[str] = ""
    titles: ClassVar[dict[str, str]] = {}
    paper: ClassVar[str] = ""
    family: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("points",)
    control: ClassVar[bool] = False
    #: the paper's own budget, in units of `Stage.cost`; None where the model has no budget
    paper_steps: ClassVar[int | None] = None
    #: whether a step can be recorded as a CUDA graph; one that computes on the CPU in between cannot
    capturable: ClassVar[bool] = True
    #: names of the networks whose state `draw` needs
    sampler: ClassVar[tuple[str, ...]] = ("generator",)
    Config: ClassVar[type[Config]] = Config

    def __init__(
        self,
        config: Config,
        data: DataSet,
        seeds: list[int],
        device: str | torch.device = "cpu",
        training: bool = True,
    ) -> None:
        """training: False leaves out the optimisers, whose first use costs a process seconds of imports."""
        self.config, self.data, self.seeds, self.device = config, data, list(seeds), torch.device(device)
        self.training = training
        self.networks: dict[str, Replicas] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.build()

    @classmethod
    def paper_budget(cls, dataset: str) -> int | None:
        """The paper's budget on a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            Number in units of `Stage.cost`; None where the paper has none.
        """
        return cls.paper_steps

    @classmethod
    def title_of(cls, name: str) -> str:
        """The model's name in a table.

        Args:
            name: Name that the model is registered by.

        Returns:
            The title of that name.
        """
        return cls.titles.get(name, cls.title)

    def build(self) -> None:
        """Make networks (with `network`) and optimisers."""

    def stages(self) -> list[Stage]:
        """The stages of the training.

        Returns:
            Stages in their order; none where nothing is trained.
        """
        return []

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Samples of every replica.

        Args:
            n: Number of samples of each replica.
            streams: Generators of the noise, one a replica.

        Returns:
            Samples (R, n, ...): points, or images in [0, 1].
        """
        raise AssertionError(f"{type(self).__name__} defines no sampler")

    def network(self, name: str, build: Callable[[], nn.Module]) -> Replicas:
        """Register R replicas of a module.

        Args:
            name: Name of the network, and of the streams of its initial weights.
            build: Function that makes the module of one seed.

        Returns:
            The replicas.
        """
        self.networks[name] = Replicas(build, self.seeds, name, self.device)
        return self.networks[name]

    def adam(
        self,
        name: str,
        networks: list[str],
        rate: float,
        beta1: float,
        beta2: float = 0.999,
        weight_decay: float = 0.0,
    ) -> None:
        """Register an Adam optimiser (epsilon 1e-8).

        Args:
            name: Name of the optimiser.
            networks: Names of the networks that it trains.
            rate: Learning rate.
            beta1: Decay of the first moment.
            beta2: Decay of the second moment.
            weight_decay: Factor of the weights in what is added to their gradient.
        """
        # capturable: the step counter stays on the device, as a CUDA graph needs
        settings = {"fused": True, "capturable": self.device.type == "cuda"}
        settings |= {"betas": (beta1, beta2), "weight_decay": weight_decay}
        self._optimiser(torch.optim.Adam, name, networks, rate, settings)

    def rmsprop(self, name: str, networks: list[str], rate: float, decay: float = 0.99) -> None:
        """Register an RMSProp optimiser.

        Args:
            name: Name of the optimiser.
            networks: Names of the networks that it trains.
            rate: Learning rate.
            decay: Decay of the mean square; the default is PyTorch's, TensorFlow's is 0.9.
        """
        settings = {"alpha": decay, "capturable": self.device.type == "cuda"}
        self._optimiser(torch.optim.RMSprop, name, networks, rate, settings)

    def _optimiser(
        self, kind: Callable[..., torch.optim.Optimizer], name: str, networks: list[str], rate: float, more: dict
    ) -> None:
        if self.training:
            tensors = [p for n in networks for p in self.networks[n].parameters()]
            # a captured step reads the rate from memory, so that `set_rate` reaches it
            start = torch.tensor(rate, device=self.device) if self.device.type == "cuda" else rate
            self.optimisers[name] = kind(tensors, start, **more)

    def set_rate(self, name: str, rate: float) -> None:
        """Change the learning rate of an optimiser.

        Args:
            name: Name of the optimiser.
            rate: Learning rate from here on.
        """
        for group in self.optimisers[name].param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def descend(self, **losses: Tensor) -> None:
        """One step of each named optimiser along its own loss, all gradients taken before any step.

        Args:
            **losses: Losses (R,) by name of the optimiser.
        """
        pending: list[tuple[str, list[Tensor], tuple[Tensor, ...]]] = []
        last = list(losses)[-1]
        for name, loss in losses.items():
            tensors = [p for group in self.optimisers[name].param_groups for p in group["params"]]
            with gradients_of(tensors):
                pending.append((name, tensors, torch.autograd.grad(loss.sum(), tensors, retain_graph=name != last)))
        for name, tensors, gradients in pending:
            for tensor, gradient in zip(tensors, gradients, strict=True):
                tensor.grad = laid_out(gradient, tensor)
            self.optimisers[name].step()

    def certify(self, samples: Tensor) -> list[dict[str, float]]:
        """Numbers that only the model itself can give of its samples.

        Args:
            samples: Samples (R, n, ...).

        Returns:
            Numbers by name, one record a replica; empty unless a model overrides this.
        """
        return [{} for _ in self.seeds]

    def training_state(self) -> dict[str, Any]:
        """All that training goes on from after an interruption.

        A model whose stages leave more than networks and optimisers behind adds it here and takes it up below.

        Returns:
            Tensors and plain values in nested dicts: `networks` and `optimisers`, each by name.
        """
        return {
            "networks": {n: r.state() for n, r in self.networks.items()},
            "optimisers": {n: o.state_dict() for n, o in self.optimisers.items()},
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Continue from a saved state of the training.

        Args:
            state: What `training_state` returned.
        """
        for name, values in state["networks"].items():
            self.networks[name].load(values)
        for name, values in state["optimisers"].items():
            self.optimisers[name].load_state_dict(values)

    def refresh_statistics(self) -> Callable[[], None]:
        """Bring the sampler to what a snapshot keeps of it, where that is more than training leaves.

        The trainer calls it before every snapshot, and undoes it where training goes on. Random numbers that it needs
        come from streams of its own, so that training does not depend on the snapshots taken.

        Returns:
            Function that undoes it.
        """
        return lambda: None

    def state(self) -> dict[str, Tensor]:
        """What `draw` needs.

        Returns:
            Tensors (R, ...) by name, `<network>.<tensor>` for those of a network.
        """
        return {f"{n}.{k}": v for n in self.sampler for k, v in self.networks[n].state().items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take the sampler from a saved state.

        Args:
            state: What `state` returned, for as many replicas as the model has.
        """
        for n in self.sampler:
            part = {k.removeprefix(f"{n}."): v for k, v in state.items() if k.startswith(f"{n}.")}
            self.networks[n].load(part)

    def parameters(self) -> dict[str, int]:
        """Number of trained values of one replica.

        Returns:
            Numbers by name of the network.
        """
        return {n: sum(p.numel() for p in r.parameters()) // r.size for n, r in self.networks.items()}


class NoiseModel(Model):
    """A model whose sampler feeds Gaussian noise, `config.noise` wide, to its network `generator`."""

    #: any Config that has `noise`
    config: Any

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on fresh noise."""
        generator = self.networks["generator"].eval()
        with torch.no_grad():
            return generator(noise((n, self.config.noise), streams, self.device))


def noise(shape: tuple[int, ...], streams: list[torch.Generator], device: torch.device) -> Tensor:
    """Standard Gaussian noise.

    Args:
        shape: Shape of one replica's noise.
        streams: Generators, one a replica.
        device: Where the noise goes; it is drawn where the generators are.

    Returns:
        Noise (R, *shape), replica k's from streams[k].
    """
    return torch.stack([torch.randn(shape, generator=g, device=g.device).to(device) for g in streams])
