"""State of the queue: what is done, what is next, and how long the rest will take."""

from __future__ import annotations

from pathlib import Path

from otbench.config.queue import Cell, Queue
from otbench.config.study import KINDS
from otbench.models import find
from otbench.runs.queue import done
from otbench.utils.files import read_json, read_parquet

#: (data set, row) -> seconds of training for a discriminator update
Rates = dict[tuple[str, str], float]
SHOWN = 5


def lines(queue: Queue, cores: int) -> list[str]:
    """State of the queue: what is done, what comes next and how long it will take.

    Args:
        queue: The queue.
        cores: Number of cells made at once.

    Returns:
        Sentences.
    """
    complete: list[Cell] = []
    waiting: list[Cell] = []
    for cell in queue.cells:
        (waiting if done(queue, cell) is None else complete).append(cell)
    sentences = [f"{len(complete)} of {len(complete) + len(waiting)} cells are done"]
    step_times = rates(queue, complete)
    spent = {cell: seconds(cell, step_times) for cell in waiting}
    for cell in waiting[:SHOWN]:
        sentences.append(f"  next: {cell.name}, {duration(spent[cell])}")
    if waiting:
        unknown = sum(time is None for time in spent.values())
        total = sum(time for time in spent.values() if time is not None) / cores
        beside = f", and {unknown} cells of which no training time is known yet" if unknown else ""
        sentences.append(f"all {len(waiting)}: {duration(total)} on {cores} core{'s' * (cores > 1)}{beside}")
    return sentences


def budget(cell: Cell) -> int:
    """Budget of a cell.

    Args:
        cell: Cell of the queue.

    Returns:
        Discriminator updates or batches; 0 for a model that is not trained in steps.
    """
    if cell.part.steps != "paper":
        return cell.part.steps
    return find(cell.model, KINDS[cell.part.study]).paper_budget(cell.dataset) or 0


def rates(queue: Queue, complete: list[Cell]) -> Rates:
    """Training time of a step of every row that was trained before, in the runs that `times` names, then in the queue.

    Args:
        queue: The queue.
        complete: Cells that are done.

    Returns:
        Seconds of a discriminator update by data set and row.
    """
    step_times: Rates = {}
    for folder in queue.times:
        if (folder / "metrics.parquet").exists():
            step_times |= _rates_of(folder)
    for cell in complete:
        about = done(queue, cell) or {}
        if budget(cell) and about.get("seconds"):
            step_times[cell.dataset, cell.row] = about["seconds"] / budget(cell)
    return step_times


def _rates_of(folder: Path) -> Rates:
    models, table = read_json(folder / "run.json")["models"], read_parquet(folder / "metrics.parquet")
    ok = table[(table["status"] == "ok") & (table["snapshot"] == 1)]
    spent = ok.drop_duplicates(["dataset", "model", "seed"]).groupby(["dataset", "model"])["seconds"].mean()
    return {key: value / steps for key, value in spent.items() if (steps := models.get(key[1], {}).get("steps"))}


def seconds(cell: Cell, known: Rates) -> float | None:
    """Estimate of a cell's training time: by the row's own rate, the model's, or the model's on other data.

    Args:
        cell: Cell of the queue.
        known: Rates of `rates`.

    Returns:
        Seconds; None where the model was never trained.
    """
    rate = known.get((cell.dataset, cell.row)) or known.get((cell.dataset, cell.model))
    if rate is None:
        others = [value for (_, model), value in known.items() if model == cell.model]
        rate = sum(others) / len(others) if others else None
    return None if rate is None else rate * budget(cell)


def duration(value: float | None) -> str:
    """Time in words.

    Args:
        value: Seconds; None where unknown.

    Returns:
        Such as `about 3.2 hours`.
    """
    if value is None:
        return "no training time known yet"
    if value < 100:
        return f"about {value:.0f} seconds"
    return f"about {value / 60:.0f} minutes" if value < 6000 else f"about {value / 3600:.1f} hours"
