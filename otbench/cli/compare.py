"""The verb `compare`: two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otbench.cli.options import AsJson, print_result


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a gathered run, such as the one before a change.")],
    second: Annotated[Path, typer.Argument(help="Folder of the run to set beside it.")],
    every: Annotated[bool, typer.Option("--all", help="Whether to list what stayed within its noise too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which values of two runs differ by more than the noise of their seeds.

    Example: otbench compare results/before results/after

    \f
    Args:
        first: Folder of a gathered run.
        second: Folder of the other.
        every: Whether to list all cells.
        as_json: Whether to print JSON, a record a cell.
    """
    from otbench.report import moved

    found = moved.compare(first, second)
    print_result(moved.as_rows(found), as_json, moved.said(found, every))
