"""Progressive growing of GANs (Karras et al. 2018): networks that begin with small images and grow with them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.average import Averaged, follow
from otbench.models.images.shared.base import ImageConfig, mapped
from otbench.models.images.shared.penalty import between, slopes
from otbench.models.inputs import Input, Normal, Real, Uniform
from otbench.nets.pggan import Discriminator, Generator, larger, sizes, smaller

#: what the paper's experiment on CIFAR-10 has otherwise (its code; 400,000 of 20 million images a phase)
CIFAR = {"latent": 128, "width": 128, "target": 750.0, "phase": 0.02}
#: of the other experiments; the phases of table 1 are 800,000 of 10 million images
PAPER = {"latent": 512, "width": 512, "target": 1.0, "phase": 0.08}


class PGGANConfig(ImageConfig):
    """The paper's values (sections 4 to 6, appendix A; code). None: the paper's, which are others on CIFAR-10."""

    latent: int | None = Field(None, ge=1)
    #: images a step up to 128 pixels (appendix A.1)
    batch: int = Field(16, ge=2)
    #: feature maps of the layers up to 32 pixels; wider images have fewer, in proportion
    width: int | None = Field(None, ge=1)
    rate: float = Field(1e-3, gt=0)
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    #: weight of the gradient penalty over target^2, lambda
    penalty: float = Field(10.0, ge=0)
    #: norm of the critic's gradient that the penalty asks for
    target: float | None = Field(None, gt=0)
    #: weight of the critic's mean square on real images, epsilon_drift
    drift: float = Field(1e-3, ge=0)
    #: decay of the generator's average, from which samples are drawn
    decay: float = Field(0.999, ge=0, lt=1)
    #: share of the budget in each phase but the last, which has the rest
    phase: float | None = Field(None, gt=0, lt=1)


class Average(Generator):
    """The generator with averaged weights, and how many times they have moved."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("moves", torch.zeros(()))


class PGGAN(Averaged):
    """A Wasserstein GAN with gradient penalty and drift whose networks double their resolution, phase by phase.

    The lowest resolution is trained; then, for every further one, its layers are faded in and the whole is trained on.
    In a fade, at share a of the phase, generated images are a mix of the new resolution's (a) and the one's below
    (1 - a), the discriminator's features likewise, and so are the real images. Adam's moments start afresh in every
    phase (the paper's code). Images are scaled to [-1, 1], in which the gradient penalty is meant.

    Samples come from the exponential average of the generator's weights, enlarged where the networks have not fully
    grown, and cut off at [0, 1]. The average moves by max(1 - decay, 9 / (10 + steps)), as the running statistics of
    `nets.image_layers.BatchNorm` do: below some 9,000 steps a decay of 0.999 would still see the initial weights.

    One critic step and one of the generator, with noise of its own, in turn; a rate that does not change.
    """

    names = {"pggan": {}}
    title = "PGGAN"
    paper = "Karras et al. 2018 (ICLR), sections 2 to 4, table 1 and appendix A"
    family = "adversarial"
    paper_steps = 625_000
    Config = PGGANConfig
    config: PGGANConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """10 million real images in batches of 16 (section 6.1), 20 million on CIFAR-10 (code)."""
        return {"cifar10": 1_250_000}.get(dataset, cls.paper_steps)

    def value(self, name: str) -> Any:
        """A value of the config or, where that is None, the paper's on this data set.

        Args:
            name: Name of the option, `latent`, `width`, `target` or `phase`.

        Returns:
            The value.
        """
        paper = CIFAR if self.data.name == "cifar10" else PAPER
        value = getattr(self.config, name)
        return paper[name] if value is None else value

    def build(self) -> None:
        """Generator, its average and discriminator at the lowest level, Adam over generator and discriminator."""
        c, shape, latent, width = self.config, self.data.shape, self.value("latent"), self.value("width")
        self.top = len(sizes(shape)) - 1
        self.generator = self.network("generator", lambda: Generator(shape, latent, width))
        self.average = self.network("average", lambda: Average(shape, latent, width))
        self.discriminator = self.network("discriminator", lambda: Discriminator(shape, width))
        follow(self.average, self.generator)
        for name in ("generator", "discriminator"):
            self.adam(name, [name], c.rate, c.beta1, c.beta2)
        self.grow(0)

    def grow(self, level: int, fade: float = 1.0) -> None:
        """Let all networks work at a level; optimisers go on with its layers, from no moments.

        Args:
            level: Level of resolution, 0 the lowest.
            fade: Weight of the level against the one below; 1: fully grown.
        """
        for network in self.networks.values():
            network.module.at, network.module.fading = level, fade < 1
            network.tensor("level").fill_(level)
            network.tensor("fade").fill_(fade)
        for name, optimiser in self.optimisers.items():
            network = self.networks[name]
            names = [n for n, _ in network.module.named_parameters()]
            (group,) = optimiser.param_groups
            group["params"] = [p for n, p in zip(names, network.parameters(), strict=True) if network.module.uses(n)]
            optimiser.state.clear()

    def stages(self) -> list[Stage]:
        """The lowest resolution, then a fade and a phase of training on for every further one."""
        c, heights = self.config, [h for h, _ in sizes(self.data.shape)]
        inputs: dict[str, Input] = {"real": Real((c.batch,)), "where": Uniform((c.batch,))}
        inputs |= {name: Normal((c.batch, self.value("latent"))) for name in ("z", "own")}
        phases = [(0, False), *((k, fading) for k in range(1, self.top + 1) for fading in (True, False))]
        phase = self.value("phase")
        shares = [phase] * (len(phases) - 1)
        shares.append(max(phase, 1 - sum(shares)))
        return [
            Stage(
                f"{'fade' if fading else 'stabilise'}-{heights[k]}",
                self.step,
                inputs,
                share=share,
                schedule=partial(self.schedule, k, fading),
            )
            for (k, fading), share in zip(phases, shares, strict=True)
        ]

    def schedule(self, level: int, fading: bool, fraction: float) -> None:
        """Grow at the start of a phase, and fade in along it.

        Args:
            level: Level of resolution of the phase.
            fading: Whether the level is faded in.
            fraction: Share of the phase's steps already taken, in [0, 1).
        """
        if fraction == 0:
            self.grow(level, 0.0 if fading else 1.0)
        elif fading:
            for network in self.networks.values():
                network.tensor("fade").fill_(fraction)

    def seen(self, real: Tensor) -> Tensor:
        """Real images as the discriminator sees them: shrunk, and mixed in a fade.

        Args:
            real: Images (R, B, c, h, w) in [0, 1].

        Returns:
            Images (R, B, c, h', w') in [-1, 1], of the present level's size.
        """
        module = self.discriminator.module
        x = F.avg_pool2d(2 * real.flatten(0, 1) - 1, 2 ** (self.top - module.at))
        x = x.unflatten(0, real.shape[:2])
        if not module.fading:
            return x
        coarse = larger(smaller(x.flatten(0, 1))).unflatten(0, real.shape[:2])
        return torch.lerp(coarse, x, self.discriminator.tensor("fade").reshape(-1, 1, 1, 1, 1))

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the discriminator, one of the generator, one of its average.

        Args:
            batch: Images `real` (R, B, c, h, w), places `where` (R, B) of the penalty, and noise (R, B, latent): `z`
                for the discriminator's update, `own` for the generator's.

        Returns:
            Losses (R,), detached: `distance`, `penalty` and `generator`.
        """
        c, target, real = self.config, self.value("target"), self.seen(batch["real"])
        with torch.no_grad():
            generated = self.generator(batch["z"])
        scores = self.discriminator(real)
        distance = scores.mean(1) - self.discriminator(generated).mean(1)
        slope = slopes(self.discriminator, between(real, generated, batch["where"]))
        penalty = (slope - target).square().mean(1) / target**2
        self.descend(discriminator=c.penalty * penalty + c.drift * scores.square().mean(1) - distance)
        g = -self.discriminator(self.generator(batch["own"])).mean(1)
        self.descend(generator=g)
        self.remember()
        return {"distance": distance.detach(), "penalty": penalty.detach(), "generator": g.detach()}

    def remember(self) -> None:
        """Move the average towards the generator."""
        moves = self.average.tensor("moves")
        follow(self.average, self.generator, (9 / (10 + moves)).clamp(min=1 - self.config.decay))
        moves.add_(1)

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The averaged generator on Gaussian noise, enlarged to the data's size."""
        images = mapped(self.average, noise((n, self.value("latent")), streams, self.device))
        x = ((images + 1) / 2).clamp(0, 1).flatten(0, 1)
        for _ in range(self.top - self.average.module.at):
            x = larger(x)
        return x.unflatten(0, images.shape[:2])

    def load(self, state: dict[str, Tensor]) -> None:
        """Take weights, and how far they had grown."""
        super().load(state)
        self.grow(int(state["average.level"][0]), float(state["average.fade"][0]))

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from what `training_state` returned."""
        tensors = state["networks"]["generator"]
        # the optimisers' moments are of the layers that worked then
        self.grow(int(tensors["level"][0]), float(tensors["fade"][0]))
        super().load_training_state(state)
