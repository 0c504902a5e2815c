"""Tables on disk: what a spreadsheet may do with the CSV."""

from __future__ import annotations

import csv
import io

import pytest

from otbench.report.tables.base import Cell, Column, Row, Table, spreadsheet_text, to_csv

FORMULAS = ["=cmd|' /C calc'!A0", "+1+2", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "-", "--1", "=1"]
PLAIN = ["-0.25", "+3", "-inf", "-1e-07", "nan", "", "wgan-gp", "a=b", "'=1", "1 - 2", "−0.3", "é"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert spreadsheet_text(text) == "'" + text.replace("\r", " ")


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert spreadsheet_text(text) == text


@pytest.mark.parametrize("text", [*FORMULAS, "a\r=1"])
def test_no_cell_of_a_table_starts_as_a_formula(text: str) -> None:
    """Name, block, cell, raw value and key of a column."""
    cells = (Cell(text), Cell("-0.5", {"": -0.5, "_of": text}))
    table = Table("t", text, text, (Column(text, text), Column("value", "Value")), (Row(text, text, text, cells),))
    head, row = csv.reader(io.StringIO(to_csv(table), newline=""))
    safe = spreadsheet_text(text)
    assert safe[0] in "'a" and head == ["model", "block", safe, "value", "value_of"]
    assert row == [safe, safe, safe, "-0.5", safe]
