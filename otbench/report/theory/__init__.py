"""The theory in the report: a chapter for every study of it, with paragraphs, tables and figures.

A study's counterpart here is a module of the same name with `said(findings) -> list[str]` (paragraphs),
`tables(findings) -> list[Table]`, `figures(findings) -> Iterator[FigureSpec]`, and `derived(findings)`: what its
sentences need besides the study's facts. The sentences and the captions stand in templates/, in a template of the same
name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from otbench.registry import THEORIES
from otbench.report.figures.base import SavedFigure, save_figures
from otbench.report.figures.cache import key_of_findings
from otbench.report.tables.base import Table
from otbench.report.theory.prose import fill
from otbench.report.theory.verdicts import Verdict, verdict_of
from otbench.theory import module

if TYPE_CHECKING:
    from otbench.report.results import RunResults
    from otbench.theory.findings import Findings


@dataclass(frozen=True)
class Chapter:
    """What the page shows of one study of the theory."""

    name: str
    title: str
    source: str
    paragraphs: list[str]
    tables: list[Table]
    figures: list[SavedFigure]
    made: str
    verdict: Verdict | None = None


def chapters(found: dict[str, Findings], out: Path) -> Iterator[Chapter]:
    """Makes the chapters of the studies that were computed, in the order of the report.

    Args:
        found: What each study found, by the study's name.
        out: Folder of the report; the figures go to its folder `figures`.

    Yields:
        A chapter for each study in `found`.
    """
    for name in THEORIES:
        if name in found:
            study, chapter = module(name), import_module(f"otbench.report.theory.{name.replace('-', '_')}")
            findings = found[name]
            key = key_of_findings(findings)
            figures = save_figures(chapter.figures(findings), study.TITLE, out / "figures", key)
            yield Chapter(
                name,
                study.TITLE,
                study.SOURCE,
                chapter.said(findings),
                chapter.tables(findings),
                figures,
                made(findings),
                verdict_of(findings),
            )


def uncomputed(run: RunResults) -> list[str]:
    """Lists the studies that the run's config asks for and that are not there.

    Args:
        run: The gathered run.

    Returns:
        The studies' titles.
    """
    asked = (run.info.get("config") or {}).get("theory") or {}
    return [module(name).TITLE for name in THEORIES if asked.get(name) is not None and name not in run.theory]


@dataclass(frozen=True)
class Made:
    """What made a study's findings; `settings` are its options in words."""

    has_dataset: bool
    dataset: str
    seconds: float
    device: str
    settings: str


def made(found: Findings) -> str:
    """Says what was run.

    Args:
        found: What the study found.

    Returns:
        A line with the data set, the seconds, the device and the options.
    """
    info = found.info
    dataset = info.get("dataset") or ""
    settings = ", ".join(f"{name} {value}" for name, value in (info.get("options") or {}).items())
    details = Made(bool(dataset), dataset, float(info.get("seconds", 0)), info.get("device", "cpu"), settings)
    return fill("chapter", found, details)("made")
