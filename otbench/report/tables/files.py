"""Tables on disk, each in three forms."""

from __future__ import annotations

from pathlib import Path

from otbench.errors import OtbenchError
from otbench.report.tables.base import Table, to_csv, to_markdown
from otbench.report.tables.latex import to_tex
from otbench.utils.files import write_text


def write_tables(tables: list[Table], folder: Path) -> None:
    """Write every table as .csv, .md and .tex, each file whole or not at all.

    Args:
        tables: Tables to write.
        folder: Folder of the files.

    Raises:
        OtbenchError: Where two tables have one name, so that one would replace the other's files.
    """
    names = [table.name for table in tables]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OtbenchError(
            f"the report has two tables of the name {', '.join(twice)}: expected each once; rename a data set or table"
        )
    for table in tables:
        write_text(folder / f"{table.name}.csv", to_csv(table))
        write_text(folder / f"{table.name}.md", to_markdown(table))
        write_text(folder / f"{table.name}.tex", to_tex(table))
