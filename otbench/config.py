"""What a run is: data sets, models, seeds and budgets, validated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from otbench.catalogue import model_files
from otbench.data.points import POINTS
from otbench.errors import OtbenchError

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
Fraction = Annotated[float, Field(gt=0, le=1)]


class Override(BaseModel):
    """Options of some models in place of the papers' values."""

    model_config = ConfigDict(extra="forbid")
    models: list[Name] = Field(min_length=1, description="models that the options are for")
    set: dict[str, Any] = Field(description="options of those models, by name")

    @field_validator("models")
    @classmethod
    def _known_models(cls, value: list[str]) -> list[str]:
        return _known(value, sorted(model_files()), "model")


class Run(BaseModel):
    """One run of the benchmark."""

    model_config = ConfigDict(extra="forbid")
    run: Name = Field(description="name of the run; results go to <results>/<run>")
    results: str = Field("results", description="folder of all runs")
    study: Literal["mode-collapse"] = Field("mode-collapse", description="which comparison this is")
    datasets: list[Name] = Field(min_length=1, description="data sets by name (otbench list datasets)")
    models: list[Name] = Field(min_length=1, description="models by name (otbench list models)")
    seeds: list[Annotated[int, Field(ge=0, strict=True)]] = Field(min_length=1, description="one replica each")
    steps: Annotated[int, Field(ge=1, strict=True)] | Literal["paper"] = Field(
        description="budget of every model in discriminator updates, or 'paper' for each paper's own"
    )
    snapshots: list[Fraction] = Field([1.0], description="fractions of the budget at which models are measured")
    samples: Annotated[int, Field(ge=20, strict=True)] = Field(2500, description="samples drawn of every replica")
    overrides: list[Override] = Field([], description="options in place of the papers' values")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models are trained")
    together: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="replicas trained at once; 0: all on a GPU, one on a CPU"
    )
    capture: bool = Field(False, description="record training steps as CUDA graphs (GPU only)")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="bfloat16: mixed precision")
    published: str = Field("config/published.csv", description="table of published figures")
    reference: str = Field("results/reference", description="folder of the reference results, shown beside the run's")

    @field_validator("datasets")
    @classmethod
    def _known_data(cls, value: list[str]) -> list[str]:
        return _known(value, list(POINTS), "data set")

    @field_validator("models")
    @classmethod
    def _known_models(cls, value: list[str]) -> list[str]:
        return _known(value, sorted(model_files()), "model")

    @field_validator("seeds", "snapshots")
    @classmethod
    def _distinct(cls, value: list) -> list:
        if len(set(value)) < len(value):
            raise ValueError("holds a value twice")
        return value

    def options(self, model: str) -> dict[str, Any]:
        """The options of `model` in place of its paper's values; later overrides win."""
        chosen: dict[str, Any] = {}
        for override in self.overrides:
            if model in override.models:
                chosen.update(override.set)
        return chosen

    @property
    def marks(self) -> list[float]:
        """The snapshots in order; the end of the budget is always among them."""
        return sorted({*self.snapshots, 1.0})

    @property
    def folder(self) -> Path:
        """The folder of the run's results."""
        return Path(self.results) / self.run


def _known(values: list[str], known: list[str], what: str) -> list[str]:
    for value in values:
        if value not in known:
            raise ValueError(f"unknown {what} '{value}'; known are {', '.join(known)}")
    if len(set(values)) < len(values):
        raise ValueError("holds a name twice")
    return values


def checked(values: dict[str, Any], where: str = "config") -> Run:
    """The run that a config describes; raises OtbenchError with one sentence that names the key that is wrong."""
    try:
        run = Run(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = f"there is no such key; keys are {', '.join(Run.model_fields)}"
        elif first["type"] == "missing":
            message = "this key is missing"
        else:
            message = f"{message} (got {first['input']!r})"
        raise OtbenchError(f"{where}, key '{key}': {message}") from error
    except TypeError as error:
        raise OtbenchError(f"{where}: expected a mapping of keys to values") from error
    for model in {name for override in run.overrides for name in override.models}:
        from otbench.models import configure  # needs torch: only where there is something to check

        configure(model, run.options(model))
    return run


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
