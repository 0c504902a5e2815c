"""A gathered run: the tidy table, what is said of the run, and the points for the scatter figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.errors import OtbenchError
from otbench.files import read_json

COLUMNS = (
    "run",
    "study",
    "dataset",
    "model",
    "seed",
    "snapshot",
    "metric",
    "value",
    "protocol",
    "status",
    "seconds",
    "device",
    "code_version",
    "config_hash",
)
STATUSES = ("ok", "diverged", "failed", "missing")
REAL = "__real__"


@dataclass(frozen=True)
class Gathered:
    """What the report reads of one run.

    table: the tidy rows (COLUMNS). info: run.json. scatter: `dataset/model` -> points (n, 2).
    """

    folder: Path
    table: pd.DataFrame
    info: dict[str, Any]
    scatter: dict[str, np.ndarray]

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.info["run"])

    @cached_property
    def last(self) -> float:
        """The last snapshot, as a fraction of the budget."""
        given = self.info.get("snapshots") or []
        return float(max(given, default=0.0) or self.table["snapshot"].max())

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[int]]:
        """(data set, model) -> seeds that should be there: the expected ones and any others found."""
        found: dict[tuple[str, str], set[int]] = {}
        for dataset, model, seed in self.info["expected"]:
            found.setdefault((str(dataset), str(model)), set()).add(int(seed))
        for dataset, model, seed in self.table[["dataset", "model", "seed"]].drop_duplicates().itertuples(index=False):
            found.setdefault((dataset, model), set()).add(int(seed))
        return {key: sorted(seeds) for key, seeds in found.items()}

    @cached_property
    def groups(self) -> dict[tuple[str, str], pd.DataFrame]:
        """(data set, model) -> its rows."""
        return {key: rows for key, rows in self.table.groupby(["dataset", "model"], sort=False)}

    @cached_property
    def memo(self) -> dict[tuple[str, ...], Any]:
        """Summaries already computed, which tables and figures ask for many times."""
        return {}

    @cached_property
    def final(self) -> dict[tuple[str, str], pd.DataFrame]:
        """(data set, model) -> its rows that are ok at the last snapshot."""
        rows = self.table[np.isclose(self.table["snapshot"], self.last) & (self.table["status"] == "ok")]
        return {key: found for key, found in rows.groupby(["dataset", "model"], sort=False)}

    def rows(self, dataset: str, model: str) -> pd.DataFrame:
        """The rows of one model on one data set (none where it was not measured)."""
        return self.groups.get((dataset, model), self.table.iloc[:0])

    @cached_property
    def protocols(self) -> dict[tuple[str, str], list[str]]:
        """(data set, metric) -> the protocols it was measured under, the most frequent first."""
        rows = self.table[self.table["status"] == "ok"]
        counted = (
            rows.groupby(["dataset", "metric", "protocol"], sort=True)
            .size()
            .sort_values(ascending=False, kind="stable")
        )
        found: dict[tuple[str, str], list[str]] = {}
        for dataset, metric, protocol in counted.index:
            found.setdefault((dataset, metric), []).append(protocol)
        return found

    def protocol(self, dataset: str, metric: str) -> str:
        """The protocol of the metric's column: the most frequent one; empty where the metric was not measured."""
        return self.protocols.get((dataset, metric), [""])[0]

    def title(self, kind: str, name: str) -> str:
        """The title of a model or data set (`kind` is `models` or `datasets`), or its name."""
        return str(self.info[kind].get(name, {}).get("title") or name)

    @property
    def datasets(self) -> list[str]:
        """The data sets of the run, in the order of run.json, then any found in the table."""
        used = [dataset for dataset, _ in self.cells]
        named = [name for name in self.info["datasets"] if name in used]
        return list(dict.fromkeys([*named, *used]))

    @property
    def small(self) -> bool:
        """Whether the run's budget is below the papers'."""
        budget = self.info["budget"]
        return float(budget.get("steps") or 0) < float(budget.get("paper_steps") or 0)

    @property
    def budget(self) -> str:
        """The budget in words, marked where it is small."""
        said = str(self.info["budget"].get("said") or "")
        if not said:
            said = f"{self.info['budget'].get('steps', 'unstated')} steps"
        return f"small budget: {said}" if self.small else said


def load_run(folder: str | Path, scatter: bool = True) -> Gathered:
    """Read metrics.parquet, run.json and, where asked, scatter.npz of `folder`.

    Raises OtbenchError, naming the file and what was expected, where one is missing or wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OtbenchError(f"no run at {folder}: expected a folder with metrics.parquet, run.json and scatter.npz")
    info = _info(folder / "run.json")
    table = _table(folder / "metrics.parquet")
    return Gathered(folder, table, info, _scatter(folder / "scatter.npz") if scatter else {})


def _info(path: Path) -> dict[str, Any]:
    info = read_json(path)
    if not isinstance(info, dict):
        raise OtbenchError(f"{path}: expected an object, got {type(info).__name__}")
    kinds = {"run": str, "expected": list, "models": dict, "datasets": dict, "budget": dict}
    for key, kind in kinds.items():
        if not isinstance(info.get(key), kind):
            raise OtbenchError(f"{path}: expected the key {key!r} with a {kind.__name__}")
    for cell in info["expected"]:
        if not (isinstance(cell, list) and len(cell) == 3):
            raise OtbenchError(f"{path}: expected every entry of 'expected' to be [dataset, model, seed], got {cell!r}")
    return info


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise OtbenchError(f"cannot read {path}: no such file; `otbench gather` writes it")
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds
        raise OtbenchError(f"{path} is not a parquet table ({error})") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise OtbenchError(f"{path}: the column(s) {', '.join(missing)} are missing")
    wrong = sorted(set(table["status"]) - set(STATUSES))
    if wrong:
        raise OtbenchError(f"{path}, column status: expected one of {', '.join(STATUSES)}, got {wrong[0]!r}")
    for name in ("value", "snapshot", "seconds"):
        try:
            table[name] = pd.to_numeric(table[name]).astype(float)
        except (TypeError, ValueError) as error:
            raise OtbenchError(f"{path}, column {name}: expected numbers ({error})") from error
    keys = ["dataset", "model", "seed", "snapshot", "metric", "protocol"]
    twice = table[table.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        where = ", ".join(f"{key} {row[key]}" for key in keys[:-1])
        raise OtbenchError(f"{path}: {where} is measured twice under one protocol")
    return table[list(COLUMNS)]


def _scatter(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise OtbenchError(f"cannot read {path}: no such file; `otbench gather` writes it")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # numpy and zipfile raise many kinds
        raise OtbenchError(f"{path} is not an .npz file of arrays ({error})") from error
    for key, points in arrays.items():
        if points.ndim != 2 or points.shape[1] != 2 or not np.issubdtype(points.dtype, np.floating):
            raise OtbenchError(f"{path}, array {key}: expected floats of shape (n, 2), got {points.shape}")
    return arrays
