"""Unrolled GAN in the plane (Metz et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneConfig, PlaneModel


class UnrolledConfig(PlaneConfig):
    """Five unrolled steps, as in VEEGAN's table 1; PacGAN's networks and rates, so that all rows share a generator."""

    unrolled: int = Field(5, ge=0)


class UnrolledGAN(PlaneModel):
    """The generator descends its loss at the discriminator that K further steps would give, through those steps.

    The unrolled steps are Adam's, as in the paper's code, from the discriminator's own moments; the second moment is
    taken as a constant in the derivative, because its square root has none at zero. The discriminator itself takes
    one step. With K = 0 this is the GAN.
    """

    names = {"unrolled-gan": {}}
    title = "Unrolled GAN"
    paper = "Metz et al. 2017; row of Srivastava et al. 2017 (VEEGAN), table 1"
    paper_steps = 6 * 400_000
    Config = UnrolledConfig

    def build(self) -> None:
        """PacGAN's generator and discriminator."""
        self.pacgan_generator()
        self.optimise("generator")
        self.pacgan_discriminator(self.data.shape[0])

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "z": Normal((c.batch, c.noise))}
        return [Stage("adversarial", self.step, inputs, cost=1 + c.unrolled)]

    def unroll(self, points: Tensor) -> list[Tensor]:
        """The discriminator's parameters after K differentiable Adam steps; points (R, 2B, d), the first half real."""

        def loss(parameters: list[Tensor]) -> Tensor:
            real, fake = self.discriminator.call_with(parameters, points).chunk(2, 1)
            return F.softplus(-real).mean(1) + F.softplus(fake).mean(1)

        return ahead(self.discriminator.parameters(), self.optimisers["discriminator"], loss, self.config.unrolled)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of each network, the generator's through the unrolled discriminator."""
        generated = self.generator(batch["z"])
        points = torch.cat([batch["real"], generated], 1)
        real, fake = self.discriminator(points.detach()).chunk(2, 1)
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        g = F.softplus(-self.discriminator.call_with(self.unroll(points), generated)).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}


def ahead(
    parameters: list[Tensor], adam: torch.optim.Adam, loss: Callable[[list[Tensor]], Tensor], steps: int
) -> list[Tensor]:
    """What `steps` steps of `adam` along `loss` (parameters -> (R,)) would make of its parameters, differentiably.

    Starts from the optimiser's own moments and leaves them as they are; the second moment is a constant in the
    derivative.
    """
    settings = adam.param_groups[0]
    (beta1, beta2), eps = settings["betas"], settings["eps"]
    kept = [adam.state.get(p, {}) for p in parameters]
    first = [s.get("exp_avg", torch.zeros(())).to(p) for s, p in zip(kept, parameters, strict=True)]
    second = [s.get("exp_avg_sq", torch.zeros(())).to(p) for s, p in zip(kept, parameters, strict=True)]
    t = kept[0].get("step", torch.zeros(())).to(parameters[0].device)
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(parameters).sum(), parameters, create_graph=True)
        t = t + 1
        first = [beta1 * m + (1 - beta1) * g for m, g in zip(first, gradients, strict=True)]
        second = [beta2 * v + (1 - beta2) * g.detach() ** 2 for v, g in zip(second, gradients, strict=True)]
        scale = settings["lr"] / (1 - beta1**t)
        parameters = [
            p - scale * m / ((v / (1 - beta2**t)).sqrt() + eps)
            for p, m, v in zip(parameters, first, second, strict=True)
        ]
    return parameters
