"""What a study of the theory found, as one file: facts, tables, arrays, and what made them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.errors import OtbenchError
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write

Fact = Any
"""A bool, a number or a text: which one is known by the name of the fact."""


@dataclass(frozen=True)
class Findings:
    """What a study found.

    facts: the numbers that its paragraph states, by name. tables: by name, columns of numbers or text. arrays: what its
    figures draw. info: options, seed, device, seconds, versions, machine.
    """

    name: str
    facts: dict[str, Fact] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write all to an `.npz`, whole or not at all.

        Args:
            path: Where to write, .npz.
        """
        tables = {name: _columns(table) for name, table in self.tables.items()}
        summary = {"name": self.name, "facts": _plain(self.facts), "tables": tables, "info": _plain(self.info)}
        arrays: dict[str, Any] = {f"array/{name}": np.asarray(value) for name, value in self.arrays.items()}
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, told=np.array(json.dumps(summary)), **arrays)


def read_findings(path: str | Path) -> Findings:
    """Findings that `Findings.write` wrote.

    Args:
        path: Where they lie, .npz.

    Returns:
        The findings.

    Raises:
        OtbenchError: Where the file is missing, damaged or another.
    """
    stored = read_npz(path, "what `otbench theory` writes")
    try:
        summary = json.loads(str(stored["told"]))
        tables = {name: pd.DataFrame(columns) for name, columns in summary["tables"].items()}
        facts, info, name = dict(summary["facts"]), dict(summary["info"]), str(summary["name"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise OtbenchError(f"{path}: it is not what `otbench theory` writes ({error})") from error
    arrays = {key.removeprefix("array/"): value for key, value in stored.items() if key.startswith("array/")}
    return Findings(name, facts, tables, arrays, info)


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): table[name].tolist() for name in table}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values with NumPy's numbers as Python's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
