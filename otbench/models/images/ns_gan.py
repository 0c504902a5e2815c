"""The non-saturating GAN of images (Goodfellow et al. 2014), as the study of Lucic et al. 2018 ran it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.base import Adversarial
from otbench.training.streams import Real, Uniform


class NSGAN(Adversarial):
    """L_D = E[sp(-a)] + E[sp(b)], L_G = E[sp(-b)], a and b the logits of real and generated images, sp softplus.

    The discriminator steps first; the generator then follows it on the same noise.
    """

    names = {"ns-gan": {}}
    title = "NS GAN"
    paper = "Goodfellow et al. 2014; Lucic et al. 2018, table 2 (the study's default values)"

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "z": Uniform((c.batch, c.latent), -1.0, 1.0)}
        return [Stage("adversarial", self.step, inputs)]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the discriminator, then one of the generator."""
        # made once: the generator does not change between the two updates
        generated = self.generator(batch["z"])
        real, fake = self.discriminator(batch["real"]), self.discriminator(generated.detach())
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        self.descend(discriminator=d)
        g = F.softplus(-self.discriminator(generated)).mean(1)
        self.descend(generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}
