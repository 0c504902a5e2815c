"""What fit.json says of a fit, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otbench.errors import OtbenchError
from otbench.utils.files import read_object

#: what each of its cells must have
CELL = {"seed", "snapshot", "status"}
#: what fit.json must have for others to use the fit
NEEDED = ("model", "options", "data", "dataset", "seeds", "cells", "config_hash", "code_version")


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a fit, checked.

    Args:
        folder: Where the fit lies.

    Returns:
        What fit.json holds.

    Raises:
        OtbenchError: Where fit.json is missing or not what `fit` writes.
    """
    path = folder / "fit.json"
    summary = read_object(path, NEEDED, "what `otbench fit` writes")
    cells, options = summary["cells"], summary["options"]
    good = isinstance(cells, list) and isinstance(options, dict) and isinstance(summary["seeds"], list)
    if not (good and all(isinstance(cell, dict) and CELL <= set(cell) for cell in cells)):
        raise OtbenchError(f"{path}: expected seeds and cells as lists, and options, as `otbench fit` writes them")
    return summary
