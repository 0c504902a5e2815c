"""A generator of images that descends a Sinkhorn divergence (Genevay et al. 2018)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import ImageConfig, ImageModel, mapped
from otbench.models.inputs import Input, Real, Uniform
from otbench.nets.infogan import Encoder
from otbench.nets.replicas import Replicas
from otbench.nets.toy import Perceptron
from otbench.transport.sinkhorn import divergence


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


class SinkhornGAN(ImageModel):
    """Descends S(G(z), x) = W(G(z), x) - W(G(z), G(z)) / 2 - W(x, x) / 2, W the cost of the entropic plan.

    Derivatives go through Sinkhorn's iterations. Noise is uniform on [0, 1]. The code for MNIST leaves out the two last
    terms; the paper's text and its code for CIFAR-10 have them, and so does this.
    """

    names = {"sinkhorn-gan": {}}
    title = "Sinkhorn GAN"
    paper = "Genevay et al. 2018, equations 8 and 9, algorithms 1 and 2, and code"
    family = "adversarial"
    paper_steps = 12_833
    Config = SinkhornGANConfig
    config: SinkhornGANConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """70 epochs of 55,000 images in batches of 300, whatever the data set."""
        return cls.paper_steps

    def build(self) -> None:
        """The generator, and with a learned cost the critic; Adam on each."""
        c, shape = self.config, self.data.shape
        self.generator: Replicas = self.network("generator", lambda: PerceptronGenerator(shape, c.latent, c.width))
        if c.cost == "learned":
            self.critic = self.network("critic", lambda: Encoder(shape, c.features, c.critic_width, normalised=False))
        for name in self.networks:
            self.adam(name, [name], c.rate, c.beta1)

    def stages(self) -> list[Stage]:
        """One stage; a step: the critic's updates where there is one, and one of the generator."""
        c = self.config
        count = c.critic_steps if c.cost == "learned" else 0
        inputs: dict[str, Input] = {"real": Real((count + 1, c.batch)), "z": Uniform((count + 1, c.batch, c.latent))}
        return [Stage("generator", self.step, inputs, cost=max(1, count))]

    def loss(self, real: Tensor, generated: Tensor) -> Tensor:
        """The divergence, of the pixels or of the critic's features.

        Args:
            real: Images (R, B, c, h, w).
            generated: Images (R, B, c, h, w).

        Returns:
            Divergences (R,).
        """
        c = self.config
        if c.cost == "learned":
            real, generated = (F.normalize(self.critic(x), dim=-1) for x in (real, generated))
        return divergence(generated.flatten(2), real.flatten(2), c.regularisation, c.iterations)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """The critic's updates, each on its own batch, and one of the generator.

        Args:
            batch: Images `real` (R, k, B, c, h, w) and noise `z` (R, k, B, latent), k one more than the critic's
                updates.

        Returns:
            Loss `divergence` (R,) of the generator's update, detached.
        """
        for k in range(batch["z"].shape[1] - 1):
            with torch.no_grad():
                generated = self.generator(batch["z"][:, k])
            self.descend(critic=-self.loss(batch["real"][:, k], generated))
        loss = self.loss(batch["real"][:, -1], self.generator(batch["z"][:, -1]))
        self.descend(generator=loss)
        return {"divergence": loss.detach()}

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator on fresh noise."""
        z = [torch.rand((n, self.config.latent), generator=g, device=g.device).to(self.device) for g in streams]
        return mapped(self.generator, torch.stack(z))
