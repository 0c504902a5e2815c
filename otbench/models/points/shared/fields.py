"""What continuous-time models in the plane share: the network and values of Tong et al.'s experiments in the plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field
from torch import nn

from otbench.models.flows import ContinuousModel
from otbench.nets.flows import PointField

#: defaults of Tong et al.'s code in the plane: points in a batch, Adam's rate (PyTorch's), units of a hidden layer
BATCH: Any = Field(256, ge=2)
RATE: Any = Field(1e-3, gt=0)
WIDTH: Any = Field(64, ge=1)


class PointModel(ContinuousModel):
    """A continuous-time model of points, trained for 20,000 steps as in Tong et al.'s code."""

    paper_steps = 20_000
    sampler = ("velocity",)

    def architecture(self) -> Callable[[], nn.Module]:
        """Three layers with SELU, the time beside the coordinates."""
        return lambda: PointField(self.data.shape[0], self.config.width)
