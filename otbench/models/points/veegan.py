"""VEEGAN in the plane (Srivastava et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneModel
from otbench.nets.pacgan import Generator


class VEEGAN(PlaneModel):
    """A reconstructor F maps data back to noise; the discriminator sees pairs (z, G(z)) and (F(x), x).

    Algorithm 1 of the paper, with D the log ratio of generated to real pairs and d the squared distance:
    D descends E[sp(-D(z, G(z)))] + E[sp(D(F(x), x))]; F descends E d(z, F(G(z)));
    G descends E D(z, G(z)) + E d(z, F(G(z))).
    The paper's 2D networks and rates are not published: PacGAN's stand in, so that all rows share a generator.
    """

    names = {"veegan": {}}
    title = "VEEGAN"
    paper = "Srivastava et al. 2017, algorithm 1 and table 1"

    def build(self) -> None:
        """PacGAN's generator and discriminator; the reconstructor is a shallower copy of the generator."""
        c, dimension = self.config, self.data.shape[0]
        self.pacgan_generator()
        self.optimise("generator")
        self.reconstructor = self.network("reconstructor", lambda: Generator(dimension, c.noise, c.width, depth=2))
        self.optimise("reconstructor")
        self.pacgan_discriminator(dimension + c.noise)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        return [Stage("adversarial", self.step, {"real": Real((c.batch,)), "z": Normal((c.batch, c.noise))})]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of all three networks."""
        z, x = batch["z"], batch["real"]
        generated = self.generator(z)
        error = (self.reconstructor(generated) - z).square().sum(-1).mean(1)
        with torch.no_grad():
            recovered = self.reconstructor(x)
        real = self.discriminator(torch.cat([recovered, x], -1))
        fake = self.discriminator(torch.cat([z, generated], -1))
        d = F.softplus(-fake).mean(1) + F.softplus(real).mean(1)
        self.descend(discriminator=d, reconstructor=error, generator=fake.mean(1) + error)
        return {"discriminator": d.detach(), "reconstruction": error.detach(), "ratio": fake.detach().mean(1)}
