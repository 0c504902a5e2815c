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
    """Join fits of some seeds each into one fit of all the seeds.

    Writes fit.json, weights.safetensors and losses.csv. On a CPU they are those of one fit of all seeds, bit for bit,
    but for times and costs. fit.json keeps the command of every part.

    Args:
        folders: Where the parts lie, in the order of the joined seeds.
        out: Folder to write to.

    Returns:
        What fit.json holds.

    Raises:
        OtbenchError: Where a part is missing or damaged, was not fitted alike, or has a seed that another has.
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
        "seeds": [seed for part in summaries for seed in part["seeds"]],
        "cells": sorted(
            (cell for part in summaries for cell in part["cells"]), key=lambda cell: (cell["seed"], cell["snapshot"])
        ),
        "started": min(part["started"] for part in summaries),
        "finished": max(part["finished"] for part in summaries),
        "command": " && ".join(part["command"] for part in summaries),
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
    for folder, summary in zip(folders, summaries, strict=True):
        lacking = [name for name in (*SAME, "seeds", "cells", "command") if name not in summary]
        if lacking:
            raise OtbenchError(f"{folder}/fit.json lacks {', '.join(lacking)}; expected what `fit` writes")
        for name in SAME:
            if summary[name] != summaries[0][name]:
                raise OtbenchError(
                    f"join: {name} is {summary[name]} in {folder} and {summaries[0][name]} in {folders[0]}; expected"
                    " fits that differ in their seeds alone"
                )
        for seed in summary["seeds"]:
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
