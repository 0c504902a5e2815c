"""Autoencoders that match a prior, on the networks of AE-OT's own, and AE-OT in one stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.errors import OtbenchError
from otbench.models.base import Losses, Model, Stage
from otbench.models.images.ae_ot import AEOT
from otbench.models.images.autoencoder import AutoencoderConfig, coders
from otbench.models.images.code_laws import AEGaussian
from otbench.models.images.shared.base import Coding
from otbench.models.images.shared.wae import mmd
from otbench.models.images.vae import gaussian
from otbench.models.inputs import Normal, Real
from otbench.training.trainer import Options as Training
from otbench.training.trainer import Trainer, key

Taken = TypeVar("Taken", bound=Model)


class MatchedConfig(AutoencoderConfig):
    """AE-OT's autoencoder, with what pulls its codes to N(0, I)."""

    #: mmd: Tolstikhin et al. 2018, algorithm 2; kl: the variational autoencoder's
    matching: Literal["mmd", "kl"] = "mmd"
    #: factor of the penalty, where an image's squared error is summed over its values in [0, 1]
    weight: float = Field(1.0, ge=0)


class Matched(Coding):
    """Descends |x - G(z)|^2 + weight * penalty, both divided by the number of values of an image.

    mmd: z = E(x), and the penalty is the unbiased MMD^2 of a batch of codes from N(0, I), with the seven kernels of
    Tolstikhin et al.'s code. kl: z ~ N(m(x), s(x)^2), and the penalty is KL(N(m, s^2) | N(0, I)): the weight is beta,
    twice the variance of a Gaussian p(x | z). With mmd and weight 0 it is AE-OT's autoencoder, bit for bit. Codes are
    drawn from N(0, I).
    """

    Config = MatchedConfig
    config: MatchedConfig

    def build(self) -> None:
        """AE-OT's networks; for kl the encoder gives means, and deviations before a softplus."""
        encoder, decoder = self.coders()
        self.encoder, self.decoder = self.network("encoder", encoder), self.network("decoder", decoder)
        self.adam("autoencoder", ["encoder", "decoder"], self.config.rate, self.config.beta1)

    def coders(self) -> tuple[Callable[[], nn.Module], Callable[[], nn.Module]]:
        """Builders of the encoder and the decoder.

        Returns:
            Functions that build the encoder, images -> codes (for kl twice as many values), and the decoder, codes ->
            images.
        """
        c = self.config
        outputs = c.model_copy(update={"latent": 2 * c.latent}) if c.matching == "kl" else c
        return coders(outputs, self.data.shape)[0], coders(c, self.data.shape)[1]

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "noise": Normal((c.batch, c.latent))}
        return [Stage("autoencoder", self.step, inputs)]

    def coded(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Codes of a batch and the penalty on them.

        Args:
            batch: `real` images (R, B, c, h, w) in [0, 1] and Gaussian `noise` (R, B, latent).

        Returns:
            Codes (R, B, latent) and penalty (R,).
        """
        encoded, drawn = self.encoder(batch["real"]), batch["noise"]
        if self.config.matching == "mmd":
            return encoded, mmd(encoded, drawn)
        mean, deviation = posterior(encoded)
        return mean + deviation * drawn, gaussian(mean, deviation)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of both networks.

        Args:
            batch: `real` images (R, B, c, h, w) in [0, 1] and Gaussian `noise` (R, B, latent).

        Returns:
            `l2` (mean squared error) and `penalty`, each (R,).
        """
        x = batch["real"]
        codes, penalty = self.coded(batch)
        error = (self.decoder(codes) - x).square().mean((1, 2, 3, 4))
        self.descend(autoencoder=error + self.config.weight / x[0, 0].numel() * penalty)
        return {"l2": error.detach(), "penalty": penalty.detach()}

    def means(self, encoded: Tensor) -> Tensor:
        """The code, or the mean of its posterior."""
        return posterior(encoded)[0] if self.config.matching == "kl" else encoded


class Transported(AEOT):
    """AE-OT, whose autoencoder is trained in one stage, as the others are: the decoder's own is left out."""

    def stages(self) -> list[Stage]:
        """Both networks, then the transport."""
        both, law, *_ = super().stages()
        return [replace(both, share=1.0), law]


def posterior(encoded: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of a code from the encoder's output.

    Args:
        encoded: Output of the encoder (..., 2 latent).

    Returns:
        Mean and deviation, each (..., latent); the deviation is positive by softplus.
    """
    mean, raw = encoded.chunk(2, -1)
    return mean, 1e-6 + F.softplus(raw)


def trained(model: Model, steps: int, what: str) -> Model:
    """Model after its training.

    Args:
        model: Untrained model of one replica; it is trained in place.
        steps: Batches of the training.
        what: Title for the progress bar and for errors.

    Returns:
        The same model.

    Raises:
        OtbenchError: Where the training did not end well.
    """
    record = Trainer(model, steps, [1.0], Training(device=str(model.device)), None).run(what)
    cell = record.cells[key(model.seeds[0], 1.0)]
    if cell["status"] != "ok":
        raise OtbenchError(f"theory blur, {what}: the training was expected to end well, but {cell['message']}")
    return model


def with_gaussian(model: Model, options: dict[str, Any]) -> Model:
    """Autoencoder of a trained AE-OT with a Gaussian, fitted to its training codes, in place of the map.

    Args:
        model: Trained AE-OT.
        options: Options of its autoencoder.

    Returns:
        Model that draws codes from the Gaussian.
    """
    control = _taken_over(AEGaussian(AutoencoderConfig(**options), model.data, model.seeds, model.device, False), model)
    control.laws, _ = control.fit_laws()
    return control


def with_prior(model: Model, options: dict[str, Any]) -> Model:
    """Autoencoder of a trained AE-OT with codes from N(0, I), a prior that played no part in its training (weight 0).

    Args:
        model: Trained AE-OT.
        options: Options of its autoencoder.

    Returns:
        Model that draws codes from N(0, I).
    """
    config = MatchedConfig(**options, weight=0.0)
    return _taken_over(Matched(config, model.data, model.seeds, model.device, False), model)


def _taken_over(found: Taken, model: Model) -> Taken:
    for name, network in found.networks.items():
        network.load(model.networks[name].state())
    return found
