"""What the verbs of the command line share: kinds of options, and how their text is read."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from otbench.errors import OtbenchError


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


def numbers(text: str, kind: type, what: str) -> list[Any]:
    """The numbers in `text`, separated by commas; raises OtbenchError that names `what` where one is none."""
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise OtbenchError(f"{what}: expected numbers separated by commas, got '{text}'") from None


def print_result(value: Any, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or else `text`."""
    typer.echo(json.dumps(value, indent=2) if as_json else text)


def load_data(name: str) -> Any:
    """The data set that a name or a file stands for."""
    from otbench.data import load

    return load(name)


def positive(text: str, what: str) -> int:
    """The one whole number above 0 in `text`; raises OtbenchError that names `what`."""
    found = numbers(text, int, what)
    if len(found) != 1 or found[0] < 1:
        raise OtbenchError(f"{what}: expected one whole number above 0, got '{text}'")
    return found[0]


def budget(text: str) -> int | None:
    """The training steps in `text`, or None for `paper`."""
    return None if text == "paper" else positive(text, "--steps")


def span(text: str) -> range:
    """The trials `FIRST:END` in `text`; raises OtbenchError where it is something else."""
    first, _, end = text.partition(":")
    if not (first.isdigit() and end.isdigit() and int(first) < int(end)):
        raise OtbenchError(f"--trials: expected FIRST:END with FIRST below END, such as 0:10, got '{text}'")
    return range(int(first), int(end))


def mapping(text: str) -> dict[str, Any]:
    """The JSON object in `text`."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OtbenchError(f"--options: expected JSON such as '{{\"rate\": 0.001}}', got '{text}' ({error})") from None
    if not isinstance(value, dict):
        raise OtbenchError(f"--options: expected a JSON object, got '{text}'")
    return value
