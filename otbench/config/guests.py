"""Guests of a study: somebody's samples, which are measured and shown as a model's."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from otbench.config.fields import Name, PathText


def _by_data(value: Any) -> Any:
    """One path, several, or those by data set -> paths by data set, which is empty where none is named."""
    if isinstance(value, dict):
        return {key: [paths] if isinstance(paths, str) else paths for key, paths in value.items()}
    return {"": [value] if isinstance(value, str) else value}


Paths = Annotated[list[PathText], Field(min_length=1)]
Guest = Annotated[
    dict[Name | Annotated[str, Field(max_length=0)], Paths], BeforeValidator(_by_data), Field(min_length=1)
]
Guests = dict[Name, Guest]
"""Name of the guest -> data set (empty: the study's only one) -> files or folders, a seed each."""


def guests_known(
    study: str, guests: dict[str, dict[str, list[str]]], datasets: list[str], models: tuple[str, ...]
) -> None:
    """Check the guests of a study.

    Args:
        study: Name of the study.
        guests: Its guests, paths by data set and name.
        datasets: Data sets of the study.
        models: Known models.

    Raises:
        ValueError: Where a guest has a model's name, names a data set that the study has not, or names none of several.
    """
    for name, by_data in guests.items():
        if name in models:
            raise ValueError(f"study {study}: guests: '{name}' is the name of a model, expected another one")
        for dataset in by_data:
            if not dataset and len(datasets) > 1:
                raise ValueError(
                    f"study {study}: guests: {name}: the study has the data sets {', '.join(datasets)}, expected"
                    f" {{{datasets[0]}: PATH, ...}}"
                )
            if dataset and dataset not in datasets:
                raise ValueError(
                    f"study {study}: guests: {name}: unknown data set '{dataset}'; the study has {', '.join(datasets)}"
                )
