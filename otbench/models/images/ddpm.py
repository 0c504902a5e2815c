"""Denoising diffusion on images."""

from __future__ import annotations

from otbench.models.diffusion import DiffusionConfig, DiffusionModel
from otbench.models.images.shared.fields import AVERAGE, ImageField


class DDPMConfig(DiffusionConfig):
    """Values of Ho et al. 2020 for CIFAR-10 (appendix B), but for the network."""

    average: float = AVERAGE


class DDPM(ImageField, DiffusionModel):
    """DDPM with a smaller network than the paper's, drawn by DDIM; predictions of the image are not cut off."""

    names = {"ddpm": {}}
    title = "DDPM (DDIM)"
    paper = "Ho et al. 2020 (NeurIPS), section 3.4 and appendix B; Song et al. 2021 (ICLR), section 4"
    cifar_steps = 800_000
    Config = DDPMConfig
    config: DDPMConfig
