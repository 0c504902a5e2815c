"""What the chapters of the theory share: tables from data frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from otbench.report.tables.base import ABSENT, Cell, Column, Table
from otbench.report.tables.base import Row as TableRow

Form = Callable[[float], str]


def significant(digits: int = 3) -> Form:
    """Writes a number with so many significant digits."""

    def form(value: float) -> str:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"

    return form


def seeds(facts: Mapping[str, object]) -> str:
    """The fact `seeds` in words."""
    return "one seed" if facts["seeds"] == 1 else f"{facts['seeds']} seeds"


def table(
    name: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    row: str,
    columns: Sequence[tuple[str, str] | tuple[str, str, Form]],
    head: str = "",
    block: str | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """A table of the report from a data frame: a row for each of its rows.

    row: the column that names the rows, headed `head`. columns: (column of the frame, label with its unit, and how to
    write a number: three significant digits if not given); a column of text is set to the left. block: the column by
    whose values rows are set apart. A missing number is shown as such.
    """
    heads, writers = [], []
    for key, label, *form in columns:
        text = not pd.api.types.is_numeric_dtype(frame[key]) or pd.api.types.is_bool_dtype(frame[key])
        heads.append(Column(key, label, align="l" if text else "r"))
        writers.append((key, text, form[0] if form else significant()))
    rows = []
    for _, values in frame.iterrows():
        cells = tuple(_cell(values[key], text, form) for key, text, form in writers)
        rows.append(TableRow(str(values[row]), str(values[row]), str(values[block]) if block else "", cells))
    return Table(name, title, caption, tuple(heads), tuple(rows), tuple(notes), row_head=head or row)


def _cell(value: object, text: bool, form: Form) -> Cell:
    if text:
        said = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        return Cell(said, {"": said})
    number = float(value)  # type: ignore[arg-type]
    return ABSENT if math.isnan(number) else Cell(form(number), {"": number})
