"""The verb `cite`: the papers of what a run used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def cite(
    folder: Annotated[Path, typer.Argument(help="Folder of a gathered run, results/<run>.")],
    out: Annotated[Path | None, typer.Option(help="File to write, .bib; default: print.")] = None,
) -> None:
    """Print BibTeX of the papers of a run's models, metrics, data sets and studies, each with what it is cited for.

    Example: otbench cite results/default --out papers.bib

    \f
    Args:
        folder: Folder of the gathered run.
        out: File to write, .bib; None to print.
    """
    from otbench.runs.cite import bibtex
    from otbench.utils.files import write_text

    text = bibtex(folder)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_text(out, text)
    entries = sum(line.startswith("@") for line in text.splitlines())
    typer.echo(f"{entries} entries in {out}")
