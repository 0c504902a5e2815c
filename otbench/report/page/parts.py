"""What the pages show of each study and data set."""

from __future__ import annotations

from dataclasses import dataclass

from otbench.report.comparison import Comparison
from otbench.report.figures.base import SavedFigure
from otbench.report.figures.sheets import Sheets
from otbench.report.page.answers import Answer
from otbench.report.tables.base import Table
from otbench.report.tables.controls import WRONG


@dataclass(frozen=True)
class DatasetPage:
    """What the page shows of one data set; apart: sentences on the rows that the answers leave out.

    void: why no winner is named at all; empty where one may be.
    """

    name: str
    title: str
    answers: list[Answer]
    apart: list[str]
    paid: list[str]
    tables: list[Table]
    controls: Table | None
    elsewhere: Table | None
    figures: list[SavedFigure]
    sheets: list[Sheets]
    void: str = ""

    @property
    def board(self) -> list[tuple[Answer, str]]:
        """The answers with what their models cost besides seconds."""
        return list(zip(self.answers, self.paid, strict=True))

    @property
    def misordered(self) -> list[str]:
        """The metrics that rank the controls wrongly here."""
        if self.controls is None:
            return []
        at = [column.key for column in self.controls.columns].index("verdict")
        return [row.label for row in self.controls.rows if row.cells[at].text == WRONG]


@dataclass(frozen=True)
class StudyPage:
    """What the page shows of one study: its comparison, what is over all its data sets, and a section a data set."""

    comparison: Comparison
    sections: list[DatasetPage]
    tables: list[Table]
    figures: list[SavedFigure]

    @property
    def name(self) -> str:
        """The study's name."""
        return self.comparison.study.name

    @property
    def title(self) -> str:
        """The study's title."""
        return self.comparison.study.title

    @property
    def said(self) -> str:
        """How the figures of the study are read, once a page."""
        return "Mean ± standard error over seeds."

    @property
    def why_ceiling(self) -> str:
        """Why a published figure is better than true samples reach, where such a figure is shown."""
        published = [self.comparison.published_for(dataset) for dataset in self.comparison.datasets]
        return (
            self.comparison.study.why_ceiling
            if any(self.comparison.study.ceiling in figures for figures in published)
            else ""
        )

    @property
    def why_memoriser(self) -> str:
        """What a memoriser shows, where there is one."""
        there = any(model == "memoriser" for _, model in self.comparison.run.cells)
        return self.comparison.study.why_memoriser if there else ""

    @property
    def citations(self) -> list[str]:
        """The papers whose figures of these data sets are shown."""
        published, citations = self.comparison.published, self.comparison.study.citations
        papers = {figure.paper for figure in published if figure.dataset in self.comparison.datasets or self.tables}
        return [citations[name] for name in citations if name in papers]
