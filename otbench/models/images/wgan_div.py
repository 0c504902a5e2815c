"""WGAN-div (Wu et al. 2018): the Wasserstein divergence, with the standard CNN and with ResNets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.large import Large, LargeConfig
from otbench.models.inputs import Input, Uniform


class WGANDivConfig(LargeConfig):
    """k and p of the paper; the rest from the authors' code, which has k = 10 (a mistake, or another scale)."""

    critic_steps: int = Field(4, ge=1)
    #: weight and power of the penalty on slopes
    k: float = Field(2.0, gt=0)
    p: float = Field(6.0, gt=1)
    #: of the critic; the authors' code normalises by layer
    normalisation: Literal["none", "layer"] = "layer"


class WGANDiv(Large):
    """The critic descends E f(G(z)) - E f(x) + k E |grad f|^p, the generator -E f(G(z)).

    The gradient is taken at one random point of the segment between each real image and a generated one, with respect
    to images in [-1, 1]: p = 6 makes that a factor of 64. The authors' code has high scores for generated images and
    low ones for real ones, which is the same game.
    """

    names = {"wgan-div": {}}
    title = "WGAN-div (standard)"
    paper = "Wu et al. 2018, section 3 and algorithm 1; networks of Miyato et al. 2018, table 3"
    paper_steps = 800_000
    Config = WGANDivConfig
    config: WGANDivConfig

    @property
    def normalisation(self) -> str:
        """What the option says."""
        return self.config.normalisation

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """With the places on the segments."""
        return super().inputs(shape) | {"where": Uniform(shape)}

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """The critic's loss, and the distance and the penalty in it."""
        c = self.config
        real, fake = self.scores(batch["real"], generated)
        distance = real.mean(1) - fake.mean(1)
        penalty = self.slope(batch, generated).pow(c.p).mean(1)
        return {"discriminator": c.k * penalty - distance, "distance": distance, "penalty": penalty}


class WGANDivResNetConfig(WGANDivConfig):
    """As with the standard CNN; widths of the code's networks for 64x64."""

    width: int = Field(128, ge=1)


class WGANDivResNet(WGANDiv):
    """WGAN-div with the ResNets that its code takes from WGAN-GP's."""

    names = {"wgan-div-resnet": {}}
    title = "WGAN-div (ResNet)"
    paper = "Wu et al. 2018, section 3 and algorithm 1; the authors' code, 64x64"
    Config = WGANDivResNetConfig
    config: WGANDivResNetConfig
    architecture = "resnet"
