"""DRAGAN of images (Kodali et al. 2017), as Lucic et al. (2018) ran it."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.alternating import Alternating, AlternatingConfig
from otbench.models.images.shared.penalty import between, slopes
from otbench.models.inputs import Input, Uniform


class DRAGANConfig(AlternatingConfig):
    """Default values of Lucic et al. (2018, code)."""

    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: weight of the penalty, lambda
    penalty: float = Field(10.0, ge=0)
    #: size of the noise, in standard deviations of a batch's values (both authors' code)
    spread: float = Field(0.5, gt=0)
    #: noise uniform on [0, 1], as in both authors' code, instead of [-1, 1]: images only ever get lighter
    positive: bool = False
    #: penalise the gradient of the sigmoid of the logit, as Lucic et al.'s code does
    sigmoid: bool = False
    #: added to the square of the gradient's norm; Lucic et al.'s code has 1e-4
    epsilon: float = Field(0.0, ge=0)


class DRAGAN(Alternating):
    """The non-saturating GAN, its discriminator held to slope 1 around the data.

    L_D = E[sp(-a)] + E[sp(b)] + penalty E (|grad D(x)| - 1)^2, L_G = E[sp(-b)], D, a and b logits. x lies at a random
    place between a real image and the same with noise: spread * (deviation of the batch) * noise. The paper's noise is
    Gaussian and centred; both the authors' code and Lucic et al.'s draw it uniform on [0, 1]. Here it is uniform and
    centred. The published figures of Lucic et al. have `positive`, `sigmoid` and epsilon 1e-4.
    """

    names = {"dragan": {}}
    title = "DRAGAN"
    paper = "Kodali et al. 2017, algorithm 1; Lucic et al. 2018, tables 1 and 2 (its default values)"
    Config = DRAGANConfig
    config: DRAGANConfig

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """With the noise on the images, and the places on the way to it."""
        low = 0.0 if self.config.positive else -1.0
        noise = Uniform((*shape, *self.data.shape), low, 1.0)
        return super().inputs(shape) | {"noise": noise, "where": Uniform(shape)}

    def around(self, batch: dict[str, Tensor]) -> Tensor:
        """Points around the data at which the penalty is taken.

        Args:
            batch: Images `real` and noise `noise` (R, B, c, h, w), and places `where` (R, B) on the way to the noise.

        Returns:
            Points (R, B, c, h, w).
        """
        real = batch["real"]
        deviation = real.flatten(1).std(1, correction=0).reshape(-1, *[1] * (real.ndim - 1))
        return between(real, real + self.config.spread * deviation * batch["noise"], batch["where"])

    def judge(self, images: Tensor) -> Tensor:
        """The score whose slope is penalised.

        Args:
            images: Images (R, B, c, h, w).

        Returns:
            Logits (R, B), or their sigmoids.
        """
        logits = self.discriminator(images)
        return logits.sigmoid() if self.config.sigmoid else logits

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """L_D, and the penalty in it."""
        c = self.config
        real, fake = self.discriminator(batch["real"]), self.discriminator(generated)
        penalty = (slopes(self.judge, self.around(batch), c.epsilon) - 1).square().mean(1)
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1) + c.penalty * penalty
        return {"discriminator": d, "penalty": penalty}

    def generate(self, generated: Tensor) -> Tensor:
        """L_G."""
        return F.softplus(-self.discriminator(generated)).mean(1)
