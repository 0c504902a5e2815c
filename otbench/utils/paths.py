"""Paths that a config names: `~` in them, what they may hold, and a folder of images with its size."""

from __future__ import annotations

import os
import re

from otbench.utils.bounds import FILE_NAME_MOST, PATH_MOST

#: where the published figures and the reference results are unless the config says so, from the workflow's folder
PUBLISHED, REFERENCE = "config/published.csv", "results/reference"


def expanded(path: str) -> str:
    """A path with `~` or `~user` at its beginning replaced by the home folder.

    Raises ValueError where there is no such folder, and where it is no path that a file system takes.
    """
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise ValueError(f"{path!r}: there is no home folder {found.split('/')[0]}; expected a path")
    if "\0" in found:
        raise ValueError(f"expected a path, got {path!r}")
    try:
        parts = [part.encode() for part in found.split("/")]
    except UnicodeEncodeError:
        raise ValueError(f"expected a path in Unicode, got {path!r}") from None
    if max(map(len, parts)) > FILE_NAME_MOST or len(found.encode()) > PATH_MOST:
        raise ValueError(
            f"expected a path of at most {PATH_MOST} bytes, and {FILE_NAME_MOST} between slashes, got {len(found)}"
            f" characters that begin {found[:40]!r}"
        )
    return found


def folder_and_side(text: str) -> tuple[str, int | None]:
    """The path and the size in PATH or PATH@SIZE, what a folder of images is called by; None where no size is given.

    SIZE is digits at the end: an `@` elsewhere belongs to the path.
    """
    found = re.fullmatch(r"(.+)@([0-9]{1,9})", text, re.DOTALL)
    return (found[1], int(found[2])) if found else (text, None)


def expanded_folder(text: str) -> str:
    """PATH or PATH@SIZE with its `~` expanded, as in `expanded`."""
    path, side = folder_and_side(text)
    return expanded(path) + ("" if side is None else f"@{side}")
