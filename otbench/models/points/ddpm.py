"""Denoising diffusion in the plane."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from otbench.models.diffusion import DiffusionConfig, DiffusionModel
from otbench.models.points.shared.fields import BATCH, RATE, WIDTH, PointModel


class DDPMConfig(DiffusionConfig):
    """Schedule of Ho et al. 2020; network, batch and rate of Tong et al.'s code for the plane."""

    batch: int = BATCH
    rate: float = RATE
    width: int = WIDTH


class DDPM(PointModel, DiffusionModel):
    """DDPM drawn by DDIM; points are scaled to [-1, 1] by the largest coordinate, as images are by their range."""

    names = {"ddpm": {}}
    title = "DDPM (DDIM)"
    paper = (
        "Ho et al. 2020 (NeurIPS), section 3.4; Song et al. 2021 (ICLR), section 4; values of Tong et al. 2024, code"
    )
    Config = DDPMConfig
    config: DDPMConfig

    def build(self) -> None:
        """The network, and the largest coordinate of the training points."""
        super().build()
        self.scale = float(np.abs(self.data.train).max()) or 1.0

    def unit(self, real: Tensor) -> Tensor:
        """Points in units of the largest coordinate."""
        return real / self.scale

    def restored(self, x: Tensor) -> Tensor:
        """Points in their own unit."""
        return x * self.scale
