"""Flow matching on images: with independent pairs, with optimal transport within a batch, and rectified."""

from __future__ import annotations

from pydantic import Field

from otbench.models.flows import FlowConfig, FlowModel, ReflowModel
from otbench.models.images.shared.fields import AVERAGE, ImageField


class FMConfig(FlowConfig):
    """Values of Tong et al.'s code for CIFAR-10, but for the network; sigma_min is small in Lipman et al."""

    average: float = AVERAGE
    sigma_min: float = Field(1e-5, ge=0, lt=1)


class FM(ImageField, FlowModel):
    """Flow matching with the optimal transport path (equations 20 to 23) and independent pairs of noise and data."""

    names = {"fm": {}}
    title = "FM"
    paper = "Lipman et al. 2023 (ICLR), section 4; values of Tong et al. 2024, code"
    Config = FMConfig
    config: FMConfig


class OTCFMConfig(FMConfig):
    """Values of Tong et al.'s code for CIFAR-10, but for the network."""

    sigma_min: float = Field(0.0, ge=0, lt=1)


class OTCFM(ImageField, FlowModel):
    """Flow matching with each batch's noise and images matched by exact optimal transport of pixels.

    Tong et al.'s code draws pairs from the plan with replacement; here every pair of the matching is used once.
    """

    names = {"ot-cfm": {}}
    title = "OT-CFM"
    paper = "Tong et al. 2024 (TMLR), algorithm 3 and code"
    coupled = True
    #: the matching is made on the CPU
    capturable = False
    Config = OTCFMConfig
    config: OTCFMConfig


class RectifiedFlowConfig(OTCFMConfig):
    """Rate, batch and average as for the other flows."""

    #: pairs of the first flow that the second is trained on; the paper makes at least a million
    pairs: int = Field(10_000, ge=1)
    #: share of the budget that the second flow gets
    reflow: float = Field(0.5, gt=0, lt=1)


class RectifiedFlow(ImageField, ReflowModel):
    """A flow with independent pairs, then one reflow on its own pairs; on CIFAR-10 each as long as the other flows."""

    names = {"rectified-flow": {}}
    title = "Rectified flow"
    paper = "Liu et al. 2023 (ICLR), algorithm 1; values of Tong et al. 2024, code"
    cifar_steps = 800_000
    probes = 100
    Config = RectifiedFlowConfig
    config: RectifiedFlowConfig
