"""The autoencoder of AE-OT (Lei et al. 2020, section 6.1), which several models share, and the model `ae` itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from otbench.data.base import DataSet
from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import CHUNK, ImageConfig, as_floats, inference
from otbench.models.images.shared.latent import LatentModel, Law
from otbench.models.inputs import Real
from otbench.nets import infogan, resnet, sndcgan
from otbench.utils.rng import generator

#: training images on which the training error is measured
MEASURED = 10_000


class AutoencoderConfig(ImageConfig):
    """Rate and beta1 of Lei et al. 2020 (6.1); networks and batch of Lucic et al. 2018."""

    #: infogan: Lucic et al.'s, as in Lei et al. 2020; standard and resnet: columns of the AE-OT-GAN paper's table 1,
    #: taken to be SNGAN's standard CNN and ResNet
    networks: Literal["infogan", "standard", "resnet"] = "infogan"
    rate: float = Field(3e-3, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: strided convolutions of infogan; 2 in the paper, 4 in its larger network for CelebA; fewer where the sides cannot
    #: be halved so often (2 for 28 pixels)
    depth: int = Field(2, ge=1)
    #: share of the budget before the encoder is frozen; the paper waits until the loss stops falling
    before: float = Field(0.5, gt=0, lt=1)
    #: codes that the law of a snapshot before that is fitted to
    early: int = Field(2000, ge=1)
    #: training images, a random part of them, the same for every seed; None: all. Lei et al. 2020 (6.4.1) take 25,000
    #: of CIFAR-10 and 10,000 of CelebA
    training_images: int | None = Field(None, ge=1)


def part_of(data: DataSet, images: int | None) -> DataSet:
    """A data set with some of its training images, drawn at random without replacement.

    Args:
        data: Data set.
        images: Number of training images; None, or no fewer than there are: all.

    Returns:
        The data set with the chosen images in their order, the same ones for the same number; itself where all stay.
    """
    n = len(data.train)
    if images is None or images >= n:
        return data
    rows = torch.randperm(n, generator=generator(0, "autoencoder/images"))[:images].sort().values.numpy()
    labels = {split: values[rows] if split == "train" else values for split, values in data.labels.items()}
    return replace(data, train=data.train[rows], labels=labels)


def coders(config: AutoencoderConfig, shape: infogan.Shape) -> tuple[Callable[[], nn.Module], Callable[[], nn.Module]]:
    """Builders of the encoder and of the decoder of a config.

    Args:
        config: Networks, sizes and depth.
        shape: Shape (c, h, w) of an image.

    Returns:
        Functions that build the encoder, images -> (n, latent), and the decoder, codes (n, latent) -> images.
    """
    c = config
    if c.networks != "infogan":
        nets = {"standard": sndcgan, "resnet": resnet}[c.networks]
        return lambda: nets.Encoder(shape, c.latent, c.width), lambda: nets.Generator(shape, c.latent, c.width)
    depth = halvings(shape, c.depth)
    return (
        lambda: infogan.Encoder(shape, c.latent, c.width, depth, norm=infogan.PYTORCH),
        lambda: infogan.Generator(shape, c.latent, c.width, depth, norm=infogan.PYTORCH),
    )


def halvings(shape: infogan.Shape, most: int) -> int:
    """How often both sides of an image can be halved; the paper's 2 is taken to fit.

    Args:
        shape: Shape (c, h, w) of an image.
        most: Largest number allowed.

    Returns:
        Number of halvings.
    """
    fit = 2
    while fit < most and not any(side % 2 ** (fit + 1) for side in shape[1:]):
        fit += 1
    return min(fit, most)


class Autoencoding(LatentModel):
    """A generator as decoder and its mirror as encoder, trained for the mean squared error in two stages.

    autoencoder: both networks. Then the encoder is frozen, normalisation statistics included, and the law of the
    training codes is fitted to it. decoder: the decoder goes on alone, on the codes of inference mode, with its
    optimiser's moments. The error of reconstructions per pixel on [0, 1], in inference mode, is recorded before
    (`l2_before`, `l2_before_train`) and after (`l2`, `l2_train`), on the test split and on the training split.

    Every model with this autoencoder has the same weights for the same seed, whatever its law of codes.
    """

    Config = AutoencoderConfig
    config: AutoencoderConfig
    #: name of the stage in which the law of the codes is fitted
    law_stage = "codes"

    def __init__(self, config: AutoencoderConfig, data: DataSet, *rest, **more) -> None:
        super().__init__(config, part_of(data, config.training_images), *rest, **more)

    def build(self) -> None:
        """Encoder and decoder, Adam over both and over the decoder alone."""
        self.build_autoencoder()
        self.adam("decoder", ["decoder"], self.config.rate, self.config.beta1)

    def build_autoencoder(self) -> None:
        """Encoder and decoder, and Adam over both."""
        encoder, decoder = coders(self.config, self.data.shape)
        self.encoder, self.decoder = self.network("encoder", encoder), self.network("decoder", decoder)
        self.adam("autoencoder", ["encoder", "decoder"], self.config.rate, self.config.beta1)

    def stages(self) -> list[Stage]:
        """Both networks, the law of the codes, the decoder, and a last look at the error."""
        inputs, before = {"real": Real((self.config.batch,))}, self.config.before
        return [
            Stage("autoencoder", self.step, inputs, share=before),
            Stage(self.law_stage, solve=self.freeze),
            Stage("decoder", self.decoder_step, inputs, share=1 - before),
            Stage("error", solve=lambda: self.errors("l2")),
        ]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of both networks.

        Args:
            batch: Images `real` (R, B, c, h, w).

        Returns:
            Loss `l2` (R,), mean squared error per pixel, detached.
        """
        x = batch["real"]
        loss = (self.decoder(self.encoder(x)) - x).square().mean((1, 2, 3, 4))
        self.descend(autoencoder=loss)
        return {"l2": loss.detach()}

    def decoder_step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the decoder; the encoder, in inference mode, is left as it is.

        Args:
            batch: Images `real` (R, B, c, h, w).

        Returns:
            Loss `l2` (R,), mean squared error per pixel, detached.
        """
        x = batch["real"]
        with inference(self.encoder):
            codes = self.encoder(x)
        loss = (self.decoder(codes) - x).square().mean((1, 2, 3, 4))
        self.descend(decoder=loss)
        return {"l2": loss.detach()}

    def freeze(self) -> list[dict[str, float]]:
        """Hand the decoder's moments to its own optimiser and fit the laws of the codes.

        Returns:
            Records of `settle`, one a replica.
        """
        both, decoder = self.optimisers["autoencoder"], self.optimisers["decoder"]
        for tensor in self.decoder.parameters():
            decoder.state[tensor] = both.state[tensor]
        return self.settle()

    def settle(self) -> list[dict[str, float]]:
        """Fit the laws to the codes as they are from here on.

        Returns:
            The error so far (`l2_before`, `l2_before_train`) and the numbers of the law, one record a replica.
        """
        before = self.errors("l2_before")
        self.laws, numbers = self.fit_laws(self.most())
        return [a | b for a, b in zip(before, numbers, strict=True)]

    def most(self) -> int | None:
        """Number of training codes that the law is fitted to.

        Returns:
            The number; None for all.
        """
        return None

    def errors(self, name: str) -> list[dict[str, float]]:
        """Mean squared error per pixel of the reconstructions, on the test split and on the training split.

        Args:
            name: Name of the error in the records.

        Returns:
            Errors `<name>` and `<name>_train`, one record a replica.
        """
        train = self.data.train
        if len(train) > MEASURED:
            train = train[np.linspace(0, len(train) - 1, MEASURED).astype(int)]
        errors = {name: self._error(self.data.reference), f"{name}_train": self._error(train)}
        return [{k: float(v[r]) for k, v in errors.items()} for r in range(len(self.seeds))]

    def _error(self, images: np.ndarray) -> Tensor:
        total = torch.zeros(len(self.seeds), dtype=torch.float64)
        for start in range(0, len(images), CHUNK):
            part = as_floats(torch.from_numpy(images[start : start + CHUNK]).to(self.device))
            total += (self.reconstruct(part) - part).square().double().sum((1, 2, 3, 4)).cpu()
        return total / images.size


class AE(Autoencoding):
    """Reconstructions of the test images: what a model that draws through this autoencoder can hope to reach.

    Its samples are the images of the real side of the metrics, reconstructed, in order and again from the start where
    more are asked for.
    """

    names = {"ae": {}}
    title = "AE (reconstructions)"
    paper = "Lei et al. 2020 (Engineering), table 4, column AE"
    family = "reference"

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """None is needed."""
        return {}, {}

    def fit_laws(self, most: int | None = None) -> tuple[dict[int, Law], list[dict[str, float]]]:
        """None is needed."""
        return {seed: {} for seed in self.seeds}, [{} for _ in self.seeds]

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Reconstructions of n images of the test split, whatever the streams."""
        rows = np.arange(n) % len(self.data.reference)
        return self.reconstruct(torch.from_numpy(self.data.reference[rows]))
