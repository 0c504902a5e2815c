"""Unrolled GAN in the plane (Metz et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneModel, SetupConfig
from otbench.nets import toy
from otbench.nets.pacgan import Discriminator


class UnrolledConfig(SetupConfig):
    """Five unrolled steps, as in VEEGAN's table 1; PacGAN's networks and rates, so that all rows share a generator.

    `setup: notebook` has the values of an author's notebook on the ring (github.com/poolio/unrolled_gan), which are not
    those of the paper, as it says itself: perceptrons of two hidden layers of 128 with tanh, orthogonal initialisation
    of gain 1.4, Adam with 1e-3 (generator), 1e-4 (discriminator) and beta1 0.5, batches of 512, 256 noise inputs, the
    saddle objective, and 25,000 iterations of five unrolled steps (`--steps 150000`).
    """

    SETUPS: ClassVar[dict[str, dict[str, Any]]] = {
        "notebook": {
            **{"noise": 256, "batch": 512, "rate": 1e-3, "discriminator_rate": 1e-4, "beta1": 0.5, "width": 128},
            **{"objective": "saddle", "second_moment": "differentiated"},
        }
    }
    setup: Literal["pacgan", "notebook"] = "pacgan"
    unrolled: int = Field(5, ge=0)
    #: None: `rate`
    discriminator_rate: float | None = Field(None, gt=0)
    #: what the generator descends at the unrolled discriminator: E[sp(-b)], or minus the discriminator's own loss
    objective: Literal["non-saturating", "saddle"] = "non-saturating"
    #: Adam's second moment in the derivative of the unrolled steps
    second_moment: Literal["constant", "differentiated"] = "constant"


class UnrolledGAN(PlaneModel):
    """The generator descends its loss at the discriminator that K further steps would give, through those steps.

    The unrolled steps are Adam's, as in the notebook, from the discriminator's own moments. By default the second
    moment is taken as a constant in the derivative, because its square root has none at zero; the notebook's graph
    differentiates it (`second_moment: differentiated`). The discriminator itself takes one step. With K = 0 and the
    objective that does not saturate this is the GAN.
    """

    names = {"unrolled-gan": {}}
    title = "Unrolled GAN"
    paper = "Metz et al. 2017; row of Srivastava et al. 2017 (VEEGAN), table 1"
    paper_steps = 6 * 400_000
    Config = UnrolledConfig
    config: UnrolledConfig

    def build(self) -> None:
        """Generator and discriminator of the set-up."""
        c, dimension = self.config, self.data.shape[0]
        if c.setup == "notebook":
            style: dict[str, Any] = {"activation": nn.Tanh, "start": "orthogonal"}
            self.generator = self.network("generator", lambda: toy.Perceptron(c.noise, dimension, c.width, 2, **style))
            self.discriminator = self.network(
                "discriminator", lambda: toy.Discriminator(dimension, c.width, 2, **style)
            )
        else:
            self.pacgan_generator()
            self.discriminator = self.network("discriminator", lambda: Discriminator(dimension, c.maxout))
        self.optimise("generator")
        self.optimise("discriminator", rate=c.discriminator_rate)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "z": Normal((c.batch, c.noise))}
        return [Stage("adversarial", self.step, inputs, cost=1 + c.unrolled)]

    def unroll(self, points: Tensor) -> list[Tensor]:
        """The discriminator's parameters after K differentiable Adam steps.

        Args:
            points: Points (R, 2B, d), the first half real.

        Returns:
            Parameters in the order of `Replicas.parameters`.
        """

        adam, c = self.optimisers["discriminator"], self.config
        constant = c.second_moment == "constant"
        return ahead(self.discriminator.parameters(), adam, lambda p: self.loss_at(p, points), c.unrolled, constant)

    def loss_at(self, parameters: list[Tensor], points: Tensor) -> Tensor:
        """The discriminator's loss with given parameters.

        Args:
            parameters: Parameters in the order of `Replicas.parameters`.
            points: Points (R, 2B, d), the first half real.

        Returns:
            Loss (R,).
        """
        real, fake = self.discriminator.call_with(parameters, points).chunk(2, 1)
        return F.softplus(-real).mean(1) + F.softplus(fake).mean(1)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of each network, the generator's through the unrolled discriminator.

        Args:
            batch: Points `real` (R, B, d) and noise `z` (R, B, noise).

        Returns:
            Losses (R,), detached: `discriminator` and `generator`.
        """
        generated = self.generator(batch["z"])
        points = torch.cat([batch["real"], generated], 1)
        real, fake = self.discriminator(points.detach()).chunk(2, 1)
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        if self.config.objective == "saddle":
            g = -self.loss_at(self.unroll(points), points)
        else:
            g = F.softplus(-self.discriminator.call_with(self.unroll(points), generated)).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}


def ahead(
    parameters: list[Tensor],
    adam: torch.optim.Optimizer,
    loss: Callable[[list[Tensor]], Tensor],
    steps: int,
    constant: bool = True,
) -> list[Tensor]:
    """The parameters of an Adam optimiser after further steps, differentiably.

    Starts from the optimiser's own moments and leaves them as they are.

    Args:
        parameters: Parameters that the optimiser trains.
        adam: Optimiser whose moments and settings are taken.
        loss: Function from the parameters to losses (R,).
        steps: Number of steps.
        constant: Whether the second moment is a constant in the derivative; otherwise it is one only where it is zero,
            where its root has no derivative.

    Returns:
        Parameters after the steps, in the same order.
    """
    settings = adam.param_groups[0]
    (beta1, beta2), eps = settings["betas"], settings["eps"]
    states = [adam.state.get(p, {}) for p in parameters]
    first = [s.get("exp_avg", torch.zeros(())).to(p) for s, p in zip(states, parameters, strict=True)]
    second = [s.get("exp_avg_sq", torch.zeros(())).to(p) for s, p in zip(states, parameters, strict=True)]
    t = states[0].get("step", torch.zeros(())).to(parameters[0].device)
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(parameters).sum(), parameters, create_graph=True)
        t = t + 1
        first = [beta1 * m + (1 - beta1) * g for m, g in zip(first, gradients, strict=True)]
        squares = [g.detach() ** 2 if constant else g**2 for g in gradients]
        second = [beta2 * v + (1 - beta2) * s for v, s in zip(second, squares, strict=True)]
        roots = [(v / (1 - beta2**t)) for v in second]
        if not constant:
            roots = [torch.where(v > 0, v, v.detach()) for v in roots]
        scale = settings["lr"] / (1 - beta1**t)
        parameters = [p - scale * m / (v.sqrt() + eps) for p, m, v in zip(parameters, first, roots, strict=True)]
    return parameters
