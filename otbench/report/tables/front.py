"""The tables of the report's first page: a row a model, and published | reference | this run side by side."""

from __future__ import annotations

from collections.abc import Callable

from otbench.report.comparison import Comparison
from otbench.report.recipes.base import RowSpec
from otbench.report.summary import summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table, measured
from otbench.report.tables.comparison import BEST, SHORT_NOTE, column_of, published_column

SHOWN_CONTROLS = ("real", "memoriser", "noise")
"""Controls that the first page shows: what true samples, a copier, and what has learnt nothing reach."""


def overview_table(comparison: Comparison, name: str, title: str, metrics: list[str], own: list[str]) -> Table | None:
    """One comparison of the texts over all data sets of a study.

    Args:
        comparison: Study of a run.
        name: Stem of the table's files.
        title: Title of the table.
        metrics: Metrics shown as published, reference and this run, without features.
        own: Metrics shown of this run alone, such as the share of memorised samples; `seconds` is the cost.

    Returns:
        The table; None where no data set has one of `metrics`.
    """
    fillers: list[tuple[Column, Callable[[str], Cell]]] = []
    models: dict[str, RowSpec] = {}
    for dataset in comparison.datasets:
        keys = [comparison.main_key(dataset, metric) for metric in metrics]
        keys = [key for key in keys if (dataset, key) in comparison.run.protocols]
        if keys:
            models |= {place.model: place for place in comparison.rows(dataset)}
            fillers += _columns(comparison, dataset, keys, own)
    if not fillers:
        return None
    kept = [model for model in models if model not in comparison.controls or model in SHOWN_CONTROLS]
    blocks = list(comparison.study.blocks)
    kept.sort(key=lambda model: blocks.index(models[model].block))
    rows = []
    for model in kept:
        cells = tuple(fill(model) for _, fill in fillers)
        if any(cell.kind != "absent" for cell in cells):
            title_of_block = comparison.study.blocks[models[model].block]
            rows.append(Row(model, comparison.title(model), title_of_block, cells))
    columns = tuple(column for column, _ in fillers)
    short = any("§" in cell.text for row in rows for cell in row.cells)
    notes = (SHORT_NOTE,) if short else ()
    return Table(name, title, "Mean ± standard error over seeds.", columns, tuple(rows), notes, reading=BEST)


def _columns(
    comparison: Comparison, dataset: str, keys: list[str], own: list[str]
) -> list[tuple[Column, Callable[[str], Cell]]]:
    place, models = comparison.dataset_title(dataset), {spec.model for spec in comparison.rows(dataset)}
    found: list[tuple[Column, Callable[[str], Cell]]] = []
    for key in keys:
        group, name = f"{place}: {comparison.short(key)}", f"{dataset}_{key.partition('@')[0]}"
        beside = comparison.published_for(dataset)
        if any(metric == key for _, metric in beside):
            found.append((Column(f"{name}_published", "published", group), published_column(beside, key)))
        for label, run in comparison.runs.items():
            if run is comparison.run or any(where == dataset for where, _ in run.cells):
                column = Column(f"{name}_{label.replace(' ', '_')}", label, group)
                found.append((column, column_of(comparison, run, dataset, key, models)))
    for metric in own:
        key = comparison.main_key(dataset, metric)
        if metric == "seconds" or (dataset, key) in comparison.run.protocols:
            column = Column(f"{dataset}_{metric}", comparison.short(key), place)
            found.append((column, _plain(comparison, dataset, key)))
    return found


def _plain(comparison: Comparison, dataset: str, key: str) -> Callable[[str], Cell]:
    def fill(model: str) -> Cell:
        summary = summarise(comparison.run, dataset, model, key)
        if not summary.n or (key == "seconds" and model in comparison.controls):
            return ABSENT
        return measured(summary, key)

    return fill
