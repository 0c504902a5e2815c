"""What the study of losses trains: generators, a clipped critic, a discriminator, and what their scores estimate."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from otbench.models.base import Stage, noise
from otbench.models.images.dcgan import DCGAN, DCGANConfig
from otbench.models.images.shared.base import mapped
from otbench.models.images.wgan import Clipped, clip
from otbench.models.inputs import Normal, Real
from otbench.nets.dcgan import Discriminator, Generator
from otbench.nets.image_layers import BatchNorm
from otbench.nets.layers import Linear
from otbench.nets.replicas import Replicas
from otbench.utils.rng import generator

Shape = tuple[int, ...]


class Perceptron(nn.Module):
    """Noise (n, latent) -> images (n, c, h, w) in [0, 1]; four hidden layers with ReLU (Arjovsky et al. 2017)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise([latent, width, width, width, width]):
            layers += [Linear(a, b), nn.ReLU()]
        self.body, self.shape = nn.Sequential(*layers, Linear(width, math.prod(shape))), shape

    def forward(self, z: Tensor) -> Tensor:
        return ((torch.tanh(self.body(z)) + 1) / 2).unflatten(-1, self.shape)


def without_normalisation(network: nn.Module) -> nn.Module:
    """Network without batch normalisation, with PyTorch's own initial weights.

    DCGAN's small ones, of deviation 0.02, are made for layers that are normalised: without, signals die out.

    Args:
        network: Network, which is changed in place.

    Returns:
        The same network, with nothing in place of every batch normalisation.
    """
    for module in network.modules():
        for name, part in list(module.named_children()):
            if isinstance(part, BatchNorm):
                setattr(module, name, nn.Identity())
            elif reset := getattr(part, "reset_parameters", None):
                reset()
    return network


def generators(shape: Shape, latent: int, width: int, hidden: int) -> dict[str, Callable[[], nn.Module]]:
    """Builders of the generators.

    Args:
        shape: Shape of an image (c, h, w).
        latent: Dimensions of the noise.
        width: Channels of DCGAN's narrowest layer.
        hidden: Width of the perceptron's hidden layers.

    Returns:
        Functions that build each generator, by name.
    """
    return {
        "DCGAN": lambda: Generator(shape, latent, width),
        "DCGAN without BatchNorm": lambda: without_normalisation(Generator(shape, latent, width)),
        "MLP": lambda: Perceptron(shape, latent, hidden),
    }


class PlayersConfig(DCGANConfig):
    """Sizes and rates of both games."""

    generator: str = "DCGAN"
    #: width of the perceptron's hidden layers
    hidden: int = Field(128, ge=1)
    clip: float = Field(0.01, gt=0)
    clip_normalisation: bool = False
    critic_steps: int = Field(5, ge=1)
    generator_steps: int = Field(1, ge=1)
    normalised: bool = False


class Critics(Clipped):
    """The WGAN of the text's algorithm: weights clipped, RMSProp, Gaussian noise."""

    Config = PlayersConfig
    config: PlayersConfig
    sampler = ("generator", "discriminator")

    def build(self) -> None:
        """The generator that is asked for, and DCGAN's discriminator as the critic."""
        self.players()
        self.rmsprop("generator", ["generator"], self.config.rate * self.config.generator_rate)
        self.rmsprop("discriminator", ["discriminator"], self.config.rate)

    def players(self: Critics | Discriminators) -> None:
        """Register both networks."""
        c, shape = self.config, self.data.shape
        build = generators(shape, c.latent, c.width, c.hidden)[c.generator]
        self.generator: Replicas = self.network("generator", build)
        # in the critic batch normalisation would make an image's score depend on the others in its batch
        self.discriminator: Replicas = self.network(
            "discriminator", lambda: without_normalisation(Discriminator(shape, c.width, normalised=False))
        )

    def stages(self) -> list[Stage]:
        """One stage; a step: `critic_steps` updates of the critic and one of the generator."""
        c = self.config
        shape = (c.critic_steps, c.batch)
        inputs = {"real": Real(shape), "z": Normal((*shape, c.latent))}
        return [Stage("adversarial", self.critic_and_generator, inputs, cost=c.critic_steps)]

    def learn(self, real: Tensor, generated: Tensor) -> None:
        """One update of the critic alone.

        Args:
            real: Training images (1, n, c, h, w) in [0, 1].
            generated: As many generated ones.
        """
        scored = self.discriminator(torch.cat([real, generated], 1))
        self.descend(discriminator=scored[:, real.shape[1] :].mean(1) - scored[:, : real.shape[1]].mean(1))
        clip(self.discriminator, self.config.clip, self.config.clip_normalisation)

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on Gaussian noise."""
        return mapped(self.generator, noise((n, self.config.latent), streams, self.device))


class Discriminators(DCGAN):
    """The standard GAN, the generator's loss not saturating, Adam, Gaussian noise."""

    Config = PlayersConfig
    config: PlayersConfig
    sampler = ("generator", "discriminator")
    gaussian = True

    def build(self) -> None:
        """The same networks as the critic's game, to the bit."""
        Critics.players(self)
        c = self.config
        self.adam("generator", ["generator"], c.rate * c.generator_rate, c.beta1, c.beta2)
        self.adam("discriminator", ["discriminator"], c.rate, c.beta1, c.beta2)

    def learn(self, real: Tensor, generated: Tensor) -> None:
        """One update of the discriminator alone.

        Args:
            real: Training images (1, n, c, h, w) in [0, 1].
            generated: As many generated ones.
        """
        logits = self.discriminator(torch.cat([real, generated], 1))
        a, b = logits.split(real.shape[1], 1)
        self.descend(discriminator=F.softplus(-a).mean(1) + F.softplus(b).mean(1))


def trained_on(model: Critics | Discriminators, steps: int) -> Replicas:
    """Copy of the model's critic or discriminator, trained on against the generator as it is.

    As in the game: training images, batch, rate, clip and kind of optimiser, which starts afresh. The random streams
    are its own and the same at every call, and the model stays as it was. The generator is in inference mode, as when
    it is drawn from.

    Args:
        model: Model of one replica.
        steps: Number of further updates; 0: the network as it stands.

    Returns:
        Critic or discriminator.
    """
    judge = type(model)(model.config, model.data, model.seeds, model.device)
    for name, network in model.networks.items():
        judge.networks[name].load(network.state())
    if not steps:
        return judge.discriminator
    rows, noises = (generator(model.seeds[0], f"judge/{name}", model.device) for name in ("real", "z"))
    shape, train = (1, model.config.batch), torch.from_numpy(model.data.train).to(model.device)
    real = Real(shape).draw(steps, train, rows)
    for images, generated in zip(real, judge.draw(steps * shape[1], [noises]).split(shape[1], 1), strict=True):
        judge.learn(images, generated)
    return judge.discriminator


def wasserstein(real: Tensor, generated: Tensor) -> float:
    """E f(real) - E f(generated) from a critic's scores: at its optimum K W1, if f is K-Lipschitz.

    Args:
        real: Scores of real images (n,).
        generated: Scores of generated images (m,).

    Returns:
        Estimate of K W1.
    """
    return float((real.double().mean() - generated.double().mean()).detach())


def jensen_shannon(real: Tensor, generated: Tensor) -> float:
    """log 2 + (E log D(real) + E log(1 - D(generated))) / 2 from a discriminator's logits.

    At the discriminator's optimum the Jensen-Shannon divergence, else a lower bound on it.

    Args:
        real: Logits of real images (n,).
        generated: Logits of generated images (m,).

    Returns:
        Estimate in nats, at most log 2, and below 0 where the discriminator is worse than a guess.

    Source: Arjovsky et al. (2017), section 4.2.
    """
    value = F.logsigmoid(real.double()).mean() + F.logsigmoid(-generated.double()).mean()
    return math.log(2) + float(value) / 2


def steepest(critic: Replicas, real: Tensor, generated: Tensor, points: int) -> float:
    """Largest norm of the critic's gradient by an image, on segments from real to generated images.

    Args:
        critic: Critic of one replica.
        real: Real images (n, c, h, w) in [0, 1].
        generated: Generated images (m, c, h, w) in [0, 1].
        points: Points on each segment, its ends included.

    Returns:
        Norm: a lower bound on the critic's Lipschitz constant.
    """
    n, most = min(len(real), len(generated)), 0.0
    for t in torch.linspace(0, 1, points).tolist():
        x = ((1 - t) * real[:n] + t * generated[:n]).unsqueeze(0).requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(x).sum(), x)
        most = max(most, float(slope.flatten(2).norm(dim=2).max()))
    return most


def scores(critic: Replicas, images: Tensor) -> Tensor:
    """Scores or logits of images, in inference mode.

    Args:
        critic: Critic or discriminator of one replica.
        images: Images (n, c, h, w) in [0, 1].

    Returns:
        Scores or logits (n,).
    """
    return mapped(critic, images, shared=True)[0]
