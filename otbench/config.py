"""What a run is: studies with their data sets, models, seeds and budgets, validated."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from otbench.catalogue import models_of
from otbench.data.names import IMAGES, POINTS
from otbench.errors import OtbenchError
from otbench.studies.spaces import SEARCHED

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
Seeds = list[Annotated[int, Field(ge=0, strict=True)]]
Fraction = Annotated[float, Field(gt=0, le=1)]
StudyName = Literal["mode-collapse", "images", "stacked"]

#: kind of the data that each study is about
KINDS: dict[str, str] = {"mode-collapse": "points", "images": "images", "stacked": "images"}


class Override(BaseModel):
    """Options of some models in place of the papers' values."""

    model_config = ConfigDict(extra="forbid")
    models: list[Name] = Field(min_length=1, description="models that the options are for")
    datasets: list[Name] = Field([], description="data sets that the options are for; none given: all of the study")
    set: dict[str, Any] = Field(description="options of those models, by name")


class Search(BaseModel):
    """A search over options (Lucic et al. 2018): how many draws each model gets, and what each draw is trained for."""

    model_config = ConfigDict(extra="forbid")
    models: list[Name] = Field(list(SEARCHED), min_length=1, description="models to search")
    datasets: list[Name] = Field(min_length=1, description="data sets of the study to search on")
    trials: dict[Literal["wide", "narrow"], Annotated[int, Field(ge=1, strict=True)]] = Field(
        min_length=1, description="draws of every model from each space of options: the budget"
    )
    steps: Annotated[int, Field(ge=1, strict=True)] | Literal["paper"] = Field(
        description="budget of every trial, as in the study"
    )
    snapshots: list[Fraction] = Field([1.0], description="fractions of the budget at which trials are measured")
    samples: Annotated[int, Field(ge=20, strict=True)] = Field(10_000, description="samples that are measured")
    set: dict[str, Any] = Field({}, description="options of every trial, below those drawn")
    seed: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="of the options drawn and of the weights")
    at_once: Annotated[int, Field(ge=1, strict=True)] = Field(10, description="trials of one job")

    @field_validator("models", "datasets")
    @classmethod
    def _names_once(cls, value: list[str]) -> list[str]:
        return _distinct(value, "a name")

    @field_validator("models")
    @classmethod
    def _searchable(cls, value: list[str]) -> list[str]:
        _known(value, SEARCHED, "no ranges to search are known of model")
        return value

    @property
    def jobs(self) -> list[tuple[str, str, str, str]]:
        """(data set, model, space, trials FIRST-END) of every job."""
        parts = [
            (space, f"{first}-{min(first + self.at_once, trials)}")
            for space, trials in self.trials.items()
            for first in range(0, trials, self.at_once)
        ]
        return [(dataset, model, *part) for dataset in self.datasets for model in self.models for part in parts]


class Section(BaseModel):
    """One study of a run: a comparison of models on data sets of one kind, under one budget."""

    model_config = ConfigDict(extra="forbid")
    datasets: list[Name] = Field(min_length=1, description="data sets by name (otbench list datasets)")
    folders: dict[Name, str] = Field({}, description="data sets that are folders of images: name -> PATH or PATH@SIZE")
    models: list[Name] = Field(min_length=1, description="models by name (otbench list models)")
    seeds: Seeds | None = Field(None, min_length=1, description="one replica each; default: the run's")
    steps: Annotated[int, Field(ge=1, strict=True)] | Literal["paper"] = Field(
        description="budget of every model in discriminator updates or batches, or 'paper' for each paper's own"
    )
    snapshots: list[Fraction] = Field([1.0], description="fractions of the budget at which models are measured")
    samples: Annotated[int, Field(ge=20, strict=True)] = Field(2500, description="samples drawn of every replica")
    overrides: list[Override] = Field([], description="options in place of the papers' values")
    features: list[Literal["classifier", "inception"]] = Field(
        ["classifier"], description="networks whose features images are compared in"
    )
    inception_weights: str | None = Field(None, description="file of Inception's weights; default: torch-fidelity's")
    search: Search | None = Field(None, description="a search over the options of some models")

    @field_validator("datasets", "models", "features")
    @classmethod
    def _names_once(cls, value: list[str]) -> list[str]:
        return _distinct(value, "a name")

    @field_validator("seeds", "snapshots")
    @classmethod
    def _values_once(cls, value: list | None) -> list | None:
        return value and _distinct(value, "a value")

    def options(self, model: str, dataset: str | None = None) -> dict[str, Any]:
        """The options of `model` on `dataset` in place of its paper's values; later overrides win."""
        chosen: dict[str, Any] = {}
        for override in self.overrides:
            if model in override.models and (not override.datasets or dataset in override.datasets):
                chosen.update(override.set)
        return chosen

    @property
    def marks(self) -> list[float]:
        """The snapshots in order; the end of the budget is always among them."""
        return sorted({*self.snapshots, 1.0})


class Run(BaseModel):
    """One run of the benchmark."""

    model_config = ConfigDict(extra="forbid")
    run: Name = Field(description="name of the run; results go to <results>/<run>")
    results: str = Field("results", description="folder of all runs")
    studies: dict[StudyName, Section | None] = Field(
        min_length=1, description="the comparisons of this run; null leaves out one that a config below asks for"
    )
    seeds: Seeds = Field(min_length=1, description="one replica each")
    data_root: str | None = Field(None, description="folder of downloaded data sets; default: OTBENCH_DATA or a cache")
    unverified: bool = Field(False, description="take image files that differ from the publisher's, and say so")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models are trained")
    together: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="replicas trained at once; 0: all on a GPU, one on a CPU"
    )
    capture: bool = Field(False, description="record training steps as CUDA graphs (GPU only)")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="bfloat16: mixed precision")
    published: str = Field("config/published.csv", description="table of published figures")
    reference: str = Field("results/reference", description="folder of the reference results, shown beside the run's")

    @field_validator("seeds")
    @classmethod
    def _seeds_once(cls, value: list[int]) -> list[int]:
        return _distinct(value, "a value")

    @field_validator("studies")
    @classmethod
    def _known_names(cls, value: dict[str, Section | None]) -> dict[str, Section | None]:
        for study, section in value.items():
            if section is None:
                continue
            kind = KINDS[study]
            data = [*(POINTS if kind == "points" else IMAGES), *section.folders]
            models = models_of(kind)
            for override in section.overrides:
                _known(override.models, models, f"study {study}: unknown model")
                _known(override.datasets, data, f"study {study}: unknown data set")
            _known(section.datasets, data, f"study {study}: unknown data set")
            _known(section.models, models, f"study {study}: unknown model")
            if section.search:
                _known(section.search.datasets, section.datasets, f"study {study}: search on a data set it has not,")
                if kind != "images":
                    raise ValueError(f"study {study} compares points; a search is for images")
            if section.folders and kind != "images":
                raise ValueError(f"study {study} compares points; folders hold images")
            if clash := set(section.folders) & {*POINTS, *IMAGES}:
                raise ValueError(f"study {study}: folder '{min(clash)}' has the name of a known data set")
        return value

    @model_validator(mode="after")
    def _one_study_each(self) -> Run:
        if not self.sections:
            raise ValueError("every study is null; a run needs at least one")
        names = [name for section in self.sections.values() for name in section.datasets]
        _distinct(names, "a data set")
        return self

    @cached_property
    def sections(self) -> dict[str, Section]:
        """The studies of the run, by name."""
        return {name: section for name, section in self.studies.items() if section is not None}

    @cached_property
    def study_of(self) -> dict[str, str]:
        """Data set -> its study."""
        return {dataset: name for name, section in self.sections.items() for dataset in section.datasets}

    def section(self, dataset: str) -> Section:
        """The study that `dataset` belongs to."""
        return self.sections[self.study_of[dataset]]

    def kind(self, dataset: str) -> str:
        """`points` or `images`."""
        return KINDS[self.study_of[dataset]]

    def seeds_of(self, dataset: str) -> list[int]:
        """The seeds of every model on `dataset`."""
        return self.section(dataset).seeds or self.seeds

    @property
    def datasets(self) -> list[str]:
        """Every data set of the run."""
        return list(self.study_of)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every (data set, model) of the run: one job of each kind."""
        return [(dataset, model) for dataset in self.datasets for model in self.section(dataset).models]

    @property
    def searches(self) -> list[tuple[str, str, str, str]]:
        """(data set, model, space, trials) of every job of the searches."""
        return [job for section in self.sections.values() if section.search for job in section.search.jobs]

    @property
    def folder(self) -> Path:
        """The folder of the run's results."""
        return Path(self.results) / self.run


def _distinct(values: list, what: str) -> list:
    if len(set(values)) < len(values):
        raise ValueError(f"holds {what} twice")
    return values


def _known(values: list[str], known: list[str] | tuple[str, ...], what: str) -> None:
    for value in values:
        if value not in known:
            raise ValueError(f"{what} '{value}'; known are {', '.join(known)}")


def checked(values: dict[str, Any], where: str = "config") -> Run:
    """The run that a config describes; raises OtbenchError with one sentence that names the key that is wrong."""
    try:
        run = Run(**values)
    except ValidationError as error:
        raise OtbenchError(_sentence(error, where)) from error
    except TypeError as error:
        raise OtbenchError(f"{where}: expected a mapping of keys to values") from error
    for name, section in run.sections.items():
        overridden = {model for override in section.overrides for model in override.models}
        wanted = [(model, section.options(model, dataset)) for model in overridden for dataset in section.datasets]
        searched = section.search.models if section.search and section.search.set else []
        wanted += [(model, section.search.set) for model in searched]
        for model, options in wanted:
            from otbench.models import configure  # needs torch: only where there is something to check

            configure(model, options, KINDS[name])
    return run


def _sentence(error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "studies"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        fields = _fields(first["loc"])
        message = f"there is no such key; keys are {', '.join(fields)}"
    elif first["type"] == "missing":
        message = "this key is missing"
    elif first["type"] != "value_error":
        message = f"{message} (got {first['input']!r})"
    return f"{where}, key '{key}': {message}"


def _fields(place: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand where an unknown one was found."""
    if len(place) <= 1:
        return list(Run.model_fields)
    if "search" in place:
        return list(Search.model_fields)
    return list(Override.model_fields if "overrides" in place else Section.model_fields)


def read(path: str | Path) -> Run:
    """The run that the YAML or JSON file `path` describes."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise OtbenchError(f"{path} is not valid YAML ({' '.join(str(error).split())})") from error
    return checked(values, str(path))


if __name__ == "__main__":  # the schema, for editors: python -m otbench.config > workflow/schemas/config.schema.yaml
    import yaml

    print(yaml.safe_dump(Run.model_json_schema(), sort_keys=False), end="")
