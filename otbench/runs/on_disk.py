"""What files of a run say of themselves, where they may be missing or damaged.

Needs neither PyTorch nor pandas.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from otbench.config.run import Run
from otbench.errors import OtbenchError
from otbench.runs.layout import layout
from otbench.utils.arrays import DAMAGED
from otbench.utils.files import read_json

#: bytes of a data set's file that is small enough to be read before every run
SMALL = 8 * 2**20


def read_dict(path: Path) -> dict[str, Any]:
    """JSON object in a file.

    Args:
        path: Where the object lies, .json.

    Returns:
        The object; empty where the file is missing, damaged or holds another value.
    """
    try:
        value = read_json(path)
    except OtbenchError:
        return {}
    return value if isinstance(value, dict) else {}


def read_info_or_none(path: Path) -> dict[str, Any] | None:
    """What a run wrote about the samples in a file.

    Args:
        path: Where the samples lie, .npz.

    Returns:
        The `info`; None where there is none or the file is missing or damaged.
    """
    from otbench.data.samples import read_info

    try:
        return read_info(path)
    except OtbenchError:
        return None


def read_theory_info(path: Path) -> dict[str, Any]:
    """What a study of the theory was made with.

    Args:
        path: Where its findings lie, .npz.

    Returns:
        The `info` of the findings; empty where the file is missing or damaged.
    """
    info = _entry(path, "told").get("info")
    return info if isinstance(info, dict) else {}


def read_latent_info(path: Path) -> dict[str, Any]:
    """What a latent study was made with.

    Args:
        path: Where the study lies, .npz.

    Returns:
        The study's `info`; empty where the file is missing or damaged.
    """
    return _entry(path, "info")


def _entry(path: Path, name: str) -> dict[str, Any]:
    """JSON object in an entry of an .npz; empty where the file is missing, damaged or holds another value."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            value = json.loads(str(file[name]))
    except (*DAMAGED, TypeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def small_digest(run: Run, dataset: str) -> str | None:
    """Digest of a data set's file that is small enough to be read before every run.

    Args:
        run: The run.
        dataset: Name of the data set.

    Returns:
        The digest; None where the file does not exist, is damaged or large.
    """
    path = layout(run).data(dataset)
    try:
        status = path.stat()
    except OSError:
        return None
    return _digest(path, status.st_mtime_ns) if status.st_size <= SMALL else None


@cache
def _digest(path: Path, changed: int) -> str | None:
    from otbench.data import load

    try:
        return load(str(path)).digest()
    except OtbenchError:
        return None
