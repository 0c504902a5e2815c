"""The report's page: one HTML file that opens from disk with no network."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otbench.report.answers import Answer, answers, completeness
from otbench.report.cells import apart_table, cells_table, certificates_table, protocols_table
from otbench.report.compare import Comparison, comparison_tables
from otbench.report.controls import WRONG, controls_table
from otbench.report.figures import Drawn
from otbench.report.tables import Table
from otbench.studies import mode_collapse as study

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

    @property
    def misordered(self) -> list[str]:
        """The metrics that rank the controls wrongly here."""
        if self.controls is None:
            return []
        at = [column.key for column in self.controls.columns].index("verdict")
        return [row.label for row in self.controls.rows if row.cells[at].text == WRONG]


@dataclass(frozen=True)
class Contents:
    """Everything the page shows, and every table that goes to disk."""

    sections: list[Section]
    certificates: Table | None
    incomplete: Table
    cells: Table
    protocols: Table

    @property
    def tables(self) -> list[Table]:
        """All tables that have a row."""
        found: list[Table | None] = []
        for section in self.sections:
            found += [*section.tables, section.controls, section.apart]
        found += [self.certificates, self.incomplete, self.cells, self.protocols]
        return [table for table in found if table is not None and (table.rows or table is self.incomplete)]


def contents(comparison: Comparison, drawn: dict[str, list[Drawn]]) -> Contents:
    """Collect the tables, answers and figures (data set -> figures) of a comparison."""
    sections = [
        Section(
            name=dataset,
            title=comparison.run.title("datasets", dataset),
            answers=answers(comparison, dataset),
            tables=comparison_tables(comparison, dataset),
            controls=controls_table(comparison, dataset),
            apart=apart_table(comparison, dataset),
            figures=drawn.get(dataset, []),
        )
        for dataset in comparison.datasets
    ]
    return Contents(
        sections,
        certificates_table(comparison),
        cells_table(comparison, troubled=True),
        cells_table(comparison),
        protocols_table(comparison),
    )


def page(comparison: Comparison, found: Contents) -> str:
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
    run = comparison.run
    return environment.get_template("template.html").render(
        title=study.TITLE,
        run=run,
        reference=comparison.reference,
        label=comparison.label,
        found=found,
        count=completeness(comparison),
        questions=_questions(found),
        why_ceiling=study.WHY_ABOVE_CEILING if _published(comparison) else "",
        why_memoriser=_memoriser(comparison),
        citations=[study.CITATIONS[name] for name in study.CITATIONS if _cited(comparison, name)],
        facts=_facts(comparison),
        versions=run.info.get("versions") or {},
        config=json.dumps(run.info.get("config"), indent=2, ensure_ascii=False),
        models=_models(comparison),
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


def _questions(found: Contents) -> list[str]:
    return list(dict.fromkeys(answer.question for section in found.sections for answer in section.answers))


def _published(comparison: Comparison) -> bool:
    return any(comparison.beside(dataset).get(("ae-ot", "high_quality")) is not None for dataset in comparison.datasets)


def _memoriser(comparison: Comparison) -> str:
    return study.WHY_MEMORISER if any(model == "memoriser" for _, model in comparison.run.cells) else ""


def _cited(comparison: Comparison, paper: str) -> bool:
    return any(one.paper == paper and one.dataset in comparison.datasets for one in comparison.published)


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    """What is said of the run, as names and values."""
    info, run = comparison.run.info, comparison.run
    machine = info.get("machine") or {}
    devices = Counter(str(device) for device in run.table.drop_duplicates(["dataset", "model", "seed"])["device"])
    facts = [
        ("Run", run.name),
        ("Budget", run.budget),
        ("Seeds", ", ".join(str(seed) for seed in info.get("seeds") or [])),
        ("Snapshots", ", ".join(f"{float(snapshot):.3g}" for snapshot in info.get("snapshots") or [])),
        ("Started", str(info.get("started") or "")),
        ("Finished", str(info.get("finished") or "")),
        ("Machine", "; ".join(f"{name}: {value}" for name, value in machine.items() if value)),
        ("Devices", "; ".join(f"{device}: {number} cells" for device, number in sorted(devices.items()) if device)),
        ("Code version", str(info.get("code_version") or "")),
        ("Config hash", str(info.get("config_hash") or "")),
    ]
    if comparison.reference:
        other = comparison.reference
        said = f"{other.name}, {other.budget}, code {other.info.get('code_version') or 'unstated'}"
        facts.append(("Reference", said))
    return [(name, value) for name, value in facts if value]


def _models(comparison: Comparison) -> list[dict[str, Any]]:
    """Title, paper, options and number of parameters of every model of the run."""
    rows = []
    for name, about in comparison.run.info["models"].items():
        options, parameters = about.get("options") or {}, about.get("parameters") or {}
        rows.append(
            {
                "title": comparison.title(name),
                "name": name,
                "paper": about.get("paper") or "–",
                "options": ", ".join(f"{key} {value}" for key, value in options.items()) or "–",
                "parameters": ", ".join(f"{part} {int(number):,}" for part, number in parameters.items()) or "–",
            }
        )
    return rows
