"""Adversarially learned inference of images (Dumoulin et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import Coding, ImageConfig
from otbench.models.inputs import Normal, Real, Uniform
from otbench.nets.ali import Decoder, Discriminator, Encoder

#: updates of PacGAN's stacked tables: 50 epochs of 128,000 images in batches of 64
STACKED = 100_000


class ALIConfig(ImageConfig):
    """The paper's values for CIFAR-10 (its table; the printed beta2 of 1e-3 is 1 - beta2)."""

    batch: int = Field(100, ge=2)
    #: channels of the first convolution; the discriminator's count two pieces each
    width: int = Field(32, ge=2)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: share of values dropped at the discriminator's hidden layers, and of its inputs
    dropout: float = Field(0.5, ge=0, lt=1)
    input_dropout: float = Field(0.2, ge=0, lt=1)
    #: standard deviation of the weights at the start
    deviation: float = Field(0.01, gt=0)


class ALI(Coding):
    """The discriminator tells pairs (x, E(x, eps)) from pairs (G(z), z); encoder and decoder learn to confuse it.

    E(x, eps) = mean(x) + deviation(x) * eps, z and eps ~ N(0, I). With a the logit of a real pair and b of a generated
    one: L_D = E[sp(-a)] + E[sp(b)], and encoder and decoder both descend L_G = E[sp(a)] + E[sp(-b)]. All step at once,
    with the gradients of one forward pass, in which the discriminator sees both kinds of pairs under the same dropout.
    """

    names = {"ali": {}}
    title = "ALI"
    paper = "Dumoulin et al. 2017, table of CIFAR-10 (networks of its code); row of Lin et al. 2018 (PacGAN), table 2"
    family = "adversarial"
    paper_steps = 6_475 * 500
    Config = ALIConfig
    config: ALIConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """6,475 epochs of CIFAR-10; the set-up's 50 epochs on stacked digits, and Lucic et al.'s budget elsewhere."""
        budgets = {"cifar10": cls.paper_steps, "stacked-mnist": STACKED, "stacked-digits": STACKED}
        return budgets.get(dataset) or super().paper_budget(dataset)

    def build(self) -> None:
        """Encoder and decoder with one Adam, the discriminator with another."""
        c, shape = self.config, self.data.shape
        marginals = torch.from_numpy(self.data.train.mean(0, dtype="float64") / 255).to(torch.get_default_dtype())
        dropout = (c.dropout, c.input_dropout)
        self.encoder = self.network("encoder", lambda: Encoder(shape, 2 * c.latent, c.width, c.deviation))
        self.decoder = self.network("decoder", lambda: Decoder(shape, c.latent, c.width, c.deviation, marginals))
        self.discriminator = self.network(
            "discriminator", lambda: Discriminator(shape, c.latent, c.width, dropout, c.deviation)
        )
        self.adam("generator", ["encoder", "decoder"], c.rate, c.beta1)
        self.adam("discriminator", ["discriminator"], c.rate, c.beta1)

    def stages(self) -> list[Stage]:
        """One stage; `drop` decides what the discriminator drops."""
        c = self.config
        inputs = {name: Normal((c.batch, c.latent)) for name in ("z", "eps")}
        return [Stage("adversarial", self.step, {"real": Real((c.batch,)), **inputs, "drop": Uniform((1,))})]

    def posterior(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the codes.

        Args:
            encoded: Outputs of the encoder (..., 2 * latent).

        Returns:
            Mean and standard deviation, each (..., latent).
        """
        mean, log_deviation = encoded.chunk(2, -1)
        return mean, log_deviation.exp()

    def means(self, encoded: Tensor) -> Tensor:
        """The mean is the code."""
        return self.posterior(encoded)[0]

    def pairs(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Pairs (x, E(x, eps)), then pairs (G(z), z).

        Args:
            batch: Images `real` (R, B, c, h, w), and noise `z` and `eps` (R, B, latent).

        Returns:
            Images (R, 2B, c, h, w) and codes (R, 2B, latent).
        """
        mean, deviation = self.posterior(self.encoder(batch["real"]))
        images = torch.cat([batch["real"], self.decoder(batch["z"])], 1)
        return images, torch.cat([mean + deviation * batch["eps"], batch["z"]], 1)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of all three networks.

        Args:
            batch: Images `real` (R, B, c, h, w), noise `z` and `eps` (R, B, latent), and `drop` (R, 1) in [0, 1), which
                decides what the discriminator drops.

        Returns:
            Losses (R,), detached: `discriminator` and `generator`.
        """
        real, fake = self.discriminator(*self.pairs(batch), batch["drop"]).chunk(2, 1)
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        g = F.softplus(real).mean(1) + F.softplus(-fake).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}
