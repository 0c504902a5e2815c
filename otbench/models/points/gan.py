"""GAN and PacGAN in the plane (Goodfellow et al. 2014; Lin et al. 2018)."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneConfig, PlaneModel


class GANConfig(PlaneConfig):
    """PacGAN's values; `packing` is the number m of points in a pack."""

    packing: int = Field(1, ge=1, le=8)


class GAN(PlaneModel):
    """The discriminator sees packs of m points that are all real or all generated; m = 1 is the GAN itself.

    Both networks step at once, with the gradients of one forward pass (the reference code's rule):
    L_D = E[sp(-a)] + E[sp(b)], L_G = E[sp(-b)] with a, b the logits of real and generated packs and sp softplus.
    """

    names = {"gan": {}, "pacgan2": {"packing": 2}, "pacgan3": {"packing": 3}, "pacgan4": {"packing": 4}}
    title = "GAN"
    titles = {f"pacgan{m}": f"PacGAN{m}" for m in (2, 3, 4)}
    paper = "Goodfellow et al. 2014; Lin et al. 2018 (PacGAN), section 4.1"
    Config = GANConfig

    def build(self) -> None:
        """Generator and discriminator of PacGAN, Adam on both."""
        self.pacgan_generator()
        self.optimise("generator")
        self.pacgan_discriminator(self.config.packing * self.data.shape[0])

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.packing, c.batch)), "z": Normal((c.packing, c.batch, c.noise))}
        return [Stage("adversarial", self.step, inputs)]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of both networks."""
        generated = self.generator(batch["z"])
        # two passes rather than one over both halves: the generator's gradient then skips the real half
        real, fake = self.discriminator(pack(batch["real"])), self.discriminator(pack(generated))
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        g = F.softplus(-fake).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}


def pack(points: Tensor) -> Tensor:
    """(R, m, B, d) -> (R, B, m d): row b holds the b-th point of every slot."""
    return points.transpose(1, 2).flatten(2)
