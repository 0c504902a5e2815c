"""The published figures: one row of `config/published.csv` a figure, validated on reading."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from otbench.errors import OtbenchError

COLUMNS = (
    "paper",
    "table",
    "dataset",
    "model",
    "metric",
    "value",
    "error",
    "error_kind",
    "n_trials",
    "n_samples",
    "certain",
    "setup",
    "note",
)
ERROR_KINDS = {
    "sd": "standard deviation",
    "se": "standard error",
    "unstated": "error of unstated kind",
    "range": "half of the range that is given",
    "none": "no error given",
}
SHARES = ("high_quality", "excellence")


@dataclass(frozen=True)
class Published:
    """One figure as a paper prints it.

    value and error are decimals with the digits of the paper (a share of points is in [0, 1]). error_kind is a key of
    ERROR_KINDS. certain is False where the figure was not read in its source or its protocol is not known.
    """

    paper: str
    table: str
    dataset: str
    model: str
    metric: str
    value: Decimal
    error: Decimal | None
    error_kind: str
    n_trials: int | None
    n_samples: int | None
    certain: bool
    setup: str
    note: str

    @property
    def source(self) -> str:
        """Paper and table, as a reader cites it."""
        return f"{self.paper} {self.table}"

    def text(self, scale: int = 1) -> str:
        """`value ± error` with the paper's digits.

        Args:
            scale: Factor, a power of ten.

        Returns:
            Text of the scaled numbers; the value alone where there is no error.
        """
        shift = len(str(scale)) - 1
        parts = [f"{number.scaleb(shift):f}" for number in (self.value, self.error) if number is not None]
        return " ± ".join(parts)


def read_published(path: str | Path) -> list[Published]:
    """Read the table of published figures.

    Args:
        path: The table, .csv with the columns COLUMNS.

    Returns:
        The figures, in the order of the file.

    Raises:
        OtbenchError: Where the file or one of its fields is not as COLUMNS says; the message names line and column.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OtbenchError(f"cannot read the published figures in {path}: {reason}") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise OtbenchError(f"{path}, line 1: expected the columns {', '.join(COLUMNS)}")
    records, seen = [], {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS):
            raise OtbenchError(f"{path}, line {line}: expected {len(COLUMNS)} fields, got {len(row)}")
        record = _record(dict(zip(COLUMNS, (field.strip() for field in row), strict=True)), f"{path}, line {line}")
        key = (record.paper, record.table, record.setup, record.dataset, record.model, record.metric)
        if key in seen:
            raise OtbenchError(f"{path}, line {line}: the figure of line {seen[key]} is given a second time")
        seen[key] = line
        records.append(record)
    return records


def _record(row: dict[str, Any], where: str) -> Published:
    for name in ("paper", "table", "dataset", "model", "metric", "value", "setup"):
        if not row[name]:
            raise OtbenchError(f"{where}, column {name}: it is empty")
    value, error = _decimal(row["value"], where, "value"), None
    kind = row["error_kind"]
    if kind not in ERROR_KINDS:
        raise OtbenchError(f"{where}, column error_kind: expected one of {', '.join(ERROR_KINDS)}, got {kind!r}")
    if (kind == "none") != (row["error"] == ""):
        raise OtbenchError(f"{where}, column error: expected a number exactly where error_kind is not none")
    if row["error"]:
        error = _decimal(row["error"], where, "error")
        if error < 0:
            raise OtbenchError(f"{where}, column error: expected a number of at least 0, got {row['error']}")
    if row["metric"] in SHARES and not 0 <= value <= 1:
        raise OtbenchError(f"{where}, column value: {row['metric']} is a share in [0, 1], got {row['value']}")
    if row["certain"] not in ("yes", "no"):
        raise OtbenchError(f"{where}, column certain: expected yes or no, got {row['certain']!r}")
    row |= {"value": value, "error": error, "certain": row["certain"] == "yes"}
    row |= {name: _count(row[name], where, name) for name in ("n_trials", "n_samples")}
    return Published(**row)


def _decimal(text: str, where: str, column: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise OtbenchError(f"{where}, column {column}: expected a number, got {text!r}")
    return number


def _count(text: str, where: str, column: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise OtbenchError(f"{where}, column {column}: expected a whole number above 0 or nothing, got {text!r}")
    return int(text)
