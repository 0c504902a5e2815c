"""GAN with minibatch discrimination in the plane (Salimans et al. 2016)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneConfig, PlaneModel
from otbench.nets.layers import Linear, initialise
from otbench.nets.pacgan import Discriminator


class MDConfig(PlaneConfig):
    """PacGAN's training values; kernels B and C of Salimans et al.'s code."""

    kernels: int = Field(100, ge=1)
    dimensions: int = Field(5, ge=1)


class MinibatchFeatures(nn.Module):
    """How close every row is to the others of its batch (Salimans et al. 2016, section 3.2).

    Features f (n, A) -> (n, A + B): with M_i = f_i T (B x C), o_ib = sum_{j != i} exp(-|M_ib - M_jb|_1) + bias_b is
    appended to f. T is normalised over its inputs and carries a scale for each entry.
    """

    def __init__(self, inputs: int, kernels: int, dimensions: int) -> None:
        super().__init__()
        self.kernels = kernels
        self.theta = nn.Parameter(0.05 * torch.randn(inputs, kernels * dimensions))
        self.log_scale = nn.Parameter(torch.zeros(kernels * dimensions))
        self.bias = nn.Parameter(-torch.ones(kernels))

    def forward(self, f: Tensor) -> Tensor:
        tensor = self.theta * (self.log_scale.exp() / self.theta.norm(dim=0))
        m = (f @ tensor).unflatten(-1, (self.kernels, -1)).transpose(-2, -3)
        # the term of a row with itself is exp(0) = 1
        closeness = torch.exp(-torch.cdist(m, m, p=1)).sum(-1).transpose(-1, -2) - 1
        return torch.cat([f, closeness + self.bias], -1)


class MDDiscriminator(nn.Module):
    """PacGAN's discriminator with minibatch features after its last hidden layer: (n, 2) -> logits (n,)."""

    def __init__(self, inputs: int, width: int, kernels: int, dimensions: int) -> None:
        super().__init__()
        self.body = Discriminator(inputs, width).body
        self.minibatch = MinibatchFeatures(width, kernels, dimensions)
        self.last = initialise(Linear(width + kernels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.minibatch(self.body(x))).squeeze(-1)


class MDGAN(PlaneModel):
    """The GAN of PacGAN's table 1 whose discriminator also sees how close a row is to the others of its batch.

    Real and generated batches pass separately. Where the layer stood in PacGAN's runs is not published; here it
    follows the last maxout layer.
    """

    names = {"md-gan": {}}
    title = "MD"
    paper = "Salimans et al. 2016; baseline of Lin et al. 2018 (PacGAN), table 1"
    Config = MDConfig
    config: MDConfig

    def build(self) -> None:
        """PacGAN's generator; its discriminator with the minibatch layer."""
        c, dimension = self.config, self.data.shape[0]
        self.pacgan_generator()
        self.optimise("generator")
        self.discriminator = self.network(
            "discriminator", lambda: MDDiscriminator(dimension, c.maxout, c.kernels, c.dimensions)
        )
        self.optimise("discriminator")

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        return [Stage("adversarial", self.step, {"real": Real((c.batch,)), "z": Normal((c.batch, c.noise))})]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of both networks.

        Args:
            batch: Points `real` (R, B, d) and noise `z` (R, B, noise).

        Returns:
            Losses (R,), detached: `discriminator` and `generator`.
        """
        real = self.discriminator(batch["real"])
        fake = self.discriminator(self.generator(batch["z"]))
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        g = F.softplus(-fake).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}
