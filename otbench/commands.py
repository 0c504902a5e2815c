"""The words of the verbs: what `fit`, `draw` and `measure` are called with, by the workflow and by hand."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any


def command_line(verb: str, words: list[str]) -> str:
    """The command line of a call of `verb`, quoted for a shell.

    As it was typed where the verb was called on the command line, relative paths included; else `otbench VERB WORDS`.
    """
    program = Path(sys.argv[0])
    ours = program.stem == "otbench" or (program.stem == "__main__" and program.parent.name == "otbench")
    typed = sys.argv[1:] if ours and sys.argv[1:2] == [verb] else [verb, *words]
    return shlex.join(["otbench", *typed])


def fit_options(
    steps: int | str | None,
    snapshots: list[float],
    options: dict[str, Any],
    device: str,
    together: int,
    precision: str,
    capture: bool = False,
    deterministic: bool = False,
    time_limit: float | None = None,
) -> list[str]:
    """The options of `otbench fit` beside its data, folder and seeds.

    Args:
        steps: budget in discriminator updates; `paper` or None for the paper's.
        snapshots: fractions of the budget.
        options: the model's, in place of its paper's values.
        device, together, precision, capture, deterministic, time_limit: as `otbench fit --help` has them.
    """
    words = ["--steps", "paper" if steps is None else str(steps), "--snapshots", _joined(snapshots)]
    words += ["--options", json.dumps(options, sort_keys=True), "--device", device]
    words += ["--together", str(together), "--precision", precision]
    words += ["--capture"] * capture + ["--deterministic"] * deterministic
    return words + (["--time-limit", f"{time_limit:g}"] if time_limit else [])


def fit_words(model: str, data: str, out: str | Path, seeds: list[int], options: list[str]) -> list[str]:
    """The words after `otbench fit`; options: of `fit_options`."""
    return [model, "--data", data, "--out", str(out), "--seeds", _joined(seeds), *options]


def draw_words(fit: str | Path, data: str, n: int, out: str | Path, device: str | None = None) -> list[str]:
    """The words after `otbench draw`; n: samples of every seed and snapshot."""
    on = ["--device", device] if device else []
    return ["--fit", str(fit), "--data", data, "--n", str(n), *on, "--out", str(out)]


def feature_words(features: str | Path, device: str, weights: str | None = None) -> list[str]:
    """The options of `otbench measure` that images need; weights: a file of Inception's."""
    return ["--features", str(features), "--device", device, *(["--weights", weights] if weights else [])]


def measure_words(
    data: str, samples: str | Path, run: str, study: str, model: str, features: list[str], curves: Path, out: Path
) -> list[str]:
    """The words after `otbench measure`; features: of `feature_words`, empty for points."""
    words = ["--data", data, "--samples", str(samples), "--run", run, "--study", study, "--model", model]
    return [*words, *features, "--curves", str(curves), "--out", str(out)]


def _joined(values: list[int] | list[float]) -> str:
    return ",".join(map(str, values))
