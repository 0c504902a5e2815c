"""What the verbs of the command line share: kinds of options, and how their text is read."""

from __future__ import annotations

import json
import math
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from otbench.errors import OtbenchError
from otbench.utils.bounds import SECONDS_MOST, WHOLE_MOST


class Device(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    """Arithmetic of training."""

    float32 = "float32"
    tf32 = "tf32"
    bfloat16 = "bfloat16"


class Study(StrEnum):
    """What `study` computes."""

    latent = "latent"


class Kind(StrEnum):
    """What `list` shows."""

    all = "all"
    models = "models"
    datasets = "datasets"
    metrics = "metrics"
    theory = "theory"


DataArgument = Annotated[str, typer.Option("--data", "--dataset", help="Data set: its name, or a file made by `data`.")]
Out = Annotated[Path, typer.Option("--out", help="What to write.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Space(StrEnum):
    """The ranges that a search draws from."""

    wide = "wide"
    narrow = "narrow"
    tuning = "tuning"


def numbers(text: str, kind: type, what: str) -> list[Any]:
    """The finite numbers in `text`, separated by commas; raises OtbenchError that names `what` where one is none."""
    try:
        found = [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise OtbenchError(f"{what}: expected numbers separated by commas, got '{shortened(text)}'")
    return found


def shortened(text: str, most: int = 80) -> str:
    """A text as a sentence can hold it."""
    return text if len(text) <= most else f"{text[:most]}..."


def above_zero(value: float | None, what: str, most: float = SECONDS_MOST) -> float | None:
    """Return `value`; raises OtbenchError that names `what` where it is not above 0 and up to `most`."""
    if value is not None and not 0 < value <= most:
        raise OtbenchError(f"{what}: expected a number above 0 and up to {most:g}, got {value:g}")
    return value


def print_result(value: Any, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or else `text`."""
    print_json(value) if as_json else typer.echo(text)


def print_json(value: Any) -> None:
    """Print `value` as JSON, which has no NaN and no infinity: such a number is the text `nan`, `inf` or `-inf`."""
    typer.echo(json.dumps(_texts_of_numbers(value), indent=2, allow_nan=False))


def _texts_of_numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, dict):
        return {key: _texts_of_numbers(one) for key, one in value.items()}
    return [_texts_of_numbers(one) for one in value] if isinstance(value, list | tuple) else value


def load_data(name: str) -> Any:
    """The data set that a name or a file stands for."""
    from otbench.data import load

    return load(name)


def positive(text: str, what: str) -> int:
    """The one whole number above 0 in `text`; raises OtbenchError that names `what`."""
    found = numbers(text, int, what)
    if len(found) != 1 or not 1 <= found[0] <= WHOLE_MOST:
        raise OtbenchError(f"{what}: expected one whole number above 0, at most {WHOLE_MOST}, got '{shortened(text)}'")
    return found[0]


def budget(text: str) -> int | None:
    """The training steps in `text`, or None for `paper`."""
    return None if text == "paper" else positive(text, "--steps")


def span(text: str) -> range:
    """The trials `FIRST:END` in `text`; raises OtbenchError where it is something else."""
    first, _, end = text.partition(":")
    digits = all(re.fullmatch("[0-9]{1,15}", part) for part in (first, end))
    if not (digits and int(first) < int(end)):
        raise OtbenchError(f"--trials: expected FIRST:END with FIRST below END, such as 0:10, got '{shortened(text)}'")
    return range(int(first), int(end))


def mapping(text: str) -> dict[str, Any]:
    """The JSON object in `text`."""
    from otbench.config.fields import finite

    shown = shortened(text)
    try:
        value = json.loads(text)
    except RecursionError:
        raise OtbenchError(f"--options: expected a JSON object, got '{shown}', which is nested too deeply") from None
    except ValueError as error:
        raise OtbenchError(f"--options: expected JSON such as '{{\"rate\": 0.001}}', got '{shown}' ({error})") from None
    if not isinstance(value, dict):
        raise OtbenchError(f"--options: expected a JSON object, got '{shown}'")
    try:
        return finite(value, "--options")
    except ValueError as error:
        raise OtbenchError(str(error)) from None
