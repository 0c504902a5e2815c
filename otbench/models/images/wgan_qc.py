"""WGAN-QC (Liu, Gu and Samaras 2019): the critic is regressed onto exact potentials of the quadratic transport cost."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.average import Averaged, follow
from otbench.models.images.shared.base import ImageConfig, mapped
from otbench.models.images.shared.penalty import slopes
from otbench.models.inputs import Normal, Real
from otbench.nets.wgan_qc import Critic, Generator


class WGANQCConfig(ImageConfig):
    """The authors' values for CelebA (code; README)."""

    latent: int = Field(128, ge=1)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    #: K in the cost K / 2 |x - y|^2 of images in [-1, 1]; None: one over the number of their values
    scale: float | None = Field(None, gt=0)
    #: weight of the regularisation of the critic's gradient
    gamma: float = Field(0.1, ge=0)
    #: residual blocks at every size but the full one; 1 in the code's networks for LSUN and CelebA-HQ
    repeat: int = Field(2, ge=1)
    #: factor of what a residual block adds
    residual: float = Field(0.1, gt=0)
    #: which of the optimal potentials: the centre of all, or the corner that a simplex solver ends in
    potentials: Literal["central", "simplex"] = "central"
    #: decay of the generator's average, from which samples are drawn
    decay: float = Field(0.999, ge=0, lt=1)
    #: share of the budget after which averaging begins: 55,000 of 60,000 steps
    late: float = Field(55 / 60, ge=0, le=1)


class WGANQC(Averaged):
    """A Wasserstein GAN for the cost c(x, y) = K / 2 |x - y|^2, its critic supervised by exact transport of the batch.

    In every step the linear programme between the real images x_i and the generated ones y_j is solved: potentials
    with u_i - v_j <= c(x_i, y_j) of largest mean(u) - mean(v), shifted to mean(u) + mean(v) = 0, and the real image
    matched to each y_j. The critic f descends

        (mean f(x) - mean u)^2 / 2 + mean (f(y) - v)^2 / 2
        + 4 sqrt(K) gamma / 2 mean (|grad f(y_j)| / (2 sqrt(K)) - sqrt(K) / 2 |x_match(j) - y_j|)^2

    where the last term asks for the slope K |x - y| that an optimal potential has (the authors' code); then the
    generator ascends mean f(G(z)) on the same noise. Samples come from the generator's average over the end of its
    training; its running statistics are averaged with it, where the authors' code goes on with old ones.

    A batch has many optimal potentials. A simplex solver gives a corner of their polytope, which the rounding of the
    cost decides; the default is the mean of its extremes, which moves continuously with the images, so that a seed
    means the same alone and in a group. Both are exact.
    """

    names = {"wgan-qc": {}}
    title = "WGAN-QC"
    paper = "Liu, Gu and Samaras 2019 (ICCV), with the authors' code; An et al. 2020 (AE-OT-GAN), table of CelebA"
    family = "adversarial"
    paper_steps = 60_000
    #: every step solves a linear programme on the CPU
    capturable = False
    Config = WGANQCConfig
    config: WGANQCConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """60,000 steps on CelebA; other data sets here are not in the paper."""
        return cls.paper_steps

    def build(self) -> None:
        """Generator, its average and critic, Adam over generator and critic."""
        c, shape = self.config, self.data.shape
        self.generator = self.network("generator", lambda: Generator(shape, c.latent, c.width, c.repeat, c.residual))
        self.average = self.network("average", lambda: Generator(shape, c.latent, c.width, c.repeat, c.residual))
        self.discriminator = self.network("discriminator", lambda: Critic(shape, c.width, c.repeat, c.residual))
        follow(self.average, self.generator)
        for name in ("generator", "discriminator"):
            self.adam(name, [name], c.rate, c.beta1, c.beta2)
        #: how far the average moves towards the generator in a step
        self.share = torch.ones((), device=self.device)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        inputs = {"real": Real((c.batch,)), "z": Normal((c.batch, c.latent))}
        return [Stage("adversarial", self.step, inputs, schedule=self.schedule)]

    def schedule(self, fraction: float) -> None:
        """Set the share of the average, which is a copy until `late`.

        Args:
            fraction: Share of the steps already taken, in [0, 1).
        """
        self.share.fill_(1 - self.config.decay if fraction >= self.config.late else 1.0)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the critic, one of the generator, one of its average.

        Args:
            batch: Images `real` (R, B, c, h, w) and noise `z` (R, B, latent).

        Returns:
            Losses (R,), detached: `distance`, `regression`, `regularisation` and `generator`.
        """
        real, generated = batch["real"], self.generator(batch["z"])
        k = self.config.scale or 1 / real[0, 0].numel()
        u, v, matched = self.solve(k, real, generated.detach())
        errors = self.errors(k, real, generated.detach(), u, v, matched)
        self.descend(discriminator=errors["regression"] + 4 * k**0.5 * self.config.gamma * errors["regularisation"])
        g = -self.discriminator(generated).mean(1)
        self.descend(generator=g)
        follow(self.average, self.generator, self.share)
        parts = {name: value.detach() for name, value in errors.items()}
        return {"distance": u.mean(1) - v.mean(1), **parts, "generator": g.detach()}

    def errors(self, k: float, real: Tensor, fake: Tensor, u: Tensor, v: Tensor, matched: Tensor) -> dict[str, Tensor]:
        """The parts of the critic's loss.

        Args:
            k: Factor K of the cost.
            real: Real images (R, B, c, h, w) in [0, 1].
            fake: Generated images (R, B, c, h, w), detached.
            u: Potentials (R, B) of the real images.
            v: Potentials (R, B) of the generated images.
            matched: Real image matched to each generated one, (R, B, c, h, w).

        Returns:
            Losses (R,): `regression` onto the potentials, `regularisation` of the critic's slope.
        """
        first = self.discriminator(real).mean(1) - u.mean(1)
        scores: list[Tensor] = []

        def scored(x: Tensor) -> Tensor:
            scores.append(self.discriminator(x))
            return scores[0]

        # images here are half as long as in [-1, 1]: slopes twice as steep, distances half as far
        slope = slopes(scored, fake) / 2
        # the pass that the slope was taken on gives the scores too
        second = scores[0] - v
        target = 2 * (matched - fake).flatten(2).norm(dim=-1)
        third = slope / (2 * k**0.5) - k**0.5 / 2 * target
        return {
            "regression": (first.square() + second.square().mean(1)) / 2,
            "regularisation": third.square().mean(1) / 2,
        }

    def solve(self, k: float, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The potentials of a batch and its matching, on the CPU in float64, one replica after another.

        Args:
            k: Factor K of the cost.
            real: Real images (R, B, c, h, w) in [0, 1].
            fake: Generated images (R, B, c, h, w) in [0, 1].

        Returns:
            Potentials u of real and v of generated images, (R, B), and the real image matched to each generated one,
            (R, B, c, h, w).
        """
        triples = [potentials(costs(2 * x, 2 * y, k), self.config.potentials) for x, y in zip(real, fake, strict=True)]
        u, v, match = (np.stack(part) for part in zip(*triples, strict=True))
        rows = torch.from_numpy(match).to(real.device)
        matched = torch.stack([x[index] for x, index in zip(real, rows, strict=True)])
        return torch.from_numpy(u).to(real), torch.from_numpy(v).to(real), matched

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The averaged generator in inference mode on Gaussian noise."""
        return mapped(self.average, noise((n, self.config.latent), streams, self.device))


def costs(x: Tensor, y: Tensor, k: float) -> np.ndarray:
    """The quadratic costs k / 2 |x_i - y_j|^2.

    Args:
        x: Points or images (n, ...).
        y: Points or images (m, ...).
        k: Factor K of the cost.

    Returns:
        Costs (n, m) float64.
    """
    x, y = (t.detach().flatten(1).double() for t in (x, y))
    return (0.5 * k * torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()).cpu().numpy()


def potentials(cost: np.ndarray, which: str = "central") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Optimal potentials of a cost between equal weights, and the matching.

    They solve max mean(u) - mean(v) with u_i - v_j <= cost_ij, and are shifted to mean(u) + mean(v) = 0. Given the
    matching t, v is optimal where v_j - v_k <= w_kj = cost_t(j)k - cost_t(j)j, so that the lengths d of the shortest
    paths in w give the extremes: v = d_k. is the largest with v_k = 0, v = -d_.k the smallest.

    Args:
        cost: Costs (n, n).
        which: `simplex`, as POT's network simplex ends; `central`, the mean of the extreme solutions.

    Returns:
        Potentials u (n,) and v (n,), NaN where the cost is not finite, and the row (n,) matched to each column.
    """
    if not np.isfinite(cost).all():
        # the losses then tell the trainer that this replica has diverged
        nothing = np.full(len(cost), np.nan)
        return nothing, nothing, np.arange(len(cost))
    rows, columns = linear_sum_assignment(cost)
    match = rows[np.argsort(columns)]
    if which == "simplex":
        import ot  # takes a second

        _, log = ot.emd([], [], cost, log=True)
        u, v = log["u"], -log["v"]
    else:
        matched = cost[match]
        lengths = (matched - np.diagonal(matched)[:, None]).T
        for k in range(len(cost)):
            np.minimum(lengths, lengths[:, k, None] + lengths[k], out=lengths)
        v = (lengths.mean(0) - lengths.mean(1)) / 2
        u = np.empty_like(v)
        u[match] = v + np.diagonal(matched)
    shift = (u.mean() + v.mean()) / 2
    return u - shift, v - shift, match
