"""One run at a time in a results folder: a lock that goes with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otbench.errors import OtbenchError

NAME = ".lock"
_held: dict[str, int] = {}


def _beside(folder: str | Path) -> Path:
    """The lock of a results folder: beside it, so that looking at a run that is not there makes no folder."""
    path = Path(folder).resolve()
    return path.parent / f".{path.name}{NAME}"


def hold(folder: str | Path) -> None:
    """Hold the lock of a results folder until this process ends.

    Raises OtbenchError where another process holds it, or the folder cannot be written to.
    """
    path = _beside(folder)
    key = str(path)
    if key in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OtbenchError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(file, 200).decode(errors="replace").strip() or "another process"
        os.close(file)
        raise OtbenchError(
            f"{folder} is in use by {holder}; wait for it to end, or give this run another name (key `run`)"
        ) from None
    os.truncate(file, 0)
    os.write(file, f"process {os.getpid()} on {platform.node()}".encode())
    _held[key] = file  # jobs do not inherit it, so they cannot keep it when their run is gone


@contextmanager
def alone(folder: str | Path) -> Iterator[None]:
    """Work in a folder while no other process does, after waiting for one that still does.

    A job of a run that was killed may take a moment to end; the next run's job must not meet it.
    """
    with open(Path(folder) / NAME, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"waiting for another process to end its work in {folder}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def release(folder: str | Path) -> None:
    """Let go of the lock of a results folder, where this process holds it."""
    file = _held.pop(str(_beside(folder)), None)
    if file is not None:
        os.close(file)
