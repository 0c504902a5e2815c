"""The journal of a rating session: every imported rater, one line each, only ever added to.

answers.csv is derived from it. A line is on disk before answers.csv changes, and has a checksum, so that a process that
ends at any moment leaves either a rater's line or one that is recognised as cut short and dropped.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from otbench.errors import OtbenchError, WorkFailed
from otbench.ratings.key import SESSION, Strict
from otbench.utils.files import sync_folder

NAME = "answers.jsonl"


class Entry(Strict):
    """One line of the journal. answers: item, answer and milliseconds, None where nobody measured."""

    session: str = Field(pattern=SESSION)
    rater: str
    answers: list[tuple[int, str, int | None]]


@dataclass(frozen=True)
class Journal:
    """A journal as it was read. entries: one per rater and session. size: bytes up to the end of the last of them."""

    path: Path
    entries: list[Entry]
    size: int


def read_journal(folder: str | Path) -> Journal:
    """Read the journal in a session's folder.

    Args:
        folder: Folder of the session.

    Returns:
        The journal; it has no entries where there is none.

    Raises:
        OtbenchError: Where a line before the last one is damaged, two are of one rater, or the file cannot be read.
    """
    path = Path(folder) / NAME
    try:
        with path.open("rb") as file:
            lines = file.readlines()
    except FileNotFoundError:
        return Journal(path, [], 0)
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    entries: dict[tuple[str, str], Entry] = {}
    size = 0
    for number, line in enumerate(lines, 1):
        entry = _parsed(line)
        if entry is None and number == len(lines):
            break  # its writer was interrupted before it reported the import
        if entry is None:
            raise OtbenchError(
                f"{path}, line {number}: it is damaged (its checksum is another); delete the line and import again:"
                " answers.csv still has its answers"
            )
        if (entry.session, entry.rater) in entries:
            raise OtbenchError(f"{path}, line {number}: an earlier line has answers of {entry.rater!r} too")
        entries[entry.session, entry.rater] = entry
        size += len(line)
    return Journal(path, list(entries.values()), size)


def append(journal: Journal, entries: list[Entry]) -> None:
    """Add entries to the journal as it was read, and have them reach the disk; what is cut short behind them goes.

    Args:
        journal: The journal as it was read.
        entries: Entries of raters that it lacks.

    Raises:
        OtbenchError: Where the file cannot be opened for writing.
        WorkFailed: Where the disk is full or fails; the journal is as it was before.
    """
    if not entries:
        return
    try:
        file = os.open(journal.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise OtbenchError(f"cannot write {journal.path}: {error.strerror or error}") from error
    try:
        if os.fstat(file).st_size > journal.size:
            text = "the last line was cut short as its import was interrupted, and is dropped"
            print(f"{journal.path}: {text}", file=sys.stderr, flush=True)
            os.ftruncate(file, journal.size)
        os.lseek(file, journal.size, os.SEEK_SET)
        left = b"".join(map(_line, entries))
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
        sync_folder(journal.path.parent)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(file, journal.size)
        text = f"cannot write {journal.path}: {error.strerror or error}; it is as it was before"
        raise WorkFailed(text) from error
    finally:
        os.close(file)


def _line(entry: Entry) -> bytes:
    value = entry.model_dump()
    return (json.dumps({**value, "sha256": _checksum(value)}, separators=(",", ":")) + "\n").encode()


def _checksum(value: dict[str, Any]) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _parsed(line: bytes) -> Entry | None:
    """The entry of a line; None where it is cut short or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
        checksum = value.pop("sha256")
        return Entry.model_validate_json(json.dumps(value)) if checksum == _checksum(value) else None
    except (ValueError, ValidationError, RecursionError, KeyError, AttributeError, TypeError):
        return None
