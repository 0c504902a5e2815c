"""What a run is: studies with their data sets, models, seeds and budgets, validated."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Container
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from otbench.config.fields import (
    STRICT,
    Count,
    Count0,
    Name,
    PathText,
    Seconds,
    Seeds,
    Yes,
    distinct,
    none,
)
from otbench.config.parts import Theory, check_names
from otbench.config.study import KINDS, StudyConfig, StudyName, left_out_known, parts_known, tuned_known
from otbench.errors import OtbenchError
from otbench.registry import OF_IMAGES, THEORIES, dataset_names, models_of
from otbench.utils.bounds import FILE_NAME_MOST
from otbench.utils.groups import in_groups
from otbench.utils.paths import PUBLISHED, REFERENCE, folder_and_side

#: paths that need no quotes in a shell, and are no option
PLAIN = r"[\w./~][\w./+=@%:~-]*"


class Run(BaseModel):
    """One run of the benchmark."""

    model_config = STRICT
    run: Name = Field(description="name of the run; results go to <results>/<run>")
    results: PathText = Field("results", description="folder of all runs")
    studies: dict[StudyName, Annotated[StudyConfig | None, BeforeValidator(none)]] = Field(
        min_length=1, description="the comparisons of this run; null leaves out one that a config below asks for"
    )
    seeds: Seeds = Field(description="one replica each")
    theory: Annotated[dict[str, Annotated[Theory | None, BeforeValidator(none)]] | None, BeforeValidator(none)] = Field(
        None, description="studies of the theory by name (otbench theory --help); null leaves one, or all, out"
    )
    allow: list[PathText] = Field(
        [], description="folders outside this one that the config may name; the command line alone says so"
    )
    data_root: Annotated[PathText | None, BeforeValidator(none)] = Field(
        None, description="folder of downloaded data sets; default: OTBENCH_DATA or a cache"
    )
    unverified: Yes = Field(False, description="take image files that differ from the publisher's, and say so")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models are trained")
    together: Count0 = Field(
        0, description="replicas trained at once; 0: all on a GPU, and on a CPU where it is faster"
    )
    seeds_per_job: Annotated[Count | None, BeforeValidator(none)] = Field(
        None, description="seeds that one job trains, so that a model's seeds spread over GPUs; default: all of them"
    )
    time_limit: Annotated[Seconds | None, BeforeValidator(none)] = Field(
        None, description="seconds that one replica may train; one that takes longer becomes a failed cell"
    )
    capture: Yes = Field(False, description="record training steps as CUDA graphs (GPU only)")
    deterministic: Yes = Field(False, description="on a GPU, the same bits every time, at a cost in time")
    lean: Yes = Field(False, description="delete the weights of fits once all that reads them is done")
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        "float32", description="tf32: matrix products of a GPU with ten bits of mantissa; bfloat16: mixed precision"
    )
    published: PathText = Field(PUBLISHED, description="table of published figures")
    reference: PathText = Field(REFERENCE, description="folder of the reference results, shown beside the run's")

    @field_validator("results", "published", "reference")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(PLAIN, value):
            raise ValueError(
                "expected a path of letters, digits and _ - . / ~ + = @ % : alone, as it stands in commands of a shell,"
                f" got {value!r}"
            )
        return value

    @field_validator("studies")
    @classmethod
    def _known_names(cls, value: dict[str, StudyConfig | None]) -> dict[str, StudyConfig | None]:
        for study, section in value.items():
            if section is None:
                continue
            kind = KINDS[study]
            data = [*dataset_names(kind), *section.folders]
            models = models_of(kind)
            for override in section.overrides:
                check_names(override.models, models, f"study {study}: unknown model")
                check_names(override.datasets, data, f"study {study}: unknown data set")
            check_names(section.datasets, data, f"study {study}: unknown data set")
            check_names(section.models, models, f"study {study}: unknown model")
            left_out_known(study, section, data, models)
            tuned_known(study, section, data, models)
            if section.search:
                check_names(
                    section.search.datasets, section.datasets, f"study {study}: search on a data set it has not,"
                )
                if kind != "images":
                    raise ValueError(f"study {study} compares points; a search is for images")
            parts_known(study, section, data, models)
            if section.folders and kind != "images":
                raise ValueError(f"study {study} compares points; folders hold images")
            if clash := set(section.folders) & {*dataset_names("points"), *dataset_names("images")}:
                raise ValueError(f"study {study}: folder '{min(clash)}' has the name of a known data set")
        return value

    @field_validator("allow", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("theory")
    @classmethod
    def _known_theory(cls, value: dict[str, Theory | None] | None) -> dict[str, Theory | None] | None:
        check_names(list(value or ()), THEORIES, "no such study of the theory:")
        for name, part in (value or {}).items():
            if part and name in OF_IMAGES:
                check_names(
                    [part.dataset or ""],
                    tuple(dataset_names("images")),
                    f"theory {name}: it is about images; no such data set",
                )
            elif part and part.dataset:
                raise ValueError(f"theory {name} is not about images, so it takes no data set")
        return value

    @model_validator(mode="after")
    def _one_study_each(self) -> Run:
        if not self.sections:
            raise ValueError("every study is null; a run needs at least one")
        names = [name for section in self.sections.values() for name in section.datasets]
        distinct(names, "a data set")
        for dataset in self.datasets:
            for group in self.seed_groups(dataset):
                if len(f"part-{group}") > FILE_NAME_MOST:
                    raise ValueError(
                        f"seeds_per_job {self.seeds_per_job}: the folder of a job is named by its seeds, which take"
                        f" {len(group)} characters on {dataset}; expected {FILE_NAME_MOST - 5} at most"
                    )
        return self

    @cached_property
    def sections(self) -> dict[str, StudyConfig]:
        """The studies of the run, by name."""
        return {name: section for name, section in self.studies.items() if section is not None}

    @cached_property
    def study_of(self) -> dict[str, str]:
        """Data set -> its study."""
        return {dataset: name for name, section in self.sections.items() for dataset in section.datasets}

    def section(self, dataset: str) -> StudyConfig:
        """Study that a data set belongs to.

        Args:
            dataset: Name of the data set.

        Returns:
            The study's config.
        """
        return self.sections[self.study_of[dataset]]

    def kind(self, dataset: str) -> str:
        """Kind of a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            `points` or `images`.
        """
        return KINDS[self.study_of[dataset]]

    def seeds_of(self, dataset: str) -> list[int]:
        """Seeds of every model on a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            The study's seeds, else the run's.
        """
        return self.section(dataset).seeds or self.seeds

    def together_of(self, dataset: str) -> int:
        """Replicas trained at once.

        Args:
            dataset: Name of the data set.

        Returns:
            Their number; 0: all on a GPU, and on a CPU where it is faster.
        """
        together = self.section(dataset).together
        return self.together if together is None else together

    @property
    def datasets(self) -> list[str]:
        """Every data set of the run."""
        return list(self.study_of)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every (data set, model) of the run: one job of each kind."""
        return [(dataset, model) for dataset in self.datasets for model in self.section(dataset).models_on(dataset)]

    @property
    def guests(self) -> list[tuple[str, str]]:
        """Every (data set, guest) of the run: somebody's samples, which nothing is fitted for."""
        return [(dataset, name) for dataset in self.datasets for name in self.section(dataset).guests_on(dataset)]

    @property
    def measured(self) -> list[tuple[str, str]]:
        """Every (data set, model or guest) that is measured."""
        return self.pairs + self.guests

    def seeds_measured(self, dataset: str, model: str) -> list[int]:
        """Seeds that a model or a guest is measured of.

        Args:
            dataset: Name of the data set.
            model: Name of the model or guest.

        Returns:
            The seeds; of a guest one for each file.
        """
        files = self.section(dataset).guests_on(dataset).get(model)
        return self.seeds_of(dataset) if files is None else list(range(len(files)))

    def seed_groups(self, dataset: str) -> list[str]:
        """Seeds of each job that trains a model on a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            Groups as `0-1-2`; empty where the number of seeds per job is not given.
        """
        seeds, size = self.seeds_of(dataset), self.seeds_per_job
        if size is None:
            return []
        return ["-".join(map(str, group)) for group in in_groups(seeds, size)]

    @property
    def searches(self) -> list[tuple[str, str, str, str]]:
        """(data set, model, space, trials) of every job of the searches."""
        return [job for section in self.sections.values() if section.search for job in section.search.jobs]

    @property
    def latents(self) -> list[str]:
        """Every data set of images that AE-OT is trained on: each gets a latent study."""
        return [dataset for dataset, model in self.pairs if model == "ae-ot" and self.kind(dataset) == "images"]

    @property
    def spreads(self) -> list[tuple[str, str]]:
        """Every (data set, model) that is drawn and measured again."""
        return [
            (dataset, model)
            for section in self.sections.values()
            if section.spread
            for dataset in section.spread.datasets
            for model in section.spread.models
            if dataset in section.datasets and model in section.models_on(dataset)
        ]

    @property
    def rated(self) -> list[str]:
        """The data sets that a rating session is made of."""
        return [
            name
            for section in self.sections.values()
            for name in (section.rating.datasets if section.rating else ())
            if name in section.datasets and section.rated
        ]

    @property
    def theories(self) -> dict[str, Theory]:
        """The studies of the theory that are computed, in the order of the report."""
        given = self.theory or {}
        return {name: part for name in THEORIES if (part := given.get(name)) is not None}

    @property
    def paths(self) -> dict[str, str]:
        """Every path that the config names, by its key."""
        paths = {"results": self.results, "published": self.published, "reference": self.reference}
        if self.data_root:
            paths["data_root"] = self.data_root
        for name, section in self.sections.items():
            for folder, path in section.folders.items():
                paths[f"studies.{name}.folders.{folder}"] = folder_and_side(path)[0]
            for network, path in section.weights.items():
                paths[f"studies.{name}.weights.{network}"] = path
            for guest, by_data in section.guests.items():
                for number, path in enumerate(path for files in by_data.values() for path in files):
                    paths[f"studies.{name}.guests.{guest}.{number}"] = path
            if section.inception_weights:
                paths[f"studies.{name}.inception_weights"] = section.inception_weights
        for name, part in self.theories.items():
            if part.mesh is not None:
                paths[f"theory.{name}.set.mesh"] = part.mesh
        return paths

    @property
    def outside(self) -> dict[str, str]:
        """Those of the paths that lead out of the folder that the run is called in, and into none of `allow`."""
        inside = [Path.cwd(), *(Path(os.path.abspath(path)) for path in self.allow)]
        targets = {key: Path(os.path.abspath(path)) for key, path in self.paths.items()}
        return {key: str(path) for key, path in targets.items() if not any(map(path.is_relative_to, inside))}

    def stay_inside(self, said: Container[str]) -> None:
        """Check that the run stays in the present folder, unless the command line lets it out.

        A config may come from anybody.

        Args:
            said: Keys that were given on the command line.

        Raises:
            OtbenchError: Where a path leads elsewhere and its key was not `said`, or the config itself has the key
                `allow`.
        """
        if self.allow and "allow" not in said:
            raise OtbenchError("config, key 'allow': this is for the command line alone: --config allow=FOLDER")
        for key, path in self.outside.items():
            if key not in said:
                raise OtbenchError(
                    f"config, key '{key}': {path} is outside this folder; a run goes there only where the command line"
                    f" says so: --config allow={shlex.quote(path)}"
                )

    @property
    def folder(self) -> Path:
        """The folder of the run's results."""
        return Path(self.results) / self.run


if __name__ == "__main__":
    # the schema, for editors: python -m otbench.config.run > workflow/schemas/config.schema.yaml
    import yaml

    print(yaml.safe_dump(Run.model_json_schema(), sort_keys=False), end="")
