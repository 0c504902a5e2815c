"""A generator of images that descends a Sinkhorn divergence (Genevay et al. 2018)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.models.images.shared.base import ImageConfig, ImageModel, mapped
from otbench.models.inputs import Input, Uniform
from otbench.models.sinkhorn import SinkhornDescent
from otbench.nets.infogan import Encoder
from otbench.nets.toy import Perceptron


class SinkhornGANConfig(ImageConfig):
    """Values of the paper's code for MNIST.

    cost: `squared`, the squared distance of pixels, is the paper's on MNIST and has no critic; `learned`, that of the
    features that a critic gives an image, is the paper's on CIFAR-10. Features have length 1 together: the bound on the
    cost that the paper's code has from clipping the critic's weights.
    regularisation: share of the mean cost in the batch; the code's is 1 on MNIST, about a hundredth of the mean cost.
    """

    cost: Literal["squared", "learned"] = "squared"
    regularisation: float = Field(0.01, gt=0)
    iterations: int = Field(50, ge=1)
    latent: int = Field(2, ge=1)
    batch: int = Field(300, ge=2)
    #: units of each of the generator's two hidden layers
    width: int = Field(500, ge=1)
    #: features of the learned cost, channels of the critic's first convolution, its updates for one of the generator
    features: int = Field(64, ge=2)
    critic_width: int = Field(64, ge=1)
    critic_steps: int = Field(1, ge=1)
    rate: float = Field(5e-3, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)


class PerceptronGenerator(nn.Module):
    """Noise (n, latent) -> images (n, c, h, w) in [0, 1]: a perceptron with softplus, then a sigmoid."""

    def __init__(self, shape: tuple[int, ...], latent: int, width: int) -> None:
        super().__init__()
        pixels = shape[0] * shape[1] * shape[2]
        self.body = Perceptron(latent, pixels, width, 2, nn.Softplus, "glorot")
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z).sigmoid().unflatten(-1, self.shape)


class SinkhornGAN(SinkhornDescent, ImageModel):
    """Descends S(G(z), x) = W(G(z), x) - W(G(z), G(z)) / 2 - W(x, x) / 2, W the cost of the entropic plan.

    Derivatives go through Sinkhorn's iterations. Noise is uniform on [0, 1]. The code for MNIST leaves out the two last
    terms; the paper's text and its code for CIFAR-10 have them, and so does this.
    """

    names = {"sinkhorn-gan": {}}
    Config = SinkhornGANConfig
    config: SinkhornGANConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """70 epochs of 55,000 images in batches of 300, whatever the data set."""
        return cls.paper_steps

    def build(self) -> None:
        """The generator, and with a learned cost the critic; Adam on each."""
        c, shape = self.config, self.data.shape
        self.generator = self.network("generator", lambda: PerceptronGenerator(shape, c.latent, c.width))
        if c.cost == "learned":
            self.critic = self.network("critic", lambda: Encoder(shape, c.features, c.critic_width, normalised=False))
        for name in self.networks:
            self.adam(name, [name], c.rate, c.beta1)

    def noise_of(self, batches: int) -> Input:
        """Uniform on [0, 1]."""
        return Uniform((batches, self.config.batch, self.config.latent))

    def compared(self, x: Tensor) -> Tensor:
        """Pixels, or the critic's features."""
        return F.normalize(self.critic(x), dim=-1) if self.config.cost == "learned" else x.flatten(2)

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator on fresh noise."""
        z = [torch.rand((n, self.config.latent), generator=g, device=g.device).to(self.device) for g in streams]
        return mapped(self.generator, torch.stack(z))
