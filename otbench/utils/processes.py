"""Processes and their groups: how a command and all that it started is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

import psutil

#: seconds that jobs may take to write their checkpoints, and Snakemake to end
GRACE = 60.0


SHELLS = ("sh", "bash", "dash")


def _end(process: subprocess.Popen) -> None:
    """Ask a process and all that it started to stop, wait until they have, and kill them where they do not."""
    asked: set[int] = set()
    patience = time.monotonic() + GRACE
    stopped = process.poll() is None
    while process.poll() is None or _group(process.pid):
        for one in _group(process.pid) if stopped else ():
            # what Snakemake still starts is a report of what there is; and a shell would end before the training that
            # it waits for, whose job would then be taken for over
            if one.pid not in asked and one.info["name"] not in SHELLS:
                asked.add(one.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGTERM)
        if time.monotonic() > patience:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.1)


def _group(number: int) -> list[psutil.Process]:
    """The processes of a group that still run; one that ended and that nobody waited for does not."""
    found = []
    for one in psutil.process_iter(["name", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(one.pid) == number and one.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found
