"""Unrolled GAN of images (Metz et al. 2017), in the two set-ups of PacGAN's stacked tables."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.dcgan import DCGAN, PackedConfig, SmallDCGAN, SmallPackedConfig, pack
from otbench.models.points.unrolled_gan import ahead


class Unrolling(DCGAN):
    """The generator descends its loss at the discriminator that K further steps would give, through those steps.

    As in the plane: the unrolled steps are Adam's, on the batch at hand, from the discriminator's own moments, the
    second of which is a constant in the derivative; then both networks step at once, each with its own gradient.
    """

    names = {}
    config: UnrolledConfig | SmallUnrolledConfig

    def stages(self) -> list[Stage]:
        """One stage, whose unrolled steps count as discriminator updates too."""
        (stage,) = super().stages()
        return [Stage(stage.name, self.step, stage.inputs, cost=1 + self.config.unrolled)]

    def unroll(self, real: Tensor, generated: Tensor) -> list[Tensor]:
        """The discriminator's parameters after K differentiable steps.

        Args:
            real: Real packs (R, B, m c, h, w).
            generated: Generated packs (R, B, m c, h, w).

        Returns:
            Parameters in the order of `Replicas.parameters`.
        """

        def loss(parameters: list[Tensor]) -> Tensor:
            a, b = (self.discriminator.call_with(parameters, x) for x in (real, generated))
            return F.softplus(-a).mean(1) + F.softplus(b).mean(1)

        return ahead(self.discriminator.parameters(), self.optimisers["discriminator"], loss, self.config.unrolled)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of each network, the generator's through the unrolled discriminator."""
        real, generated = pack(batch["real"]), self.generated(batch["z"])
        a, b = self.discriminator(real), self.discriminator(generated.detach())
        d = F.softplus(-a).mean(1) + F.softplus(b).mean(1)
        fake = self.discriminator.call_with(self.unroll(real, generated), generated)
        g = F.softplus(-fake).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}


class UnrolledConfig(PackedConfig):
    """VEEGAN's set-up, with the five unrolled steps of VEEGAN's experiments."""

    unrolled: int = Field(5, ge=0)


class UnrolledGAN(Unrolling):
    """Unrolled GAN with DCGAN's networks in VEEGAN's set-up; the networks of the published row are not known."""

    names = {"unrolled-gan": {}}
    title = "Unrolled GAN"
    titles = {}
    paper = "Metz et al. 2017; row of VEEGAN quoted in Lin et al. 2018 (PacGAN), table 2"
    paper_steps = 6 * 100_000
    Config = UnrolledConfig
    config: UnrolledConfig


class SmallUnrolledConfig(SmallPackedConfig):
    """The unrolled GAN's own set-up, as PacGAN's code has it."""

    unrolled: int = Field(1, ge=0)


class Unrolled1(Unrolling, SmallDCGAN):
    """One unrolled step, with the networks of Metz et al. 2017."""

    names = {"unrolled-gan-1-quarter": {"share": 0.25}, "unrolled-gan-1-half": {"share": 0.5}}
    titles = {
        "unrolled-gan-1-quarter": "Unrolled GAN, 1 step, D 1/4 G",
        "unrolled-gan-1-half": "Unrolled GAN, 1 step, D 1/2 G",
    }
    paper = "Metz et al. 2017; rows quoted in Lin et al. 2018 (PacGAN), table 3"
    paper_steps = 2 * 500_000
    Config = SmallUnrolledConfig
    config: SmallUnrolledConfig


class Unrolled5(Unrolled1):
    """Five unrolled steps."""

    names = {
        "unrolled-gan-5-quarter": {"unrolled": 5, "share": 0.25},
        "unrolled-gan-5-half": {"unrolled": 5, "share": 0.5},
    }
    titles = {
        "unrolled-gan-5-quarter": "Unrolled GAN, 5 steps, D 1/4 G",
        "unrolled-gan-5-half": "Unrolled GAN, 5 steps, D 1/2 G",
    }
    paper_steps = 6 * 500_000


class Unrolled10(Unrolled1):
    """Ten unrolled steps."""

    names = {
        "unrolled-gan-10-quarter": {"unrolled": 10, "share": 0.25},
        "unrolled-gan-10-half": {"unrolled": 10, "share": 0.5},
    }
    titles = {
        "unrolled-gan-10-quarter": "Unrolled GAN, 10 steps, D 1/4 G",
        "unrolled-gan-10-half": "Unrolled GAN, 10 steps, D 1/2 G",
    }
    paper_steps = 11 * 500_000
