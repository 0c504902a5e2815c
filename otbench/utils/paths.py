"""Paths that a config names: `~` in them, what they may hold, and a folder of images with its size."""

from __future__ import annotations

import os
import re

from otbench.utils.bounds import FILE_NAME_MOST, PATH_MOST

#: where the published figures and the reference results are unless the config says so, from the workflow's folder
PUBLISHED, REFERENCE = "config/published.csv", "results/reference"


def expanded(path: str) -> str:
    """Path with `~` or `~user` at its beginning replaced by the home folder.

    Args:
        path: Path as a config has it.

    Returns:
        The path.

    Raises:
        ValueError: There is no such home folder, or the path is none that a file system takes.
    """
    full = os.path.expanduser(path)
    if full.startswith("~"):
        raise ValueError(f"{path!r}: there is no home folder {full.split('/')[0]}; expected a path")
    if "\0" in full:
        raise ValueError(f"expected a path, got {path!r}")
    try:
        parts = [part.encode() for part in full.split("/")]
    except UnicodeEncodeError:
        raise ValueError(f"expected a path in Unicode, got {path!r}") from None
    if max(map(len, parts)) > FILE_NAME_MOST or len(full.encode()) > PATH_MOST:
        raise ValueError(
            f"expected a path of at most {PATH_MOST} bytes, and {FILE_NAME_MOST} between slashes, got {len(full)}"
            f" characters that begin {full[:40]!r}"
        )
    return full


def folder_and_side(text: str) -> tuple[str, int | None]:
    """Path and image size in the name of a folder of images.

    Args:
        text: PATH or PATH@SIZE; SIZE is digits at the end, and an `@` elsewhere belongs to the path.

    Returns:
        Path, and size in pixels, None where no size is given.
    """
    match = re.fullmatch(r"(.+)@([0-9]{1,9})", text, re.DOTALL)
    return (match[1], int(match[2])) if match else (text, None)


def expanded_folder(text: str) -> str:
    """Name of a folder of images with its `~` expanded, as in `expanded`.

    Args:
        text: PATH or PATH@SIZE.

    Returns:
        The name in the same form.
    """
    path, side = folder_and_side(text)
    return expanded(path) + ("" if side is None else f"@{side}")
