"""Where image files lie, and the prefix that names a folder of images."""

from __future__ import annotations

import os
from pathlib import Path

from otbench.errors import OtbenchError

#: prefix of a folder of images: folder:PATH, or folder:PATH@SIZE
FOLDER = "folder:"


def source_of(dataset: str, folders: dict[str, str]) -> str:
    """What `otbench data` is asked for.

    Args:
        dataset: Name of the data set.
        folders: Data sets that are folders of images: name to PATH or PATH@SIZE.

    Returns:
        The name of a known data set, or the prefix and the folder.
    """
    return f"{FOLDER}{folders[dataset]}" if dataset in folders else dataset


def data_root(root: str | Path | None = None) -> Path:
    """Where image files lie.

    Args:
        root: Folder; default: $OTBENCH_DATA, else ~/.cache/otbench.

    Returns:
        Path of the folder, its `~` expanded.
    """
    return Path(root or os.environ.get("OTBENCH_DATA") or "~/.cache/otbench").expanduser()


def allows_unverified(unverified: bool | None = None) -> bool:
    """Whether files that differ from the publisher's are let in.

    Args:
        unverified: The answer; default: $OTBENCH_UNVERIFIED, else no.

    Returns:
        True where they are let in.

    Raises:
        OtbenchError: Where the variable is neither 1 nor 0 nor empty.
    """
    if unverified is not None:
        return unverified
    value = os.environ.get("OTBENCH_UNVERIFIED", "")
    if value not in ("", "0", "1"):
        raise OtbenchError(f"OTBENCH_UNVERIFIED: expected 1 or 0, got '{value}'")
    return value == "1"
