"""What the models of PacGAN's comparison in the plane share: networks, rates and the sampler."""

from __future__ import annotations

from pydantic import Field

from otbench.models.base import Config, NoiseModel
from otbench.nets.pacgan import Discriminator, Generator


class PlaneConfig(Config):
    """PacGAN's values for ring and grid (Lin et al. 2018; code of the paper, pacgan_task.py)."""

    noise: int = Field(2, ge=1)
    batch: int = Field(100, ge=2)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.8, ge=0, lt=1)
    #: units of each of the generator's four hidden layers
    width: int = Field(400, ge=1)
    #: maxout units of each of the discriminator's three hidden layers
    maxout: int = Field(200, ge=1)


class PlaneModel(NoiseModel):
    """A model with PacGAN's generator, trained with Adam for 400 epochs of 1,000 steps."""

    family = "adversarial"
    paper_steps = 400_000
    Config = PlaneConfig

    def pacgan_generator(self) -> None:
        """Register PacGAN's generator as `generator`."""
        c, outputs = self.config, self.data.shape[0]
        self.generator = self.network("generator", lambda: Generator(c.noise, outputs, c.width))

    def pacgan_discriminator(self, inputs: int) -> None:
        """Register PacGAN's discriminator, with its optimiser, as `discriminator`."""
        c = self.config
        self.discriminator = self.network("discriminator", lambda: Discriminator(inputs, c.maxout))
        self.optimise("discriminator")

    def optimise(self, name: str, *networks: str) -> None:
        """Register the optimiser `name` over its network (or over `networks`)."""
        self.adam(name, list(networks or [name]), self.config.rate, self.config.beta1)
