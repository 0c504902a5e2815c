"""Generative latent nearest neighbours: GLO, and a map from noise to its codes, learnt as IMLE learns."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.glo import BETA1, BETA2, GLO, GLOConfig
from otbench.models.images.shared.matching import candidates, matched
from otbench.models.inputs import Rows
from otbench.nets.glo import Mapping, Matches, unit
from otbench.utils.rng import generator

#: epochs of the map, after those of GLO
EPOCHS = 50
#: batches of candidates that are compared with all codes at once
BATCHES = 32


class GLANNConfig(GLOConfig):
    """Values of the authors' code, as GLO's."""

    #: dimension of the noise
    noise: int = Field(32, ge=1)
    #: learning rate of the map
    map_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    #: points that are drawn for every code, of which the nearest is taken
    candidates: int = Field(2, ge=1)
    #: share of the budget that the map gets; None: 50 epochs after GLO's 200, or 500 on CIFAR-10
    mapping: float | None = Field(None, gt=0, lt=1)


class GLANN(GLO):
    """GLO, then a map T: min over T of sum_i min_j |T(e_j) - z_i|^2, e_j ~ N(0, I); a new image is G(T(e)).

    In every epoch of the second stage, noise is drawn twice as often as there are codes, and every code is matched with
    the noise whose point T(e) is nearest to it, exactly; for the rest of the epoch T descends the mean squared error
    between the codes and the points of their noise (Hoshen and Malik 2018, and code). To match, T is in training mode,
    as in the code and as in the step that follows. The generator and the codes rest.

    A snapshot from before the second stage draws codes as GLO does.
    """

    names = {"glann": {}}
    title = "GLANN"
    paper = "Hoshen and Malik 2018 and code; Lei et al. 2020 (Engineering), table 4"
    paper_steps = 117_000
    sampler = ("generator", "mapping")
    Config = GLANNConfig
    config: GLANNConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """50 epochs more than GLO's."""
        return (cls.epochs(dataset) + EPOCHS) * cls.batches_of(dataset, 128)

    def build(self) -> None:
        """GLO's networks, the map with its Adam, and the matches."""
        super().build()
        c, n = self.config, len(self.data.train)
        self.mapping = self.network("mapping", lambda: Mapping(c.noise, c.latent, c.width))
        self.matches = self.network("matches", lambda: Matches(n, c.noise))
        self.adam("mapping", ["mapping"], c.map_rate, BETA1, BETA2, weight_decay=c.weight_decay)
        #: whether the second stage has begun, so that codes are drawn by the map
        self.mapped = False

    def stages(self) -> list[Stage]:
        """GLO's stages, then the map."""
        share = self.config.mapping or EPOCHS / (self.epochs(self.data.name) + EPOCHS)
        fitting, error = self.fitting(1 - share), Stage("error", solve=self.errors)
        rows = {"rows": Rows((self.config.batch,))}
        return [fitting, error, Stage("mapping", self.map_step, rows, share=share, schedule=self.refresh)]

    def refresh(self, fraction: float) -> None:
        """Match anew where an epoch begins; called before every step of the second stage.

        Args:
            fraction: Share of the stage's steps already taken, in [0, 1).
        """
        self.mapped = True
        number, since = divmod(self.count(fraction), self.epoch)
        if since:
            return
        if self.config.restarts and number:
            self.forget("mapping")
        self.matches.tensor("noise").copy_(matched(self.targets(), self.offers(number)))

    def targets(self) -> Tensor:
        """The training images' codes on the sphere.

        Returns:
            Codes (R, n, latent) of length 1.
        """
        return unit(self.codes.tensor("weight").detach())

    def offers(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The candidates of a matching in parts.

        Args:
            number: Number of the matching, which names its streams.

        Yields:
            Points (R, m, latent) and their noise (R, m, noise).
        """
        c = self.config
        streams = [generator(seed, f"mapping/{number}", self.device) for seed in self.seeds]
        sizes = c.candidates * self.epoch, BATCHES, (c.batch, c.noise)
        return candidates(self.mapping, streams, *sizes)

    def map_step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the map.

        Args:
            batch: Row numbers `rows` (R, B) of training images.

        Returns:
            Loss `l2` (R,), mean squared error per coordinate of the codes, detached.
        """
        rows = batch["rows"]
        codes = unit(self.codes(rows).detach())
        loss = (self.mapping(self.matches(rows)) - codes).square().mean((1, 2))
        self.descend(mapping=loss)
        return {"l2": loss.detach()}

    def draw_codes(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Codes (R, n, latent) of fresh noise, or from GLO's Gaussian where there is no map yet."""
        if not self.mapped:
            return super().draw_codes(n, streams)
        return self.shown(self.mapping, noise((n, self.config.noise), streams, self.device))

    def state(self) -> dict[str, Tensor]:
        """Generator, map, law of the codes, and whether the map counts."""
        return super().state() | {"mapped": torch.full((len(self.seeds),), float(self.mapped))}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        super().load(state)
        self.mapped = bool(state["mapped"].all())
