"""GAN and PacGAN in the plane (Goodfellow et al. 2014; Lin et al. 2018)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.inputs import Normal, Real, Rows
from otbench.models.points.shared.plane import PlaneConfig, PlaneModel
from otbench.utils.rng import generator


class GANConfig(PlaneConfig):
    """PacGAN's values; `packing` is the number m of points in a pack.

    packs: `fresh` packs are drawn anew from the training points for every batch. `fixed` ones are put together once, as
    many as there are training points, each of m points drawn with replacement, and batches draw from those: PacGAN's
    code (datasets.py) packs its 100,000 rows once and goes through them in 400 epochs, also for m = 1, where this is a
    bootstrap of the data. In both cases batches are drawn with replacement, not by epochs.
    """

    packing: int = Field(1, ge=1, le=8)
    packs: Literal["fresh", "fixed"] = "fresh"


class GAN(PlaneModel):
    """The discriminator sees packs of m points that are all real or all generated; m = 1 is the GAN itself.

    Both networks step at once, with the gradients of one forward pass (the reference code's rule):
    L_D = E[sp(-a)] + E[sp(b)], L_G = E[sp(-b)] with a, b the logits of real and generated packs and sp softplus.
    """

    names = {"gan": {}, "pacgan2": {"packing": 2}, "pacgan3": {"packing": 3}, "pacgan4": {"packing": 4}}
    title = "GAN"
    titles = {f"pacgan{m}": f"PacGAN{m}" for m in (2, 3, 4)}
    paper = "Goodfellow et al. 2014; Lin et al. 2018 (PacGAN), section 4.1"
    Config = GANConfig
    config: GANConfig

    def build(self) -> None:
        """Generator and discriminator of PacGAN, Adam on both."""
        self.pacgan_generator()
        self.optimise("generator")
        self.pacgan_discriminator(self.config.packing * self.data.shape[0])
        #: numbers of the points of every fixed pack, (R, N, m); made when first needed
        self.table: Tensor | None = None

    def noise_shape(self) -> tuple[int, ...]:
        """(m, B, noise)."""
        return self.config.packing, self.config.batch, self.config.noise

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        real = {"real": Real((c.packing, c.batch))} if c.packs == "fresh" else {"rows": Rows((c.batch,))}
        return [Stage("adversarial", self.step, {**real, "z": Normal(self.noise_shape())})]

    def real(self, batch: dict[str, Tensor]) -> Tensor:
        """A batch of real packs, slot by slot.

        Args:
            batch: Points `real` (R, m, B, d), or numbers `rows` (R, B) of fixed packs.

        Returns:
            Points (R, m, B, d).
        """
        if "real" in batch:
            return batch["real"]
        if self.table is None or len(self.table) != len(self.seeds):  # at first, and when a replica has diverged
            shape = (len(self.data.train), self.config.packing)
            drawn = [torch.randint(shape[0], shape, generator=generator(seed, "packs")) for seed in self.seeds]
            self.table = torch.stack(drawn).to(self.device)
            self.points = torch.from_numpy(self.data.train).to(self.device)
        packs = torch.stack([table[rows] for table, rows in zip(self.table, batch["rows"], strict=True)])
        return self.points[packs].transpose(1, 2)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One simultaneous update of both networks.

        Args:
            batch: Noise `z` (R, m, B, noise), and what `real` takes.

        Returns:
            Losses (R,), detached: `discriminator` and `generator`.
        """
        generated = self.generator(batch["z"])
        # two passes rather than one over both halves: the generator's gradient then skips the real half
        real, fake = self.discriminator(pack(self.real(batch))), self.discriminator(pack(generated))
        d = F.softplus(-real).mean(1) + F.softplus(fake).mean(1)
        g = F.softplus(-fake).mean(1)
        self.descend(discriminator=d, generator=g)
        return {"discriminator": d.detach(), "generator": g.detach()}


def pack(points: Tensor) -> Tensor:
    """Points of a pack side by side.

    Args:
        points: Points (R, m, B, d) of m slots.

    Returns:
        Packs (R, B, m d); row b holds the b-th point of every slot.
    """
    return points.transpose(1, 2).flatten(2)
