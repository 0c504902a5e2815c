"""Continuous-time transport: paths between noise and data, solvers, and what the models of both kinds share.

Time runs from noise (t = 0) to data (t = 1) in flows, and in 1,000 steps from data to noise in diffusion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from otbench.models.base import Config, Losses, Model, Stage, noise
from otbench.models.inputs import Input, Normal, Real, Uniform
from otbench.nets.replicas import Replicas
from otbench.utils.rng import generator

Solver = Literal["euler", "midpoint"]
#: points (R, n, ...) and times (R, n) -> velocities (R, n, ...)
Velocity = Callable[[Tensor, Tensor], Tensor]


def along(t: Tensor, x: Tensor) -> Tensor:
    """Values of every row in the shape in which they multiply rows.

    Args:
        t: Values (R, n).
        x: Rows (R, n, ...).

    Returns:
        Values (R, n, 1, ..., 1).
    """
    return t.reshape(*t.shape, *[1] * (x.ndim - t.ndim))


def straight(x0: Tensor, x1: Tensor, t: Tensor, sigma_min: float = 0.0) -> tuple[Tensor, Tensor]:
    """A point of the path from noise to data, and its velocity: x_t = (1 - (1 - s) t) x_0 + t x_1.

    Args:
        x0: Noise (R, n, ...).
        x1: Data (R, n, ...).
        t: Times (R, n) in [0, 1].
        sigma_min: Standard deviation s of the noise that is left at t = 1.

    Returns:
        Points x_t and velocities x_1 - (1 - s) x_0, (R, n, ...).

    Source: Lipman et al. 2023, equations 20 to 23.
    """
    left = 1 - sigma_min
    share = along(t, x0)
    return (1 - left * share) * x0 + share * x1, x1 - left * x0


def integrate(velocity: Velocity, x: Tensor, evaluations: int, solver: Solver = "euler") -> Tensor:
    """The flow of dx/dt = v(x, t) from t = 0 to 1, in equal steps.

    Args:
        velocity: The field v.
        x: Points (R, n, ...) at t = 0.
        evaluations: How often v is evaluated: steps of Euler's method, or twice the steps of the midpoint rule.
        solver: `euler` or `midpoint`.

    Returns:
        Points (R, n, ...) at t = 1.
    """
    steps = evaluations if solver == "euler" else evaluations // 2
    h, times = 1 / steps, x.new_zeros(x.shape[:2])
    for k in range(steps):
        v = velocity(x, times + k * h)
        if solver == "midpoint":
            v = velocity(x + h / 2 * v, times + (k + 0.5) * h)
        x = x + h * v
    return x


def bending(velocity: Velocity, x: Tensor, evaluations: int) -> Tensor:
    """How far the paths of a flow are from straight lines: int E|v(x_t, t) - (x_1 - x_0)|^2 dt / E|x_1 - x_0|^2.

    On Euler's own paths, whose mean velocity is x_1 - x_0: the variance of the velocities along each.

    Args:
        velocity: The field v.
        x: Points (R, n, ...) at t = 0.
        evaluations: Steps of Euler's method.

    Returns:
        Values (R,), 0 for straight paths at constant speed.

    Source: Liu et al. 2022, section 2.2, S(Z); there without the denominator.
    """
    start, speeds = x, x.new_zeros(len(x))
    for k in range(evaluations):
        v = velocity(x, torch.full(x.shape[:2], k / evaluations, dtype=x.dtype, device=x.device))
        speeds = speeds + v.square().flatten(1).sum(1) / evaluations
        x = x + v / evaluations
    moved = (x - start).square().flatten(1).sum(1)
    return (speeds - moved).clamp(min=0) / moved.clamp(min=torch.finfo(x.dtype).tiny)


def partners(x: Tensor, y: Tensor) -> Tensor:
    """The matching of two batches with the least sum of squared distances, by POT's network simplex.

    Args:
        x: Points (n, ...).
        y: Points (n, ...).

    Returns:
        Rows (n,) of y: the partner of each row of x.

    Source: Tong et al. 2024, section 3.2 (mini-batch optimal transport).
    """
    import ot

    cost = ot.dist(x.flatten(1).double().cpu().numpy(), y.flatten(1).double().cpu().numpy())
    # between equal numbers of equal weights the optimal plan that the simplex ends at is a matching
    return torch.as_tensor(ot.emd([], [], cost).argmax(1), device=y.device)


def check_evaluations(solver: Solver, evaluations: int) -> None:
    """Check that a solver can make so many evaluations.

    Args:
        solver: The solver.
        evaluations: Number of evaluations.

    Raises:
        ValueError: The midpoint rule with an odd number.
    """
    if solver == "midpoint" and evaluations % 2:
        raise ValueError(f"the midpoint rule takes two evaluations a step, got {evaluations} evaluations")


class ContinuousConfig(Config):
    """What all continuous-time models have."""

    batch: int = Field(128, ge=2)
    rate: float = Field(2e-4, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    width: int = Field(64, ge=1)
    #: how often the network is evaluated for a sample
    evaluations: int = Field(100, ge=1)


class FlowConfig(ContinuousConfig):
    """What flows have: their solver, and the noise left at t = 1."""

    solver: Solver = "euler"
    sigma_min: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _pairs_of_evaluations(self) -> FlowConfig:
        check_evaluations(self.solver, self.evaluations)
        return self


class ContinuousModel(Model):
    """A network that moves noise to data in time; `velocity` is trained.

    A kind of data says which network it is (`architecture`), what is drawn from (`field`) and the units in which noise
    has variance one (`unit` and `restored`).
    """

    family = "continuous-time"
    #: any ContinuousConfig
    config: Any
    #: rows of samples that are moved at once
    rows: ClassVar[int] = 50_000

    def architecture(self) -> Callable[[], nn.Module]:
        """What builds the network of one seed.

        Returns:
            Function that makes a module (n, ...), (n,) -> (n, ...).
        """
        raise AssertionError(f"{type(self).__name__} has no network")

    def build(self) -> None:
        """The network, with Adam."""
        self.velocity = self.network("velocity", self.architecture())
        self.adam("velocity", ["velocity"], self.config.rate, self.config.beta1)

    def field(self) -> Replicas:
        """The network that samples are drawn with.

        Returns:
            The trained network, or its average.
        """
        return self.velocity

    def remember(self) -> None:
        """Move the average, where there is one, after a step."""

    def unit(self, real: Tensor) -> Tensor:
        """Data in the model's unit.

        Args:
            real: Points, or images in [0, 1].

        Returns:
            The same in the unit in which noise has variance one.
        """
        return real

    def restored(self, x: Tensor) -> Tensor:
        """Points or images of data in the model's unit.

        Args:
            x: Data in the model's unit.

        Returns:
            Points, or images in [0, 1].
        """
        return x

    def inputs(self) -> dict[str, Input]:
        """What a step draws.

        Returns:
            Data `real`, noise `z` of the same shape, and times `time` in [0, 1).
        """
        batch = self.config.batch
        return {"real": Real((batch,)), "z": Normal((batch, *self.data.shape)), "time": Uniform((batch,))}

    def regress(self, x: Tensor, t: Tensor, target: Tensor) -> Losses:
        """One update of the network towards a target.

        Args:
            x: Points (R, B, ...).
            t: Times (R, B) in [0, 1].
            target: What the network is to give (R, B, ...).

        Returns:
            Loss `l2` (R,): the mean squared error of a coordinate, detached.
        """
        loss = (self.velocity(x, t) - target).square().flatten(1).mean(1)
        self.descend(velocity=loss)
        self.remember()
        return {"l2": loss.detach()}

    def moved(self, network: Replicas, x: Tensor, streams: list[torch.Generator]) -> Tensor:
        """Noise moved to data.

        Args:
            network: Network that moves it.
            x: Noise (R, n, ...).
            streams: Generators of further noise, one a replica.

        Returns:
            Data (R, n, ...) in the model's unit.
        """
        raise AssertionError(f"{type(self).__name__} has no sampler")

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Noise from each stream, moved to data; the rest is deterministic where the model has no noise on the way."""
        x = noise((n, *self.data.shape), streams, self.device)
        return self.restored(self.at_the_end(self.field(), x, streams))

    def at_the_end(self, network: Replicas, x: Tensor, streams: list[torch.Generator]) -> Tensor:
        """What `moved` gives, a part of the rows at a time and without gradients.

        Args:
            network: Network that moves the noise.
            x: Noise (R, n, ...).
            streams: Generators of further noise, one a replica.

        Returns:
            Data (R, n, ...) in the model's unit.
        """
        with torch.no_grad():
            return torch.cat([self.moved(network, part, streams) for part in x.split(self.rows, 1)], 1)

    def parameters(self) -> dict[str, int]:
        """Number of values of the trained network; copies of it have none of their own."""
        return {"velocity": super().parameters()["velocity"]}


class FlowModel(ContinuousModel):
    """Flow matching: v(x_t, t) regresses on the velocity of straight paths from noise to data (Lipman et al. 2023)."""

    #: whether a batch's noise and data are matched by optimal transport (Tong et al. 2024), else paired as drawn
    coupled: ClassVar[bool] = False

    def stages(self) -> list[Stage]:
        """One stage."""
        return [Stage("flow", self.step, self.inputs())]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the velocity field.

        Args:
            batch: Data `real` (R, B, ...), noise `z` (R, B, ...) and times `time` (R, B).

        Returns:
            Loss `l2` (R,), detached.
        """
        x0, x1 = batch["z"], self.unit(batch["real"])
        if self.coupled:
            x1 = torch.stack([y[partners(x, y)] for x, y in zip(x0, x1, strict=True)])
        x, v = straight(x0, x1, batch["time"], self.config.sigma_min)
        return self.regress(x, batch["time"], v)

    def moved(self, network: Replicas, x: Tensor, streams: list[torch.Generator]) -> Tensor:
        """The flow of the field, by the config's solver."""
        return integrate(network, x, self.config.evaluations, self.config.solver)


class ReflowModel(FlowModel):
    """Rectified flow with one reflow (Liu et al. 2022): a flow, then the same network on that flow's own pairs.

    flow: as flow matching with independent pairs. pairs: the network is copied to `first`, which gives each of
    `config.pairs` noise vectors its image under the flow. reflow: training goes on, on straight paths between a noise
    vector and its own image. Paths of the first flow bend where straight ones would cross; those of a pair cross less,
    so the second flow is straighter and needs fewer evaluations. The record holds `bending` of both.

    The pairs are no part of a checkpoint: `first` and a stream of their own make them again.
    """

    #: noise vectors on which the bending is measured
    probes: ClassVar[int] = 1000

    def build(self) -> None:
        """The network, with Adam, and the copy that makes the pairs."""
        super().build()
        self.first = self.network("first", self.architecture())
        #: noise and its images, each (R, pairs, ...), made when first needed
        self.pairs: tuple[Tensor, Tensor] | None = None

    def stages(self) -> list[Stage]:
        """The flow, its pairs, the reflow, and how straight both are."""
        c, inputs = self.config, self.inputs()
        rows: dict[str, Input] = {"place": Uniform((c.batch,)), "time": inputs["time"]}
        return [
            Stage("flow", self.step, inputs, share=1 - c.reflow),
            Stage("pairs", solve=self.freeze),
            Stage("reflow", self.reflow_step, rows, share=c.reflow),
            Stage("bending", solve=lambda: self.bendings("bending", self.field())),
        ]

    def freeze(self) -> list[dict[str, float]]:
        """Copy the network that is drawn from.

        Returns:
            `bending_first`, one record a replica.
        """
        self.first.load({name: value for name, value in self.field().state().items() if name in self.first.state()})
        return self.bendings("bending_first", self.first)

    def bendings(self, name: str, network: Replicas) -> list[dict[str, float]]:
        """How far a flow is from straight.

        Args:
            name: Name in the records.
            network: The field.

        Returns:
            One record a replica.
        """
        x = noise((self.probes, *self.data.shape), [generator(s, "bending") for s in self.seeds], self.device)
        with torch.no_grad():
            values = bending(network, x, self.config.evaluations)
        return [{name: float(value)} for value in values]

    def made(self) -> tuple[Tensor, Tensor]:
        """The pairs of the first flow.

        Returns:
            Noise and its images, each (R, pairs, ...).
        """
        if self.pairs is None or len(self.pairs[0]) != len(self.seeds):  # at first, and when a replica has diverged
            streams = [generator(seed, "pairs") for seed in self.seeds]
            x = noise((self.config.pairs, *self.data.shape), streams, self.device)
            self.pairs = x, self.at_the_end(self.first, x, streams)
        return self.pairs

    def reflow_step(self, batch: dict[str, Tensor]) -> Losses:
        """One update on pairs of the first flow.

        Args:
            batch: Places `place` (R, B) in [0, 1) of the pairs, and times `time` (R, B).

        Returns:
            Loss `l2` (R,), detached.
        """
        count = self.config.pairs
        rows = (batch["place"] * count).long().clamp(max=count - 1)
        x0, x1 = (torch.stack([part[k] for part, k in zip(whole, rows, strict=True)]) for whole in self.made())
        x, v = straight(x0, x1, batch["time"])
        return self.regress(x, batch["time"], v)
