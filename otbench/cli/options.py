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


NetworkWeights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        help="Weights of a feature network, NAME=PATH, or PATH for Inception's; may be given several times.",
    ),
]


class Space(StrEnum):
    """The ranges that a search draws from."""

    wide = "wide"
    narrow = "narrow"
    tuning = "tuning"
    again = "again"


def numbers(text: str, kind: type, what: str) -> list[Any]:
    """Finite numbers in a text.

    Args:
        text: Numbers separated by commas.
        kind: `int` or `float`.
        what: Name of the option, for the message.

    Returns:
        The numbers, in the order of the text.

    Raises:
        OtbenchError: Where a part is no finite number.
    """
    try:
        values = [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        values = [math.nan]
    if not all(map(math.isfinite, values)):
        raise OtbenchError(f"{what}: expected numbers separated by commas, got '{shortened(text)}'")
    return values


def shortened(text: str, most: int = 80) -> str:
    """A text cut to a length that fits in a sentence.

    Args:
        text: The text.
        most: Characters above which it is cut.

    Returns:
        The text, or its beginning and three dots.
    """
    return text if len(text) <= most else f"{text[:most]}..."


def above_zero(value: float | None, what: str, most: float = SECONDS_MOST) -> float | None:
    """Check that a number is above 0 and not too large.

    Args:
        value: The number; None passes.
        what: Name of the option, for the message.
        most: Largest number allowed.

    Returns:
        `value`, unchanged.

    Raises:
        OtbenchError: Where the number is out of range.
    """
    if value is not None and not 0 < value <= most:
        raise OtbenchError(f"{what}: expected a number above 0 and up to {most:g}, got {value:g}")
    return value


def print_result(value: Any, as_json: bool, text: str) -> None:
    """Print a result as JSON or as text.

    Args:
        value: The result, ready for JSON but for infinities and NaN.
        as_json: Whether to print JSON.
        text: The same for people.
    """
    print_json(value) if as_json else typer.echo(text)


def print_json(value: Any) -> None:
    """Print a value as JSON, which has no NaN and no infinity: such a number is the text `nan`, `inf` or `-inf`.

    Args:
        value: Mappings, lists, texts and numbers.
    """
    typer.echo(json.dumps(_texts_of_numbers(value), indent=2, allow_nan=False))


def _texts_of_numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, dict):
        return {key: _texts_of_numbers(inner) for key, inner in value.items()}
    return [_texts_of_numbers(inner) for inner in value] if isinstance(value, list | tuple) else value


def load_data(name: str) -> Any:
    """The data set that a name or a file stands for.

    Args:
        name: Name, `folder:PATH`, `folder:PATH@SIZE`, or path of a data set's .npz.

    Returns:
        The data set, checked.
    """
    from otbench.data import load

    return load(name)


def positive(text: str, what: str) -> int:
    """The one whole number above 0 in a text.

    Args:
        text: Digits.
        what: Name of the option, for the message.

    Returns:
        The number.

    Raises:
        OtbenchError: Where the text is anything else, or the number too large.
    """
    values = numbers(text, int, what)
    if len(values) != 1 or not 1 <= values[0] <= WHOLE_MOST:
        raise OtbenchError(f"{what}: expected one whole number above 0, at most {WHOLE_MOST}, got '{shortened(text)}'")
    return values[0]


def budget(text: str) -> int | None:
    """Training steps in a text.

    Args:
        text: A whole number above 0, or `paper`.

    Returns:
        Number of steps; None for `paper`.
    """
    return None if text == "paper" else positive(text, "--steps")


def span(text: str) -> range:
    """Trials in a text.

    Args:
        text: `FIRST:END`, END excluded.

    Returns:
        The trials' numbers.

    Raises:
        OtbenchError: Where the text has another form, or FIRST is not below END.
    """
    first, _, end = text.partition(":")
    digits = all(re.fullmatch("[0-9]{1,15}", part) for part in (first, end))
    if not (digits and int(first) < int(end)):
        raise OtbenchError(f"--trials: expected FIRST:END with FIRST below END, such as 0:10, got '{shortened(text)}'")
    return range(int(first), int(end))


def mapping(text: str) -> dict[str, Any]:
    """The JSON object in a text.

    Args:
        text: Value of `--options`.

    Returns:
        The object, whose numbers are finite.

    Raises:
        OtbenchError: Where the text is no JSON object, or one that is nested too deeply, too large or not finite.
    """
    from otbench.config.fields import finite

    quoted = shortened(text)
    try:
        value = json.loads(text)
    except RecursionError:
        raise OtbenchError(f"--options: expected a JSON object, got '{quoted}', which is nested too deeply") from None
    except ValueError as error:
        raise OtbenchError(
            f"--options: expected JSON such as '{{\"rate\": 0.001}}', got '{quoted}' ({error})"
        ) from None
    if not isinstance(value, dict):
        raise OtbenchError(f"--options: expected a JSON object, got '{quoted}'")
    try:
        return finite(value, "--options")
    except ValueError as error:
        raise OtbenchError(str(error)) from None
