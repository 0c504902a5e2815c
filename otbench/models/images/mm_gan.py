"""The min-max GAN of images (Goodfellow et al. 2014), as Lucic et al. (2018) ran it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.alternating import Alternating


class MMGAN(Alternating):
    """One value for both, E[log s(a)] + E[log(1 - s(b))]: the discriminator ascends it, the generator descends it.

    L_D = E[sp(-a)] + E[sp(b)], L_G = -E[sp(b)], a and b the logits of real and generated images, s the sigmoid and sp
    softplus.
    """

    names = {"mm-gan": {}}
    title = "MM GAN"
    paper = "Goodfellow et al. 2014, equation 1; Lucic et al. 2018, tables 1 and 2 (its default values)"

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """L_D."""
        real, fake = self.discriminator(batch["real"]), self.discriminator(generated)
        return {"discriminator": F.softplus(-real).mean(1) + F.softplus(fake).mean(1)}

    def generate(self, generated: Tensor) -> Tensor:
        """L_G."""
        return -F.softplus(self.discriminator(generated)).mean(1)
