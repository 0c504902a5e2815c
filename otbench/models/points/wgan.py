"""Wasserstein GAN in the plane, by clipping (Arjovsky et al. 2017) or by a penalty on the critic's slope.

The penalty is two-sided (Gulrajani et al. 2017) or one-sided (Petzka et al. 2018).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, Losses, NoiseModel, Stage
from otbench.models.inputs import Input, Normal, Real, Uniform
from otbench.nets.layers import gradients_of
from otbench.nets.toy import Perceptron


class WGANConfig(Config):
    """Networks, batch and penalty of Gulrajani et al.'s toy experiments; clipping as in Arjovsky et al.

    clip_rate, decay: RMSProp's, as in Arjovsky et al.'s code, which leaves the decay at PyTorch's 0.99. Gulrajani et
    al.'s toy code (gan_toy.py) clips with the same rate and TensorFlow's decay of 0.9: `decay: 0.9`.

    scale: the networks work on points divided by it. The toy code's values are for its own data, where the grid is
    divided by 2.828 (modes at 0, +-0.7072, +-1.4144; `grid-pyomt` is that set) and the ring by 1.414. On PacGAN's grid
    (modes from -4 to 4) `scale: 2.828` brings the data to the spread that those values were chosen for. The default of
    1 leaves the points as they are, for the sake of one rule for all models.

    one_sided: slopes below 1 are not penalised (WGAN-LP). Its networks, rates and batch are WGAN-GP's here, so that the
    two rows differ in the penalty and its weight; Petzka et al. compare weights from 1 to 100.
    """

    constraint: Literal["clip", "penalty"] = "clip"
    clip: float = Field(0.01, gt=0)
    penalty: float = Field(0.1, ge=0)
    one_sided: bool = False
    critic_steps: int = Field(5, ge=1)
    noise: int = Field(2, ge=1)
    batch: int = Field(256, ge=2)
    clip_rate: float = Field(5e-5, gt=0)
    decay: float = Field(0.99, ge=0, lt=1)
    scale: float = Field(1.0, gt=0)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)
    #: units of each hidden layer, three in either network
    width: int = Field(512, ge=1)


class WGAN(NoiseModel):
    """The critic maximises E f(x) - E f(G(z)); the generator maximises E f(G(z)) once every `critic_steps` steps.

    clip: RMSProp, and all critic weights held in [-clip, clip]. penalty: Adam, and penalty E (|grad f| - 1)^2 on
    random points of segments between real and generated points (equation 3); one-sided, max(0, |grad f| - 1)^2 (Petzka
    et al., equation 8), as the optimal critic's slope is 1 between coupled points and may be less elsewhere.
    """

    names = {
        "wgan": {"constraint": "clip"},
        "wgan-gp": {"constraint": "penalty"},
        "wgan-lp": {"constraint": "penalty", "one_sided": True, "penalty": 10.0},
    }
    title = "WGAN"
    titles = {"wgan-gp": "WGAN-GP", "wgan-lp": "WGAN-LP"}
    paper = "Arjovsky et al. 2017, algorithm 1; Gulrajani et al. 2017, algorithm 1 and toy code; Petzka et al. 2018"
    family = "adversarial"
    paper_steps = 500_000
    Config = WGANConfig
    config: WGANConfig

    def build(self) -> None:
        """Two perceptrons; RMSProp for clipping, Adam for the penalty."""
        c, dimension = self.config, self.data.shape[0]
        self.generator = self.network("generator", lambda: Perceptron(c.noise, dimension, c.width))
        self.critic = self.network("critic", lambda: Perceptron(dimension, 1, c.width))
        for name in ("generator", "critic"):
            if c.constraint == "clip":
                self.rmsprop(name, [name], c.clip_rate, c.decay)
            else:
                self.adam(name, [name], c.rate, c.beta1, c.beta2)

    def stages(self) -> list[Stage]:
        """One stage; a step: `critic_steps` updates of the critic, each on its own batch, and one of the generator."""
        c = self.config
        shape = (c.critic_steps, c.batch)
        inputs: dict[str, Input] = {"real": Real(shape), "z": Normal((*shape, c.noise))}
        inputs["last"] = Normal((c.batch, c.noise))
        if c.constraint == "penalty":
            inputs["where"] = Uniform((*shape, 1))
        return [Stage("adversarial", self.step, inputs, cost=c.critic_steps)]

    def gradient_penalty(self, real: Tensor, generated: Tensor, where: Tensor) -> Tensor:
        """E (|grad f(x)| - 1)^2 at x = real + where (generated - real), or E max(0, |grad f(x)| - 1)^2 where one-sided.

        Args:
            real: Real points (R, B, d).
            generated: Generated points (R, B, d).
            where: Shares (R, B, 1) of the way between them.

        Returns:
            Penalties (R,).
        """
        x = (real + where * (generated - real)).requires_grad_()
        with gradients_of([x]):
            slope = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)[0]
        excess = slope.norm(dim=-1) - 1
        return (excess.clamp(min=0) if self.config.one_sided else excess).square().mean(1)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """`critic_steps` updates of the critic and one of the generator.

        Args:
            batch: Points `real` (R, critic_steps, B, d), noise `z` (R, critic_steps, B, noise) and `last` (R, B, noise)
                and, for the penalty, `where` (R, critic_steps, B, 1).

        Returns:
            Losses (R,), detached: `distance` of the last update of the critic, and `generator`.
        """
        c = self.config
        for k in range(c.critic_steps):
            real = batch["real"][:, k] / c.scale
            with torch.no_grad():
                generated = self.generator(batch["z"][:, k])
            scores = self.critic(torch.cat([real, generated], 1)).squeeze(-1)
            distance = scores[:, : c.batch].mean(1) - scores[:, c.batch :].mean(1)
            loss = -distance
            if c.constraint == "penalty":
                loss = loss + c.penalty * self.gradient_penalty(real, generated, batch["where"][:, k])
            self.descend(critic=loss)
            if c.constraint == "clip":
                with torch.no_grad():
                    for tensor in self.critic.parameters():
                        tensor.clamp_(-c.clip, c.clip)
        g = -self.critic(self.generator(batch["last"])).squeeze(-1).mean(1)
        self.descend(generator=g)
        return {"distance": distance.detach(), "generator": g.detach()}

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator's points, brought back to the data's scale."""
        return self.config.scale * super().draw(n, streams)
