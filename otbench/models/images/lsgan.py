"""The least-squares GAN of images (Mao et al. 2017), as Lucic et al. (2018) ran it."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.alternating import Alternating, AlternatingConfig


class LSGANConfig(AlternatingConfig):
    """Default values of Lucic et al. (2018, code)."""

    rate: float = Field(2e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: take a sigmoid of the scores first, as Lucic et al.'s code does
    sigmoid: bool = False


class LSGAN(Alternating):
    """L_D = (E[(a - 1)^2] + E[b^2]) / 2, L_G = E[(b - 1)^2] / 2, a and b the scores of real and generated images.

    Scores are the discriminator's last affine layer (Mao et al., equation 9). Lucic et al.'s code squares sigmoids of
    them, whose gradient vanishes where the discriminator is sure, which least squares are meant to avoid. The
    published figures are of that form; `sigmoid` repeats it.
    """

    names = {"lsgan": {}}
    title = "LSGAN"
    paper = "Mao et al. 2017, equation 9; Lucic et al. 2018, tables 1 and 2 (its default values)"
    Config = LSGANConfig
    config: LSGANConfig

    def scores(self, images: Tensor) -> Tensor:
        """The scores that are squared.

        Args:
            images: Images (R, B, c, h, w).

        Returns:
            Scores (R, B), or their sigmoids.
        """
        scores = self.discriminator(images)
        return scores.sigmoid() if self.config.sigmoid else scores

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """L_D."""
        real, fake = self.scores(batch["real"]), self.scores(generated)
        return {"discriminator": 0.5 * ((real - 1).square().mean(1) + fake.square().mean(1))}

    def generate(self, generated: Tensor) -> Tensor:
        """L_G."""
        return 0.5 * (self.scores(generated) - 1).square().mean(1)
