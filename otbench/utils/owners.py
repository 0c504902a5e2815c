"""Processes by host, number and start: a file can name its owner, and a reader can tell whether it still runs."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

#: fields of /proc/PID/stat after the command's name, counted from the state
_STATE, _START = 0, 19
#: states of a process that has ended and waits for its parent
_ENDED = ("Z", "X")

#: inode that Linux gives the process namespace of the machine itself (PROC_PID_INIT_INO)
_FIRST_NAMESPACE = 0xEFFFFFFC


@dataclass(frozen=True)
class Process:
    """A process as a file records it.

    host: the machine, see `host_name`. pid: its number there. start: when it began, see `start_of`; None where the
    system does not say.
    """

    host: str
    pid: int
    start: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether its number means a process here, so that its end can be noticed."""
        return self.host == host_name()

    @property
    def has_ended(self) -> bool:
        """Whether it ended for certain; False for a process of another host."""
        return self.is_local and not is_running(self.pid, self.start)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def current() -> Process:
    """This process.

    Returns:
        Its host, number and start.
    """
    return Process(host_name(), os.getpid(), start_of(os.getpid()))


def host_name() -> str:
    """Name of the machine, with the number of the process namespace where that is a container's.

    Containers of one machine may share its name, but a process number of one means nothing in another.

    Returns:
        `NAME` or `NAME:NAMESPACE`, the namespace in hexadecimal digits.
    """
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return platform.node()
    return platform.node() if namespace == _FIRST_NAMESPACE else f"{platform.node()}:{namespace:x}"


def start_of(pid: int) -> str | None:
    """Start of a process: the machine's boot and the clock tick since then.

    Unlike a time of day, it does not move when the clock is set.

    Args:
        pid: Number of the process.

    Returns:
        `BOOT:TICKS`; None where it cannot be read.
    """
    fields = _stat(pid)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return f"{boot}:{fields[_START]}" if len(fields) > _START else None


def is_running(pid: int, start: str | None = None) -> bool:
    """Whether a process of this number runs here and, where both are known, began at `start`.

    Args:
        pid: Number of the process.
        start: Its start as of `start_of`; None where unknown.

    Returns:
        False for a process that has ended and waits for its parent.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    fields = _stat(pid)
    if fields and fields[_STATE] in _ENDED:
        return False
    now = start_of(pid)
    return start is None or now is None or now == start


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the command's name, which may hold anything; empty where it cannot be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
