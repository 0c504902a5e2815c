"""Options of the study of what a critic estimates."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """What is estimated, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    dimensions: list[int] = Field([2, 8, 32], min_length=1, description="dimensions of the shifted law N(0, I)")
    shift: float = Field(1.0, gt=0, description="the shift, which is W1")
    batches: list[int] = Field([16, 64, 256], min_length=2, description="points in each of two batches")
    repeats: int = Field(8, ge=2, description="pairs of batches of each size")
    critic_updates: int = Field(300, ge=1, description="updates of every critic of the shifted law")
    penalty: float = Field(10.0, ge=0, description="weight of the critics' penalty")
    width: int = Field(64, ge=2, description="units of the two hidden layers of every network")
    rate: float = Field(3e-3, gt=0, description="Adam's learning rate of the critics (betas 0.5 and 0.9)")
    generator_rate: float = Field(3e-3, gt=0, description="the same of the generators")
    batch: int = Field(64, ge=4, description="points in a batch that trains")
    spaces: list[int] = Field([2, 16], min_length=1, description="dimensions in which generators are trained")
    steps: int = Field(300, ge=1, description="updates of every generator")
    updates: int = Field(5, ge=1, description="updates of the critic before each of its generator")
    seeds: int = Field(2, ge=1, description="networks of each kind")
    judged: int = Field(800, ge=20, description="fresh points that judge a generator")
