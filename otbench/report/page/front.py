"""The first page: what was run and whether it can be compared, a figure and a table for each comparison, the claims."""

from __future__ import annotations

from dataclasses import dataclass

from otbench.report import claims
from otbench.report.budget import CONTROL, SOLVED
from otbench.report.comparison import Comparison
from otbench.report.figures.base import SavedFigure
from otbench.report.page.answers import completeness
from otbench.report.page.parts import DatasetPage, StudyPage
from otbench.report.recipes import images, mode_collapse, stacked
from otbench.report.results import RunResults
from otbench.report.tables.base import Table
from otbench.report.tables.front import overview_table
from otbench.statistics.settled import SETTLED

VOID, RANKED = "void", "ranked"


@dataclass(frozen=True)
class Panel:
    """One comparison of the texts on the first page: a sentence, a figure (None where there is none) and a table.

    pages: (page, title) of each data set, where the rest is.
    """

    name: str
    title: str
    said: str
    figure: SavedFigure | None
    figure_page: str
    table: Table
    pages: list[tuple[str, str]]
    controls: set[str]


@dataclass(frozen=True)
class ClaimLine:
    """A claim with its verdict on every data set: text, source, and (verdict, data set, why) of each."""

    text: str
    source: str
    verdicts: list[tuple[str, str, str]]


KINDS = (
    (
        mode_collapse.NAME,
        "mode-collapse",
        "Mode collapse",
        ("modes", "high_quality"),
        ("seconds",),
        ("compare", "scatter"),
    ),
    (
        stacked.NAME,
        "stacked",
        "Mode collapse among 1,000 modes",
        ("modes", "reverse_kl"),
        ("seconds",),
        ("modes", "grid"),
    ),
    (
        images.NAME,
        "images",
        "Images: Fréchet distance and precision-recall",
        ("fid", "prd_f8", "prd_f1_8"),
        ("memorised", "seconds"),
        ("compare_inception", "compare_classifier", "prd_classifier", "grid"),
    ),
    (
        images.NAME,
        "excellence",
        "Excellence rate",
        ("excellence", "excellence_proxy"),
        ("memorised",),
        ("excellence", "ratings"),
    ),
)
"""(study, name, title, metrics beside the published ones, metrics of this run alone, ends of the figures' names)."""


def panels(parts: list[StudyPage]) -> list[Panel]:
    """The comparisons of the texts that the run has numbers for.

    Args:
        parts: Parts of the report.

    Returns:
        One panel a comparison, in the order of the texts.
    """
    found = []
    for study, name, title, metrics, own, ends in KINDS:
        for part in parts:
            table = None
            if part.name == study:
                table = overview_table(part.comparison, f"front_{name}", title, list(metrics), list(own))
            if table is not None:
                pages = [(f"data-{section.name}", section.title) for section in part.sections]
                where, figure = _figure(part.sections, ends)
                controls = part.comparison.controls
                found.append(Panel(name, title, said_of(part.comparison), figure, where, table, pages, controls))
    return found


def _figure(sections: list[DatasetPage], ends: tuple[str, ...]) -> tuple[str, SavedFigure | None]:
    """The first of the figures that a data set has, in the order of `ends`, and the page that it stands on."""
    for end in ends:
        for section in sections:
            for figure in section.figures:
                if figure.name == f"{section.name}_{end}":
                    return f"data-{section.name}", figure
    return "", None


def said_of(comparison: Comparison) -> str:
    """Whether the rows of a study can be compared, data set by data set.

    Args:
        comparison: Study of a run.

    Returns:
        Sentences.
    """
    texts = []
    for dataset in comparison.datasets:
        trained, settled, solved = settled_rows(comparison, dataset)
        if not trained and not solved:
            continue
        place = comparison.dataset_title(dataset)
        if trained and not settled:
            texts.append(
                f"{place}: void, as none of {_counted(len(trained), 'trained model')} had settled above noise."
            )
        elif trained:
            sure = sum(comparison.budgets(dataset)[model].verdict == SETTLED for model in settled)
            rest = _unknown(len(settled) - sure)
            texts.append(f"{place}: {sure} of {_counted(len(trained), 'trained model')} had settled{rest}.")
        else:
            texts.append(f"{place}: nothing was trained in steps.")
    return " ".join(texts)


def settled_rows(comparison: Comparison, dataset: str) -> tuple[list[str], list[str], list[str]]:
    """The rows of a data set by whether they can be compared.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        Models trained in steps, those of them that are compared, and models that are solved for.
    """
    found = comparison.budgets(dataset)
    models = [model for model in comparison.generative(dataset) if found[model].said != CONTROL]
    trained = [model for model in models if found[model].said != SOLVED]
    return trained, [model for model in trained if found[model].compared], [m for m in models if m not in trained]


def opening(run: RunResults, parts: list[StudyPage]) -> list[str]:
    """The first sentences of the page: what was run, and whether it can be compared.

    Args:
        run: Gathered run.
        parts: Parts of the report.

    Returns:
        Sentences, the first of what was run, then settled rows, tuning, controls, and what is missing.
    """
    comparisons = [part.comparison for part in parts]
    pairs = [(comparison, dataset) for comparison in comparisons for dataset in comparison.datasets]
    if not pairs:
        return [f"Run {run.name} has no data set that was measured."]
    rows = [settled_rows(*pair) for pair in pairs]
    models = {model for comparison, dataset in pairs for model in comparison.generative(dataset)}
    places = _listed([comparison.dataset_title(dataset) for comparison, dataset in pairs])
    seeds = sorted({len(run.cells.get((dataset, model), [])) for _, dataset in pairs for model in models} - {0})
    number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}" if seeds else "no"
    trained, compared = sum(len(row[0]) for row in rows), sum(len(row[1]) for row in rows)
    settled = sum(
        comparison.budgets(dataset)[model].verdict == SETTLED
        for (comparison, dataset), row in zip(pairs, rows, strict=True)
        for model in row[1]
    )
    verdict = "can be compared" if trained and settled == trained else "can be compared in part"
    verdict = verdict if settled else "cannot be said to be comparable" if compared else "cannot be compared"
    sentences = [
        f"This run made {_counted(len(models), 'model')} on {places}, {number} seed{'' if number == '1' else 's'} "
        f"each, and {verdict}: {settled} of {_counted(trained, 'trained row')} had settled above noise"
        f"{_unknown(compared - settled)}."
    ]
    void = [c.dataset_title(d) for (c, d), row in zip(pairs, rows, strict=True) if row[0] and not row[1]]
    if void:
        sentences.append(f"No trained model had settled on {_listed(void)}, so no winner is named there.")
    sentences += [_tuned(pairs), _checked(parts), _missing(comparisons)]
    return [sentence for sentence in sentences if sentence]


def _unknown(number: int) -> str:
    return f", and of {number} nothing can be said" if number else ""


def _tuned(pairs: list[tuple[Comparison, str]]) -> str:
    rows = [
        (comparison, dataset, model) for comparison, dataset in pairs for model in settled_rows(comparison, dataset)[0]
    ]
    tuned = [row for row in rows if row[0].run.info.get("models", {}).get(row[2], {}).get("tuned", {}).get(row[1])]
    if not rows:
        return ""
    return f"{len(tuned)} of {len(rows)} rows have tuned options." if tuned else "No row's options were tuned."


def _checked(parts: list[StudyPage]) -> str:
    wrong = [
        f"{', '.join(section.misordered)} on {section.title}"
        for part in parts
        for section in part.sections
        if section.misordered
    ]
    if wrong:
        return f"Check by controls failed for {'; '.join(wrong)}: these rank no model here."
    checked = any(section.controls for part in parts for section in part.sections)
    return "Check by controls passed: every metric ranks real data above its controls." if checked else "No controls."


def _missing(comparisons: list[Comparison]) -> str:
    count = completeness(comparisons)
    lost = [f"{count[status]} {status}" for status in ("diverged", "failed", "missing") if count[status]]
    if not lost:
        return f"All {count['all']} cells are ok."
    return f"{count['ok']} of {count['all']} cells are ok, {', '.join(lost)}."


def claim_lines(parts: list[StudyPage]) -> list[ClaimLine]:
    """The claims of the papers with what the run says of them.

    Args:
        parts: Parts of the report.

    Returns:
        One line a claim that the run has the models for.
    """
    comparisons = [part.comparison for part in parts]
    titles = {
        dataset: comparison.dataset_title(dataset) for comparison in comparisons for dataset in comparison.datasets
    }
    lines: dict[claims.Claim, list[tuple[str, str, str]]] = {}
    for finding in claims.findings(comparisons):
        lines.setdefault(finding.claim, []).append((finding.verdict, titles[finding.dataset], finding.why))
    return [ClaimLine(claim.text, claim.source, verdicts) for claim, verdicts in lines.items()]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
