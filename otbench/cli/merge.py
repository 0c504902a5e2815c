"""The verb that joins runs from several machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otbench.errors import WorkFailed
from otbench.utils.paths import PUBLISHED, REFERENCE


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of the runs, results/<run> each.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the merged run; its last part is the run's name.")],
    report: Annotated[bool, typer.Option("--report/--no-report", help="Render the report of the merged run.")] = True,
    published: Annotated[Path, typer.Option(help="Table of published figures.")] = Path(PUBLISHED),
) -> None:
    """Join runs of one config from several machines: seeds, models or data sets that each did a part of.

    What does not fit is refused cell by cell, with the reason, and the exit status is 1.

    Example: otbench merge here/results/default there/results/default --out results/both

    \f
    Args:
        folders: Folders of the runs.
        out: Folder of the merged run.
        report: Whether to render the report.
        published: Table of published figures, .csv.

    Raises:
        WorkFailed: Where cells were refused.
    """
    from otbench.runs.merge import merge as run

    merged = run(folders, out)
    for sentence in merged.refused:
        typer.echo(f"otbench merge: refused: {sentence}", err=True)
    typer.echo(f"{out.name}: {merged.cells} cells of {len(merged.summary['expected'])} in {out}")
    if report:
        from otbench.report import render

        reference = Path(REFERENCE)
        page = render(out, published, reference if (reference / "metrics.parquet").is_file() else None, None)
        typer.echo(f"report: {page}")
    if merged.refused:
        raise WorkFailed(f"merge: {len(merged.refused)} parts were refused, as said above")
