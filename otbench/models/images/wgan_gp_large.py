"""WGAN-GP (Gulrajani et al. 2017) with the larger networks that the AE-OT-GAN table compares."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.large import Large, LargeConfig
from otbench.models.inputs import Input, Uniform
from otbench.nets.resnet import LARGE


class StandardConfig(LargeConfig):
    """Values of the paper's algorithm 1 and of its code for CIFAR-10 without ResNets."""

    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: weight of the penalty, lambda
    penalty: float = Field(10.0, ge=0)
    #: of the critic; None: the code's choice, none or, in ResNets from 64 pixels on, layer normalisation
    normalisation: Literal["none", "layer"] | None = None


class WGANGPStandard(Large):
    """The critic ascends E f(x) - E f(G(z)) - penalty E (|grad f| - 1)^2, the generator E f(G(z)).

    The gradient is taken at one random point of the segment between each real image and a generated one, with respect
    to images in [-1, 1] as in the paper's code. The code adds noise below the last bit to real CIFAR-10 images in its
    ResNet script; that is left out.
    """

    names = {"wgan-gp-standard": {}}
    title = "WGAN-GP (standard)"
    paper = "Gulrajani et al. 2017, algorithm 1; networks of Miyato et al. 2018, table 3"
    paper_steps = 1_000_000
    Config = StandardConfig
    config: StandardConfig

    @property
    def normalisation(self) -> str:
        """What the option or the code says."""
        by_layer = self.architecture == "resnet" and min(self.data.shape[1:]) >= LARGE
        return self.config.normalisation or ("layer" if by_layer else "none")

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """With the places on the segments."""
        return super().inputs(shape) | {"where": Uniform(shape)}

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """The critic's loss, and the distance and the penalty in it."""
        real, fake = self.scores(batch["real"], generated)
        distance = real.mean(1) - fake.mean(1)
        penalty = (self.slope(batch, generated) - 1).square().mean(1)
        return {
            "discriminator": self.config.penalty * penalty - distance,
            "distance": distance,
            "penalty": penalty,
        }


class ResNetConfig(StandardConfig):
    """Values of the paper's code for CIFAR-10; its script for 64x64 has rate 1e-4, no decay and no doubled batch."""

    width: int = Field(128, ge=1)
    rate: float = Field(2e-4, gt=0)
    beta1: float = Field(0.0, ge=0, lt=1)
    decay: bool = True
    doubled: bool = True


class WGANGPResNet(WGANGPStandard):
    """WGAN-GP with the ResNets of its own code, without labels. 100,000 updates of the generator."""

    names = {"wgan-gp-resnet": {}}
    title = "WGAN-GP (ResNet)"
    paper = "Gulrajani et al. 2017, section 5.3 and appendix F; its code, CIFAR-10 without labels"
    paper_steps = 500_000
    Config = ResNetConfig
    config: ResNetConfig
    architecture = "resnet"
