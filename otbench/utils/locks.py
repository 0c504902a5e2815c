"""Locks of folders and files: one process at a time, until it releases the lock or ends, in whatever way.

The lock is the system's (flock) on a lock file. Where a file system has none, a second file beside it (`.soft`) that
one process alone can create is the lock. Both files record their owner (`owners.Process`), and each kind of lock
respects the other's owner: one machine may know flock on a shared folder where another does not. A soft lock whose
owner ended on this machine is removed; that of another machine stays until it is released.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import random
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import filelock

from otbench.errors import OtbenchError
from otbench.utils.owners import Process, current

NAME = ".lock"
SOFT = ".soft"
#: errors of flock where a file system has no such locks; that a lock is busy is another error
UNSUPPORTED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EIO)
#: errors of linking where a file system has no hard links
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)
#: bytes of the longest content that a lock file may have
LARGEST = 1000
#: seconds between the first tries at a lock and between later ones, and until a soft lock that may be stale is given up
SOON, LATER, PATIENCE = 0.02, 0.5, 600.0
_held: dict[Path, Lock] = {}


class Busy(Exception):
    """The lock is another's.

    path: the file that says so. owner: None where it names none. is_soft: whether that file is all that says so.
    """

    def __init__(self, path: Path, owner: Process | None, is_soft: bool = False) -> None:
        super().__init__(f"{path} is locked by {owner or 'another process'}")
        self.path, self.owner, self.is_soft = path, owner, is_soft

    @property
    def may_be_stale(self) -> bool:
        """Whether the owner's end goes unnoticed here, so that somebody else has to look."""
        return self.is_soft and (self.owner is None or not self.owner.is_local or self.owner.has_ended)

    @property
    def who(self) -> str:
        """The owner, and where its end goes unnoticed the lock file and what to do about it."""
        owner = f"{self.owner or 'another process'}"
        advice = f" (lock file {self.path}; if that process has ended, remove this file)"
        return owner + advice if self.may_be_stale else owner


@dataclass(frozen=True)
class Lock:
    """A lock that a process has.

    path: its file. owner: the process. native: the system's lock, and file: its open file; None where the file at
    `path` itself is the lock.
    """

    path: Path
    owner: Process
    native: filelock.BaseFileLock | None = None
    file: int | None = None

    def release(self) -> None:
        """Release the lock to other processes; a process that was forked from the owner releases nothing."""
        if self.owner.pid != os.getpid():
            return
        if self.native is None or self.file is None:
            if owner_of(self.path) == self.owner:
                with suppress(OSError):
                    self.path.unlink()
        elif self.native.is_locked:
            with suppress(OSError):  # by its number: a link may be in its place by now
                os.ftruncate(self.file, 0)
            with suppress(OSError):
                self.native.release()


# ---------------------------------------------------------------------- folders


def _beside(folder: str | Path) -> Path:
    """The lock of a results folder: beside it, so that looking at a run that is not there makes no folder."""
    path = Path(folder).resolve()
    return path.parent / f".{path.name}{NAME}"


def acquire(folder: str | Path) -> None:
    """Take the lock of a results folder until this process ends or releases it; a second call changes nothing.

    Args:
        folder: The results folder.

    Raises:
        OtbenchError: Another process has it, or it cannot be taken there.
    """
    path = _beside(folder)
    if path in _held and _held[path].owner.pid == os.getpid():
        return
    try:
        _held[path] = take(path, folder)
    except Busy as busy:
        raise OtbenchError(
            f"{folder} is in use by {busy.who}; wait for it to end, or give this run another name (key `run`)"
        ) from None


def release(folder: str | Path) -> None:
    """Release the lock of a results folder, where this process has it.

    Args:
        folder: The results folder.
    """
    lock = _held.pop(_beside(folder), None)
    if lock is not None:
        lock.release()


@atexit.register
def _release_all() -> None:
    while _held:
        _held.popitem()[1].release()


@contextmanager
def exclusive(folder: str | Path, leave: bool = True) -> Iterator[None]:
    """Work in a folder while no other process does, after waiting for one that still does.

    A job of a run that was killed may take a moment to end; the next run's job must not meet it. Threads of a process
    exclude each other too.

    Args:
        folder: The folder, which exists.
        leave: Whether the lock file stays in the folder afterwards.

    Yields:
        Nothing; the lock is held until the block ends.

    Raises:
        OtbenchError: The lock cannot be taken there, or is the soft lock of another machine for `PATIENCE` seconds.
    """
    path, since, pause = Path(folder) / NAME, time.monotonic(), SOON
    while True:
        try:
            lock = take(path, folder)
            break
        except Busy as busy:
            if busy.may_be_stale and time.monotonic() - since > PATIENCE:
                raise OtbenchError(f"{folder} was in use for {PATIENCE:g} s by {busy.who}") from None
            if pause == SOON:
                who = busy.who if busy.may_be_stale else "another process"
                print(f"waiting for {who} to end its work in {folder}", file=sys.stderr, flush=True)
        time.sleep(pause * random.uniform(0.5, 1))  # those that wait do not ask all at once
        pause = min(1.5 * pause, LATER)
    try:
        yield
    finally:
        if not leave:
            with suppress(OSError):
                path.unlink()  # who opened it meanwhile sees that it has no name any more, and opens another
        lock.release()


# ---------------------------------------------------------------------- files


def try_take(path: Path) -> Lock | None:
    """Lock of a lock file, without waiting, where no other process has it.

    Args:
        path: The lock file; it is made where it does not exist.

    Returns:
        The lock; None where another process has it.

    Raises:
        OtbenchError: The lock cannot be taken.
    """
    try:
        return take(path, path.parent)
    except Busy:
        return None


def take(path: Path, folder: str | Path) -> Lock:
    """Lock of a lock file, without waiting.

    Args:
        path: The lock file; it is made where it does not exist.
        folder: Folder that it is the lock of, for messages.

    Returns:
        The lock.

    Raises:
        Busy: Another process, or another thread of this one, has it.
        OtbenchError: `path` is a link, a folder or another file than a lock, or cannot be written.
    """
    owner, files = current(), list[int]()

    def record(file: int) -> None:
        _record(file, owner, path, folder)
        files.append(file)

    _refuse_other_kinds(path)
    native = filelock.FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False, on_acquired=record)
    try:
        native.acquire()
    except filelock.Timeout:
        raise Busy(path, owner_of(path)) from None
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return _take_soft(path, folder, owner)
        raise _unwritable(path, folder, error) from error
    lock = Lock(path, owner, native, files[0])
    try:
        _refuse_soft(path, folder)
    except BaseException:
        lock.release()
        raise
    return lock


def _take_soft(path: Path, folder: str | Path, owner: Process) -> Lock:
    """The lock where there is no flock: a file that one process alone can create."""
    marker = path.with_name(path.name + SOFT)
    _refuse_soft(path, folder)
    try:
        file = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        raise Busy(marker, owner_of(marker), is_soft=True) from None
    except OSError as error:
        raise _unwritable(marker, folder, error) from error
    lock = Lock(marker, owner)
    try:
        os.write(file, _text(owner))
    except OSError as error:
        marker.unlink(missing_ok=True)
        raise _unwritable(marker, folder, error) from error
    finally:
        os.close(file)
    other = owner_of(path)  # who has flock: on another machine, or before this one lost its lock server
    if other is not None and not other.has_ended:
        lock.release()
        raise Busy(path, other, is_soft=True)
    return lock


def _refuse_soft(path: Path, folder: str | Path) -> None:
    """Raise Busy where another has the soft lock of a lock file; that of a process that ended here is removed."""
    marker = path.with_name(path.name + SOFT)
    _refuse_other_kinds(marker)
    owner = owner_of(marker)
    if owner is None and not os.path.lexists(marker):
        return
    if owner is None or not owner.has_ended or not _remove(marker, owner, folder):
        raise Busy(marker, owner, is_soft=True)
    print(f"removed {marker}, the lock of {owner}, which has ended", file=sys.stderr, flush=True)


def _remove(marker: Path, owner: Process, folder: str | Path) -> bool:
    """Remove the soft lock of a process that has ended; False where another process is about to.

    A link, which one process alone can make, is the right to remove this owner's file: nobody removes the file of
    the next owner, who may have come since this one looked.
    """
    right = marker.with_name(f"{marker.name}-{sha256(_text(owner)).hexdigest()[:12]}")
    linked = True
    try:
        os.link(marker, right, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise _unwritable(marker, folder, error) from error
        linked = False
    try:
        if owner_of(marker) != owner:
            return False
        marker.unlink()
        return True
    except OSError as error:
        raise _unwritable(marker, folder, error) from error
    finally:
        if linked:
            right.unlink(missing_ok=True)


def owner_of(path: Path) -> Process | None:
    """Process that a lock file names.

    Args:
        path: The lock file.

    Returns:
        The process; None where the file names none or does not exist.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _parsed(os.read(file, LARGEST + 1))
    except OSError:
        return None
    finally:
        os.close(file)


def _record(file: int, owner: Process, path: Path, folder: str | Path) -> None:
    """Write the owner into an open lock file. Raises OtbenchError, with the file as it was, where it is none."""
    try:
        status, content = os.fstat(file), os.pread(file, LARGEST + 1, 0)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise OtbenchError(f"{path} is a link to another file; expected a lock file, or nothing")
        # a release before this one wrote a sentence; a machine that lost power may leave zeros
        if content.strip(b"\0") and not content.startswith(b"process ") and _parsed(content) is None:
            raise OtbenchError(f"{path} holds something else than a lock; expected a lock file, or nothing")
        text = _text(owner)
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
    except OSError as error:
        raise _unwritable(path, folder, error) from error


def _text(owner: Process) -> bytes:
    return (json.dumps(asdict(owner)) + "\n").encode()


def _parsed(content: bytes) -> Process | None:
    try:
        value = json.loads(content)
        owner = Process(**value)
    except (ValueError, TypeError, RecursionError):
        return None
    good = isinstance(owner.host, str) and type(owner.pid) is int and 0 < owner.pid < 2**31
    return owner if good and isinstance(owner.start, str | None) else None


def _refuse_other_kinds(path: Path) -> None:
    """Raise OtbenchError where something else than a regular file is in the lock file's place."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # nothing there, or nothing that can be looked at: opening it says what is wrong
        return
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise OtbenchError(f"{path} is {kind}; expected a lock file, or nothing")


def _unwritable(path: Path, folder: str | Path, error: OSError) -> OtbenchError:
    return OtbenchError(f"cannot write to {folder}: {error.strerror or error} (lock file {path})")
