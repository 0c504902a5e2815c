"""What the GANs of the AE-OT-GAN table (An et al. 2020) share: larger networks, Gaussian noise, Adam with a decay."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Stage, noise
from otbench.models.images.shared.alternating import Alternating
from otbench.models.images.shared.base import ImageConfig, mapped
from otbench.models.images.shared.penalty import between, slopes
from otbench.models.inputs import Input, Normal, Real
from otbench.nets.resnet import Discriminator as ResNetDiscriminator
from otbench.nets.resnet import Generator as ResNetGenerator
from otbench.nets.sndcgan import Discriminator, Generator

NETWORKS = {"standard": (Generator, Discriminator), "resnet": (ResNetGenerator, ResNetDiscriminator)}


class LargeConfig(ImageConfig):
    """What SNGAN's, WGAN-GP's and WGAN-div's code share; the rest in each model."""

    latent: int = Field(128, ge=1)
    rate: float = Field(2e-4, gt=0)
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)
    #: updates of the discriminator for one of the generator
    critic_steps: int = Field(5, ge=1)
    #: learning rates fall in a line to 0 at the end of the budget
    decay: bool = False
    #: the generator's update takes twice as many images as a batch has
    doubled: bool = False


class Large(Alternating):
    """A GAN with the standard CNN (`nets/sndcgan.py`) or a ResNet (`nets/resnet.py`), on noise from N(0, I).

    The generator's update has noise of its own.
    """

    Config = LargeConfig
    config: LargeConfig
    own_noise = True
    #: which networks, and the generator's width as a multiple of the discriminator's
    architecture: ClassVar[str] = "standard"
    ratio: ClassVar[int] = 1

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """The budget of the paper's code, whatever the data set."""
        return cls.paper_steps

    @property
    def normalisation(self) -> str:
        """Of the discriminator."""
        return "none"

    def build(self) -> None:
        """Generator and discriminator, Adam on each."""
        c, shape = self.config, self.data.shape
        generator, discriminator = NETWORKS[self.architecture]
        self.generator = self.network("generator", lambda: generator(shape, c.latent, self.ratio * c.width))
        self.discriminator = self.network("discriminator", lambda: discriminator(shape, c.width, self.normalisation))
        for name in self.networks:
            self.adam(name, [name], c.rate, c.beta1, c.beta2)

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """Shapes begin with (critic_steps, batch); the generator's own noise with its own batch."""
        c = self.config
        last = Normal(((2 if c.doubled else 1) * c.batch, c.latent))
        return {"real": Real(shape), "z": Normal((*shape, c.latent)), "last": last}

    def stages(self) -> list[Stage]:
        """One stage, in which the rates may fall."""
        c = self.config
        inputs, schedule = self.inputs((c.critic_steps, c.batch)), self.slow if c.decay else None
        return [Stage("adversarial", self.step, inputs, cost=c.critic_steps, schedule=schedule)]

    def slow(self, fraction: float) -> None:
        """Set the learning rates that belong to a share of the budget.

        Args:
            fraction: Share of the budget already used, in [0, 1).
        """
        for name in self.optimisers:
            self.set_rate(name, self.config.rate * (1 - fraction))

    def scores(self, real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of real and of generated images, in one pass.

        Args:
            real: Real images (R, B, c, h, w).
            generated: Generated images (R, B, c, h, w).

        Returns:
            Scores (R, B) of each.
        """
        scores = self.discriminator(torch.cat([real, generated], 1))
        a, b = scores.split([real.shape[1], generated.shape[1]], 1)
        return a, b

    def slope(self, batch: dict[str, Tensor], generated: Tensor) -> Tensor:
        """|grad f| at points of the segments from real to generated images.

        With respect to images in [-1, 1], as in all papers' code: half of the slope on [0, 1].

        Args:
            batch: Images `real` (R, B, c, h, w), and places `where` (R, B) in [0, 1) on the segments.
            generated: Generated images (R, B, c, h, w).

        Returns:
            Slopes (R, B).
        """
        return slopes(self.discriminator, between(batch["real"], generated, batch["where"])) / 2

    def generate(self, generated: Tensor) -> Tensor:
        """-E f(G(z))."""
        return -self.discriminator(generated).mean(1)

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on Gaussian noise."""
        return mapped(self.generator, noise((n, self.config.latent), streams, self.device))
