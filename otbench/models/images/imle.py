"""Implicit maximum likelihood estimation: every training image pulls the generated image nearest to it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.base import ImageConfig, as_floats, mapped
from otbench.models.images.shared.matching import Indexed, candidates, matched
from otbench.models.inputs import Normal, Rows
from otbench.nets.glo import Matches
from otbench.nets.infogan import PYTORCH, Generator
from otbench.utils.rng import generator

#: generated images that are compared with all training images at once, in batches
BATCHES = 8


class IMLEConfig(ImageConfig):
    """Values of the authors' code; those of the paper's experiments are not given there."""

    rate: float = Field(1e-3, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    weight_decay: float = Field(1e-5, ge=0)
    #: generated images for every training image, of which the nearest is taken
    candidates: int = Field(10, ge=1)
    #: epochs for which a matching serves
    every: int = Field(5, ge=1)
    #: deviation of what is added to matched noise, anew in every step
    jitter: float = Field(0.01, ge=0)


class IMLE(Indexed):
    """min over the generator G of E sum_i min_j |G(z_j) - x_i|^2, z_j ~ N(0, I) (Li and Malik 2018, algorithm 1).

    Every few epochs, images of fresh noise are generated, ten for each training image, and every training image is
    matched with the nearest of them, by Euclidean distance of pixels, exactly (the authors search approximately). Until
    the next matching, G descends the mean squared error between training images and images of their matched noise.

    The generator is Lucic et al.'s with ReLU, which is the authors' but for biases that normalisation takes out. To
    match, it is in training mode, as in the step that follows, in batches of the same size. The time and the work of
    the search grow with the square of the number of images: 60,000 need a GPU.
    """

    names = {"imle": {}}
    title = "IMLE"
    paper = "Li and Malik 2018, algorithm 1 and their code"
    family = "latent optimisation"
    paper_steps = 93_700
    Config = IMLEConfig
    config: IMLEConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """100 epochs of whole batches of 64 images (code)."""
        return 100 * cls.batches_of(dataset, 64)

    def build(self) -> None:
        """Generator with its Adam, and the matches."""
        c, shape, n = self.config, self.data.shape, len(self.data.train)
        self.generator = self.network("generator", lambda: Generator(shape, c.latent, c.width, slope=0.0, norm=PYTORCH))
        self.matches = self.network("matches", lambda: Matches(n, c.latent))
        self.adam("generator", ["generator"], c.rate, c.beta1, weight_decay=c.weight_decay)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"rows": Rows((c.batch,)), "eps": Normal((c.batch, c.latent))}
        return [Stage("matching", self.step, inputs, schedule=self.refresh)]

    def refresh(self, fraction: float) -> None:
        """Match anew where the matching has served its epochs; called before every step.

        Args:
            fraction: Share of the stage's steps already taken, in [0, 1).
        """
        number, since = divmod(self.count(fraction), self.config.every * self.epoch)
        if since == 0:
            self.match(number)

    def match(self, number: int) -> None:
        """Match every training image with noise.

        Args:
            number: Number of the matching, which names its streams.
        """
        x = as_floats(self.images).flatten(1)
        targets = x.expand(len(self.seeds), *x.shape)
        self.matches.tensor("noise").copy_(matched(targets, self.offers(number)))

    def offers(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The candidates of a matching in parts.

        Args:
            number: Number of the matching, which names its streams.

        Yields:
            Images (R, m, pixels) and their noise (R, m, latent).
        """
        c = self.config
        streams = [generator(seed, f"matching/{number}", self.device) for seed in self.seeds]
        sizes = c.candidates * self.epoch, BATCHES, (c.batch, c.latent)
        return candidates(self.generator, streams, *sizes)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the generator.

        Args:
            batch: Row numbers `rows` (R, B) of training images, and noise `eps` (R, B, latent) for the jitter.

        Returns:
            Loss `l2` (R,), mean squared error per pixel, detached.
        """
        z = self.matches(batch["rows"]) + self.config.jitter * batch["eps"]
        x = as_floats(self.images[batch["rows"]])
        loss = (self.generator(z) - x).square().mean((1, 2, 3, 4))
        self.descend(generator=loss)
        return {"l2": loss.detach()}

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on fresh noise."""
        return mapped(self.generator, noise((n, self.config.latent), streams, self.device))
