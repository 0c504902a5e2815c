"""Adversarially learned inference in the plane (Dumoulin et al. 2017), as PacGAN ran it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneModel
from otbench.nets.pacgan import Encoder


class ALI(PlaneModel):
    """The discriminator tells pairs (x, E(x, eps)) from pairs (G(z), z); encoder and generator learn to confuse it.

    With a the logit of a real pair and b of a generated one: L_D = E[sp(-a)] + E[sp(b)], and encoder and generator
    both descend L_G = E[sp(a)] + E[sp(-b)]. All step at once.
    """

    names = {"ali": {}}
    title = "ALI"
    paper = "Dumoulin et al. 2017; baseline of Lin et al. 2018 (PacGAN), table 1"

    def build(self) -> None:
        """PacGAN's generator and discriminator, and the encoder."""
        c, dimension = self.config, self.data.shape[0]
        self.pacgan_generator()
        self.encoder = self.network("encoder", lambda: Encoder(dimension, c.noise, c.noise, c.width, c.norm))
        self.optimise("generator", "generator", "encoder")
        self.pacgan_discriminator(dimension + c.noise)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "z": Normal((c.batch, c.noise)), "eps": Normal((c.batch, c.noise))}
        return [Stage("adversarial", self.step, inputs)]

    def pairs(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Real pairs (x, E(x, eps)) and generated pairs (G(z), z).

        Args:
            batch: Points `real` (R, B, d), and noise `z` and `eps` (R, B, noise).

        Returns:
            Real and generated pairs, each (R, B, d + noise).
        """
        encoded = torch.cat([batch["real"], self.encoder(batch["real"], batch["eps"])], -1)
        return encoded, torch.cat([self.generator(batch["z"]), batch["z"]], -1)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of all three networks.

        Args:
            batch: Points `real` (R, B, d), and noise `z` and `eps` (R, B, noise).

        Returns:
            Losses (R,), detached: `discriminator` and `generator`.
        """
        real, fake = self.discriminator(torch.cat(self.pairs(batch), 1)).chunk(2, 1)
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        g = F.softplus(real).mean(1) + F.softplus(-fake).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}
