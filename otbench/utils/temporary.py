"""Temporary files and folders, named so that what an interrupted process left is known and removed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from otbench.utils.owners import host_name, is_running, start_of

#: in the name of what is temporary: a sign, the host, the process and its start; random letters and an ending follow
_TEMPORARY = re.compile(
    r".*-tmp-(?P<host>[0-9a-f]{6})-(?P<pid>[0-9]{1,10})-(?P<start>[0-9a-f]{6})-[a-z0-9_]+(\..*)?", re.DOTALL
)
#: seconds without a change after which a temporary file of another host's process counts as left behind
STALE = 3600.0


def temporary_prefix(name: str) -> str:
    """Beginning of the names of this process's temporary files and folders, by which `remove_stale` knows them.

    Args:
        name: What the names begin with; of it 40 characters are used.

    Returns:
        Prefix with the host, the process and its start.
    """
    return f"{name[:40]}-tmp-{_short(host_name())}-{os.getpid()}-{_short(start_of(os.getpid()))}-"


def _short(text: str | None) -> str:
    return sha256(str(text).encode()).hexdigest()[:6]


def make_temporary_folder(name: str) -> Path:
    """New folder among the system's temporary ones; those that ended processes left under this name are removed.

    Args:
        name: What the folder's name begins with.

    Returns:
        Path of the folder.
    """
    remove_stale(tempfile.gettempdir(), f"{name}-tmp-")
    return Path(tempfile.mkdtemp(prefix=temporary_prefix(name)))


def remove_stale(folder: str | Path, beginning: str = ".") -> None:
    """Remove from a folder what interrupted processes left there under names of `temporary_prefix`; nothing else.

    What a process of this host was writing goes once the process has ended, what one of another host was writing once
    nothing has changed it for an hour. Another user's stays, and so does what cannot be removed.

    Args:
        folder: Folder to look in.
        beginning: Beginning of the names that are looked at.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name) if entry.name.startswith(beginning) else None
            if match is None:
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if status.st_uid != os.geteuid() or not _is_stale(status.st_mtime, **match.groupdict()):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def _is_stale(changed: float, host: str, pid: str, start: str) -> bool:
    if host != _short(host_name()):
        return time.time() - changed > STALE
    return not is_running(int(pid)) or _short(start_of(int(pid))) != start
