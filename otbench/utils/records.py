"""Records of what a table was made with, as JSON beside it: `gan.csv` has its record in `gan.info.json`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from otbench.errors import OtbenchError
from otbench.utils.files import read_json, write_json

DIGEST = "sha256"
"""Key of the checksum of the table that a record belongs to."""


def record_path(table: Path) -> Path:
    """Path of a table's record.

    Args:
        table: Where the table lies, .csv.

    Returns:
        Path beside the table, .info.json.
    """
    return table.with_name(f"{table.stem}.info.json")


def write_record(table: Path, record: dict[str, Any]) -> None:
    """Write the record of a table that is on disk, with the table's checksum; call it last of all that is written.

    Args:
        table: Where the table lies, .csv.
        record: What the table was made with, by name.
    """
    write_json(record_path(table), record | {DIGEST: file_digest(table)})


def read_record(table: Path) -> dict[str, Any] | None:
    """Record of a table.

    Args:
        table: Where the table lies, .csv.

    Returns:
        The record; None where there is none, or where it is that of another table.
    """
    try:
        record = read_json(record_path(table))
        return record if isinstance(record, dict) and record.get(DIGEST) == file_digest(table) else None
    except OtbenchError:
        return None


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Args:
        path: The file.

    Returns:
        Hexadecimal digits (64).

    Raises:
        OtbenchError: The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
