"""What the tables of the theory's chapters share: a table from a data frame, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

from otbench.report.tables.base import ABSENT, Cell, Column, Table
from otbench.report.tables.base import Row as TableRow
from otbench.report.theory import prose

Form = Callable[[float], str]


def significant(digits: int = 3) -> Form:
    """Writes numbers with at most so many significant digits.

    Args:
        digits: Number of significant digits.

    Returns:
        A function that writes a number.
    """
    return lambda value: prose.significant(value, digits)


def fixed(places: int) -> Form:
    """Writes numbers with so many decimal places.

    Args:
        places: Number of decimal places.

    Returns:
        A function that writes a number.
    """
    return lambda value: prose.fixed(value, places)


def percent(places: int) -> Form:
    """Writes shares as percentages, without the sign, for columns that have it in their label.

    Args:
        places: Number of decimal places.

    Returns:
        A function that writes a share.
    """
    return lambda value: prose.fixed(100 * value, places)


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
    """Makes a table of the report from a data frame, with a row for each of its rows.

    A missing number is shown as such.

    Args:
        name: Stem of the table's files.
        title: Title of the table.
        caption: What stands under the title.
        frame: The values.
        row: Column of the frame that names the rows.
        columns: For each column of the table: the column of the frame, the label with its unit, and how to write a
            number (three significant digits if not given). A column of text is set to the left.
        head: Label above the rows' names; `row` if empty.
        block: Column of the frame by whose values the rows are set apart.
        notes: Notes below the table.

    Returns:
        The table.
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
        word = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        return Cell(word, {"": word})
    number = float(value)  # type: ignore[arg-type]
    return ABSENT if math.isnan(number) else Cell(form(number), {"": number})
