"""Faults of a config as one sentence that names the key."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from otbench.config.parts import Override, Rating, Search, Spread, Theory
from otbench.config.run import Run, StudyConfig


def sentence(
    error: ValidationError, where: str, known: Callable[[tuple[int | str, ...]], list[str]] | None = None
) -> str:
    """The first fault in one sentence; `known` gives the keys that may stand at a place, by default those of a run."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "studies"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        fields = (known or _fields)(first["loc"])
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
    for name, part in (("search", Search), ("spread", Spread), ("rating", Rating), ("theory", Theory)):
        if name in place:
            return list(part.model_fields)
    return list(Override.model_fields if "overrides" in place else StudyConfig.model_fields)
