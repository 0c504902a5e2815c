"""Neural optimal transport for a strong cost (Korotin et al. 2023)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, Losses, Stage
from otbench.models.inputs import Input, Normal, Real
from otbench.models.points.shared.maps import ExplicitMap
from otbench.nets.toy import Perceptron


class NeuralOTConfig(Config):
    """Values of the code's toy example in the plane; that one is for a weak cost and has noise beside the input.

    inner_steps: updates of the map for one of the potential.
    """

    width: int = Field(100, ge=1)
    depth: int = Field(3, ge=1)
    inner_steps: int = Field(10, ge=1)
    batch: int = Field(64, ge=2)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)


class NeuralOT(ExplicitMap):
    """max over f, min over T of E[|z - T(z)|^2 / 2 - f(T(z))] + E f(x), two perceptrons.

    With the map T optimal for f, the value is a lower bound of W2^2 / 2 between noise and data, and at the best f equal
    to it. The recorded `dual` is the value with the map as it is: an estimate from above of that bound.
    """

    names = {"not": {}}
    title = "NOT"
    paper = "Korotin et al. 2023, algorithm 1 for a strong cost, and code (toy examples)"
    #: 10,000 updates of the potential, ten of the map before each
    paper_steps = 100_000
    sampler = ("map",)
    Config = NeuralOTConfig
    config: NeuralOTConfig

    def build(self) -> None:
        """The map and the potential, Adam on each."""
        c, d = self.config, self.data.shape[0]
        self.transport = self.network("map", lambda: Perceptron(d, d, c.width, c.depth))
        self.potential = self.network("potential", lambda: Perceptron(d, 1, c.width, c.depth))
        for name in ("map", "potential"):
            self.adam(name, [name], c.rate, c.beta1)

    def stages(self) -> list[Stage]:
        """One stage; a step costs its updates of the map."""
        c = self.config
        inputs: dict[str, Input] = {
            "real": Real((c.batch,)),
            "z": Normal((c.inner_steps + 1, c.batch, *self.data.shape)),
        }
        return [Stage("saddle", self.step, inputs, cost=c.inner_steps)]

    def value(self, x: Tensor) -> Tensor:
        """The potential f.

        Args:
            x: Points (R, n, d) in the map's units.

        Returns:
            Values (R, n).
        """
        return self.potential(x).squeeze(-1)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """`inner_steps` updates of the map and one of the potential.

        Args:
            batch: Points `real` (R, B, d) and noise `z` (R, inner_steps + 1, B, d).

        Returns:
            Losses (R,), detached: `dual`, an estimate of W2^2 / 2, and `map`, what the last update descended.
        """
        for k in range(self.config.inner_steps):
            z = batch["z"][:, k]
            image = self.transport(z)
            loss = (cost(z, image) - self.value(image)).mean(1)
            self.descend(map=loss)
        z, real = batch["z"][:, -1], self.standard(batch["real"])
        with torch.no_grad():
            image = self.transport(z)
        gap = self.value(image).mean(1) - self.value(real).mean(1)
        self.descend(potential=gap)
        return {"dual": (cost(z, image).mean(1) - gap).detach(), "map": loss.detach()}

    def map(self, z: Tensor) -> Tensor:
        """The network `map`."""
        with torch.no_grad():
            return self.transport.eval()(z)


def cost(z: Tensor, x: Tensor) -> Tensor:
    """|z - x|^2 / 2.

    Args:
        z: Points (R, n, d).
        x: Points (R, n, d).

    Returns:
        Costs (R, n).
    """
    return (z - x).square().sum(-1) / 2


def dual(values: Tensor, costs: Tensor) -> Tensor:
    """The dual value of a potential between two point sets, with the best map onto the second one.

    Args:
        values: Potential (R, m) at the target points.
        costs: Costs (R, n, m) from every source point to every target point.

    Returns:
        Values (R,): at most the optimal cost between the sets, whatever the potential.

    Source: Korotin et al. 2023, equation 15.
    """
    return (costs - values.unsqueeze(1)).amin(2).mean(1) + values.mean(1)
