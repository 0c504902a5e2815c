"""Wasserstein GANs of images by weight clipping: that of Lucic et al. (2018), and the OTVAE report's baseline."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.base import Adversarial, AdversarialConfig, ImageConfig, ImageModel, mapped
from otbench.models.inputs import Normal, Real, Uniform
from otbench.nets.image_layers import BatchNorm
from otbench.nets.otvae import MLPCritic, MLPGenerator
from otbench.nets.replicas import Replicas


def clip(critic: Replicas, bound: float, normalisation: bool = False) -> None:
    """Hold weights and biases of the critic in [-bound, bound]; its normalisation's scale and shift only where asked.

    Lucic et al. clip those too. A scale of at most 0.01 after every layer leaves the critic's output so small that the
    generator's gradient drowns in Adam's epsilon.

    Args:
        critic: Critic whose parameters are clipped in place.
        bound: Largest absolute value.
        normalisation: Whether the scale and the shift of batch normalisation are clipped too.
    """
    spared = [] if normalisation else [n for n, m in critic.module.named_modules() if isinstance(m, BatchNorm)]
    names = [name for name, _ in critic.module.named_parameters()]
    with torch.no_grad():
        for name, tensor in zip(names, critic.parameters(), strict=True):
            if name.rpartition(".")[0] not in spared:
                tensor.clamp_(-bound, bound)


class Clipped(ImageModel):
    """The critic maximises E f(x) - E f(G(z)); the generator maximises E f(G(z)) once every `critic_steps` updates.

    The critic is clipped after each of its updates. The generator's update takes the noise of the last of them.
    """

    family = "adversarial"
    config: WGANConfig | MLPConfig
    generator: Replicas
    discriminator: Replicas

    def critic_and_generator(self, batch: dict[str, Tensor]) -> Losses:
        """`critic_steps` updates of the critic, each on its own batch, and one of the generator.

        Args:
            batch: Images `real` (R, critic_steps, B, c, h, w) and noise `z` (R, critic_steps, B, latent).

        Returns:
            Losses (R,) of the last updates, detached: `distance` and `generator`.
        """
        c, last = self.config, self.config.critic_steps - 1
        for k in range(c.critic_steps):
            real, z = batch["real"][:, k], batch["z"][:, k]
            # the last images serve the generator's update too
            with torch.set_grad_enabled(k == last):
                generated = self.generator(z)
            distance = self.discriminator(real).mean(1) - self.discriminator(generated.detach()).mean(1)
            self.descend(discriminator=-distance)
            clip(self.discriminator, c.clip, c.clip_normalisation)
        g = -self.discriminator(generated).mean(1)
        self.descend(generator=g)
        return {"distance": distance.detach(), "generator": g.detach()}


class WGANConfig(AdversarialConfig):
    """Default values of Lucic et al. (2018, code)."""

    beta1: float = Field(0.5, ge=0, lt=1)
    clip: float = Field(0.01, gt=0)
    #: clip the normalisation's scale and shift too, as Lucic et al.'s code does
    clip_normalisation: bool = False
    critic_steps: int = Field(5, ge=1)


class WGAN(Clipped, Adversarial):
    """The WGAN of Lucic et al.: their networks, Adam, weights of the critic held in [-clip, clip]."""

    names = {"wgan": {}}
    title = "WGAN"
    paper = "Arjovsky et al. 2017; Lucic et al. 2018, table 2 (its default values)"
    Config = WGANConfig
    config: WGANConfig

    def stages(self) -> list[Stage]:
        """One stage; a step: `critic_steps` updates of the critic and one of the generator."""
        c = self.config
        shape = (c.critic_steps, c.batch)
        inputs = {"real": Real(shape), "z": Uniform((*shape, c.latent), -1.0, 1.0)}
        return [Stage("adversarial", self.critic_and_generator, inputs, cost=c.critic_steps)]


class MLPConfig(ImageConfig):
    """Values of the OTVAE report (table 1) and of its code."""

    latent: int = Field(100, ge=1)
    batch: int = Field(100, ge=2)
    rate: float = Field(5e-5, gt=0)
    clip: float = Field(0.01, gt=0)
    critic_steps: int = Field(5, ge=1)
    #: the critic has no normalisation
    clip_normalisation: bool = False
    #: epsilon of batch normalisation; the code says 0.8, which was meant as a momentum
    eps: float = Field(1e-5, gt=0)


class MLPWGAN(Clipped):
    """The WGAN that the OTVAE report compares with: two perceptrons, Gaussian noise, RMSProp, 200 epochs of MNIST."""

    names = {"wgan-mlp": {}}
    title = "WGAN (MLP)"
    paper = "Arjovsky et al. 2017; OTVAE report, table 1"
    paper_steps = 120_000
    Config = MLPConfig
    config: MLPConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """200 epochs of 60,000 images in batches of 100, whatever the data set."""
        return cls.paper_steps

    def build(self) -> None:
        """Two perceptrons, RMSProp on each."""
        c, shape = self.config, self.data.shape
        self.generator = self.network("generator", lambda: MLPGenerator(shape, c.latent, c.width, c.eps))
        self.discriminator = self.network("discriminator", lambda: MLPCritic(shape, c.width))
        for name in self.networks:
            self.rmsprop(name, [name], c.rate)

    def stages(self) -> list[Stage]:
        """One stage; a step: `critic_steps` updates of the critic and one of the generator."""
        c = self.config
        shape = (c.critic_steps, c.batch)
        inputs = {"real": Real(shape), "z": Normal((*shape, c.latent))}
        return [Stage("adversarial", self.critic_and_generator, inputs, cost=c.critic_steps)]

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on Gaussian noise."""
        return mapped(self.generator, noise((n, self.config.latent), streams, self.device))
