"""DCGAN and PacDCGAN (Radford et al. 2016; Lin et al. 2018), in the two set-ups of PacGAN's stacked tables."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.base import ImageConfig, ImageModel, mapped, uniform
from otbench.models.inputs import Input, Normal, Real, Uniform
from otbench.nets.dcgan import UNROLLED, VEEGAN, Discriminator, Form, Generator


class PackedConfig(ImageConfig):
    """VEEGAN's set-up in PacGAN's code (VEEGAN_experiment/config.py): 128,000 stacked images, 50 epochs."""

    latent: int = Field(100, ge=1)
    batch: int = Field(64, ge=2)
    #: channels of the generator's last hidden layer
    width: int = Field(64, ge=1)
    #: images in a pack
    packing: int = Field(1, ge=1, le=8)
    rate: float = Field(2e-4, gt=0)
    #: the generator's rate as a share of the discriminator's
    generator_rate: float = Field(1.0, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    #: channels of the discriminator's first layer as a share of `width`
    share: float = Field(1.0, gt=0)
    #: batch normalisation in the discriminator
    normalised: bool = True
    #: images in [0, 1] against a generator that ends in tanh, on [-1, 1], as the code has it
    mismatched: bool = False


class DCGANConfig(PackedConfig):
    """VEEGAN's set-up: the generator steps twice, which keeps the discriminator's loss from zero (a comment there)."""

    #: the generator's updates to each of the discriminator's
    generator_steps: int = Field(2, ge=1)


class DCGAN(ImageModel):
    """The discriminator sees packs of m images, side by side as channels, all real or all generated.

    L_D = E[sp(-a)] + E[sp(b)], L_G = E[sp(-b)], a and b the logits of real and generated packs, sp softplus. The
    discriminator steps first, then the generator twice on the same noise. Real and generated packs pass the
    discriminator apart, and each slot of a pack passes the generator apart, so that batch normalisation mixes neither.
    """

    names = {"dcgan": {}, "pacdcgan2": {"packing": 2}, "pacdcgan3": {"packing": 3}, "pacdcgan4": {"packing": 4}}
    title = "DCGAN"
    titles = {f"pacdcgan{m}": f"PacDCGAN{m}" for m in (2, 3, 4)}
    paper = "Radford et al. 2016; Lin et al. 2018 (PacGAN), table 2: VEEGAN's set-up"
    family = "adversarial"
    paper_steps = 100_000
    Config = DCGANConfig
    config: DCGANConfig
    #: the networks, and whether the noise is Gaussian or uniform on [-1, 1]
    form: ClassVar[Form] = VEEGAN
    gaussian: ClassVar[bool] = False

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """The set-up's own number of discriminator updates, whatever the data set."""
        return cls.paper_steps

    @property
    def channels(self) -> int:
        """Channels of the discriminator's first layer."""
        return max(1, round(self.config.width * self.config.share))

    def build(self) -> None:
        """Generator and discriminator, Adam on each."""
        c, (channels, *size) = self.config, self.data.shape
        shape, packs = self.data.shape, (c.packing * channels, *size)
        self.generator = self.network(
            "generator", lambda: Generator(shape, c.latent, c.width, self.form, signed=c.mismatched)
        )
        self.discriminator = self.network(
            "discriminator", lambda: Discriminator(packs, self.channels, self.form, c.mismatched, c.normalised)
        )
        self.adam("generator", ["generator"], c.rate * c.generator_rate, c.beta1, c.beta2)
        self.adam("discriminator", ["discriminator"], c.rate, c.beta1, c.beta2)

    def noise_input(self, shape: tuple[int, ...]) -> Input:
        """The stage's input of noise.

        Args:
            shape: Shape of one replica's noise.

        Returns:
            Gaussian input, or uniform on [-1, 1].
        """
        return Normal(shape) if self.gaussian else Uniform(shape, -1.0, 1.0)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        packs = (c.packing, c.batch)
        inputs = {"real": Real(packs), "z": self.noise_input((*packs, c.latent))}
        return [Stage("adversarial", self.step, inputs)]

    def generated(self, z: Tensor) -> Tensor:
        """Generated packs, each slot passed apart.

        Args:
            z: Noise (R, m, B, latent).

        Returns:
            Packs (R, B, m c, h, w).
        """
        return torch.cat([self.generator(z[:, slot]) for slot in range(z.shape[1])], 2)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the discriminator, then `generator_steps` of the generator.

        Args:
            batch: Images `real` (R, m, B, c, h, w) and noise `z` (R, m, B, latent).

        Returns:
            Losses (R,), detached: `discriminator`, and the last `generator`.
        """
        generated = self.generated(batch["z"])
        real, fake = self.discriminator(pack(batch["real"])), self.discriminator(generated.detach())
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        self.descend(discriminator=d)
        for k in range(self.config.generator_steps):
            generated = self.generated(batch["z"]) if k else generated
            g = F.softplus(-self.discriminator(generated)).mean(1)
            self.descend(generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on fresh noise; where tanh's range is its own, what is below 0 is cut."""
        z = (noise if self.gaussian else uniform)((n, self.config.latent), streams, self.device)
        return mapped(self.generator, z).clamp(0, 1)


class SmallPackedConfig(PackedConfig):
    """The unrolled GAN's set-up in PacGAN's code (unrolled_GAN_experiment/*/config.py): 500,000 batches, one pass."""

    latent: int = Field(256, ge=1)
    batch: int = Field(128, ge=2)
    width: int = Field(8, ge=1)
    generator_rate: float = Field(0.5, gt=0)
    beta2: float = Field(0.99, ge=0, lt=1)
    share: float = Field(0.25, gt=0)


class SmallDCGANConfig(SmallPackedConfig):
    """The unrolled GAN's set-up: one step of each network in turn."""

    generator_steps: int = Field(1, ge=1)


class SmallDCGAN(DCGAN):
    """DCGAN with the networks of Metz et al. 2017, where the discriminator is a quarter or half of the generator.

    Noise is Gaussian; the generator steps once.
    """

    names = {
        "dcgan-quarter": {"share": 0.25},
        "dcgan-half": {"share": 0.5},
        "pacdcgan2-quarter": {"packing": 2, "share": 0.25},
        "pacdcgan2-half": {"packing": 2, "share": 0.5},
        "pacdcgan3-quarter": {"packing": 3, "share": 0.25},
        "pacdcgan3-half": {"packing": 3, "share": 0.5},
        "pacdcgan4-quarter": {"packing": 4, "share": 0.25},
        "pacdcgan4-half": {"packing": 4, "share": 0.5},
    }
    title = "DCGAN"
    titles = {
        f"{name}-{size}": f"{label}, D {ratio} G"
        for name, label in {"dcgan": "DCGAN", **{f"pacdcgan{m}": f"PacDCGAN{m}" for m in (2, 3, 4)}}.items()
        for size, ratio in {"quarter": "1/4", "half": "1/2"}.items()
    }
    paper = "Lin et al. 2018 (PacGAN), table 3: the set-up of Metz et al. 2017 (unrolled GAN)"
    paper_steps = 500_000
    Config = SmallDCGANConfig
    config: SmallDCGANConfig
    form = UNROLLED
    gaussian = True


def pack(images: Tensor) -> Tensor:
    """Images of a pack side by side as channels.

    Args:
        images: Images (R, m, B, c, h, w) of m slots.

    Returns:
        Packs (R, B, m c, h, w); row b holds the b-th image of every slot.
    """
    return images.transpose(1, 2).flatten(2, 3)
