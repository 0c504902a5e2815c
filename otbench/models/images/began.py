"""BEGAN of images (Berthelot et al. 2017), as Lucic et al. (2018) ran it."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.shared.alternating import Alternating, AlternatingConfig
from otbench.nets.began import Autoencoder
from otbench.nets.infogan import Generator


class BEGANConfig(AlternatingConfig):
    """Default values of Lucic et al. (2018, code)."""

    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    #: batch normalisation in the discriminator
    normalised: bool = False
    critic_steps: int = Field(5, ge=1)
    #: the error of generated images that is aimed at, as a share of that of real ones
    gamma: float = Field(0.75, ge=0, le=1)
    #: step of k, lambda
    k_rate: float = Field(1e-3, gt=0)
    #: hold k in [0, 1] (Berthelot et al.); Lucic et al.'s code does not
    bounded: bool = True


class BEGAN(Alternating):
    """The discriminator is an autoencoder; L(x), the mean absolute error of what it makes of x, takes a score's place.

    L_D = L(x) - k L(G(z)), L_G = L(G(z)), and after each of the discriminator's updates
    k <- min(max(k + k_rate (gamma L(x) - L(G(z))), 0), 1), from 0. The errors are those that the update was made with.
    `measure`, L(x) + |gamma L(x) - L(G(z))|, is the paper's measure of convergence. Without the bounds k may turn
    negative, and the discriminator then learns to reproduce generated images.
    """

    names = {"began": {}}
    title = "BEGAN"
    paper = "Berthelot et al. 2017, section 3.3; Lucic et al. 2018, tables 1 and 2 (its default values)"
    Config = BEGANConfig
    config: BEGANConfig

    def build(self) -> None:
        """Generator and autoencoder of Lucic et al., Adam on each."""
        c, shape = self.config, self.data.shape
        self.generator = self.network("generator", lambda: Generator(shape, c.latent, c.width))
        self.discriminator = self.network("discriminator", lambda: Autoencoder(shape, c.width, c.normalised))
        for name in ("generator", "discriminator"):
            self.adam(name, [name], c.rate, c.beta1)

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """L_D; moves k."""
        c, k = self.config, self.discriminator.tensor("k")
        real, fake = self.discriminator(batch["real"]).mean(1), self.discriminator(generated).mean(1)
        balance = (c.gamma * real - fake).detach()
        # the loss keeps the k of now for its backward pass
        losses = {"discriminator": real - k.clone() * fake, "measure": real + balance.abs()}
        with torch.no_grad():
            k.add_(c.k_rate * balance)
            if c.bounded:
                k.clamp_(0.0, 1.0)
        return losses | {"k": k.clone()}

    def generate(self, generated: Tensor) -> Tensor:
        """L_G."""
        return self.discriminator(generated).mean(1)
