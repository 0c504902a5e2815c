"""What the reference results still need, in order: the queue, read from one YAML file and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from otbench.config.fields import STRICT, Name, Options, Rows, Seeds, Snapshots, Steps, distinct
from otbench.config.parts import check_names
from otbench.config.run import Run
from otbench.config.study import KINDS, StudyName
from otbench.provenance import digest
from otbench.registry import dataset_names, models_of
from otbench.utils.bounds import to_the_end
from otbench.utils.validation import read_form


class Part(BaseModel):
    """Rows of one study under one budget: models on data sets, with seeds."""

    model_config = STRICT
    study: StudyName
    datasets: list[Name] = Field(min_length=1)
    models: list[Name] = Field(min_length=1)
    seeds: Seeds
    steps: Steps
    snapshots: Snapshots = [1.0]
    samples: Rows = 2500
    variant: Name | None = None
    set: Options = {}

    @field_validator("datasets", "models", "seeds", "snapshots")
    @classmethod
    def _once(cls, value: list) -> list:
        return distinct(value, "a value")

    @model_validator(mode="after")
    def _known(self) -> Part:
        if self.set and not self.variant:
            raise ValueError("options other than the paper's (set) need a name (variant)")
        check_names(self.models, models_of(KINDS[self.study]), f"study {self.study}: unknown model")
        check_names(self.datasets, list(dataset_names(KINDS[self.study])), f"study {self.study}: unknown data set")
        return self

    @property
    def marks(self) -> list[float]:
        """The snapshots in order; the end of the budget is always among them."""
        return to_the_end(self.snapshots)


class Queue(BaseModel):
    """The queue: its parts in order of value, and where it works."""

    model_config = ConfigDict(extra="forbid")
    work: Path = Path("results/reference-queue")
    reference: Path = Path("results/reference")
    checkpoint: Annotated[float, Field(gt=0)] = 60.0
    times: list[Path] = []
    parts: list[Part] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_once(self) -> Queue:
        distinct([cell.name for cell in self.cells], "a cell")
        distinct([part.study for part in self.parts if not part.variant], "a study without variants")
        return self

    @property
    def cells(self) -> list[Cell]:
        """Every cell in the order of the work: of each part one seed of all rows, then the next seed."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        for part in self.parts:
            for seed in part.seeds:
                for dataset in part.datasets:
                    for model in part.models:
                        yield Cell(part, dataset, model, seed)

    def run(self) -> Run | None:
        """Rows with the papers' values as a run whose folder is the work folder.

        Returns:
            The run; None where there are no such rows.
        """
        studies = {
            part.study: part.model_dump(include={"datasets", "models", "seeds", "steps", "snapshots", "samples"})
            for part in self.parts
            if not part.variant
        }
        values = {"run": self.work.name, "results": str(self.work.parent), "seeds": [0], "studies": studies}
        return Run(**values) if studies else None


@dataclass(frozen=True, eq=False)
class Cell:
    """One seed of one row of a part."""

    part: Part
    dataset: str
    model: str
    seed: int

    @property
    def row(self) -> str:
        """The model, and after `@` the variant where there is one."""
        return f"{self.model}@{self.part.variant}" if self.part.variant else self.model

    @property
    def name(self) -> str:
        """Data set, row and seed, as in `grid/gan/0`."""
        return f"{self.dataset}/{self.row}/{self.seed}"

    @property
    def request(self) -> dict[str, Any]:
        """What is asked for: the cell is another one where any of it changes."""
        asked = {"dataset": self.dataset, "model": self.model, "seed": self.seed, "snapshots": self.part.marks}
        return asked | {"steps": self.part.steps, "samples": self.part.samples, "set": self.part.set}

    def folder(self, work: Path) -> Path:
        """The cell's own folder.

        Args:
            work: Work folder of the queue.

        Returns:
            Path below it, with a digest of the request.
        """
        return work / "cells" / self.dataset / self.row / f"{self.seed}-{digest(self.request)}"


def read_queue(path: Path) -> Queue:
    """Read the queue.

    Args:
        path: The queue, .yaml.

    Returns:
        The queue, checked.

    Raises:
        OtbenchError: Where the file cannot be read or is wrong; one sentence says why.
    """
    return read_form(path, Queue, _fields)


def _fields(place: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at the place of an unknown one."""
    return list(Part.model_fields if len(place) > 1 else Queue.model_fields)
