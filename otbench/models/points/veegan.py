"""VEEGAN in the plane (Srivastava et al. 2017)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.models.base import Losses, Stage, noise
from otbench.models.inputs import Normal, Real
from otbench.models.points.shared.plane import PlaneModel, SetupConfig
from otbench.nets import toy
from otbench.nets.pacgan import Generator


class VEEGANConfig(SetupConfig):
    """PacGAN's values; with `setup: notebook` those of the authors' notebooks in the plane.

    The notebooks (VEEGAN_2D_RING.ipynb and its twin of the grid) are read in public copies, so these values are second
    hand: 254 codes and one more noise input, batches of 500, perceptrons with ReLU (generator and reconstructor of two
    hidden layers of 128, discriminator of one), Adam with 1e-3 and beta1 0.5, 100 x 1,000 updates (`--steps 100000`).
    """

    SETUPS: ClassVar[dict[str, dict[str, Any]]] = {
        "notebook": {"noise": 254, "extra": 1, "batch": 500, "rate": 1e-3, "beta1": 0.5, "width": 128, "spread": 1.0}
    }
    setup: Literal["pacgan", "notebook"] = "pacgan"
    #: noise inputs of the generator that are no codes: nothing reconstructs them
    extra: int = Field(0, ge=0)
    #: deviation of the reconstructor's Gaussian N(F(x), spread^2 I); 0: F(x) itself, d being the squared distance
    spread: float = Field(0.0, ge=0)


class VEEGAN(PlaneModel):
    """A reconstructor F maps data back to noise; the discriminator sees pairs (z, G(z)) and (F(x), x).

    Algorithm 1 of the paper, with D the log ratio of generated to real pairs and d the squared distance:
    D descends E[sp(-D(z, G(z)))] + E[sp(D(F(x), x))]; F descends E d(z, F(G(z)));
    G descends E D(z, G(z)) + E d(z, F(G(z))).
    With a `spread` s the reconstructor is a Gaussian: D sees a draw F(x) + s xi, and d is minus its log likelihood up
    to a constant, |z - F(G(z))|^2 / (2 s^2). The paper's text gives no networks and rates for the plane. By default
    PacGAN's stand in, so that all rows share a generator; `setup: notebook` has the authors' (see VEEGANConfig).
    """

    names = {"veegan": {}}
    title = "VEEGAN"
    paper = "Srivastava et al. 2017, algorithm 1 and table 1"
    Config = VEEGANConfig
    config: VEEGANConfig

    def build(self) -> None:
        """Generator, reconstructor and discriminator; PacGAN's reconstructor is a shallower copy of the generator."""
        c, dimension = self.config, self.data.shape[0]
        if c.setup == "notebook":
            style: dict[str, Any] = {"activation": nn.ReLU, "start": "glorot"}
            inputs = c.noise + c.extra
            self.generator = self.network("generator", lambda: toy.Perceptron(inputs, dimension, c.width, 2, **style))
            self.reconstructor = self.network(
                "reconstructor", lambda: toy.Perceptron(dimension, c.noise, c.width, 2, **style)
            )
            self.discriminator = self.network(
                "discriminator", lambda: toy.Discriminator(dimension + c.noise, c.width, 1, **style)
            )
            self.optimise("discriminator")
        else:
            self.generator = self.network(
                "generator", lambda: Generator(c.noise + c.extra, dimension, c.width, norm=c.norm)
            )
            self.reconstructor = self.network(
                "reconstructor", lambda: Generator(dimension, c.noise, c.width, depth=2, norm=c.norm)
            )
            self.pacgan_discriminator(dimension + c.noise)
        self.optimise("generator")
        self.optimise("reconstructor")

    def noise_shape(self) -> tuple[int, ...]:
        """(B, codes and further inputs)."""
        return self.config.batch, self.config.noise + self.config.extra

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "z": Normal(self.noise_shape())}
        if c.spread:
            inputs["xi"] = Normal((c.batch, c.noise))
        return [Stage("adversarial", self.step, inputs)]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of all three networks.

        Args:
            batch: Points `real` (R, B, d), noise `z` (R, B, noise + extra) and, with a `spread`, `xi` (R, B, noise).

        Returns:
            Losses (R,), detached: `discriminator`, `reconstruction`, and `ratio`, the mean of D at generated pairs.
        """
        c = self.config
        z, x = batch["z"][..., : c.noise], batch["real"]
        generated = self.generator(batch["z"])
        error = (self.reconstructor(generated) - z).square().sum(-1).mean(1)
        with torch.no_grad():
            recovered = self.reconstructor(x)
        if c.spread:
            error, recovered = error / (2 * c.spread**2), recovered + c.spread * batch["xi"]
        real = self.discriminator(torch.cat([recovered, x], -1))
        fake = self.discriminator(torch.cat([z, generated], -1))
        d = F.softplus(-fake).mean(1) + F.softplus(real).mean(1)
        self.descend(discriminator=d, reconstructor=error, generator=fake.mean(1) + error)
        return {"discriminator": d.detach(), "reconstruction": error.detach(), "ratio": fake.detach().mean(1)}

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on fresh noise."""
        with torch.no_grad():
            return self.generator.eval()(noise((n, self.noise_shape()[1]), streams, self.device))
