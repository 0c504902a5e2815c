"""The variational autoencoder of images (Kingma and Welling 2014), as Lucic et al. (2018) ran it."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import Coding, ImageConfig, uniform
from otbench.models.inputs import Normal, Real
from otbench.nets.infogan import Encoder, Generator


class VAEConfig(ImageConfig):
    """Default values of Lucic et al. (2018, code)."""

    rate: float = Field(5e-5, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: batch normalisation in the encoder
    normalised: bool = True
    #: law that codes are drawn from: the prior, or uniform on [-1, 1] as in the first version of Lucic et al.'s code
    latents: Literal["normal", "uniform"] = "normal"
    #: average the likelihood over channels, as Lucic et al.'s code does
    averaged: bool = False


class Variational(Coding):
    """Descends the negative evidence lower bound, E[-log p(x | z)] + KL(q(z | x) | N(0, I)), summed over pixels.

    p(x | z) is Bernoulli in every pixel and channel, q(z | x) a diagonal Gaussian.
    """

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        return [Stage("autoencoder", self.step, {"real": Real((c.batch,)), "eps": Normal((c.batch, c.latent))})]

    def posterior(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | x).

        Args:
            encoded: Outputs of the encoder (..., 2 * latent).

        Returns:
            Mean and standard deviation, each (..., latent).
        """
        raise AssertionError(f"{type(self).__name__} defines no posterior")

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of both networks.

        Args:
            batch: Images `real` (R, B, c, h, w) and noise `eps` (R, B, latent).

        Returns:
            Losses (R,), detached: `reconstruction` and `divergence`.
        """
        _, losses = self.bound(batch["real"], batch["eps"])
        self.descend(autoencoder=losses["reconstruction"] + losses["divergence"])
        return {name: loss.detach() for name, loss in losses.items()}

    def bound(self, real: Tensor, eps: Tensor) -> tuple[Tensor, Losses]:
        """The two terms of the evidence lower bound, with their sign turned, at sampled codes.

        Args:
            real: Images (R, B, c, h, w) in [0, 1].
            eps: Noise (R, B, latent).

        Returns:
            Codes (R, B, latent), and losses (R,) with their graph: `reconstruction` and `divergence`.
        """
        mean, deviation = self.posterior(self.networks["encoder"](real))
        codes = mean + deviation * eps
        reconstruction = self.surprise(self.networks["decoder"](codes), real)
        return codes, {"reconstruction": reconstruction, "divergence": gaussian(mean, deviation)}

    def surprise(self, logits: Tensor, images: Tensor) -> Tensor:
        """-log p(x | z) of a batch.

        Args:
            logits: Outputs of the decoder (R, B, c, h, w).
            images: Images (R, B, c, h, w) in [0, 1].

        Returns:
            Values (R,), averaged over the batch.
        """
        return bernoulli(logits, images)

    def means(self, encoded: Tensor) -> Tensor:
        """The mean of the posterior is the code."""
        return self.posterior(encoded)[0]

    def decode(self, codes: Tensor) -> Tensor:
        """Images (R, n, c, h, w), the means of p(x | z), of codes (R, n, latent), in inference mode."""
        return super().decode(codes).sigmoid()


class VAE(Variational):
    """The VAE with Lucic et al.'s networks: the discriminator's body as encoder, the generator with ReLU as decoder.

    Lucic et al.'s code averages the likelihood over channels, which weighs the divergence three times on colour
    images, and its first version drew codes uniformly on [-1, 1] although the prior is Gaussian; the published figures
    may depend on both. Here the likelihood is summed, as the bound says, and codes are drawn from the prior, unless
    `averaged` and `latents` say otherwise.
    """

    names = {"vae": {}}
    title = "VAE"
    paper = "Kingma and Welling 2014; Lucic et al. 2018, table 2 (its default values)"
    Config = VAEConfig
    config: VAEConfig

    def build(self) -> None:
        """Encoder and decoder of Lucic et al., Adam over both."""
        c, shape = self.config, self.data.shape
        self.network("encoder", lambda: Encoder(shape, 2 * c.latent, c.width, normalised=c.normalised))
        self.network("decoder", lambda: Generator(shape, c.latent, c.width, slope=0.0, logits=True))
        self.adam("autoencoder", ["encoder", "decoder"], c.rate, c.beta1)

    def posterior(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Mean, and deviation 1e-6 + softplus."""
        mean, raw = encoded.chunk(2, -1)
        return mean, 1e-6 + F.softplus(raw)

    def surprise(self, logits: Tensor, images: Tensor) -> Tensor:
        """-log p(x | z) of a batch, summed or averaged over channels, two (R, B, c, h, w) -> (R,)."""
        return bernoulli(logits, images) / (images.shape[2] if self.config.averaged else 1)

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Codes from the prior, or from the uniform law where that is asked for, decoded."""
        if self.config.latents == "normal":
            return super().draw(n, streams)
        return self.decode(uniform((n, self.config.latent), streams, self.device))


def bernoulli(logits: Tensor, images: Tensor) -> Tensor:
    """-log p(images | logits), summed over pixels and averaged over the batch.

    Args:
        logits: Logits (R, B, c, h, w).
        images: Images (R, B, c, h, w) in [0, 1].

    Returns:
        Values (R,).
    """
    return F.binary_cross_entropy_with_logits(logits, images, reduction="none").sum((2, 3, 4)).mean(1)


def gaussian(mean: Tensor, deviation: Tensor) -> Tensor:
    """KL(N(mean, deviation^2) | N(0, I)), averaged over the batch.

    Args:
        mean: Means (R, B, d).
        deviation: Standard deviations (R, B, d).

    Returns:
        Divergences (R,).
    """
    return 0.5 * (mean.square() + deviation.square() - 2 * deviation.log() - 1).sum(-1).mean(1)
