"""The pages of the report: the first one, and one for each data set, study, model, study of the theory and the run."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from otbench import __version__
from otbench.report.figures.base import SavedFigure
from otbench.report.page import facts, front, html
from otbench.report.page.answers import completeness, how
from otbench.report.page.embed import data_uri
from otbench.report.page.models import ModelPage
from otbench.report.page.once import Once
from otbench.report.results import RunResults
from otbench.report.tables.base import Table, to_csv, to_markdown
from otbench.report.tables.latex import to_tex
from otbench.utils.files import write_text

FRONT = "report"
FOLDER = "pages"
"""Folder of all pages but the first."""
SINGLE = "report-single.html"
"""The file that holds all pages and figures."""
FORMS = {
    "csv": ("CSV", "text/csv", to_csv),
    "md": ("Markdown", "text/markdown", to_markdown),
    "tex": ("LaTeX", "text/x-tex", to_tex),
}


@dataclass(frozen=True)
class Page:
    """One page: its name and title, what kind it is of, the template of its body, and what that is filled with."""

    name: str
    title: str
    kind: str
    template: str
    context: dict[str, Any]


class Links:
    """Addresses as a page writes them.

    Args:
        folder: Whether the page stands in FOLDER.
        single: Whether all pages are one file.
    """

    def __init__(self, folder: bool = False, single: bool = False) -> None:
        self.base, self.folder, self.single = "../" if folder else "", folder, single

    def page(self, name: str, anchor: str = "") -> str:
        """Address of a page, or of what has an id there.

        Args:
            name: Name of the page.
            anchor: Id on it; empty for its top.

        Returns:
            A relative address.
        """
        mark = f"#{quote(anchor)}" if anchor else ""
        if self.single:
            return mark or f"#page-{quote(slug(name))}"
        if name == FRONT:
            return f"{self.base}{FRONT}.html{mark}"
        return f"{'' if self.folder else f'{FOLDER}/'}{quote(slug(name))}.html{mark}"

    def file(self, path: str) -> str:
        """Address of a file of the report.

        Args:
            path: Path in the folder of the report.

        Returns:
            A relative address.
        """
        return f"{self.base}{quote(path)}"

    def picture(self, figure: SavedFigure) -> str:
        """Source of a figure's image: its file, or in a single file the data themselves.

        Args:
            figure: Figure on disk.

        Returns:
            An address or a data URI.
        """
        return data_uri(figure) if self.single else self.file(f"figures/{figure.path.name}")

    def tables(self, table: Table) -> list[tuple[str, str, str]]:
        """Downloads of a table.

        Args:
            table: Table of the report.

        Returns:
            (label, address, name of the file) of each form.
        """
        found = []
        for kind, (label, mime, write) in FORMS.items():
            name = f"{table.name}.{kind}"
            text = base64.b64encode(write(table).encode()).decode() if self.single else ""
            found.append((label, f"data:{mime};base64,{text}" if self.single else self.file(f"tables/{name}"), name))
        return found

    def figures(self, figure: SavedFigure) -> list[tuple[str, str, str]]:
        """Downloads of a figure: what stands in its folder; none in a single file, which holds the picture itself.

        Args:
            figure: Figure on disk.

        Returns:
            (label, address, name of the file) of each form.
        """
        if self.single:
            return []
        kinds = [("SVG", "svg"), ("PDF", "pdf"), ("PNG", "png")] + ([("Data", "csv")] if figure.has_data else [])
        return [(label, self.file(f"figures/{figure.name}.{kind}"), f"{figure.name}.{kind}") for label, kind in kinds]


def slug(name: str) -> str:
    """A name that is safe in a file name and in an address.

    Args:
        name: Name of a page.

    Returns:
        The name with a dash for whatever is neither a letter, a figure, a dot, a dash nor an underscore.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def write_site(
    run: RunResults, reference: RunResults | None, found: html.Contents, models: list[ModelPage], out: Path
) -> Path:
    """Write report.html and the pages behind it, each whole or not at all; pages of an earlier report go.

    Args:
        run: Gathered run.
        reference: Reference run; None where there is none.
        found: Contents of the report.
        models: Pages of the models.
        out: Folder of the report.

    Returns:
        Path of report.html.
    """
    pages = site_pages(run, reference, found, models)
    names = set()
    for page in pages[1:]:
        path = out / FOLDER / f"{slug(page.name)}.html"
        write_text(path, _document(run, found, pages, [page], Links(folder=True)))
        names.add(path.name)
    for old in (out / FOLDER).glob("*.html"):
        if old.name not in names:
            old.unlink()
    path = out / f"{FRONT}.html"
    write_text(path, _document(run, found, pages, pages[:1], Links()))
    return path


def write_single(
    run: RunResults, reference: RunResults | None, found: html.Contents, models: list[ModelPage], path: Path
) -> Path:
    """Write all pages as one file that holds its figures and tables.

    Args:
        run: Gathered run.
        reference: Reference run; None where there is none.
        found: Contents of the report.
        models: Pages of the models.
        path: File to write.

    Returns:
        The path.
    """
    pages = site_pages(run, reference, found, models)
    write_text(path, _document(run, found, pages, pages, Links(single=True)))
    return path


def site_pages(
    run: RunResults, reference: RunResults | None, found: html.Contents, models: list[ModelPage]
) -> list[Page]:
    """All pages, the first one first.

    Args:
        run: Gathered run.
        reference: Reference run; None where there is none.
        found: Contents of the report.
        models: Pages of the models.

    Returns:
        The pages.
    """
    comparisons = [part.comparison for part in found.parts]
    count = completeness(comparisons)
    pages = [Page(FRONT, found.title, "Overview", "front.html", _front(run, found) | {"count": count})]
    for part in found.parts:
        if part.tables or part.figures:
            title = f"{part.title}: all data sets"
            pages.append(Page(f"study-{part.name}", title, "Data sets", "study.html", {"part": part}))
        for section in part.sections:
            context = {"part": part, "section": section}
            pages.append(Page(f"data-{section.name}", section.title, "Data sets", "data.html", context))
    pages += [Page(f"model-{model.name}", model.title, "Models", "model.html", {"model": model}) for model in models]
    for chapter in found.theory:
        pages.append(Page(f"theory-{chapter.name}", chapter.title, "Theory", "theory.html", {"chapter": chapter}))
    about = {
        "reproduce": html.reproduction(run),
        "citations": list(dict.fromkeys(text for part in found.parts for text in part.citations)),
        "facts": facts.facts(run, reference, comparisons),
        "versions": run.info.get("versions") or {},
        "config": json.dumps(run.info.get("config"), indent=2, ensure_ascii=False),
        "glossary": facts.GLOSSARY,
        "every_control": set().union(*(comparison.controls for comparison in comparisons)),
        "count": count,
    }
    return [*pages, Page("run", "The run", "Run", "run.html", about)]


def _front(run: RunResults, found: html.Contents) -> dict[str, Any]:
    verdicts = [(chapter, chapter.verdict) for chapter in found.theory if chapter.verdict is not None]
    return {
        "opening": front.opening(run, found.parts),
        "panels": found.panels,
        "claims": front.claim_lines(found.parts),
        "theory_table": found.theory_front,
        "theory_figure": next((chapter.figures[0] for chapter, _ in verdicts if chapter.figures), None),
        "how": how([part.comparison for part in found.parts]),
        "uncomputed": found.uncomputed,
    }


def bibtex(run: RunResults) -> str:
    """How to cite the run.

    Args:
        run: Gathered run.

    Returns:
        An entry of BibTeX.
    """
    year = str(run.info.get("finished") or "")[:4]
    name = re.sub(r"[^A-Za-z0-9-]", "-", run.name)
    info = run.info
    note = f"run {run.name}, code {info.get('code_version') or 'unstated'}, config {info.get('config_hash') or '-'}"
    note = re.sub(r"[{}\\]", " ", note)
    lines = [
        "title = {otbench: generative models seen through optimal transport}",
        f"version = {{{__version__}}}",
        f"note = {{{note}}}",
    ]
    lines += [f"year = {{{year}}}"] if year.isdigit() else []
    return f"@software{{otbench-{name},\n  " + ",\n  ".join(lines) + "\n}"


def _document(run: RunResults, found: html.Contents, pages: list[Page], shown: list[Page], links: Links) -> str:
    style, script = html.asset("page.css"), html.asset("page.js")
    groups: dict[str, list[Page]] = {}
    for page in pages[1:]:
        groups.setdefault(page.kind, []).append(page)
    environment = html.environment()
    bodies = []
    for page in shown:
        context = page.context | {"page": page, "links": links, "once": Once(), "run": run, "found": found}
        bodies.append((page, environment.get_template(page.template).render(**context)))
    return environment.get_template("layout.html").render(
        title=found.title if shown == pages else shown[0].title,
        single=links.single,
        bodies=bodies,
        groups=groups,
        here=shown[0].name,
        links=links,
        run=run,
        found=found,
        style=style,
        script=script,
        policy=html.policy(style, script),
        cite=bibtex(run),
        index=_index(found, pages, links),
    )


def _index(found: html.Contents, pages: list[Page], links: Links) -> str:
    """The search's entries as JSON that is safe in a page: (title, kind, address) of every page, table and figure."""
    text = json.dumps(list(_entries(found, pages, links)), ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _entries(found: html.Contents, pages: list[Page], links: Links) -> Iterator[tuple[str, str, str]]:
    for page in pages:
        yield page.title, page.kind, links.page(page.name)
    for part in found.parts:
        where = f"study-{part.name}"
        yield from _parts(part.tables, part.figures, where, links)
        for section in part.sections:
            tables = [*section.tables, *(table for table in (section.controls, section.elsewhere) if table)]
            yield from _parts(tables, section.figures, f"data-{section.name}", links)
    for chapter in found.theory:
        yield from _parts(chapter.tables, chapter.figures, f"theory-{chapter.name}", links)
    own = [found.budget, found.tuning, found.certificates, found.ledger, found.protocols, found.cells]
    yield from _parts([table for table in own if table is not None], [], "run", links)
    for term, _ in facts.GLOSSARY:
        yield term, "Glossary", links.page("run", "glossary")


def _parts(tables: list[Table], figures: list[SavedFigure], where: str, links: Links) -> Iterator[tuple[str, str, str]]:
    for table in tables:
        yield table.title, "Table", links.page(where, f"table-{table.name}")
    for figure in figures:
        yield f"{figure.title} ({figure.alt.rpartition(', ')[2]})", "Figure", links.page(where, f"figure-{figure.name}")
