"""A generator that has learnt nothing: what the networks give before training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, noise
from otbench.models.controls import Control
from otbench.models.images.shared.base import mapped, uniform
from otbench.nets import infogan, pacgan
from otbench.utils.rng import generator

#: noise vectors whose statistics the generator is normalised by
BATCH = 1000


class UntrainedConfig(Config):
    """Sizes of the GAN that the generator is taken from, PacGAN's in the plane and Lucic et al.'s for images."""

    #: noise inputs for points, and for images
    noise: int = Field(2, ge=1)
    latent: int = Field(64, ge=1)
    #: hidden units for points, channels for images; None: 400 and 64
    width: int | None = Field(None, ge=1)


class Untrained(Control):
    """A generator at its initialisation: of the GAN for points, of Lucic et al.'s GANs for images.

    Its weights are those that the GAN of the same seed starts from. Batch normalisation takes the statistics of one
    batch of noise, 1,000 vectors from a stream of their own, as a pass in training would; with those of the start, mean
    0 and variance 1, all samples would be nearly alike.
    """

    names = {"untrained": {}}
    kinds = ("points", "images")
    title = "Untrained"
    paper = "control"
    sampler = ("generator",)
    Config = UntrainedConfig
    config: UntrainedConfig

    def build(self) -> None:
        """The generator, its weights drawn as the GAN's are."""
        c, shape = self.config, self.data.shape
        if self.data.kind == "images":
            self.generator = self.network("generator", lambda: infogan.Generator(shape, c.latent, c.width or 64))
        else:
            self.generator = self.network("generator", lambda: pacgan.Generator(c.noise, shape[0], c.width or 400))

    def inputs(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Noise of the GAN's law.

        Args:
            n: Number of noise vectors of each replica.
            streams: Generators, one a replica.

        Returns:
            Noise: for images (R, n, latent), uniform on [-1, 1]; for points (R, n, noise), standard Gaussian.
        """
        if self.data.kind == "images":
            return uniform((n, self.config.latent), streams, self.device)
        return noise((n, self.config.noise), streams, self.device)

    def refresh_statistics(self) -> Callable[[], None]:
        """Let the running statistics be those of one batch of noise."""
        for part in self.generator.module.modules():
            if hasattr(part, "momentum"):
                part.momentum = 1.0
        with torch.no_grad():
            self.generator.train()(self.inputs(BATCH, [generator(seed, "refresh") for seed in self.seeds]))
        return lambda: None

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on fresh noise."""
        return mapped(self.generator, self.inputs(n, streams))
