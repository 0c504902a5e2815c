"""The verb `reference`: what the reference results still need, in order of value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otbench.cli.options import Device
from otbench.errors import OtbenchError, WorkFailed


def reference(
    queue: Annotated[Path, typer.Option(help="The queue, a YAML file.")] = Path("config/queue.yaml"),
    cores: Annotated[int, typer.Option(min=1, help="Cells made at once, one thread each.")] = 1,
    device: Annotated[Device, typer.Option(help="Where models are trained.")] = Device.cpu,
    status: Annotated[bool, typer.Option("--status", help="Only say what is done, what is next and how long.")] = False,
    pack: Annotated[
        bool, typer.Option("--pack", help="Only write what is complete into the folder of the reference results.")
    ] = False,
) -> None:
    """Work through the queue of the reference results; stop it at any time, and the same command goes on.

    Example: otbench reference --cores 2

    \f
    Args:
        queue: The queue, .yaml.
        cores: Cells made at once, one thread each.
        device: Where models are trained.
        status: Whether to say only what is done, what is next and how long it takes.
        pack: Whether to only write what is complete into the folder of the reference results.

    Raises:
        OtbenchError: Where both `status` and `pack` are asked for.
        WorkFailed: Where cells could not be made.
    """
    from otbench.config.queue import read_queue
    from otbench.runs import queue as module
    from otbench.runs.estimate import lines

    asked = read_queue(queue)
    if status and pack:
        raise OtbenchError("expected --status or --pack, got both")
    if pack:
        from otbench.runs.pack import pack as run

        for line in run(asked):
            typer.echo(line)
        return
    for line in lines(asked, cores):
        typer.echo(line)
    if status:
        return
    if failed := module.work(queue, cores, device.value, typer.echo):
        raise WorkFailed(f"{len(failed)} cells could not be made: {', '.join(cell.name for cell in failed)}")
    typer.echo(f"the queue is done; `otbench reference --pack` writes it to {asked.reference}")
