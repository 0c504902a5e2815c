"""What the report shows: its parts, with the tables and figures of each, and what its templates are filled with."""

from __future__ import annotations

import math
import shlex
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from otbench.report.comparison import Comparison
from otbench.report.figures import drawing
from otbench.report.figures.sheets import write_sheets
from otbench.report.page.answers import Answer, answers, void
from otbench.report.page.models import ModelPage, model_pages
from otbench.report.page.parts import DatasetPage, StudyPage
from otbench.report.recipes.images import NAME as IMAGES
from otbench.report.recipes.stacked import NAME as STACKED
from otbench.report.results import RunResults
from otbench.report.tables import certainty, costs, ledger, ratings, searches, selection
from otbench.report.tables import images as image_tables
from otbench.report.tables import papers as paper_tables
from otbench.report.tables.base import Cell, Row, Table
from otbench.report.tables.budget import budget_table
from otbench.report.tables.comparison import comparison_tables
from otbench.report.tables.controls import controls_table
from otbench.report.tables.run import cells_table, certificates_table, elsewhere_table, protocols_table
from otbench.report.tables.stacked import stacked_tables
from otbench.report.tables.tuning import tuning_table
from otbench.report.theory import Chapter
from otbench.report.theory.verdicts import theory_table

if TYPE_CHECKING:
    from jinja2 import Environment

    from otbench.report.page.front import Panel

TITLE = "Generative models and optimal transport"
"""The page's title where it shows several studies."""

FOLDED = ("ledger", "cells", "protocols")
"""Tables that the page shows folded."""


@dataclass(frozen=True)
class Contents:
    """Everything the page shows, and every table that goes to disk."""

    parts: list[StudyPage]
    theory: list[Chapter]
    uncomputed: list[str]
    budget: Table | None
    tuning: Table | None
    certificates: Table | None
    ledger: Table | None
    agreement: str
    incomplete: Table
    cells: Table
    protocols: Table
    panels: tuple[Panel, ...] = ()
    theory_front: Table | None = None
    model_tables: tuple[Table, ...] = ()

    @property
    def title(self) -> str:
        """The title of the report."""
        return self.parts[0].title if len(self.parts) == 1 else TITLE

    @property
    def sections(self) -> list[DatasetPage]:
        """The sections of all parts."""
        return [section for part in self.parts for section in part.sections]

    @property
    def tables(self) -> list[Table]:
        """All tables that have a row."""
        tables: list[Table | None] = [table for part in self.parts for table in part.tables]
        for section in self.sections:
            tables += [*section.tables, section.controls, section.elsewhere]
        tables += [table for chapter in self.theory for table in chapter.tables]
        tables += [
            self.budget,
            self.tuning,
            self.certificates,
            self.ledger,
            self.incomplete,
            self.cells,
            self.protocols,
            *(panel.table for panel in self.panels),
            self.theory_front,
            *self.model_tables,
        ]
        return [table for table in tables if table is not None and (table.rows or table is self.incomplete)]


def part(comparison: Comparison, out: Path) -> StudyPage:
    """Collect the tables and answers of one study, and write its figures and sheets.

    Args:
        comparison: Study of a run.
        out: Folder of the report; the files go to figures/ and sheets/ in it.

    Returns:
        What the page shows of the study.
    """
    images, sections = comparison.study.kind == "images", []
    for dataset in comparison.datasets:
        tables = comparison_tables(comparison, dataset)
        if images:
            tables += selection.selection_tables(comparison, dataset) + image_tables.split_tables(comparison, dataset)
        tables += ratings.rating_tables(comparison, dataset) + certainty.statistics_tables(comparison, dataset)
        tables += costs.cost_tables(comparison, dataset)
        board = answers(comparison, dataset)
        sections.append(
            DatasetPage(
                name=dataset,
                title=comparison.run.title("datasets", dataset),
                answers=board,
                apart=comparison.left_out(dataset),
                paid=[_paid(comparison, dataset, answer) for answer in board],
                tables=tables,
                controls=controls_table(comparison, dataset),
                elsewhere=elsewhere_table(comparison, dataset),
                figures=drawing.draw(comparison, dataset, out / "figures"),
                sheets=write_sheets(comparison, dataset, out) if images else [],
                void=void(comparison, dataset),
            )
        )
    overall = {IMAGES: _overall, STACKED: stacked_tables}.get(comparison.study.name, lambda _: [])(comparison)
    overall += certainty.study_tables(comparison)
    return StudyPage(comparison, sections, overall, drawing.draw_study(comparison, out / "figures"))


def models_of(parts: list[StudyPage]) -> list[ModelPage]:
    """The pages of the models of all parts.

    Args:
        parts: Parts of the studies.

    Returns:
        One page a model.
    """
    sheets = {
        (section.name, sheet.title): sheet for part in parts for section in part.sections for sheet in section.sheets
    }
    return model_pages([part.comparison for part in parts], sheets)


def _paid(comparison: Comparison, dataset: str, answer: Answer) -> str:
    best = {*answer.winners, *answer.tied}
    models = [model for model in comparison.generative(dataset) if comparison.title(model) in best]
    return costs.paid(comparison, dataset, models)


def _overall(comparison: Comparison) -> list[Table]:
    """The tables over all data sets of the image study."""
    tables = [*image_tables.study_tables(comparison), *paper_tables.paper_tables(comparison)]
    return tables + searches.search_tables(comparison)


def contents(parts: list[StudyPage], theory: list[Chapter], uncomputed: list[str], models: list[ModelPage]) -> Contents:
    """All parts, the theory, and the tables about the run as a whole.

    Args:
        parts: Parts of the studies.
        theory: Chapters of the theory.
        uncomputed: Titles of the studies of the theory that the run asks for and lacks.
        models: Pages of the models.

    Returns:
        Contents of the report.
    """
    from otbench.report.page import front

    judged = [(chapter.name, chapter.title, chapter.verdict) for chapter in theory if chapter.verdict is not None]
    comparisons = [part.comparison for part in parts]
    return Contents(
        parts,
        theory,
        uncomputed,
        budget_table(comparisons),
        tuning_table(comparisons),
        certificates_table(comparisons),
        ledger.ledger_table(comparisons),
        ledger.said(ledger.entries(comparisons)),
        cells_table(comparisons, troubled=True),
        cells_table(comparisons),
        protocols_table(comparisons),
        tuple(front.panels(parts)),
        theory_table(judged),
        tuple(place.seeds for model in models for place in model.places),
    )


def reproduction(run: RunResults) -> str:
    """Command that runs the first cell of the run again.

    Args:
        run: Gathered run.

    Returns:
        Command line, quoted for a shell.
    """
    cell = next((f"{dataset}/{model}/{seeds[0]}" for (dataset, model), seeds in run.cells.items()), "CELL")
    return shlex.join(["otbench", "reproduce", f"results/{run.name}", cell])


def asset(name: str) -> str:
    """Style or script of the page, to be embedded in it.

    Args:
        name: File name in this package, such as `page.css`.

    Returns:
        Text of the file.
    """
    return (resources.files("otbench.report.page") / name).read_text("utf-8").strip()


def policy(style: str, script: str) -> str:
    """Content security policy under which the page runs its own style and script and reaches nothing else.

    Args:
        style: The page's CSS.
        script: The page's JavaScript.

    Returns:
        Value of the policy, with the SHA-256 of both.
    """
    kinds = [("style-src", style), ("script-src", script)]
    hashes = [f"{kind} 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for kind, text in kinds]
    return "; ".join(
        ["default-src 'none'", "img-src data: 'self' file:", *hashes, "base-uri 'none'", "form-action 'none'"]
    )


@cache
def environment() -> Environment:
    """The templates of the pages, in which everything that comes from files is escaped.

    Returns:
        Jinja's environment.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("otbench.report.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"raw_number": raw_number, "is_long": is_long}
    made.tests["control_of"] = _is_control
    return made


def raw_number(cell: Cell) -> str:
    """Number that a cell is sorted by, as a script reads it.

    Args:
        cell: Cell of a table.

    Returns:
        The number as text, which may be `Infinity`; empty where the cell has none.
    """
    try:
        value = float(cell.raw.get("", ""))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    return "" if math.isnan(value) else repr(value) if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"


def is_long(table: Table) -> bool:
    """Whether the page shows the table folded.

    Args:
        table: Table of the report.

    Returns:
        True for the tables FOLDED and those whose name ends in `_full`.
    """
    return table.name in FOLDED or table.name.endswith("_full")


def _is_control(row: Row, controls: set[str]) -> bool:
    """Whether a row is a control's: tables of models name it by the row, tables of cells by the first cell."""
    return row.name in controls or bool(row.cells) and row.cells[0].raw.get("") in controls
