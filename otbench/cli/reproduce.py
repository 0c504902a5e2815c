"""The verb `reproduce`: one cell of a run again, and whether it comes out as it did."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from otbench.cli.options import AsJson, print_result
from otbench.errors import WorkFailed


def reproduce(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, results/<run>.")],
    cell: Annotated[str, typer.Argument(metavar="CELL", help="DATASET/MODEL/SEED.")],
    out: Annotated[Path | None, typer.Option(help="Folder to keep fit, samples and table in; default: none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one cell of a run again, and say whether it comes out as it did.

    Status 0: bitwise equal; or, where code, versions or machine differ, every value within its interval. Else 1.

    Example: otbench reproduce results/default ring/gan/0

    \f
    Args:
        folder: Folder of the run.
        cell: DATASET/MODEL/SEED.
        out: Folder to keep fit, samples and table in; None for none.
        as_json: Whether to print JSON.

    Raises:
        WorkFailed: Where the cell is not reproduced.
    """
    from otbench.runs.reproduce import finite
    from otbench.runs.reproduce import reproduce as run

    result = run(folder, cell, out)
    print_result(finite(result), as_json, text(result))
    if not result["reproduced"]:
        raise WorkFailed(f"reproduce: {cell}: {result['verdict']}")


def text(told: dict[str, Any]) -> str:
    """The comparison for a terminal: scores of the last snapshot, and all other compared values that differ.

    Args:
        told: What `runs.reproduce.reproduce` returned.

    Returns:
        Lines of text, the verdict last.
    """
    from otbench.runs.differences import EQUAL

    lines = [f"{told['cell']} of run {told['run']}, trained, drawn and measured again", _expectation(told), ""]
    last = max(row["snapshot"] for row in told["rows"])
    earlier = [row for row in told["rows"] if row["snapshot"] != last]
    stated = [row for row in told["rows"] if row["snapshot"] == last and row["protocol"] == "certificate"]
    scores = [row for row in told["rows"] if row["verdict"] != EQUAL or row not in earlier + stated]
    lines += _columns([("metric", "at", "run", "again", "interval of a new seed", "verdict"), *map(_line, scores)])
    for what, rows in ((f"before snapshot {last:g}", earlier), ("stated by the training itself", stated)):
        if rows:
            lines.append(f"{what}: {sum(row['verdict'] == EQUAL for row in rows)} of {len(rows)} values equal")
    lines.append(f"samples: {_samples(told['samples'])}")
    lines.append(f"costs, not compared: {_costs(*told['costs'])}")
    return "\n".join([*lines, f"verdict: {told['verdict']}"])


def _expectation(told: dict[str, Any]) -> str:
    if told["promised"]:
        return "code, versions, device and processor are those of the run: equal bits are expected"
    changed = [f"{change['what']} {change['run']} -> {change['here']}" for change in told["differences"]]
    return "equal bits are not promised: " + ("; ".join(changed) if changed else "it was trained on a GPU")


def _samples(drawn: dict[str, Any]) -> str:
    if drawn["equal"]:
        return f"bitwise equal ({drawn['rows']:,} rows)"
    if drawn["different"] is None:
        return "not bitwise equal (another shape or number)"
    return f"not bitwise equal ({drawn['different']:,} of {drawn['rows']:,} rows differ)"


def _costs(run: dict[str, float], again: dict[str, float]) -> str:
    """Seconds, memory and energy, the run's and this time's."""

    def said(costs: dict[str, float], name: str, scale: float) -> str:
        return f"{costs[name] * scale:.3g}" if name in costs else "not measured"

    units = {"seconds": (1, "s of training"), "peak_memory": (1e-6, "MB at most"), "energy": (1, "J")}
    names = [name for name in units if name in run or name in again]
    return ", ".join(
        f"{said(run, name, units[name][0])} -> {said(again, name, units[name][0])} {units[name][1]}" for name in names
    )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    limits = "none" if math.isnan(row["low"]) else f"[{row['low']:.6g}, {row['high']:.6g}], n = {row['n']}"
    verdict = row["verdict"]
    if row["relative"] > 0:
        verdict += f" (off by {row['relative']:.1e})"
    return row["metric"], f"{row['snapshot']:g}", f"{row['run']:.6g}", f"{row['again']:.6g}", limits, verdict


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(part.ljust(width) for part, width in zip(row, widths, strict=True)).rstrip() for row in rows]
