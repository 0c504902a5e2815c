"""The tidy table: one row a value, the one thing that every table and figure is made of.

A cell that is not ok yields a row for every metric it should have had, with its status and NaN, so that it is counted
and never vanishes. A cell of a run that is ok but holds values that are not finite, or too few points, is marked
failed, and so is the row of a metric that cannot be computed of a cell; the log says why.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.data.base import DataSet
from otbench.data.samples import STATUSES, THINNED, Cell, SampleFile, read_info, read_samples
from otbench.errors import OtbenchError
from otbench.fingerprints import measure_version
from otbench.metrics.base import PAIR_IMAGES, Refusals, Score, pair_size
from otbench.metrics.cost import COSTS
from otbench.metrics.measure import check_device, check_features, expected, measure
from otbench.metrics.registry import METRICS
from otbench.utils.files import atomic_write, read_parquet

if TYPE_CHECKING:
    import pandas

    from otbench.metrics.reference import Features

STUDIES = {"points": "mode-collapse", "images": "images"}
"""The study that samples of a kind belong to where nobody says."""
COLUMNS = (
    "run study dataset model seed snapshot metric value protocol status seconds device code_version config_hash"
).split()
NUMBERS = {"seed": "int64", "snapshot": "float64", "value": "float64", "seconds": "float64"}
KEY = ["run", "study", "dataset", "model", "seed", "snapshot", "metric", "protocol"]

MADE_WITH = ("model", "dataset", "data", "asked", "fit_version", "drawn", "config_hash", "code_version")
"""What of the samples' info goes into the record of a table."""

log = logging.getLogger(__name__)


def measure_file(
    dataset: DataSet,
    samples_path: str | Path,
    run: str,
    model: str | None = None,
    metrics: list[str] | None = None,
    seed: int = 0,
    study: str | None = None,
    features: Features | None = None,
    curves: dict[str, np.ndarray] | None = None,
    device: str = "cpu",
) -> pandas.DataFrame:
    """Measure every cell of a samples file: all metrics at the file's last snapshot, the cheap ones before.

    A bad cell in a run's own file becomes rows of status failed, a metric that cannot be computed of it one such row.

    Args:
        dataset: Data set that the samples are measured against.
        samples_path: The samples file, .npz, or samples alone, .npy.
        run: Name of the run, for the table.
        model: Name of the model; None for what the file's info says, else the file's name.
        metrics: Names of the metrics to choose from; None for all.
        seed: Seed of `measure`, not the model's.
        study: Name of the study; None for the one of the data set's kind.
        features: Of images, the data set's features.
        curves: Is given PRD's curves of the last snapshot, arrays (1001,) under `<extractor>/<seed>/precision` and
            `/recall`.
        device: Where to compute, as in `measure`; the column `device` is that of the training.

    Returns:
        The tidy table, with the columns COLUMNS.

    Raises:
        OtbenchError: Where the file or its samples are wrong.
    """
    file = read_samples(samples_path).check(dataset)
    info = file.info or {}
    if THINNED in info:
        raise OtbenchError(
            f"{file.path}: it holds a part of the samples that were measured, as `otbench slice` packs it; expected"
            " all of them: delete it, so that they are drawn again"
        )
    fixed = {
        "run": run,
        "study": study or STUDIES[dataset.kind],
        "dataset": dataset.name,
        "model": model or info.get("model") or file.path.stem,
        "device": str(info.get("device") or ""),
        "code_version": str(info.get("code_version") or ""),
        "config_hash": str(info.get("config_hash") or ""),
    }
    cells = file.cells()
    if not cells:
        raise OtbenchError(f"{file.path}: it holds no samples and lists no cells")
    check_features(dataset, features, metrics)
    check_device(device)
    for real in features.extractors.values() if features else ():
        real.extractor  # noqa: B018, weights that do not fit are an error of the request, not of a cell
    table = _Table(dataset, file, metrics, seed, features, {} if curves is None else curves, device)
    return _frame([fixed | row for cell in cells for row in table.rows(cell)])


class _Table:
    """The rows of a samples file, cell by cell."""

    def __init__(
        self,
        dataset: DataSet,
        file: SampleFile,
        metrics: list[str] | None,
        seed: int,
        features: Features | None,
        curves: dict[str, np.ndarray],
        device: str,
    ) -> None:
        self.dataset, self.file, self.metrics, self.seed = dataset, file, metrics, seed
        self.features, self.curves, self.device = features, curves, device
        cells = file.cells()
        self.last = max(cell.snapshot for cell in cells)
        # what a cell without samples should have had
        self.count = max(len(cell.samples) for cell in cells) or pair_size(dataset, PAIR_IMAGES)

    def rows(self, cell: Cell) -> Iterator[dict[str, Any]]:
        common = {"seed": cell.seed, "snapshot": cell.snapshot, "seconds": cell.seconds}
        status, scores = self.scores(cell)
        for score in scores:
            state = "failed" if status == "ok" and math.isnan(score.value) else status
            yield common | {"metric": score.metric, "value": score.value, "protocol": score.protocol, "status": state}
        yield from (common | row for row in _stated(cell))

    def scores(self, cell: Cell) -> tuple[str, list[Score]]:
        """The cell's status and scores; those of a cell that cannot be measured are NaN."""
        last = cell.snapshot == self.last
        if cell.status == "ok":
            curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
            reconstructions = self.file.reconstructions.get(cell.seed) if last else None
            where = f"{self.file.path}, seed {cell.seed}, snapshot {cell.snapshot:g}"
            refused: Refusals | None = None if self.file.info is None else {}
            options = (self.seed, self.metrics, self.features, reconstructions, curves, last, self.device, refused)
            try:
                scores = measure(self.dataset, cell.samples, *options)
            except OtbenchError as error:
                if self.file.info is None:
                    raise type(error)(f"{where}: {error}") from error
                log.warning(f"{where}: {error}")
            else:
                for (name, text), why in (refused or {}).items():
                    log.warning(f"{where}: {name} ({text}): {why}")
                for extractor, curve in curves.items() if last else ():
                    for name, values in zip(("precision", "recall"), curve, strict=True):
                        self.curves[f"{extractor}/{cell.seed}/{name}"] = values
                return "ok", scores
        reconstructs = bool(self.file.reconstructions) and last
        names = expected(self.dataset, self.count, last, self.features, self.metrics, reconstructs)
        status = "failed" if cell.status == "ok" else cell.status
        return status, [Score(name, math.nan, text) for name, text in names]


def _stated(cell: Cell) -> Iterator[dict[str, Any]]:
    """Rows of the numbers that a cell's training states of itself; what it cost only where the cell is ok."""
    for name, value in cell.certificate.items():
        if name in COSTS:
            if cell.status == "ok" and value is not None:
                yield {"metric": name, "value": float(value), "protocol": "cost", "status": "ok"}
            continue
        is_metric = name.startswith("map_") or (name in METRICS and METRICS[name].uses == "model")
        value = math.nan if value is None or cell.status != "ok" else float(value)
        state = "failed" if cell.status == "ok" and math.isnan(value) else cell.status
        metric = name if is_metric else f"map_{name}"
        yield {"metric": metric, "value": value, "protocol": "certificate", "status": state}


def measured_with(samples: str | Path, run: str, study: str, features: Features | None) -> dict[str, Any]:
    """Record of what a table of metrics was made with: what the samples say of themselves, names, and versions.

    Args:
        samples: The samples file that was measured.
        run: Name of the run.
        study: Name of the study.
        features: Of images, the features that they were compared in; None for points.

    Returns:
        `run`, `study`, `measure_version`, `features` (extractor -> hash of its weights) and `samples` (the file's info,
        of it MADE_WITH and the cells; None where there is no info).
    """
    weights = {name: real.info["weights"] for name, real in features.extractors.items()} if features else {}
    record = {"run": run, "study": study, "measure_version": measure_version(), "features": weights}
    info = read_info(samples)
    if info is None:
        return record | {"samples": None}
    cells = [{"seed": cell["seed"], "snapshot": cell["snapshot"]} for cell in info.get("cells", [])]
    return record | {"samples": {name: info.get(name) for name in MADE_WITH} | {"cells": cells}}


def write_curves(curves: dict[str, Any], path: str | Path) -> None:
    """Write what `measure_file` put into `curves`, whole or not at all.

    Args:
        curves: Arrays (1001,) by name.
        path: Where to write, .npz.
    """
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **curves)


def _frame(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    import pandas

    frame = pandas.DataFrame(rows, columns=COLUMNS)
    return frame.astype({name: NUMBERS.get(name, "str") for name in COLUMNS})


def check_table(frame: pandas.DataFrame, name: str) -> pandas.DataFrame:
    """Tidy table, checked.

    Args:
        frame: The table.
        name: Name of the table in errors.

    Returns:
        The table, with numbers in the types NUMBERS.

    Raises:
        OtbenchError: Where columns, status, snapshots, values or the key are wrong.
    """
    if list(frame.columns) != COLUMNS:
        absent = [column for column in COLUMNS if column not in frame.columns]
        other = [str(column) for column in frame.columns if column not in COLUMNS]
        wrong = (
            f"lacks {', '.join(absent)}" if absent else f"has {', '.join(other)} too" if other else "has another order"
        )
        raise OtbenchError(f"{name}: the table {wrong}, expected the columns {', '.join(COLUMNS)}")
    for column, dtype in NUMBERS.items():
        try:
            frame = frame.astype({column: dtype})
        except (ValueError, TypeError, OverflowError) as error:
            raise OtbenchError(f"{name}: column {column} holds something that is no number ({error})") from error
    _expect(frame["status"].isin(STATUSES), frame, "status", name, f"one of {', '.join(STATUSES)}")
    _expect((frame["snapshot"] > 0) & (frame["snapshot"] <= 1), frame, "snapshot", name, "above 0 and up to 1")
    ok = frame["status"] == "ok"
    _expect(frame["value"].notna() == ok, frame, "value", name, "a number where status is ok and nothing elsewhere")
    _expect(~frame.duplicated(KEY), frame, "metric", name, "every value once for a cell and protocol")
    return frame


def _expect(good: pandas.Series, frame: pandas.DataFrame, column: str, name: str, expected: str) -> None:
    if not good.all():
        row = int((~good.to_numpy()).argmax())
        raise OtbenchError(f"{name}, row {row + 1}: {column} is {frame[column].iloc[row]}, expected {expected}")


def write_table(frame: pandas.DataFrame, path: str | Path) -> None:
    """Write the table, whole or not at all.

    Args:
        frame: The tidy table.
        path: Where to write; the ending decides between .csv and .parquet.

    Raises:
        OtbenchError: Where the table is wrong or the path has another ending.
    """
    path = Path(path)
    frame = check_table(frame, str(path))
    if path.suffix not in (".csv", ".parquet"):
        raise OtbenchError(f"cannot write a table to {path}, expected a name that ends in .csv or .parquet")
    with atomic_write(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False, write_page_checksum=True)


def read_table(path: str | Path) -> pandas.DataFrame:
    """Read a tidy table.

    Args:
        path: Where it lies, .csv or .parquet.

    Returns:
        The table, with the columns COLUMNS.

    Raises:
        OtbenchError: Where the file is missing or damaged or the table is wrong.
    """
    import pandas

    path = Path(path)
    texts = {name: "str" for name in COLUMNS if name not in NUMBERS}
    if path.suffix == ".parquet":
        return check_table(read_parquet(path), str(path))
    try:
        # texts stay as written: a hash may be all digits, a version empty
        numbers = {name: ["", "nan", "NaN"] for name in NUMBERS}
        frame = pandas.read_csv(path, dtype=texts, keep_default_na=False, na_values=numbers)
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # pandas' own errors are of this kind too
        raise OtbenchError(f"{path}: it is no table ({error})") from error
    return check_table(frame, str(path))
