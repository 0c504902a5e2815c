"""Numbers of a report beside the tidy table: losses along training, and repeated measurements."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import numpy as np
import pandas as pd

from otbench.config.run import Run
from otbench.runs.formats import LOSSES
from otbench.runs.layout import layout
from otbench.studies.spread import BIAS, SPREAD, read_spread
from otbench.utils.files import atomic_write, read_columns

POINTS = 100
"""Most steps that are kept of a curve of losses."""


def write(run: Run, outdated: Container[Path] = ()) -> None:
    """Write losses.parquet, spread.csv and bias.csv of a run into its folder, each whole or not at all.

    Args:
        run: The run; a file of it that does not exist leaves no rows.
        outdated: Files of the run that are not what its config asks for; they leave no rows.

    Raises:
        OtbenchError: A file cannot be read.
    """
    fitted = [pair for pair in run.pairs if layout(run).fit_summary(*pair) not in outdated]
    losses = [_losses(run, dataset, model) for dataset, model in fitted]
    with atomic_write(run.folder / "losses.parquet") as temporary:
        _joined(losses, LOSSES).to_parquet(temporary, index=False, write_page_checksum=True)
    at = layout(run)
    spreads = [pair for pair in run.spreads if at.spread(*pair) not in outdated]
    for name, columns, path_of in (("spread", SPREAD, at.spread), ("bias", BIAS, at.bias)):
        files = [path_of(*pair) for pair in spreads]
        tables = [read_spread(path, columns) for path in files if path.exists()]
        with atomic_write(run.folder / f"{name}.csv") as temporary:
            _joined(tables, columns).to_csv(temporary, index=False)


def _joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _losses(run: Run, dataset: str, model: str) -> pd.DataFrame:
    """The losses of a model, every stage thinned to POINTS steps."""
    path = layout(run).losses(dataset, model)
    if not path.exists():
        return pd.DataFrame(columns=LOSSES)
    table = read_losses(path)
    curves = [part[part["step"].isin(thinned(part["step"].unique()))] for _, part in table.groupby("stage", sort=False)]
    return _joined(curves, LOSSES).assign(dataset=dataset, model=model)[LOSSES]


def thinned(steps: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Steps at which a curve of losses is kept.

    Args:
        steps: Steps (n,), in any order.
        points: Most steps that are kept.

    Returns:
        At most `points` of the steps, sorted and evenly spread, the first and the last among them.
    """
    steps = np.sort(steps)
    return steps[np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))]


def read_losses(path: Path) -> pd.DataFrame:
    """Table of losses that `fit` writes.

    Args:
        path: Where the losses lie, .csv.

    Returns:
        Table with columns stage, step, seed, loss, value.

    Raises:
        OtbenchError: The file is missing, or no such table.
    """
    types = {"stage": "str", "loss": "str", "step": int, "seed": int, "value": float}
    return read_columns(path, ["stage", "step", "seed", "loss", "value"], types, "table of losses")
