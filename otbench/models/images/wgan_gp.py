"""The Wasserstein GAN with a gradient penalty (Gulrajani et al. 2017), as Lucic et al. (2018) ran it.

Also with the one-sided penalty of Petzka et al. (2018).
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.alternating import Alternating, AlternatingConfig
from otbench.models.images.shared.penalty import between, slopes
from otbench.models.inputs import Input, Uniform


class WGANGPConfig(AlternatingConfig):
    """Default values of Lucic et al. (2018, code)."""

    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: batch normalisation in the critic: a penalty on each image's own gradient has no meaning with it
    normalised: bool = False
    critic_steps: int = Field(5, ge=1)
    #: weight of the penalty, lambda
    penalty: float = Field(10.0, ge=0)
    #: added to the square of the gradient's norm; Lucic et al.'s code has 1e-4
    epsilon: float = Field(0.0, ge=0)
    #: penalise slopes above 1 alone (WGAN-LP)
    one_sided: bool = False


class WGANGP(Alternating):
    """The critic ascends E f(x) - E f(G(z)) - penalty E (|grad f| - 1)^2, the generator E f(G(z)).

    The gradient is taken at one random point of the segment between each real image and a generated one (equation 3).
    The generator's update has noise of its own.

    `wgan-lp` has the penalty max(0, |grad f| - 1)^2 (Petzka et al. 2018, equation 8) and all else alike.
    """

    names = {"wgan-gp": {}, "wgan-lp": {"one_sided": True}}
    title = "WGAN-GP"
    titles = {"wgan-lp": "WGAN-LP"}
    paper = (
        "Gulrajani et al. 2017, algorithm 1; Lucic et al. 2018, tables 1 and 2 (its default values); Petzka et al. 2018"
    )
    Config = WGANGPConfig
    config: WGANGPConfig
    own_noise = True

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """With the places on the segments."""
        return super().inputs(shape) | {"where": Uniform(shape)}

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """The critic's loss, and the distance and the penalty in it."""
        c, real = self.config, batch["real"]
        distance = self.discriminator(real).mean(1) - self.discriminator(generated).mean(1)
        slope = slopes(self.discriminator, between(real, generated, batch["where"]), c.epsilon)
        excess = (slope - 1).clamp(min=0) if c.one_sided else slope - 1
        penalty = excess.square().mean(1)
        return {"discriminator": c.penalty * penalty - distance, "distance": distance, "penalty": penalty}

    def generate(self, generated: Tensor) -> Tensor:
        """-E f(G(z))."""
        return -self.discriminator(generated).mean(1)
