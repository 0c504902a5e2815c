"""One study of a run: its data sets, models, budget and parts, validated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator

from otbench.config.fields import (
    STRICT,
    Count0,
    Folder,
    Name,
    PathText,
    Rows,
    Seeds,
    Snapshots,
    Steps,
    distinct,
    none,
)
from otbench.config.guests import Guests, guests_known
from otbench.config.parts import LeaveOut, Override, Rating, Search, Spread, check_names
from otbench.config.tuning import TunedByDataset, TunedModel
from otbench.registry import feature_names
from otbench.utils.bounds import to_the_end

StudyName = Literal["mode-collapse", "images", "stacked"]

#: kind of the data that each study is about
KINDS: dict[str, str] = {"mode-collapse": "points", "images": "images", "stacked": "images"}


class StudyConfig(BaseModel):
    """One study of a run: a comparison of models on data sets of one kind, under one budget."""

    model_config = STRICT
    datasets: list[Name] = Field(min_length=1, description="data sets by name (otbench list datasets)")
    folders: dict[Name, Folder] = Field(
        {}, description="data sets that are folders of images: name -> PATH or PATH@SIZE"
    )
    models: list[Name] = Field(min_length=1, description="models by name (otbench list models)")
    leave_out: list[LeaveOut] = Field([], description="models that are not trained on some of the data sets")
    seeds: Annotated[Seeds | None, BeforeValidator(none)] = Field(
        None, description="one replica each; default: the run's"
    )
    together: Annotated[Count0 | None, BeforeValidator(none)] = Field(
        None, description="replicas trained at once; default: the run's"
    )
    steps: Steps = Field(
        description="budget of every model in discriminator updates or batches, or 'paper' for each paper's own"
    )
    snapshots: Snapshots = Field([1.0], description="fractions of the budget at which models are measured")
    samples: Rows = Field(2500, description="samples drawn of every replica")
    overrides: list[Override] = Field([], description="options in place of the papers' values")
    tuned: TunedByDataset = Field(
        {}, description="files that `otbench tune` wrote; their options stand over those of overrides"
    )
    features: list[Name] = Field(["classifier"], description="networks whose features images are compared in")
    inception_weights: Annotated[PathText | None, BeforeValidator(none)] = Field(
        None, description="file of Inception's weights; default: torch-fidelity's"
    )
    weights: dict[Name, PathText] = Field({}, description="files of other networks' weights: name -> PATH")
    rulers: list[str] = Field([], description="metrics on request that are measured too (otbench list metrics)")
    guests: Guests = Field(
        {},
        description="somebody's samples beside the models: name -> PATH, several PATHs (a seed each), or those by data",
    )
    search: Annotated[Search | None, BeforeValidator(none)] = Field(
        None, description="a search over the options of some models"
    )
    spread: Annotated[Spread | None, BeforeValidator(none)] = Field(
        None, description="drawing and measuring some models again, to split the variance"
    )
    rating: Annotated[Rating | None, BeforeValidator(none)] = Field(
        None, description="a session in which people rate images by eye"
    )

    @field_validator("features")
    @classmethod
    def _known_networks(cls, value: list[str]) -> list[str]:
        check_names(value, tuple(feature_names()), "unknown network:")
        return value

    @field_validator("datasets", "models", "features", "rulers")
    @classmethod
    def _names_once(cls, value: list[str]) -> list[str]:
        return distinct(value, "a name")

    def options(self, model: str, dataset: str | None = None) -> dict[str, Any]:
        """Options of a model in place of its paper's values; tuned ones stand over the base.

        Args:
            model: Name of the model.
            dataset: Name of the data set; None for the overrides of all data sets.

        Returns:
            Name of the option -> value.
        """
        won = self.tuning_of(model, dataset)
        return self.base(model, dataset) | (won.set if won else {})

    def tuning_of(self, model: str, dataset: str | None) -> TunedModel | None:
        """What tuning found for a model.

        Args:
            model: Name of the model.
            dataset: Name of the data set; None for none, which nothing is tuned on.

        Returns:
            The options that won and how; None where the model has its base.
        """
        return self.tuned[dataset].models.get(model) if dataset in self.tuned else None

    def base(self, model: str, dataset: str | None = None) -> dict[str, Any]:
        """Options of a model without tuning; later overrides win.

        Args:
            model: Name of the model.
            dataset: Name of the data set; None for the overrides of all data sets.

        Returns:
            Name of the option -> value.
        """
        chosen: dict[str, Any] = {}
        for override in self.overrides:
            if model in override.models and (not override.datasets or dataset in override.datasets):
                chosen.update(override.set)
        return chosen

    def models_on(self, dataset: str) -> list[str]:
        """The models that are trained on a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            Their names, in the order of the study.
        """
        absent = {model for part in self.leave_out if dataset in part.datasets for model in part.models}
        return [model for model in self.models if model not in absent]

    @property
    def network_weights(self) -> dict[str, str]:
        """Files of weights of feature networks, by name."""
        own = {"inception": self.inception_weights} if self.inception_weights else {}
        return own | self.weights

    def guests_on(self, dataset: str) -> dict[str, list[str]]:
        """Somebody's samples of a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            Paths by the guest's name, a seed each.
        """
        return {name: by_data[key] for name, by_data in self.guests.items() for key in (dataset, "") if key in by_data}

    @property
    def rated(self) -> list[str]:
        """The models of the study whose samples people rate."""
        return [model for model in (self.rating.models if self.rating else ()) if model in self.models]

    @property
    def marks(self) -> list[float]:
        """The snapshots in order; the end of the budget is always among them."""
        return to_the_end(self.snapshots)


def left_out_known(study: str, section: StudyConfig, data: list[str], models: tuple[str, ...]) -> None:
    """Check what a study leaves out.

    Args:
        study: Name of the study.
        section: The study.
        data: Known data sets.
        models: Known models.

    Raises:
        ValueError: Where it leaves out what nobody has, or all that it has.
    """
    for part in section.leave_out:
        check_names(part.datasets, data, f"study {study}: leave_out: unknown data set")
        check_names(part.models, models, f"study {study}: leave_out: unknown model")
    for dataset in section.datasets:
        if not section.models_on(dataset):
            raise ValueError(f"study {study}: leave_out leaves no model on {dataset}")


def tuned_known(study: str, section: StudyConfig, data: list[str], models: tuple[str, ...]) -> None:
    """Check that what was tuned is of this study, and of data sets and models that there are.

    Known names outside the study are passed over, so that a config with other models or data sets than the one below
    it need not take `tuned` away.

    Args:
        study: Name of the study.
        section: Its config.
        data: Names of the data sets that it may have.
        models: Names of the models that it may have.

    Raises:
        ValueError: Where a file is of another study or names what nobody has.
    """
    for dataset, tuned in section.tuned.items():
        if (tuned.study, tuned.dataset) != (study, dataset):
            raise ValueError(
                f"study {study}: tuned: expected what was tuned for this study on {dataset}, got study {tuned.study} on"
                f" {tuned.dataset}"
            )
        check_names([dataset], data, f"study {study}: tuned: unknown data set")
        check_names(list(tuned.models), models, f"study {study}: tuned: unknown model")


def parts_known(study: str, section: StudyConfig, data: list[str], models: tuple[str, ...]) -> None:
    """Check the repeated measurement, the rating and the guests of a study.

    Known names outside the study are passed over, so that a config with other models or data sets than the one below
    it need not repeat these parts.

    Args:
        study: Name of the study.
        section: The study.
        data: Known data sets.
        models: Known models.

    Raises:
        ValueError: Where they name an unknown model or data set, or people are to rate points.
    """
    for what, part in (("spread", section.spread), ("rating", section.rating)):
        if part:
            check_names(part.datasets, data, f"study {study}: {what}: unknown data set")
            check_names(part.models, models, f"study {study}: {what}: unknown model")
    check_names(list(section.weights), tuple(feature_names()), f"study {study}: weights: unknown network")
    guests_known(study, section.guests, section.datasets, models)
    if section.rating:
        check_names(section.rating.along, models, f"study {study}: rating: unknown model")
        if KINDS[study] != "images":
            raise ValueError(f"study {study} compares points; people rate images")
