"""The verb `slice`: a run made piece by piece, on machines that are there for minutes."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from otbench.cli.options import above_zero
from otbench.utils.bounds import SECONDS_MOST, WHOLE_MOST

PART_SIZE, PARTS = 16, 7
MORE = 3
"""Exit status where the run is not complete and the next slice goes on."""


def slices(
    config: Annotated[Path, typer.Argument(help="The run's config file.")],
    minutes: Annotated[float, typer.Option(help="Minutes after which the run is stopped.")],
    out: Annotated[Path, typer.Option(help="Folder to pack what the next slice needs in.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Folder that an earlier slice packed into; that of --out may hold none yet."),
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Jobs at once; default: all cores.")] = None,
    words: Annotated[
        list[str] | None, typer.Option("--config", help="key=value of the config; may be given several times.")
    ] = None,
    part_size: Annotated[float, typer.Option(min=0.001, help="Most MiB of a file.")] = PART_SIZE,
    parts: Annotated[int, typer.Option(min=1, help="Most files, beside manifest.json.")] = PARTS,
) -> None:
    """Go on with a run for some minutes, and pack what the next slice needs, on this machine or another.

    Status 0: the run is complete; 3: there is more to do.

    Example: otbench slice config/mnist.yaml --minutes 8 --from packed --out packed --config device=cuda

    \f
    Args:
        config: The run's config file, .yaml.
        minutes: Minutes after which the run is stopped.
        out: Folder to pack what the next slice needs in.
        source: Folder that an earlier slice packed into; None for the first.
        cores: Jobs at once; None for all cores.
        words: `key=value` of the config, in place of the file's.
        part_size: Most MiB of a file.
        parts: Most files, beside manifest.json.

    Raises:
        Exit: Where the run is not complete, with status MORE.
    """
    from otbench.runs.slices import run

    above_zero(minutes, "--minutes", SECONDS_MOST / 60)
    above_zero(part_size, "--part-size", WHOLE_MOST / 2**20)
    manifest = run(config, minutes, out, source, cores or len(os.sched_getaffinity(0)), words, part_size, parts)
    size = sum(part["bytes"] for part in manifest["parts"]) / 2**20
    typer.echo(f"packed {size:,.1f} MiB in {len(manifest['parts'])} parts in {out}")
    if manifest["thinned"]:
        typer.echo("of measured samples only those went along that figures show, as all of them do not fit")
    if manifest["left_out"]:
        typer.echo(f"left out for lack of room, to be made again: {', '.join(manifest['left_out'])}")
    counts = manifest["cells"]
    typer.echo(f"run {manifest['run']}: {counts['done']} of {counts['all']} cells are done")
    if not manifest["complete"]:
        command = ["otbench", "slice", str(config), "--minutes", f"{minutes:g}", "--from", str(out), "--out", str(out)]
        command += ["--cores", str(cores)] if cores else []
        command += [word for setting in words or [] for word in ("--config", setting)]
        command += ["--part-size", f"{part_size:g}"] if part_size != PART_SIZE else []
        command += ["--parts", str(parts)] if parts != PARTS else []
        typer.echo(f"go on with: {shlex.join(command)}")
        raise typer.Exit(MORE)
