"""The report's page: one HTML file that opens from disk with no network."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otbench.report import figures, image_tables, paper_tables, searches, selection
from otbench.report.answers import Answer, answers, completeness
from otbench.report.cells import apart_table, cells_table, certificates_table, protocols_table
from otbench.report.compare import Comparison, comparison_tables
from otbench.report.controls import WRONG, controls_table
from otbench.report.figures import Drawn
from otbench.report.gathered import Gathered
from otbench.report.sheets import Sheets, write_sheets
from otbench.report.stacked import stacked_tables
from otbench.report.tables import Table
from otbench.studies.images import NAME as IMAGES
from otbench.studies.stacked import NAME as STACKED

TITLE = "Generative models and optimal transport"
"""The page's title where it shows several studies."""

LARGE = 300_000
"""Bytes above which the page holds a figure as PNG instead of SVG; twice this, and its colours are reduced."""


@dataclass(frozen=True)
class Section:
    """What the page shows of one data set."""

    name: str
    title: str
    answers: list[Answer]
    tables: list[Table]
    controls: Table | None
    apart: Table | None
    figures: list[Drawn]
    sheets: list[Sheets]

    @property
    def misordered(self) -> list[str]:
        """The metrics that rank the controls wrongly here."""
        if self.controls is None:
            return []
        at = [column.key for column in self.controls.columns].index("verdict")
        return [row.label for row in self.controls.rows if row.cells[at].text == WRONG]


@dataclass(frozen=True)
class Part:
    """What the page shows of one study: its comparison, what is over all its data sets, and a section a data set."""

    comparison: Comparison
    sections: list[Section]
    tables: list[Table]
    figures: list[Drawn]

    @property
    def name(self) -> str:
        """The study's name."""
        return self.comparison.study.name

    @property
    def title(self) -> str:
        """The study's title."""
        return self.comparison.study.title

    @property
    def why_ceiling(self) -> str:
        """Why a published figure is better than true samples reach, where such a figure is shown."""
        held = [self.comparison.beside(dataset) for dataset in self.comparison.datasets]
        return self.comparison.study.why_ceiling if any(self.comparison.study.ceiling in one for one in held) else ""

    @property
    def why_memoriser(self) -> str:
        """What a memoriser shows, where there is one."""
        there = any(model == "memoriser" for _, model in self.comparison.run.cells)
        return self.comparison.study.why_memoriser if there else ""

    @property
    def citations(self) -> list[str]:
        """The papers whose figures of these data sets are shown."""
        shown, known = self.comparison.published, self.comparison.study.citations
        papers = {one.paper for one in shown if one.dataset in self.comparison.datasets or self.tables}
        return [known[name] for name in known if name in papers]


@dataclass(frozen=True)
class Contents:
    """Everything the page shows, and every table that goes to disk."""

    parts: list[Part]
    certificates: Table | None
    incomplete: Table
    cells: Table
    protocols: Table

    @property
    def sections(self) -> list[Section]:
        """The sections of all parts."""
        return [section for part in self.parts for section in part.sections]

    @property
    def tables(self) -> list[Table]:
        """All tables that have a row."""
        found: list[Table | None] = [table for part in self.parts for table in part.tables]
        for section in self.sections:
            found += [*section.tables, section.controls, section.apart]
        found += [self.certificates, self.incomplete, self.cells, self.protocols]
        return [table for table in found if table is not None and (table.rows or table is self.incomplete)]


def part(comparison: Comparison, out: Path) -> Part:
    """Collect the tables and answers of one study, and write its figures and sheets into `out`."""
    images, sections = comparison.study.kind == "images", []
    for dataset in comparison.datasets:
        tables = comparison_tables(comparison, dataset)
        if images:
            tables += selection.selection_tables(comparison, dataset) + image_tables.split_tables(comparison, dataset)
        sections.append(
            Section(
                name=dataset,
                title=comparison.run.title("datasets", dataset),
                answers=answers(comparison, dataset),
                tables=tables,
                controls=controls_table(comparison, dataset),
                apart=apart_table(comparison, dataset),
                figures=figures.draw(comparison, dataset, out / "figures"),
                sheets=write_sheets(comparison, dataset, out) if images else [],
            )
        )
    overall = {IMAGES: _overall, STACKED: stacked_tables}.get(comparison.study.name, lambda _: [])(comparison)
    return Part(comparison, sections, overall, figures.draw_study(comparison, out / "figures"))


def _overall(comparison: Comparison) -> list[Table]:
    """The tables over all data sets of the image study."""
    found = [*image_tables.study_tables(comparison), *paper_tables.paper_tables(comparison)]
    return found + searches.search_tables(comparison)


def contents(parts: list[Part]) -> Contents:
    """All parts, and the tables about the run as a whole."""
    comparisons = [part.comparison for part in parts]
    return Contents(
        parts,
        certificates_table(comparisons),
        cells_table(comparisons, troubled=True),
        cells_table(comparisons),
        protocols_table(comparisons),
    )


def page(run: Gathered, reference: Gathered | None, found: Contents) -> str:
    """The page's HTML. Everything that comes from files is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("otbench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    citations = dict.fromkeys(one for part in found.parts for one in part.citations)
    return environment.get_template("template.html").render(
        title=found.parts[0].title if len(found.parts) == 1 else TITLE,
        run=run,
        found=found,
        parts=found.parts,
        several=len(found.parts) > 1,
        count=completeness([part.comparison for part in found.parts]),
        citations=list(citations),
        facts=_facts(run, reference, found),
        versions=run.info.get("versions") or {},
        config=json.dumps(run.info.get("config"), indent=2, ensure_ascii=False),
        models=_models(found),
    )


def data_uri(drawn: Drawn) -> str:
    """A figure as a data URI: SVG where it is not large, else PNG, with a palette where that is large too."""
    data = drawn.path.read_bytes()
    if drawn.embed == "svg" and len(data) <= LARGE:
        return "data:image/svg+xml;base64," + base64.b64encode(data).decode("ascii")
    path = drawn.path.with_suffix(".png")
    data = path.read_bytes()
    data = data if len(data) <= 2 * LARGE else _small_png(path)
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _small_png(path: Path) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(out, format="png", optimize=True)
    return out.getvalue()


def _facts(run: Gathered, reference: Gathered | None, found: Contents) -> list[tuple[str, str]]:
    """What is said of the run, as names and values."""
    info, views = run.info, [(part.title, part.comparison.run) for part in found.parts]
    machine = info.get("machine") or {}
    devices = Counter(str(device) for device in run.table.drop_duplicates(["dataset", "model", "seed"])["device"])
    facts = [
        ("Run", run.name),
        *_each("Budget", [(title, view.budget) for title, view in views]),
        *_each("Seeds", [(title, _listed(view.info.get("seeds"), str)) for title, view in views]),
        *_each("Snapshots", [(title, _listed(view.info.get("snapshots"), _short)) for title, view in views]),
        ("Started", str(info.get("started") or "")),
        ("Finished", str(info.get("finished") or "")),
        ("Machine", "; ".join(f"{name}: {value}" for name, value in machine.items() if value)),
        ("Devices", "; ".join(f"{device}: {number} cells" for device, number in sorted(devices.items()) if device)),
        ("Code version", str(info.get("code_version") or "")),
        ("Config hash", str(info.get("config_hash") or "")),
    ]
    if reference:
        budgets = "; ".join(dict.fromkeys(reference.of(name).budget for name in reference.studies))
        said = f"{reference.name}, {budgets}, code {reference.info.get('code_version') or 'unstated'}"
        facts.append(("Reference", said))
    return [(name, value) for name, value in facts if value]


def _each(name: str, values: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """One fact where all studies agree, else one a study."""
    if len({value for _, value in values}) == 1:
        return [(name, values[0][1])]
    return [(f"{name}, {title}", value) for title, value in values]


def _listed(values: list[float] | None, said: Callable[[float], str]) -> str:
    return ", ".join(said(value) for value in values or [])


def _short(snapshot: float) -> str:
    return f"{float(snapshot):.3g}"


def _models(found: Contents) -> list[dict[str, Any]]:
    """Title, paper, options and number of parameters of every model of the run, study by study."""
    rows = []
    for part, name, about in [
        (one, *item) for one in found.parts for item in one.comparison.run.info["models"].items()
    ]:
        options, parameters = about.get("options") or {}, about.get("parameters") or {}
        several = f" ({part.title})" if len(found.parts) > 1 else ""
        rows.append(
            {
                "title": part.comparison.title(name) + several,
                "name": name,
                "paper": about.get("paper") or "–",
                "options": ", ".join(f"{key} {value}" for key, value in options.items()) or "–",
                "parameters": ", ".join(f"{part} {int(number):,}" for part, number in parameters.items()) or "–",
            }
        )
    return rows
