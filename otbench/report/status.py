"""Whether a run is whole: how many of its cells are ok, and which are not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from otbench.data.samples import STATUSES


def status(folder: Path) -> dict[str, Any]:
    """How the cells of a gathered run came out: `counts` by status and in `all`, and `troubled`, those that are not ok.

    A cell is one model with one seed on one data set; its status is that at the end of its budget. Raises OtbenchError
    where the run is not gathered.
    """
    from otbench.report.results import load_run
    from otbench.report.summary import status_of

    run = load_run(folder, scatter=False)
    found = [
        {"dataset": dataset, "model": model, "seed": seed, "status": status_of(part, dataset, model, seed)}
        for part in map(run.of, run.studies)
        for (dataset, model), seeds in part.cells.items()
        for seed in seeds
    ]
    counts = Counter(cell["status"] for cell in found)
    return {
        "run": run.name,
        "counts": {name: counts[name] for name in STATUSES} | {"all": len(found)},
        "troubled": [cell for cell in found if cell["status"] != "ok"],
    }


def said(found: dict[str, Any]) -> str:
    """What `status` found, in words: the counts, then the cells that are not ok, a model a line."""
    counts = found["counts"]
    parts = [f"{counts[name]} {name}" for name in STATUSES[1:] if counts[name]]
    lines = [f"{found['run']}: {counts['ok']} of {counts['all']} cells are ok" + "".join(f", {part}" for part in parts)]
    groups: dict[tuple[str, str, str], list[int]] = {}
    for cell in found["troubled"]:
        groups.setdefault((cell["dataset"], cell["model"], cell["status"]), []).append(cell["seed"])
    lines += [
        f"  {dataset}/{model}: {status}, seed {', '.join(map(str, sorted(seeds)))}"
        for (dataset, model, status), seeds in groups.items()
    ]
    return "\n".join(lines)
