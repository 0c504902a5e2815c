"""Faults of a config as one sentence that names the key."""

from __future__ import annotations

import reprlib
from collections.abc import Callable

from pydantic import ValidationError

from otbench.config.parts import Override, Rating, Search, Spread, Theory
from otbench.config.run import Run, StudyConfig


def sentence(
    error: ValidationError, where: str, known: Callable[[tuple[int | str, ...]], list[str]] | None = None
) -> str:
    """The first fault of a config in one sentence.

    Args:
        error: What pydantic found.
        where: File or other source of the config; begins the sentence.
        known: Function from a place in the config to the keys that may stand there; default: those of a run.

    Returns:
        The sentence, which names the key.
    """
    first = error.errors()[0]
    # of a key that is wrong itself pydantic says so by a last part of its own
    key = ".".join(str(part) for part in first["loc"] if part != "[key]") or "studies"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        fields = (known or _fields)(first["loc"])
        message = f"there is no such key; keys are {', '.join(fields)}"
    elif first["type"] == "missing":
        message = "this key is missing"
    elif first["type"] != "value_error":
        message = f"{message} (got {_short(first['input'])})"
    return f"{where}, key '{key}': {message}"


def _short(value: object) -> str:
    """A value on one line, cut where it is long."""
    short = reprlib.Repr()
    short.maxlevel, short.maxdict, short.maxlist = 3, 6, 6
    short.maxstring, short.maxother, short.maxlong = 80, 80, 40
    return " ".join(short.repr(value).split())


def _fields(place: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at the place of an unknown one."""
    if len(place) <= 1:
        return list(Run.model_fields)
    for name, part in (("search", Search), ("spread", Spread), ("rating", Rating), ("theory", Theory)):
        if name in place:
            return list(part.model_fields)
    return list(Override.model_fields if "overrides" in place else StudyConfig.model_fields)
