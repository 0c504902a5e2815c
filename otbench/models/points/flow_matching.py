"""Flow matching in the plane: with independent pairs, with optimal transport within a batch, and rectified."""

from __future__ import annotations

from pydantic import Field

from otbench.models.flows import FlowConfig, FlowModel, ReflowModel
from otbench.models.points.shared.fields import BATCH, RATE, WIDTH, PointModel


class FMConfig(FlowConfig):
    """Values of Tong et al.'s code for the plane; Lipman et al. say of sigma_min only that it is small."""

    batch: int = BATCH
    rate: float = RATE
    width: int = WIDTH
    sigma_min: float = Field(1e-5, ge=0, lt=1)


class FM(PointModel, FlowModel):
    """Flow matching with the optimal transport path (equations 20 to 23) and independent pairs of noise and data."""

    names = {"fm": {}}
    title = "FM"
    paper = "Lipman et al. 2023 (ICLR), section 4; network and values of Tong et al. 2024, code"
    Config = FMConfig
    config: FMConfig


class OTCFMConfig(FMConfig):
    """Values of Tong et al.'s code, but sigma: 0, as in its code for images.

    In the plane that code has sigma 0.1, a third of its modes' standard deviation; here modes have 0.01 and 0.05, which
    it would blur.
    """

    sigma_min: float = Field(0.0, ge=0, lt=1)


class OTCFM(PointModel, FlowModel):
    """Flow matching with each batch's noise and data matched by exact optimal transport.

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
    """Values of Tong et al.'s code for the plane; Liu et al. print none for theirs."""

    #: pairs of the first flow that the second is trained on
    pairs: int = Field(10_000, ge=1)
    #: share of the budget that the second flow gets
    reflow: float = Field(0.5, gt=0, lt=1)


class RectifiedFlow(PointModel, ReflowModel):
    """A flow with independent pairs, then one reflow on its own pairs."""

    names = {"rectified-flow": {}}
    title = "Rectified flow"
    paper = "Liu et al. 2023 (ICLR), algorithm 1; network and values of Tong et al. 2024, code"
    paper_steps = 40_000
    Config = RectifiedFlowConfig
    config: RectifiedFlowConfig
