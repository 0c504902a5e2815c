"""The kinds of a config's fields: names, numbers in their ranges, options, paths."""

from __future__ import annotations

import datetime
import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from otbench.utils.bounds import (
    NAME_MOST,
    ROWS_MOST,
    SECONDS_MOST,
    SEED_MOST,
    SNAPSHOT_LEAST,
    WHOLE_MOST,
    check_snapshots,
)
from otbench.utils.paths import expanded, expanded_folder

#: validation of every part of a config: no unknown keys, finite numbers only
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


def number(value: Any) -> Any:
    """The number that a text is: nested values of Snakemake's `--config`, and YAML's `1e3`, come as texts.

    Args:
        value: Value of a key.

    Returns:
        An int or float for such a text, an int where it is whole; anything else as it is.

    Raises:
        ValueError: Where the value is a bool.
    """
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    if not isinstance(value, str) or len(value) > 40:
        return value
    for kind in (int, float):
        try:
            # YAML writes `.inf` and `.nan`
            parsed = kind(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", value, flags=re.IGNORECASE))
        except ValueError:
            continue
        return int(parsed) if isinstance(parsed, float) and parsed.is_integer() else parsed
    return value


def words(value: Any) -> Any:
    """The value that a word of Python or YAML stands for: nested values of `--config` come as texts.

    Args:
        value: Value of a key.

    Returns:
        None, True or False for such a word; anything else as it is.
    """
    meanings = {"null": None, "None": None, "~": None, "true": True, "True": True, "false": False, "False": False}
    return meanings.get(value, value) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """An option's value with the numbers and words that it holds as texts, in lists and mappings too.

    Args:
        value: Value of an option, as YAML or the command line gives it.

    Returns:
        The value with those texts replaced.

    Raises:
        ValueError: Where it is too large, too deep or holds a number that is not finite.
    """
    return _plain(finite(value))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    parsed = words(value)
    return number(parsed) if isinstance(parsed, str) and NUMBER.fullmatch(parsed) else parsed


def finite(value: Any, where: str = "set") -> Any:
    """Check that a value holds finite numbers alone, and is not too large or too deep.

    Args:
        value: Mappings, lists, texts and numbers.
        where: What the value belongs to; begins the message.

    Returns:
        `value`, unchanged.

    Raises:
        ValueError: Where it holds a number that is not finite, too many values, or itself.
    """
    stack: list[tuple[Any, int]] = [(value, 0)]
    seen = 0
    while stack:
        seen += 1
        if seen > VALUES:
            raise ValueError(f"{where} holds more than {VALUES:,} values")
        item, depth = stack.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{where} holds {item}, expected finite numbers")
        if depth > DEPTH:
            raise ValueError(f"{where} is nested deeper than {DEPTH} levels")
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list | tuple) else ()
        stack += [(part, depth + 1) for part in inner]
    return value


def distinct(values: list, what: str) -> list:
    """Check that no value is there twice.

    Args:
        values: Values that can be hashed.
        what: What a value is called, for the message.

    Returns:
        `values`, unchanged.

    Raises:
        ValueError: Where one is there twice.
    """
    if len(set(values)) < len(values):
        raise ValueError(f"holds {what} twice")
    return values


def _name(value: Any) -> Any:
    """Text of a name of digits alone or of a date, which YAML and Snakemake's command line turn into values."""
    if isinstance(value, bool):
        raise ValueError(
            f"YAML reads it as {str(value).lower()}; expected a name, in quotes where it is a word like 'no'"
        )
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value) if isinstance(value, int) else value


def _steps(value: Any) -> Any:
    steps = value if isinstance(value, bool) else number(value)
    if steps == "paper" or (type(steps) is int and 1 <= steps <= WHOLE_MOST):
        return steps
    raise ValueError(f"expected a whole number from 1 to {WHOLE_MOST}, or 'paper', got {value!r}")


def _snapshots(value: list[float]) -> list[float]:
    check_snapshots(distinct(value, "a value"))
    return value


def _seeds(value: list[int]) -> list[int]:
    return distinct(value, "a value")


def none(value: Any) -> Any:
    """None where the value is a word for it.

    Args:
        value: Value of a key.

    Returns:
        None, or the value itself.
    """
    return None if words(value) is None else value


#: levels of an option's value, and values in it
DEPTH, VALUES = 20, 100_000
#: a number as it is written in YAML, JSON or Python
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.?(inf|nan|Infinity|NaN)")

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=NAME_MOST), BeforeValidator(_name)]
Fraction = Annotated[float, Field(ge=SNAPSHOT_LEAST, le=1), BeforeValidator(number)]
Seed = Annotated[int, Field(ge=0, le=SEED_MOST, strict=True), BeforeValidator(number)]
Count = Annotated[int, Field(ge=1, le=WHOLE_MOST, strict=True), BeforeValidator(number)]
Count0 = Annotated[int, Field(ge=0, le=WHOLE_MOST, strict=True), BeforeValidator(number)]
Rows = Annotated[int, Field(ge=20, le=ROWS_MOST, strict=True), BeforeValidator(number)]
Repeats = Annotated[int, Field(ge=2, le=ROWS_MOST, strict=True), BeforeValidator(number)]
Steps = Annotated[Annotated[int, Field(ge=1, le=WHOLE_MOST, strict=True)] | Literal["paper"], BeforeValidator(_steps)]
Snapshots = Annotated[list[Fraction], AfterValidator(_snapshots)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_seeds)]
Seconds = Annotated[float, Field(gt=0, le=SECONDS_MOST), BeforeValidator(number)]
PathText = Annotated[str, AfterValidator(expanded)]
Folder = Annotated[str, AfterValidator(expanded_folder)]
Options = Annotated[dict[str, Any], BeforeValidator(plain), AfterValidator(finite)]
Yes = Annotated[bool, BeforeValidator(words)]
