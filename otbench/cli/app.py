"""The command line: a table of its verbs."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

import typer

from otbench import __version__
from otbench.cli import (
    cite,
    compare,
    evaluations,
    merge,
    pipeline,
    rate,
    reference,
    reproduce,
    run,
    score,
    slice,
    studies,
    tools,
    tune,
)
from otbench.errors import OtbenchError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Benchmark of generative models seen through optimal transport.",
)

PIPELINE = (
    pipeline.data,
    pipeline.fit,
    pipeline.join,
    pipeline.draw,
    pipeline.admit,
    pipeline.features,
    pipeline.measure,
    pipeline.gather,
    pipeline.report,
    pipeline.status,
    compare.compare,
)
STUDIES = (studies.study, studies.search, tune.tune, studies.spread, studies.theory, evaluations.evaluations)

# the help of a verb is its docstring up to the form feed (\f)
OTHERS = (reproduce.reproduce, reference.reference, merge.merge, cite.cite, score.score, tools.transport)
for verb in (*PIPELINE, *STUDIES, *OTHERS):
    app.command()(verb)
# what follows the config is Snakemake's
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run.run)
app.command("slice")(slice.slices)
app.command("list")(tools.show)
app.add_typer(rate.app, name="rate")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"otbench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)
"""Errors of the disk, which are no fault of the program."""


def main() -> None:
    """Run the command line; a wrong request ends with one sentence and status 2, failed work with status 1."""
    for stream in (sys.stdout, sys.stderr):  # names outside the terminal's encoding are shown in escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="otbench")
    except OtbenchError as error:
        typer.echo(f"otbench: {error}", err=True)
        sys.exit(error.status)
    except OSError as error:
        # an error with a file name is about the user's file; one without may be the program's
        if error.errno not in DISK and error.filename is None:
            raise
        typer.echo(f"otbench: {error.filename or 'a file'} could not be written or read: {error.strerror}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
