"""The adversarial autoencoder of images (Makhzani et al. 2015)."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import Coding, ImageConfig
from otbench.models.inputs import Normal, Real
from otbench.nets.aae import Decoder, Discriminator, Encoder


class AAEConfig(ImageConfig):
    """Values of PyTorch-GAN's `aae.py`: the original paper's hyper-parameters are not in the texts at hand."""

    latent: int = Field(10, ge=1)
    #: hidden layers have 8 * width units
    width: int = Field(64, ge=1)
    rate: float = Field(2e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: weight of the adversarial part; the reconstruction has the rest of 1
    adversarial: float = Field(0.001, gt=0, lt=1)


class AAE(Coding):
    """Descends (1 - w) E|x - G(z)| + w E[sp(-D(z))], z from the Gaussian posterior q(z | x); sp is the softplus.

    The discriminator tells codes of N(0, I) from codes of images and descends half of E[sp(-D)] over the former plus
    E[sp(D)] over the latter. |.| is the mean absolute error per pixel, on [-1, 1]. With the squared error in its place
    and a deterministic encoder this is WAE-GAN (Tolstikhin et al. 2018, section 3). Both sides step at once, from the
    same codes.
    """

    names = {"aae": {}}
    title = "AAE"
    paper = "Makhzani et al. 2015; PyTorch-GAN, aae.py"
    paper_steps = 187_600
    Config = AAEConfig
    config: AAEConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """200 epochs of 60,000 images in batches of 64, whatever the data set."""
        return cls.paper_steps

    def build(self) -> None:
        """Three perceptrons, Adam over encoder and decoder and on the discriminator."""
        c, shape = self.config, self.data.shape
        self.encoder = self.network("encoder", lambda: Encoder(shape, 2 * c.latent, c.width))
        self.decoder = self.network("decoder", lambda: Decoder(shape, c.latent, c.width))
        self.discriminator = self.network("discriminator", lambda: Discriminator(c.latent, c.width))
        self.adam("autoencoder", ["encoder", "decoder"], c.rate, c.beta1)
        self.adam("discriminator", ["discriminator"], c.rate, c.beta1)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        codes = Normal((c.batch, c.latent))
        return [Stage("adversarial", self.step, {"real": Real((c.batch,)), "eps": codes, "prior": codes})]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of encoder and decoder, and one of the discriminator.

        Args:
            batch: Images `real` (R, B, c, h, w), and Gaussian noise `eps` and codes `prior` (R, B, latent).

        Returns:
            Losses (R,), detached: `l1`, per pixel on [-1, 1], `adversarial` and `discriminator`.
        """
        x, w = batch["real"], self.config.adversarial
        mean, log_variance = self.encoder(x).chunk(2, -1)
        codes = mean + (log_variance / 2).exp() * batch["eps"]
        # twice the error on [0, 1]
        error = 2 * (self.decoder(codes) - x).abs().mean((1, 2, 3, 4))
        fooled = F.softplus(-self.discriminator(codes)).mean(1)
        prior, coded = self.discriminator(batch["prior"]), self.discriminator(codes.detach())
        d = (F.softplus(-prior).mean(1) + F.softplus(coded).mean(1)) / 2
        self.descend(autoencoder=(1 - w) * error + w * fooled, discriminator=d)
        return {"l1": error.detach(), "adversarial": fooled.detach(), "discriminator": d.detach()}

    def means(self, encoded: Tensor) -> Tensor:
        """The mean of the posterior is the code."""
        return encoded.chunk(2, -1)[0]
