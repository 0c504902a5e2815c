"""Whether a run is whole: how many of its cells are ok, and which are not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from otbench.data.samples import STATUSES
from otbench.errors import OtbenchError


def status(folder: Path, config: str | None = None) -> dict[str, Any]:
    """How the cells of a gathered run came out, and whether it is the run that is asked about.

    A cell is one model with one seed on one data set; its status is that at the end of its budget.

    Args:
        folder: Folder of the run.
        config: Digest of the config that the run must have been gathered under; default: that of its config.json.

    Returns:
        `counts` by status and in `all`; `troubled`, the cells that are not ok, with a `message` where they are stale;
        `lacking`, studies that are missing; `config`, a sentence where the run was gathered under another config.

    Raises:
        OtbenchError: Where the run is not gathered.
    """
    from otbench.report.results import load_run
    from otbench.report.summary import status_of

    run = load_run(folder, scatter=False)
    cells = [
        {"dataset": dataset, "model": model, "seed": seed, "status": status_of(part, dataset, model, seed)}
        for part in map(run.of, run.studies)
        for (dataset, model), seeds in part.cells.items()
        for seed in seeds
    ]
    counts = Counter(cell["status"] for cell in cells)
    messages = {(entry["dataset"], entry["model"]): entry["message"] for entry in run.info.get("stale", [])}
    troubled = [cell for cell in cells if cell["status"] != "ok"]
    for cell in troubled:
        if cell["status"] == "missing" and (message := messages.get((cell["dataset"], cell["model"]))):
            cell["message"] = message
    return {
        "run": run.name,
        "counts": {name: counts[name] for name in STATUSES} | {"all": len(cells)},
        "troubled": troubled,
        "lacking": list(run.info.get("lacking", [])),
        "config": _other_config(Path(folder), run.info, config),
    }


def _other_config(folder: Path, info: dict[str, Any], config: str | None) -> str:
    """A sentence where a run was gathered under another config than the one asked about; empty where it was not."""
    gathered = info.get("config_hash")
    if config is None:
        from otbench.runs.check import read
        from otbench.runs.stale import config_digest

        path = folder / "config.json"
        if gathered is None or not path.exists():
            return ""
        try:
            config = config_digest(read(path))
        except OtbenchError:  # of a release whose configs were others
            return ""
    if gathered == config:
        return ""
    return f"{folder} was gathered under config {gathered}, expected {config}; gather it again"


def said(found: dict[str, Any]) -> str:
    """Words for what `status` found: the counts, then the cells that are not ok, a model a line.

    Args:
        found: What `status` returned.

    Returns:
        Lines of text.
    """
    counts = found["counts"]
    parts = [f"{counts[name]} {name}" for name in STATUSES[1:] if counts[name]]
    lines = [f"{found['run']}: {counts['ok']} of {counts['all']} cells are ok" + "".join(f", {part}" for part in parts)]
    groups: dict[tuple[str, str, str, str], list[int]] = {}
    for cell in found["troubled"]:
        key = (cell["dataset"], cell["model"], cell["status"], cell.get("message", ""))
        groups.setdefault(key, []).append(cell["seed"])
    for (dataset, model, status, message), seeds in groups.items():
        why = f" ({message})" if message else ""
        lines.append(f"  {dataset}/{model}: {status}, seed {', '.join(map(str, sorted(seeds)))}{why}")
    lines += [f"  missing: {name}" for name in found.get("lacking", [])]
    return "\n".join(lines)


def problem(found: dict[str, Any]) -> str:
    """Why a run does not succeed.

    Args:
        found: What `status` returned.

    Returns:
        One sentence; empty where the run succeeds.
    """
    parts = [found["config"]] if found["config"] else []
    if found["troubled"]:
        parts.append(f"{len(found['troubled'])} of {found['counts']['all']} cells are not ok; the report counts them")
    if found["lacking"]:
        parts.append(f"missing: {'; '.join(found['lacking'])}")
    return "; ".join(parts)
