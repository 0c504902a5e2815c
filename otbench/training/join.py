"""From fits of some seeds each to the fit of all of them: the verb `join`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from otbench.errors import OtbenchError
from otbench.training.summary import read_summary
from otbench.utils.files import atomic_write, write_json

SAME = ("model", "options", "data", "dataset", "steps", "snapshots", "precision", "code_version", "config_hash")
"""What fits of one model must share."""


def join(folders: list[Path], out: Path) -> dict[str, Any]:
    """Write `out`/{fit.json, weights.safetensors, losses.csv} of all the seeds in `folders`, in the order given.

    On a CPU they are those of one fit of all seeds, bit for bit, but for times and costs. fit.json keeps the command of
    every part. Returns what it holds. Raises OtbenchError where a part is missing or damaged, was not fitted alike, or
    has a seed that another has.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save

    from otbench.training.saved import check_weights, mark_of

    if not folders:
        raise OtbenchError("join: expected at least one folder that `fit` wrote")
    summaries = [read_summary(folder) for folder in folders]
    _check(folders, summaries)
    first = summaries[0]
    tensors: dict[str, Any] = {}
    for folder, summary in zip(folders, summaries, strict=True):
        check_weights(folder / "weights.safetensors", summary)
        try:
            tensors |= load_file(folder / "weights.safetensors")
        except (OSError, SafetensorError) as error:
            raise OtbenchError(f"cannot read the weights in {folder}: {error}") from error
    joined = first | {
        "seeds": [seed for one in summaries for seed in one["seeds"]],
        "cells": sorted(
            (cell for one in summaries for cell in one["cells"]), key=lambda cell: (cell["seed"], cell["snapshot"])
        ),
        "started": min(one["started"] for one in summaries),
        "finished": max(one["finished"] for one in summaries),
        "command": " && ".join(one["command"] for one in summaries),
    }
    content = save(tensors, {"fit": mark_of(first)})
    joined["weights_sha256"] = hashlib.sha256(content).hexdigest()
    with atomic_write(out / "weights.safetensors") as path:
        path.write_bytes(content)
    with atomic_write(out / "losses.csv") as path, open(path, "w", encoding="utf-8", newline="") as file:
        file.writelines(_losses(folders))
    write_json(out / "fit.json", joined)
    return joined


def _check(folders: list[Path], summaries: list[dict[str, Any]]) -> None:
    seen: dict[int, Path] = {}
    for folder, one in zip(folders, summaries, strict=True):
        lacking = [name for name in (*SAME, "seeds", "cells", "command") if name not in one]
        if lacking:
            raise OtbenchError(f"{folder}/fit.json lacks {', '.join(lacking)}; expected what `fit` writes")
        for name in SAME:
            if one[name] != summaries[0][name]:
                raise OtbenchError(
                    f"join: {name} is {one[name]} in {folder} and {summaries[0][name]} in {folders[0]}; expected fits"
                    " that differ in their seeds alone"
                )
        for seed in one["seeds"]:
            if seed in seen:
                raise OtbenchError(f"join: seed {seed} is in {seen[seed]} and in {folder}; expected it once")
            seen[seed] = folder


def _losses(folders: list[Path]) -> list[str]:
    """The lines of all tables of losses under one head."""
    lines: list[str] = []
    for folder in folders:
        try:
            with open(folder / "losses.csv", encoding="utf-8", newline="") as file:
                head, *rows = file.readlines() or [""]
        except OSError as error:
            raise OtbenchError(f"cannot read {folder}/losses.csv: {error.strerror or error}") from error
        lines += rows if lines else [head, *rows]
    return lines
