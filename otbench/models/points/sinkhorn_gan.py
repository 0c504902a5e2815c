"""A generator that descends the Sinkhorn divergence of its batch from a batch of data (Genevay et al. 2018)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, NoiseModel
from otbench.models.inputs import Input, Normal
from otbench.models.sinkhorn import SinkhornDescent
from otbench.nets.toy import Perceptron


class SinkhornGANConfig(Config):
    """Batch, rate and iterations of the paper's code for MNIST; networks of the WGAN here, so that rows compare losses.

    cost: `squared` is the squared distance in the plane, with no critic; `learned` has beside it that between the
    features that a critic gives a point, which ascends the divergence.
    regularisation: share of the mean cost in the batch; the code's is 1 on MNIST's pixels, about a hundredth of theirs.
    """

    cost: Literal["squared", "learned"] = "squared"
    regularisation: float = Field(0.01, gt=0)
    iterations: int = Field(50, ge=1)
    #: features of the learned cost, of length 1 together, and the critic's updates for one of the generator
    features: int = Field(16, ge=2)
    critic_steps: int = Field(1, ge=1)
    noise: int = Field(2, ge=1)
    batch: int = Field(300, ge=2)
    width: int = Field(512, ge=1)
    rate: float = Field(1e-3, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)


class SinkhornGAN(SinkhornDescent, NoiseModel):
    """Descends S(G(z), x) = W(G(z), x) - W(G(z), G(z)) / 2 - W(x, x) / 2, W the cost of the entropic plan.

    Derivatives go through Sinkhorn's iterations, as in the paper. Learned features lie on the unit sphere, in place of
    the bound on the cost that the paper's code has from clipping the critic's weights. The points themselves stand
    beside them: by features alone, far points are alike, and generators ran off (to 8 times the data's size in 150
    updates).
    """

    names = {"sinkhorn-gan": {}}
    Config = SinkhornGANConfig
    config: SinkhornGANConfig

    def build(self) -> None:
        """The generator, and with a learned cost the critic; Adam on each."""
        c, d = self.config, self.data.shape[0]
        self.generator = self.network("generator", lambda: Perceptron(c.noise, d, c.width))
        if c.cost == "learned":
            self.critic = self.network("critic", lambda: Perceptron(d, c.features, c.width))
        for name in self.networks:
            self.adam(name, [name], c.rate, c.beta1)

    def noise_of(self, batches: int) -> Input:
        """Standard Gaussian."""
        return Normal((batches, self.config.batch, self.config.noise))

    def compared(self, x: Tensor) -> Tensor:
        """The points, and the critic's features beside them."""
        return torch.cat([x, F.normalize(self.critic(x), dim=-1)], -1) if self.config.cost == "learned" else x
