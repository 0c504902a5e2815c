"""A fault that pydantic finds, as a place and a sentence: one home for configs, options, queues and rating files."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from otbench.errors import OtbenchError
from otbench.utils.files import read_yaml

Place = tuple[int | str, ...]
"""Where in nested values something stands: keys and indices."""


def first_fault(
    error: ValidationError, known: Callable[[Place], Iterable[str]] | None = None, noun: str = "key"
) -> tuple[Place, str]:
    """The place of the first fault and what is wrong there.

    Args:
        error: What pydantic raised.
        known: Gives the names that may stand at a place, listed where a name is unknown.
        noun: What a name is called: `key` or `option`.

    Returns:
        Place, and a clause that begins in lower case where pydantic's own does not.
    """
    first = error.errors(include_url=False)[0]
    # of a key that is wrong itself pydantic says so by a last part of its own
    place = tuple(part for part in first["loc"] if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"there is no such {noun}"
        message += f"; {noun}s are {', '.join(known(first['loc'])) or 'none'}" if known else ""
    elif first["type"] == "missing":
        message = f"this {noun} is missing"
    elif first["type"] != "value_error":
        message = f"{message} (got {_short(first['input'])})"
    return place, message


def dotted(place: Place) -> str:
    """A place as one word.

    Args:
        place: Keys and indices.

    Returns:
        Such as `studies.images.steps`.
    """
    return ".".join(str(part) for part in place)


def read_form(path: Path, form: type[BaseModel], known: Callable[[Place], Iterable[str]] | None = None) -> Any:
    """Read a YAML file and check it.

    Args:
        path: The file.
        form: What it describes.
        known: Gives the keys that may stand at a place.

    Returns:
        The checked values, of class `form`.

    Raises:
        OtbenchError: Where the file is missing, no YAML, or does not fit the form; in one sentence that names the key.
    """
    try:
        return form(**read_yaml(path))
    except ValidationError as error:
        place, message = first_fault(error, known)
        raise OtbenchError(f"{path}, key '{dotted(place)}': {message}") from error
    except (TypeError, RecursionError) as error:
        raise OtbenchError(f"{path}: expected a mapping of keys to values") from error


def _short(value: object) -> str:
    """A value on one line, cut where it is long."""
    short = reprlib.Repr()
    short.maxlevel, short.maxdict, short.maxlist = 3, 6, 6
    short.maxstring, short.maxother, short.maxlong = 80, 80, 40
    return " ".join(short.repr(value).split())
