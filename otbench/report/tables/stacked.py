"""The stacked study's own table: Tables 2 and 3 of PacGAN as published, and what this run made of their rows."""

from __future__ import annotations

from otbench.report.comparison import Comparison
from otbench.report.recipes.published import Published
from otbench.report.recipes.stacked import MODES
from otbench.report.summary import summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table, measured
from otbench.report.tables.images import NOT_RUN, quoted, said_of_runs

PUBLISHED = "stacked-mnist"
"""The data set that the published figures are of."""


def stacked_tables(comparison: Comparison) -> list[Table]:
    """Every row of the papers' tables, published and as this run and its reference measured it on each data set.

    A set-up is a block of rows; no value is marked as best, as set-ups and data sets differ.

    Args:
        comparison: Stacked study of a run.

    Returns:
        One table.
    """
    study, records = comparison.study, [record for record in comparison.published if record.dataset == PUBLISHED]
    published = {
        (record.model, record.metric): record for record in records if (record.paper, record.table) in study.same_setup
    }
    other = {
        (record.model, record.metric): record for record in records if (record.paper, record.table) in study.other_setup
    }
    columns: list[Column] = []
    for metric in MODES:
        columns.append(Column(f"{metric}_published", f"published, {_place(comparison)}", study.short[metric]))
        for dataset, label in _runs(comparison):
            key = f"{metric}_{dataset}_{label.replace(' ', '_')}"
            columns.append(Column(key, f"{label}, {comparison.dataset_title(dataset)}", study.short[metric]))
    rows = []
    for group in study.groups:
        for model in group.models:
            rows.append(
                Row(model, comparison.title(model), study.blocks[group.block], _cells(comparison, model, published))
            )
            for paper in dict.fromkeys(record.paper for (name, _), record in other.items() if name == model):
                title = f"{comparison.title(model)} ({paper}'s run)"
                cells = _cells(comparison, model, other, run=False)
                key = f"{model}-{paper.lower().replace(' ', '-')}"
                rows.append(Row(key, title, study.blocks[group.block], cells))
    for model in study.controls:
        if any((dataset, model) in run.cells for run in comparison.runs.values() for dataset in run.datasets):
            rows.append(Row(model, comparison.title(model), study.blocks["control"], _cells(comparison, model, {})))
    caption = (
        "Modes hit of 1,000, and reverse KL of the modes' histogram to the uniform law. Published figures are of "
        f"{_place(comparison)}, 26,000 samples (Table 3: 25,600), at the papers' budgets: other data sets, numbers of "
        "samples and budgets are not to be compared with them figure by figure, but in their order. Mean ± standard "
        f"error over seeds. {said_of_runs(comparison)}"
    )
    doubts: dict[str, list[str]] = {}
    for record in published.values():
        if not record.certain:
            doubts.setdefault(record.note, []).append(comparison.title(record.model))
    notes = [f"† {note} ({', '.join(dict.fromkeys(models))})." for note, models in doubts.items()]
    title = "PacGAN Tables 2 and 3: modes of 1,000 and reverse KL"
    return [Table("stacked_pacgan", title, caption, tuple(columns), tuple(rows), tuple(notes))]


def _place(comparison: Comparison) -> str:
    return comparison.study.data_titles[PUBLISHED]


def _runs(comparison: Comparison) -> list[tuple[str, str]]:
    """(data set, label of the run) of every pair that has cells, the reference's first."""
    return [
        (dataset, label)
        for label, run in comparison.runs.items()
        for dataset in comparison.study.ordered(run.datasets)
        if any(where == dataset for where, _ in run.cells)
    ]


def _cells(
    comparison: Comparison, model: str, published: dict[tuple[str, str], Published], run: bool = True
) -> tuple[Cell, ...]:
    """The cells of one row; run: whether the model's own values belong to it."""
    cells = []
    for metric in MODES:
        cells.append(quoted(published.get((model, metric)), metric))
        for dataset, label in _runs(comparison):
            values = comparison.runs[label]
            if not run:
                cells.append(ABSENT)
            elif (dataset, model) not in values.cells:
                cells.append(NOT_RUN)
            else:
                key = values.key(dataset, metric, "classifier")
                cells.append(measured(summarise(values, dataset, model, key), key))
    return tuple(cells)
