"""Words of the verbs `fit`, `draw` and `measure`, as the workflow calls them and as a user does."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any


def command_line(verb: str, words: list[str]) -> str:
    """Command line of a call of a verb, quoted for a shell.

    Args:
        verb: Verb of `otbench`, such as `fit`.
        words: Words after the verb, where it was not called on the command line.

    Returns:
        The line as it was typed, relative paths included, where the verb was called on the command line; else
        `otbench VERB WORDS`.
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
    """Options of `otbench fit` beside its data, folder and seeds.

    Args:
        steps: Budget in discriminator updates; `paper` or None for the paper's.
        snapshots: Fractions of the budget.
        options: The model's, in place of its paper's values.
        device: Where models are trained: `auto`, `cpu` or `cuda`.
        together: Replicas trained at once; 0: all on a GPU, and on a CPU where it is faster.
        precision: `float32`, `tf32` or `bfloat16`.
        capture: Whether training steps are recorded as CUDA graphs.
        deterministic: Whether a GPU gives the same bits every time.
        time_limit: Seconds that one replica may train; None for no limit.

    Returns:
        Words of the command line.
    """
    words = ["--steps", "paper" if steps is None else str(steps), "--snapshots", _joined(snapshots)]
    words += ["--options", json.dumps(options, sort_keys=True), "--device", device]
    words += ["--together", str(together), "--precision", precision]
    words += ["--capture"] * capture + ["--deterministic"] * deterministic
    return words + (["--time-limit", f"{time_limit:g}"] if time_limit else [])


def fit_words(model: str, data: str, out: str | Path, seeds: list[int], options: list[str]) -> list[str]:
    """Words after `otbench fit`.

    Args:
        model: Name of the model.
        data: Data set as a command line names it: a name, or the path of an .npz.
        out: Folder of the fit.
        seeds: Seeds of the replicas.
        options: Words of `fit_options`.

    Returns:
        Words of the command line.
    """
    return [model, "--data", data, "--out", str(out), "--seeds", _joined(seeds), *options]


def draw_words(fit: str | Path, data: str, n: int, out: str | Path, device: str | None = None) -> list[str]:
    """Words after `otbench draw`.

    Args:
        fit: Folder of the fit.
        data: Data set as a command line names it.
        n: Number of samples of every seed and snapshot.
        out: Where the samples go, .npz.
        device: Where samples are drawn; None for the verb's default.

    Returns:
        Words of the command line.
    """
    on = ["--device", device] if device else []
    return ["--fit", str(fit), "--data", data, "--n", str(n), *on, "--out", str(out)]


def feature_words(features: str | Path, device: str, weights: dict[str, str] | None = None) -> list[str]:
    """Options of `otbench measure` that images need.

    Args:
        features: Folder of the features.
        device: Where features are computed.
        weights: Files of weights by the network's name; None for those at hand.

    Returns:
        Words of the command line.
    """
    return ["--features", str(features), "--device", device, *weight_words(weights or {})]


def weight_words(weights: dict[str, str]) -> list[str]:
    """Options that name files of weights.

    Args:
        weights: Files by the network's name.

    Returns:
        Words of the command line.
    """
    return [
        word
        for name, path in weights.items()
        for word in ("--weights", path if name == "inception" else f"{name}={path}")
    ]


def measure_words(
    data: str,
    samples: str | Path,
    run: str,
    study: str,
    model: str,
    features: list[str],
    curves: Path,
    out: Path,
    rulers: list[str] | None = None,
) -> list[str]:
    """Words after `otbench measure`.

    Args:
        data: Data set as a command line names it.
        samples: Where the samples lie, .npz.
        run: Name of the run, a column of the table.
        study: Name of the study, a column of the table.
        model: Name of the model, a column of the table.
        features: Words of `feature_words`; empty for points.
        curves: Where PRD's curves go, .npz.
        out: Where the table goes, .csv.
        rulers: Metrics on request that are measured too; None for none.

    Returns:
        Words of the command line.
    """
    words = ["--data", data, "--samples", str(samples), "--run", run, "--study", study, "--model", model]
    words += [word for name in rulers or () for word in ("--ruler", name)]
    return [*words, *features, "--curves", str(curves), "--out", str(out)]


def _joined(values: list[int] | list[float]) -> str:
    return ",".join(map(str, values))
