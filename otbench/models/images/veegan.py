"""VEEGAN of images (Srivastava et al. 2017), with the networks of its set-up in PacGAN's stacked table."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.base import ImageConfig, ImageModel, mapped
from otbench.models.inputs import Normal, Real
from otbench.nets.dcgan import Encoder, Generator, Joint


class VEEGANConfig(ImageConfig):
    """Rates, batch and sizes of the set-up that PacGAN calls VEEGAN's; those of VEEGAN's own code are not published."""

    latent: int = Field(100, ge=1)
    batch: int = Field(64, ge=2)
    #: channels of the generator's last hidden layer and of the discriminator's first
    width: int = Field(64, ge=1)
    rate: float = Field(2e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: batch normalisation in the discriminator
    normalised: bool = True


class VEEGAN(ImageModel):
    """A reconstructor F maps images back to noise; the discriminator sees pairs (z, G(z)) and (F(x), x).

    Algorithm 1 of the paper, with D the log ratio of generated to real pairs and d the squared distance:
    D descends E[sp(-D(z, G(z)))] + E[sp(D(F(x), x))]; F descends E d(z, F(G(z)));
    G descends E D(z, G(z)) + E d(z, F(G(z))). All step at once; noise is Gaussian.
    G is DCGAN's, F the body of DCGAN's discriminator, and D that body joined with the noise: the paper's networks of
    images are not published.
    """

    names = {"veegan": {}}
    title = "VEEGAN"
    paper = "Srivastava et al. 2017, algorithm 1; row quoted in Lin et al. 2018 (PacGAN), table 2"
    family = "adversarial"
    paper_steps = 100_000
    Config = VEEGANConfig
    config: VEEGANConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """50 epochs of 128,000 images in batches of 64, whatever the data set."""
        return cls.paper_steps

    def build(self) -> None:
        """Generator, reconstructor and discriminator, Adam on each."""
        c, shape = self.config, self.data.shape
        self.generator = self.network("generator", lambda: Generator(shape, c.latent, c.width))
        self.reconstructor = self.network("reconstructor", lambda: Encoder(shape, c.latent, c.width))
        self.discriminator = self.network(
            "discriminator", lambda: Joint(shape, c.latent, c.width, normalised=c.normalised)
        )
        for name in self.networks:
            self.adam(name, [name], c.rate, c.beta1)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        return [Stage("adversarial", self.step, {"real": Real((c.batch,)), "z": Normal((c.batch, c.latent))})]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of all three networks.

        Args:
            batch: Images `real` (R, B, c, h, w) and noise `z` (R, B, latent).

        Returns:
            Losses (R,), detached: `discriminator`, `reconstruction`, and `ratio`, the mean of D at generated pairs.
        """
        z, x = batch["z"], batch["real"]
        generated = self.generator(z)
        error = (self.reconstructor(generated) - z).square().sum(-1).mean(1)
        with torch.no_grad():
            recovered = self.reconstructor(x)
        real, fake = self.discriminator(x, recovered), self.discriminator(generated, z)
        d = F.softplus(-fake).mean(1) + F.softplus(real).mean(1)
        self.descend(discriminator=d, reconstructor=error, generator=fake.mean(1) + error)
        return {"discriminator": d.detach(), "reconstruction": error.detach(), "ratio": fake.detach().mean(1)}

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on Gaussian noise."""
        return mapped(self.generator, noise((n, self.config.latent), streams, self.device))
