"""GANs with spectral normalisation (Miyato et al. 2018), with the standard CNN and with ResNets."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.large import Large, LargeConfig


class SNGANConfig(LargeConfig):
    """Values that the paper found best for its standard CNN (setting C, recalled: the text is not at hand).

    Which loss the published figure of the standard CNN (FID 25.5) belongs to is not in the texts at hand; the hinge
    loss is the better one of the paper.
    """

    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    critic_steps: int = Field(1, ge=1)
    loss: Literal["hinge", "cross-entropy"] = "hinge"


class SNGAN(Large):
    """Hinge: L_D = E[relu(1 - a)] + E[relu(1 + b)], L_G = -E[b], a and b the scores of real and generated images.

    Cross-entropy: L_D = E[sp(-a)] + E[sp(b)], L_G = E[sp(-b)], sp softplus. All weights of the discriminator are
    divided by their largest singular value (`nets/spectral.py`), one power iteration an update.
    """

    names = {"sngan": {}}
    title = "SNGAN (standard)"
    paper = "Miyato et al. 2018, tables 2 and 3 (standard CNN)"
    paper_steps = 100_000
    Config = SNGANConfig
    config: SNGANConfig

    @property
    def normalisation(self) -> str:
        """Of all weights."""
        return "spectral"

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """The discriminator's loss."""
        real, fake = self.scores(batch["real"], generated)
        part = F.softplus if self.config.loss == "cross-entropy" else lambda s: F.relu(1 + s)
        return {"discriminator": part(-real).mean(1) + part(fake).mean(1)}

    def generate(self, generated: Tensor) -> Tensor:
        """The generator's loss."""
        scores = self.discriminator(generated)
        return F.softplus(-scores).mean(1) if self.config.loss == "cross-entropy" else -scores.mean(1)


class SNGANResNetConfig(SNGANConfig):
    """Values of the authors' code for CIFAR-10 without labels."""

    width: int = Field(128, ge=1)
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)
    critic_steps: int = Field(5, ge=1)
    decay: bool = True
    doubled: bool = True


class SNGANResNet(SNGAN):
    """SNGAN with ResNets; the generator has twice the discriminator's channels. 50,000 updates of the generator."""

    names = {"sngan-resnet": {}}
    title = "SNGAN (ResNet)"
    paper = "Miyato et al. 2018, tables 2 and 4 (ResNet); the authors' code, CIFAR-10 without labels"
    paper_steps = 250_000
    Config = SNGANResNetConfig
    config: SNGANResNetConfig
    architecture = "resnet"
    ratio = 2
