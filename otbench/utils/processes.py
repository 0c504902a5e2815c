"""Ending of a command and of all processes that it started."""

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
    """Ask a process and all that it started to stop, wait, and kill them where they do not."""
    asked: set[int] = set()
    patience = time.monotonic() + GRACE
    stopped = process.poll() is None
    while process.poll() is None or _group(process.pid):
        for child in _group(process.pid) if stopped else ():
            # what Snakemake still starts is a report of what there is; a shell would end before the training that it
            # waits for, and its job would count as over
            if child.pid not in asked and child.info["name"] not in SHELLS:
                asked.add(child.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGTERM)
        if time.monotonic() > patience:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.1)


def _group(number: int) -> list[psutil.Process]:
    """Processes of a group that still run; a zombie does not count."""
    members = []
    for process in psutil.process_iter(["name", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == number and process.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members
