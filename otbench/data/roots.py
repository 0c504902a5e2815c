"""Where image files lie, and what a folder of images is called by."""

from __future__ import annotations

import os
from pathlib import Path

from otbench.errors import OtbenchError

#: what a folder of images is called by: folder:PATH, or folder:PATH@SIZE
FOLDER = "folder:"


def data_root(root: str | Path | None = None) -> Path:
    """Where image files lie: `root`, else $OTBENCH_DATA, else ~/.cache/otbench."""
    return Path(root or os.environ.get("OTBENCH_DATA") or "~/.cache/otbench").expanduser()


def allows_unverified(unverified: bool | None = None) -> bool:
    """Whether files that differ from the publisher's are let in: as `unverified` says, else $OTBENCH_UNVERIFIED.

    Raises OtbenchError where the variable is neither 1 nor 0 nor empty.
    """
    if unverified is not None:
        return unverified
    value = os.environ.get("OTBENCH_UNVERIFIED", "")
    if value not in ("", "0", "1"):
        raise OtbenchError(f"OTBENCH_UNVERIFIED: expected 1 or 0, got '{value}'")
    return value == "1"
