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

#: what validates every part of a config: no other keys, and no number that is none
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


def number(value: Any) -> Any:
    """The number that a text is: nested values of Snakemake's `--config`, and YAML's `1e3`, come as texts."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    if not isinstance(value, str) or len(value) > 40:
        return value
    for kind in (int, float):
        try:
            # YAML writes `.inf` and `.nan`
            found = kind(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", value, flags=re.IGNORECASE))
        except ValueError:
            continue
        return int(found) if kind is float and found.is_integer() else found
    return value


def words(value: Any) -> Any:
    """The value that a word of Python or YAML stands for, which nested values of `--config` come as texts of."""
    known = {"null": None, "None": None, "~": None, "true": True, "True": True, "false": False, "False": False}
    return known.get(value, value) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """An option's value with the numbers and words that it holds as texts, in lists and mappings too."""
    return _plain(finite(value))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    found = words(value)
    return number(found) if isinstance(found, str) and NUMBER.fullmatch(found) else found


def finite(value: Any, where: str = "set") -> Any:
    """Return `value`; raises ValueError where it holds a number that is not finite, too many values, or itself."""
    stack: list[tuple[Any, int]] = [(value, 0)]
    seen = 0
    while stack:
        seen += 1
        if seen > VALUES:
            raise ValueError(f"{where} holds more than {VALUES:,} values")
        one, depth = stack.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError(f"{where} holds {one}, expected finite numbers")
        if depth > DEPTH:
            raise ValueError(f"{where} is nested deeper than {DEPTH} levels")
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else ()
        stack += [(part, depth + 1) for part in inner]
    return value


def distinct(values: list, what: str) -> list:
    """Return `values`; raises ValueError where one is there twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"holds {what} twice")
    return values


def _name(value: Any) -> Any:
    """A name of digits alone, or a date, as a text again: YAML and Snakemake's command line make values of them."""
    if isinstance(value, bool):
        raise ValueError(
            f"YAML reads it as {str(value).lower()}; expected a name, in quotes where it is a word like 'no'"
        )
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value) if isinstance(value, int) else value


def _steps(value: Any) -> Any:
    found = value if isinstance(value, bool) else number(value)
    if found == "paper" or (type(found) is int and 1 <= found <= WHOLE_MOST):
        return found
    raise ValueError(f"expected a whole number from 1 to {WHOLE_MOST}, or 'paper', got {value!r}")


def _snapshots(value: list[float]) -> list[float]:
    check_snapshots(distinct(value, "a value"))
    return value


def _seeds(value: list[int]) -> list[int]:
    return distinct(value, "a value")


def none(value: Any) -> Any:
    """None where it is a word for it; else the value itself."""
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
