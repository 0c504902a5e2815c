"""The theory in the report: a chapter for every study of it, with paragraphs, tables and figures.

A study's counterpart here is a module of the same name with `said(findings) -> list[str]` (paragraphs),
`tables(findings) -> list[Table]` and `figures(findings) -> Iterator[Wanted]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from otbench.registry import THEORIES
from otbench.report.figures.base import Drawn, drawn
from otbench.report.tables.base import Table
from otbench.theory import module

if TYPE_CHECKING:
    from otbench.report.results import Gathered
    from otbench.theory.findings import Findings


@dataclass(frozen=True)
class Chapter:
    """What the page shows of one study of the theory."""

    name: str
    title: str
    source: str
    paragraphs: list[str]
    tables: list[Table]
    figures: list[Drawn]
    made: str


def chapters(found: dict[str, Findings], out: Path) -> Iterator[Chapter]:
    """The chapters of the studies that were computed, in the order of the report; figures go to `out`/figures."""
    for name in THEORIES:
        if name in found:
            study, shown = module(name), import_module(f"otbench.report.theory.{name.replace('-', '_')}")
            one = found[name]
            figures = drawn(shown.figures(one), study.TITLE, out / "figures")
            yield Chapter(name, study.TITLE, study.SOURCE, shown.said(one), shown.tables(one), figures, made(one))


def uncomputed(run: Gathered) -> list[str]:
    """The titles of the studies that the run's config asks for and that are not there."""
    asked = (run.info.get("config") or {}).get("theory") or {}
    return [module(name).TITLE for name in THEORIES if asked.get(name) is not None and name not in run.theory]


def made(found: Findings) -> str:
    """A line that says what was run."""
    info = found.info
    options = ", ".join(f"{name} {value}" for name, value in (info.get("options") or {}).items())
    where = f" on {info['dataset']}" if info.get("dataset") else ""
    return (
        f"Computed{where} in {float(info.get('seconds', 0)):.0f} s ({info.get('device', 'cpu')}); options: {options}."
    )
