"""The parts of a config: options in place of the papers', a search, repeated measurement, ratings, the theory."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from otbench.config.fields import (
    STRICT,
    Count,
    Count0,
    Name,
    Options,
    Repeats,
    Rows,
    Seed,
    Snapshots,
    Steps,
    distinct,
    none,
)
from otbench.config.search_spaces import AGAIN, SEARCHED
from otbench.utils.paths import expanded


class Override(BaseModel):
    """Options of some models in place of the papers' values."""

    model_config = STRICT
    models: list[Name] = Field(min_length=1, description="models that the options are for")
    datasets: list[Name] = Field([], description="data sets that the options are for; none given: all of the study")
    set: Options = Field(description="options of those models, by name")


class LeaveOut(BaseModel):
    """Models that are not trained on some data sets of a study, be it that the budget is too small for them there."""

    model_config = STRICT
    models: list[Name] = Field(min_length=1, description="models that are left out")
    datasets: list[Name] = Field(min_length=1, description="data sets on which they are")


class Search(BaseModel):
    """A search over options (Lucic et al. 2018): how many draws each model gets, and what each draw is trained for."""

    model_config = STRICT
    models: list[Name] = Field(list(SEARCHED), min_length=1, description="models to search")
    datasets: list[Name] = Field(min_length=1, description="data sets of the study to search on")
    trials: dict[Literal["wide", "narrow"], Count] = Field(
        min_length=1, description="draws of every model from each space of options: the budget"
    )
    steps: Steps = Field(description="budget of every trial, as in the study")
    snapshots: Snapshots = Field([1.0], description="fractions of the budget at which trials are measured")
    samples: Rows = Field(10_000, description="samples that are measured")
    set: Annotated[Options | None, BeforeValidator(none)] = Field(
        {}, description="options of every trial, below those drawn; null: none, not the default config's either"
    )
    seed: Seed = Field(0, description="of the options drawn and of the weights")
    at_once: Count = Field(10, description="trials of one job")
    again: Count0 = Field(
        0, description="seeds with which the best wide configuration of each model is trained again; 50 in Lucic et al."
    )

    @field_validator("models", "datasets")
    @classmethod
    def _names_once(cls, value: list[str]) -> list[str]:
        return distinct(value, "a name")

    @field_validator("set")
    @classmethod
    def _none_is_empty(cls, value: dict[str, Any] | None) -> dict[str, Any]:
        return value or {}

    @field_validator("models")
    @classmethod
    def _searchable(cls, value: list[str]) -> list[str]:
        check_names(value, SEARCHED, "no ranges to search are known of model")
        return value

    @model_validator(mode="after")
    def _again_of_wide(self) -> Search:
        if self.again and "wide" not in self.trials:
            raise ValueError("again takes the best wide configuration, so trials must have wide")
        return self

    def found(self, dataset: str, model: str) -> list[tuple[str, str, str, str]]:
        """The jobs whose best trial is trained again.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Those of `jobs` that draw from the wide ranges.
        """
        return [job for job in self.jobs if job[:3] == (dataset, model, "wide")]

    @property
    def jobs(self) -> list[tuple[str, str, str, str]]:
        """(data set, model, space, trials FIRST-END) of every job."""
        parts = [
            (space, f"{first}-{min(first + self.at_once, trials)}")
            for space, trials in [*self.trials.items(), (AGAIN, self.again)]
            for first in range(0, trials, self.at_once)
        ]
        return [(dataset, model, *part) for dataset in self.datasets for model in self.models for part in parts]


class Spread(BaseModel):
    """Drawing and measuring again: what of a figure's variance is the training seed's, the sample's, the metric's."""

    model_config = STRICT
    models: list[Name] = Field(
        min_length=1, description="models to draw and measure again, of those that the study has"
    )
    datasets: list[Name] = Field(min_length=1, description="data sets to do so on, of those that the study has")
    draws: Repeats = Field(3, description="independent draws of every seed")
    subsets: Repeats = Field(3, description="measurements of every draw")
    metrics: list[str] | None = Field(None, min_length=1, description="metrics to measure; default: all")

    @field_validator("models", "datasets", "metrics")
    @classmethod
    def _names_once(cls, value: list[str] | None) -> list[str] | None:
        return value and distinct(value, "a name")


class Rating(BaseModel):
    """A blind session in which people say of images whether they are real."""

    model_config = STRICT
    models: list[Name] = Field(min_length=1, description="models whose samples are rated, of those that the study has")
    datasets: list[Name] = Field(
        min_length=1, description="data sets to make a session of, of those that the study has"
    )
    along: list[Name] = Field([], description="those of the models that are rated at every snapshot")
    per_cell: Count = Field(4, description="images of every seed and snapshot")
    real: Count = Field(40, description="held-out real images: the ceiling")
    checks: Count0 = Field(10, description="real images that test attention")
    repeats: Count0 = Field(20, description="images that are shown a second time")
    seed: Seed = Field(0, description="of the choice and the order")

    @field_validator("models", "datasets", "along")
    @classmethod
    def _names_once(cls, value: list[str]) -> list[str]:
        return distinct(value, "a name")


class Theory(BaseModel):
    """One study of the theory: what it computes, and on which images where it is about images."""

    model_config = STRICT
    dataset: Name | None = Field(None, description="data set of images, for a study that is about images")
    set: Options = Field({}, description="options of the study in place of its defaults")
    seed: Seed = Field(0, description="of all that is random in it")

    @field_validator("set")
    @classmethod
    def _home_of_mesh(cls, value: dict[str, Any]) -> dict[str, Any]:
        mesh = value.get("mesh")
        return {**value, "mesh": expanded(mesh)} if isinstance(mesh, str) else value

    @property
    def mesh(self) -> str | None:
        """Path of the mesh that the study reads; None where it reads none."""
        mesh = self.set.get("mesh")
        return mesh if isinstance(mesh, str) else None


def check_names(values: list[str], names: list[str] | tuple[str, ...], what: str) -> None:
    """Check that every value is a known name.

    Args:
        values: Names to check.
        names: Known names.
        what: Beginning of the message.

    Raises:
        ValueError: Where a value is none of `names`.
    """
    for value in values:
        if value not in names:
            raise ValueError(f"{what} '{value}'; known are {', '.join(names)}")
