"""Which of several GPUs a process computes on: one that no other job of this user has."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

import torch

#: jobs on one GPU that are told apart; more than these all go to the first GPU
SHARES = 64
#: the lock of this process; the system lets go of it when the process ends, in whatever way
_held: list[IO[str]] = []


def claim() -> int | None:
    """Make the least used of the visible GPUs the current one, for as long as this process lives; returns its index.

    Each is taken once before any is taken twice, so that jobs share a GPU only where more run at once than there are
    GPUs. None where there is nothing to choose, where this process has chosen before, and where no lock can be had; the
    current GPU then stays what it was.
    """
    count = torch.cuda.device_count()
    if count < 2 or _held:
        return None
    # what a device is called here may be another elsewhere: a scheduler shows each job its own
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    names = visible if len(visible) == count else [str(index) for index in range(count)]
    folder = Path(tempfile.gettempdir()) / f"otbench-gpus-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for share in range(SHARES):
            for index, name in enumerate(names):
                if _locked(folder / f"{name.replace(os.sep, '-')}.{share}"):
                    torch.cuda.set_device(index)
                    return index
    except OSError:
        pass
    return None


def _locked(path: Path) -> bool:
    """Whether this process now holds the lock of that file."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)
    return True
