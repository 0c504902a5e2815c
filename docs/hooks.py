"""Hooks of mkdocs: pages of the reference made from the sources, and the repository's own pages among the others.

The README is the site's home; pages that lie beside their files (configs, results, benchmarks) are copied under
their own path. Links between all of these go on working, and links to files that are no page become plain text.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from otbench.cli.app import app
from otbench.cli.listing import listing

ROOT = Path(__file__).parent.parent
#: file of the repository -> page of the site
PAGES = {"README.md": "index.md"} | {
    name: name
    for name in (
        *("CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "benchmarks/README.md", "results/reference/README.md"),
        *("results/reference/CLAIMS.md", "results/reference-short/README.md"),
        "results/reference-images-short/README.md",
    )
}
#: modules whose public functions are documented, with a line on each
MODULES = {
    "otbench.transport": "Semi-discrete transport: solve for a map, certify it, draw from it.",
    "otbench.transport.map": "",
    "otbench.statistics.best": "Comparisons of models with the best one.",
    "otbench.statistics.intervals": "",
    "otbench.metrics.base": "What a metric is.",
    "otbench.models.base": "What a model is.",
    "otbench.data.base": "What a data set is.",
    "otbench.runs.check": "A run from its config.",
    "otbench.report": "",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the repository's own pages, the pages of the reference, and images that pages show."""
    for source, target in PAGES.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    for name, text in reference().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for image in sorted({*images()}):
        if files.get_file_from_path(image) is None:
            files.append(File.generated(config, image, abs_src_path=str(ROOT / image)))
    return files


def images() -> Iterator[str]:
    """Images of the repository's own pages, as paths in the repository."""
    for source in [*PAGES, *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", (ROOT / source).read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
            if not path.startswith("docs/"):
                yield path


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at the pages of the site; what is no page of it becomes text."""
    source = next((s for s, target in PAGES.items() if target == page.file.src_uri), f"docs/{page.file.src_uri}")

    def pointed(match: re.Match[str]) -> str:
        mark, text, link = match[1], match[2], match[3]
        if "://" in link or link.startswith(("#", "mailto:")):
            return match[0]
        path, _, anchor = link.partition("#")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        target = PAGES.get(place, place.removeprefix("docs/"))
        if files.get_file_from_path(target) is None:
            return f"{text} (`{place}`)" if not mark else text
        relative = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")
        return f"{mark}[{text}]({relative}{'#' + anchor if anchor else ''})"

    parts = re.split(r"(```.*?```)", markdown, flags=re.S)
    return "".join(p if p.startswith("```") else re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", pointed, p) for p in parts)


def reference() -> dict[str, str]:
    """Pages made from the command line, the config's schema, the registries and docstrings, by name."""
    known = listing()
    return {
        "commands": "\n".join(["# Commands", "", *commands(typer.main.get_command(app), "otbench")]),
        "config": "\n".join(["# Keys of a config", "", *schema()]),
        "models": table("Models", known["models"], ("name", "title", "data", "family", "paper", "parameters", "about")),
        "metrics": table("Metrics", known["metrics"], ("name", "title", "direction", "data", "paper", "description")),
        "data-sets": table("Data sets", known["datasets"], ("name", "description")),
        "theory": "\n".join(["# Studies of the theory", "", *theory(known["theory"])]),
        "python": "\n".join(["# Python", "", *(f"{text}\n\n::: {name}\n" for name, text in MODULES.items())]),
    }


def commands(command: Any, name: str) -> Iterator[str]:
    """Help of a command and of those below it, as Markdown."""
    if hasattr(command, "commands"):
        for verb, below in sorted(command.commands.items()):
            yield from commands(below, f"{name} {verb}")
        return
    words = (command.help or "").split("\f")[0].strip()
    about, _, example = words.partition("Example: ")
    yield f"## {name}\n\n{escaped(' '.join(about.split()))}\n"
    if example:
        yield f"```sh\n{' '.join(example.split())}\n```\n"
    rows = [
        (
            ", ".join(f"`{n}`" for n in (p.opts if p.param_type_name == "option" else [p.metavar or p.name.upper()])),
            p.help,
        )
        for p in command.params
        if p.name != "help"
    ]
    yield from rows_of(("", "means"), rows)


def schema() -> Iterator[str]:
    """Keys of a config with what they mean, from the schema."""
    whole = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))
    yield "Of the schema in `workflow/schemas/config.schema.yaml`, which editors read.\n"
    for title, part in [("The run", whole), *sorted(whole["$defs"].items())]:
        yield f"## {title}\n\n{escaped(' '.join(part.get('description', '').split()))}\n"
        rows = [
            (
                f"`{key}`",
                kind(value),
                f"`{value['default']}`" if "default" in value else "",
                value.get("description", ""),
            )
            for key, value in part.get("properties", {}).items()
        ]
        yield from rows_of(("key", "type", "default", "meaning"), rows)


def kind(value: dict[str, Any]) -> str:
    """Type of a key as a schema has it, in a word or two."""
    if "anyOf" in value:
        return " or ".join(kind(one) for one in value["anyOf"])
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    if "enum" in value or "const" in value:
        return ", ".join(map(str, value.get("enum", [value.get("const")])))
    return (
        f"list of {kind(value['items'])}"
        if value.get("type") == "array" and "items" in value
        else value.get("type", "any")
    )


def theory(studies: list[dict[str, Any]]) -> Iterator[str]:
    """Studies of the theory with their sources and options."""
    for study in studies:
        yield f"## {study['name']}\n\n{escaped(study['title'])} ({escaped(study['paper'])})\n"
        options = [(f"`{n}`", f"`{o['default']}`", o["description"]) for n, o in study["options"].items()]
        yield from rows_of(("option", "default", "meaning"), options)


def table(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """A page with one table."""
    shown = [[cell_of(row[column]) for column in columns] for row in rows]
    return "\n".join(
        [f"# {title}\n", f"{len(rows)} of them, as `otbench list` shows them.\n", *rows_of(columns, shown)]
    )


def cell_of(value: Any) -> str:
    """A value of a row as text: lists with commas, numbers of parameters by network."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {number:,}" for key, number in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def rows_of(heads: tuple[str, ...], rows: list[Any]) -> Iterator[str]:
    """A table in Markdown; nothing where it has no rows."""
    if rows:
        yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
        yield from (
            f"| {' | '.join(cell if cell.startswith('`') else escaped(cell) for cell in map(str, row))} |"
            for row in rows
        )
        yield ""


def escaped(text: str) -> str:
    """Text whose signs Markdown would read otherwise; what is code stays as it is."""
    parts = re.split(r"(`[^`]*`)", " ".join(str(text).split()))
    return "".join(part if part.startswith("`") else escaped_words(part) for part in parts)


def escaped_words(text: str) -> str:
    """Text without code, in which no sign is Markdown's or HTML's."""
    return re.sub(r"([*_\[\]])", r"\\\1", html.escape(text, quote=False).replace("|", "&#124;"))
