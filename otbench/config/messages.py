"""Faults of a config as one sentence that names the key."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from otbench.config.parts import LeaveOut, Override, Rating, Search, Spread, Theory
from otbench.config.run import Run
from otbench.config.study import StudyConfig
from otbench.utils.validation import dotted, first_fault


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
    place, message = first_fault(error, known or _fields)
    return f"{where}, key '{dotted(place) or 'studies'}': {message}"


def _fields(place: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at the place of an unknown one."""
    if len(place) <= 1:
        return list(Run.model_fields)
    for name, part in (("search", Search), ("spread", Spread), ("rating", Rating), ("theory", Theory)):
        if name in place:
            return list(part.model_fields)
    for name, part in (("overrides", Override), ("leave_out", LeaveOut)):
        if name in place:
            return list(part.model_fields)
    return list(StudyConfig.model_fields)
