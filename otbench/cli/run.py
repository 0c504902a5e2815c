"""The verb `run`: the whole benchmark, from any folder."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

#: options with which Snakemake prints something and runs nothing
PRINTING = ("-n", "--dry-run", "--dryrun", "--lint", "--report", "--summary", "--dag", "--rulegraph", "--list-rules")


def run(
    context: typer.Context,
    cores: Annotated[int | None, typer.Option("--cores", "-c", min=1, help="Jobs at once; default: all cores.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Show Snakemake's own lines in place of one bar.")] = False,
) -> None:
    """Run the benchmark that a config describes and render its report, under ./results; it goes on where it stopped.

    CONFIG is a .yaml file or the name of a config that comes with the benchmark, such as tiny, quick or all; the
    default run without one. All other options go to Snakemake. Snakemake's full log is under .snakemake/log.

    Example: otbench run quick --cores 2

    \f
    Args:
        context: The words after the verb.
        cores: Jobs at once; None for the number of cores.
        plain: Whether to show Snakemake's lines in place of a bar.

    Raises:
        Exit: With Snakemake's exit status.
    """
    from otbench.runs.launch import run as launch

    logger = None
    if not plain and not any(word in PRINTING for word in context.args):
        from otbench.cli import bar

        logger = bar.register()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    sys.stdout.flush()
    raise typer.Exit(launch(context.args, cores or available or 1, logger))
