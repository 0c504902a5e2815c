"""Tables as values, and two of their forms on disk: CSV with raw numbers, and Markdown. `latex` has the third."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from otbench.report.labels import metric_label
from otbench.report.summary import Summary, of_samples
from otbench.statistics.intervals import FEW, Interval

Raw = float | int | str | None


@dataclass(frozen=True)
class Column:
    """One column: its key (the name in the CSV), its label, and the label it shares with its neighbours."""

    key: str
    label: str
    group: str = ""
    align: str = "r"


@dataclass(frozen=True)
class Cell:
    """What a cell says, and its numbers for the CSV (suffix of the column's key -> number).

    strong marks a best value; kind is `absent` for a cell without a number, `trouble` for one that should have one.
    hint: what the text leaves out, for whoever asks.
    """

    text: str
    raw: Mapping[str, Raw] = field(default_factory=dict)
    strong: bool = False
    kind: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Row:
    """One row: a name for the CSV, a label, the block it stands in, and a cell for each column."""

    name: str
    label: str
    block: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table with a caption and notes; `name` is the stem of its files.

    reading: how its marks are read, which a page says once and each file for itself. named_blocks: whether the names of
    blocks are shown; False where the rows' labels say as much.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    row_head: str = "Model"
    reading: str = ""
    named_blocks: bool = True

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The labels above the columns with the number of neighbouring columns each spans."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans

    @property
    def blocks(self) -> list[tuple[str, list[Row]]]:
        """The rows by block, in order."""
        grouped: list[tuple[str, list[Row]]] = []
        for row in self.rows:
            if not grouped or grouped[-1][0] != row.block:
                grouped.append((row.block, []))
            grouped[-1][1].append(row)
        return grouped

    @property
    def headed_blocks(self) -> list[tuple[str, list[Row]]]:
        """The rows by block, in order; the name of a block is empty where it is not to be shown."""
        shown = self.named_blocks and len({row.block for row in self.rows}) > 1
        return [(block if shown else "", rows) for block, rows in self.blocks]

    @property
    def whole_caption(self) -> str:
        """The caption with how the marks are read, for a file that stands alone."""
        return f"{self.caption} {self.reading}".strip()


ABSENT = Cell("–", {}, kind="absent")


APART = "‡"
"""Mark of a figure that is not compared, as its row's budget was not enough; in tables over several data sets."""


def measured(summary: Summary, metric: str, strong: bool = False, undecided: bool = False, apart: bool = False) -> Cell:
    """The cell of a metric over seeds: mean ± standard error, or why there is none.

    Args:
        summary: The metric over the seeds.
        metric: Name of the metric.
        strong: Whether the model is the best.
        undecided: Whether these seeds leave open that the model is worse than the best; adds `n.s.`.
        apart: Whether the model is not compared, as its budget was not enough; adds APART.

    Returns:
        The cell, with mean, sd, standard error, bootstrap interval and n as raw numbers.
    """
    raw: dict[str, Raw] = {"": summary.mean, "_sd": summary.sd, "_error": summary.error}
    raw |= {"_low": summary.interval.low, "_high": summary.interval.high, "_n": summary.n}
    if summary.n:
        text = metric_label(metric).number(summary.mean, summary.error)
        text += f" {APART}" if apart else " n.s." if undecided else ""
        return Cell(text, raw, strong=strong, hint=hint(summary, metric))
    if not summary.expected:
        return Cell("–", raw, kind="absent")
    if summary.other:
        return Cell("other protocol", raw, kind="absent")
    return Cell("n/a" if summary.counts.get("ok") else summary.troubles, raw, kind="trouble")


def hint(summary: Summary, metric: str) -> str:
    """A figure in full: mean, standard deviation, bootstrap interval, Student's where seeds are few, one seed's, n.

    Args:
        summary: The metric over the seeds.
        metric: Name of the metric.

    Returns:
        One line of text.
    """
    number, parts = metric_label(metric).number, [f"mean {metric_label(metric).number(summary.mean)}"]
    if math.isfinite(summary.sd):
        parts.append(f"sd {number(summary.sd)}")
    if summary.interval.known:
        parts.append(f"95 % bootstrap interval {between(summary.interval, metric)}")
    if summary.student.known and summary.n < FEW:
        few = " (bootstrap of few seeds is too narrow)" if summary.interval.known else ""
        parts.append(f"95 % Student's t interval {between(summary.student, metric)}{few}")
    single = of_samples(summary, metric)
    if single.known:
        parts.append(f"95 % interval of one seed's {summary.samples:,} samples {between(single, metric)}, not of seeds")
    return ", ".join([*parts, f"n = {summary.n}"])


def between(interval: Interval, metric: str) -> str:
    """An interval in the metric's unit: `0.66 to 0.77`.

    Args:
        interval: Interval of the metric's values.
        metric: Name of the metric.

    Returns:
        Text; empty where the interval is not known.
    """
    number = metric_label(metric).number
    return f"{number(interval.low)} to {number(interval.high)}" if interval.known else ""


def seeds(summary: Summary) -> Cell:
    """The cell that counts seeds: `3`, or `2/3 ok, 1 diverged`.

    Args:
        summary: Any metric over the seeds.

    Returns:
        The cell, with the number of seeds by status as raw numbers.
    """
    raw: dict[str, Raw] = {"_expected": summary.expected}
    raw |= {f"_{status}": summary.counts.get(status, 0) for status in ("ok", "diverged", "failed", "missing")}
    if not summary.expected:
        return Cell("–", raw, kind="absent")
    return Cell(summary.said, raw, kind="" if summary.complete else "trouble")


def to_csv(table: Table) -> str:
    """The table's raw numbers: a column of the table is one of the file for each number its cells hold.

    Args:
        table: Table to write.

    Returns:
        Text of the CSV, with a header.
    """
    keys = []
    for position, column in enumerate(table.columns):
        suffixes = dict.fromkeys(suffix for row in table.rows for suffix in row.cells[position].raw)
        keys.append([(column.key + suffix, suffix) for suffix in suffixes or [""]])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [name for group in keys for name, _ in group]
    writer.writerow(map(spreadsheet_text, [table.row_head.lower(), "block", *names]))
    for row in table.rows:
        fields = [
            _plain(cell.raw.get(suffix, cell.text if not cell.raw and cell.kind != "absent" else None))
            for cell, group in zip(row.cells, keys, strict=True)
            for _, suffix in group
        ]
        writer.writerow(map(spreadsheet_text, [row.name, row.block, *fields]))
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """The table in Markdown, with its caption above and its notes below.

    Args:
        table: Table to write.

    Returns:
        Text in Markdown.
    """
    head = [table.row_head]
    head += [f"{column.group}: {column.label}" if column.group else column.label for column in table.columns]
    lines = [f"**{md(table.title)}.** {md(table.whole_caption)}", "", md_row([md(text) for text in head])]
    lines.append(md_row([":---", *("---:" if column.align == "r" else ":---" for column in table.columns)]))
    for block, rows in table.headed_blocks:
        if block:
            lines.append(md_row([f"*{md(block)}*", *[""] * len(table.columns)]))
        for row in rows:
            texts = [f"**{md(cell.text)}**" if cell.strong else md(cell.text) for cell in row.cells]
            lines.append(md_row([md(row.label), *texts]))
    lines += ["", *(f"- {md(note)}" for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def _plain(value: Raw) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def spreadsheet_text(text: str) -> str:
    """Escape a cell of a CSV, with an apostrophe before what a spreadsheet would run as a formula.

    Names come from files that others made. Numbers stay as they are, negative ones too. A carriage return becomes a
    space: the csv module puts no quotes around it, and it would begin another row.

    Args:
        text: Text of the cell.

    Returns:
        The text for the csv module.
    """
    line = text.replace("\r", " ")
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return line
    try:
        float(text)
    except ValueError:
        return f"'{line}"
    return line


def md(text: str) -> str:
    """Escape what Markdown would read as marks.

    Args:
        text: Plain text.

    Returns:
        The text for Markdown, on one line.
    """
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def md_row(texts: list[str]) -> str:
    """A row of a Markdown table.

    Args:
        texts: Texts of the cells, escaped already.

    Returns:
        The line, without its end.
    """
    return f"| {' | '.join(texts)} |"
