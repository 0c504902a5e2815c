"""The report as Markdown: the first screen, tables, links to figures, the ledger in short, provenance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

from otbench.report.comparison import Comparison
from otbench.report.figures.base import SavedFigure
from otbench.report.page import facts
from otbench.report.page.answers import completeness, how
from otbench.report.page.front import claim_lines, opening
from otbench.report.page.html import Contents, DatasetPage, StudyPage, is_long, reproduction
from otbench.report.results import RunResults
from otbench.report.tables import ledger
from otbench.report.tables.base import Table, md, md_row, to_markdown

HEADS = (
    *("Question", "Leads", "Not significantly worse", "Value", "Held-out real", "Memorised, %", "How sure"),
    "Cost of training",
)


def markdown(run: RunResults, reference: RunResults | None, found: Contents) -> str:
    """The report's Markdown, to stand beside figures/ and tables/; text from files is escaped.

    Args:
        run: Gathered run.
        reference: Reference run; None where there is none.
        found: Contents of the page.

    Returns:
        One Markdown document.
    """
    comparisons = [part.comparison for part in found.parts]
    blocks = [*_top(run, found, comparisons), *_answers(found, comparisons), *_claims(found)]
    for part in found.parts:
        blocks += _part(part)
    blocks += _theory(found)
    blocks += [*_published(found), *_floors(found.parts), *_cells(run, found)]
    blocks += _provenance(run, reference, found, comparisons)
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _top(run: RunResults, found: Contents, comparisons: list[Comparison]) -> Iterator[str]:
    count = completeness(comparisons)
    yield f"# {md(found.title)}"
    yield md(" ".join(opening(run, found.parts)))
    finished = f", finished {md(str(run.info['finished']))}" if run.info.get("finished") else ""
    yield f"Run **{md(run.name)}**{finished}. The same report with tables that sort: [report.html](report.html)."
    for comparison in comparisons:
        if comparison.run.small:
            text = str(comparison.run.info["budget"].get("said") or comparison.run.budget)
            yield (
                f"> **Small budget, {md(comparison.study.title)}.** {md(text)}."
                " Published figures: for orientation only."
            )
    yield (
        f"**{count['ok']} of {count['all']} cells** ok; {count['diverged']} diverged, {count['failed']} failed, "
        f"{count['missing']} missing."
    )


def _answers(found: Contents, comparisons: list[Comparison]) -> Iterator[str]:
    yield "## Who leads, how sure that is, and at what cost"
    for section in found.sections:
        if section.answers:
            yield f"### {md(section.title)}"
            yield _controls(section)
            lines = [md_row(list(HEADS)), md_row([":---"] * len(HEADS))]
            for answer, paid in section.board:
                cost = f"{answer.cost}; {paid}" if paid else answer.cost
                named = [f"**{md(', '.join(answer.winners))}**", md(", ".join(answer.tied)) or "–"]
                shown = (answer.value, answer.real, answer.memorised or "–", answer.sure, cost)
                texts = [md(text) for text in shown]
                lines.append(md_row([md(answer.question), *named, *texts]))
            yield "\n".join(lines)
            yield from map(md, section.apart)
    yield md(how(comparisons))


def _claims(found: Contents) -> Iterator[str]:
    lines = [
        f"- {md(line.text)} ({md(line.source)}): "
        + "; ".join(f"**{verdict}** on {md(place)} ({md(why)})" for verdict, place, why in line.verdicts)
        for line in claim_lines(found.parts)
    ]
    if lines:
        yield "## What holds of the papers' claims"
        yield "\n".join(lines)


def _controls(section: DatasetPage) -> str:
    if section.misordered:
        return f"**Misorders the controls:** {md('; '.join(section.misordered))}. Do not rank models by these alone."
    return "No metric misorders the controls." if section.controls else "No controls."


def _part(part: StudyPage) -> Iterator[str]:
    yield f"## {md(part.title)}"
    yield from map(_table, part.tables)
    yield from map(_figure, part.figures)
    for section in part.sections:
        yield f"### {md(section.title)}"
        yield from map(_table, section.tables[:1])
        yield from map(_figure, section.figures)
        yield from map(_table, section.tables[1:])
        if section.sheets:
            yield f"Contact sheets: [sheets/{md(section.name)}](sheets/{quote(section.name)})"
        for table in (section.elsewhere, section.controls):
            if table:
                yield _table(table)


def _table(table: Table) -> str:
    if is_long(table):
        link = f"[tables/{md(table.name)}.md](tables/{quote(table.name)}.md)"
        return f"**{md(table.title)}** ({len(table.rows)} rows): {link}"
    return to_markdown(table)


def _figure(figure: SavedFigure) -> str:
    return f"![{md(figure.alt)}](figures/{quote(figure.name)}.png)\n\n**{md(figure.title)}.** {md(figure.caption)}"


def _theory(found: Contents) -> Iterator[str]:
    if found.theory or found.uncomputed:
        yield "## The theory, drawn and checked"
    if found.uncomputed:
        yield f"**Not computed:** {md('; '.join(found.uncomputed))}."
    for chapter in found.theory:
        yield f"### {md(chapter.title)}"
        yield f"After {md(chapter.source)}"
        yield from map(md, chapter.paragraphs)
        yield from map(_figure, chapter.figures)
        yield from map(_table, chapter.tables)
        yield md(chapter.made)


def _published(found: Contents) -> Iterator[str]:
    """The ledger's counts, its comparable figures, and the link to the others."""
    if found.ledger:
        yield "## Published figures"
        yield f"{md(found.agreement)}: [tables/ledger.md](tables/ledger.md)."
        rows = tuple(row for row in found.ledger.rows if any(cell.text in ledger.TESTED for cell in row.cells))
        if rows:
            yield to_markdown(replace(found.ledger, title="Published figures that are like", rows=rows))


def _floors(parts: list[StudyPage]) -> Iterator[str]:
    yield "## What true samples reach, and what a memoriser shows"
    for part in parts:
        yield from (
            md(text) for text in (part.why_ceiling, part.comparison.study.why_floor, part.why_memoriser) if text
        )


def _cells(run: RunResults, found: Contents) -> Iterator[str]:
    yield "## The run as a whole"
    if found.budget:
        yield to_markdown(found.budget)
    if found.tuning:
        yield to_markdown(found.tuning)
    if found.certificates:
        yield to_markdown(found.certificates)
    if found.incomplete.rows:
        yield to_markdown(found.incomplete)
    yield _table(found.protocols)
    yield _table(found.cells)
    yield f"A cell is run again, alone, and compared by: {md(reproduction(run))}"


def _provenance(
    run: RunResults, reference: RunResults | None, found: Contents, comparisons: list[Comparison]
) -> Iterator[str]:
    yield "## Config, versions, machine"
    rows = [*facts.facts(run, reference, comparisons)]
    versions = run.info.get("versions") or {}
    rows += [("Versions", ", ".join(f"{name} {value}" for name, value in sorted(versions.items())))] if versions else []
    yield "\n".join(f"- {md(name)}: {md(value)}" for name, value in rows)
    citations = dict.fromkeys(citation for part in found.parts for citation in part.citations)
    if citations:
        yield "### Papers of the published figures"
        yield "\n".join(f"- {md(citation)}" for citation in citations)
