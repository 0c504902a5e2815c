"""Denoising diffusion (Ho et al. 2020) and its deterministic sampler DDIM (Song et al. 2021), for any data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.flows import ContinuousConfig, ContinuousModel, along
from otbench.nets.replicas import Replicas

#: points (R, n, ...) and steps, from 1 on, -> the noise in them (R, n, ...)
Predictor = Callable[[Tensor, int], Tensor]


def kept(steps: int, start: float, end: float) -> Tensor:
    """Share of the data's variance that is left after each step: products of 1 - beta, beta linear in the step.

    Args:
        steps: Number of steps T.
        start: beta of the first step.
        end: beta of the last step.

    Returns:
        Shares (T + 1,) float64, from 1 for the data itself.

    Source: Ho et al. 2020, section 2 (alpha-bar) and section 4.
    """
    betas = torch.linspace(start, end, steps, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])


def visited(steps: int, evaluations: int) -> list[int]:
    """The steps at which the sampler evaluates the network, evenly spread; the last step is always among them.

    Args:
        steps: Number of steps T.
        evaluations: Number of evaluations, at most T.

    Returns:
        Steps from T down, each at least 1.

    Source: Song et al. 2021, section 4.2 (the sub-sequence tau), appendix D.2.
    """
    return [-(-k * steps // evaluations) for k in range(evaluations, 0, -1)]


def ddim(
    predict: Predictor,
    x: Tensor,
    shares: Tensor,
    evaluations: int,
    eta: float = 0.0,
    streams: list[torch.Generator] | None = None,
) -> Tensor:
    """Noise moved back to data.

    Args:
        predict: Gives the noise in points at a step.
        x: Noise (R, n, ...).
        shares: What `kept` gives.
        evaluations: How often `predict` is called.
        eta: Share of fresh noise: 0 is DDIM, without any; 1 with as many evaluations as steps is DDPM.
        streams: Generators of that noise, one a replica; not needed for eta = 0.

    Returns:
        Data (R, n, ...).

    Source: Song et al. 2021, equations 12 and 16.
    """
    places = [*visited(len(shares) - 1, evaluations), 0]
    for now, then in zip(places, places[1:], strict=False):
        a, b = float(shares[now]), float(shares[then])
        e = predict(x, now)
        fresh = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
        clean = (x - (1 - a) ** 0.5 * e) / a**0.5
        x = b**0.5 * clean + max(0.0, 1 - b - fresh**2) ** 0.5 * e
        if fresh:
            assert streams is not None
            x = x + fresh * noise(tuple(x.shape[1:]), streams, x.device)
    return x


class DiffusionConfig(ContinuousConfig):
    """Ho et al. 2020, section 4: 1,000 steps, beta from 1e-4 to 0.02; drawn by DDIM."""

    steps: int = Field(1000, ge=1)
    beta_start: float = Field(1e-4, gt=0, lt=1)
    beta_end: float = Field(0.02, gt=0, lt=1)
    #: share of fresh noise in sampling: 0 is DDIM, 1 DDPM's own
    eta: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _no_more_evaluations_than_steps(self) -> DiffusionConfig:
        if self.evaluations > self.steps:
            raise ValueError(f"expected at most {self.steps} evaluations, one a step, got {self.evaluations}")
        return self


class DiffusionModel(ContinuousModel):
    """The network predicts the noise e in x_t = sqrt(a_t) x + sqrt(1 - a_t) e, with the unweighted loss (equation 14).

    Samples come from DDIM with `evaluations` of the steps, which is deterministic given the noise it starts from.
    """

    config: Any

    def build(self) -> None:
        """The network, with Adam, and the schedule."""
        super().build()
        c = self.config
        self.shares = kept(c.steps, c.beta_start, c.beta_end).to(self.device)

    def stages(self) -> list[Stage]:
        """One stage."""
        return [Stage("denoising", self.step, self.inputs())]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the network.

        Args:
            batch: Data `real` (R, B, ...), noise `z` (R, B, ...) and times `time` (R, B) in [0, 1).

        Returns:
            Loss `l2` (R,), detached.
        """
        steps, e = self.config.steps, batch["z"]
        k = (batch["time"] * steps).long().clamp(max=steps - 1) + 1
        a = along(self.shares.to(e.dtype)[k], e)
        x = a.sqrt() * self.unit(batch["real"]) + (1 - a).sqrt() * e
        return self.regress(x, k.to(e.dtype) / steps, e)

    def moved(self, network: Replicas, x: Tensor, streams: list[torch.Generator]) -> Tensor:
        """DDIM."""
        c = self.config

        def predict(y: Tensor, k: int) -> Tensor:
            return network(y, torch.full(y.shape[:2], k / c.steps, dtype=y.dtype, device=y.device))

        return ddim(predict, x, self.shares, c.evaluations, c.eta, streams)
