"""The headline tables: published, reference and this run side by side, with what true samples reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from otbench.report.budget import NO_VALUE
from otbench.report.comparison import Comparison, _capital
from otbench.report.floors import floor
from otbench.report.labels import metric_label
from otbench.report.recipes.base import Columns, RowSpec
from otbench.report.recipes.published import ERROR_KINDS, Published
from otbench.report.results import RunResults
from otbench.report.summary import Summary, standing, summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table, measured, seeds

BEST = (
    "Bold: the best generative model by its mean, or by its distance from what a perfect sampler reaches where that is "
    "known; n.s.: not significantly worse than it with these seeds, at 5 % over "
    "all models compared, which does not mean as good."
)


SHORT_NOTE = (
    "§ the reference at the papers' budget is not there yet: a short reference's value, at a part of that budget."
)


def best_of(summaries: dict[str, Summary], metric: str, ideal: float = math.nan) -> tuple[str | None, list[str]]:
    """The best model by its mean, and the others that are not significantly worse.

    Args:
        summaries: Model -> the metric over its seeds.
        metric: Name of the metric.
        ideal: What a perfect sampler reaches; NaN where it is not known.

    Returns:
        Names; None and an empty list where no model has a value or the metric has no better side.
    """
    result = standing(summaries, metric, ideal)
    return (result.best, result.undecided) if result else (None, [])


def comparison_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The tables of one data set, as the study's recipe lists them.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The tables that there are numbers for.
    """
    tables = [comparison_table(comparison, dataset, columns) for columns in comparison.study.tables]
    return [table for table in tables if table]


def comparison_table(comparison: Comparison, dataset: str, columns: Columns) -> Table | None:
    """One table of a data set: a row a model, for each metric published | reference | this run.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        columns: Metrics, features and blocks of the table.

    Returns:
        The table; None where none of its metrics was measured.
    """
    keys = [comparison.key(dataset, metric, columns.features) for metric in columns.metrics]
    metrics = tuple(key for key in keys if comparison.has(dataset, key))
    if not metrics or metrics == ("seconds",):
        return None
    blocks = (*columns.blocks, "control") if columns.blocks else tuple(comparison.study.blocks)
    places = [place for place in comparison.rows(dataset) if place.block in blocks]
    models = {place.model for place in places}
    beside = {key: record for key, record in comparison.published_for(dataset).items() if key[0] in models}
    fillers: list[tuple[Column, Callable[[str], Cell]]] = []
    here = {label: run for label, run in comparison.runs.items() if any(where == dataset for where, _ in run.cells)}
    for label, run in here.items():
        fillers.append(
            (Column(f"seeds_{_key(label)}", label, "Seeds"), _seeds(run, dataset, run is comparison.reference))
        )
    for label, run in here.items():
        fillers.append((Column(f"budget_{_key(label)}", label, "Budget", align="l"), _budget(comparison, run, dataset)))
    for metric in metrics:
        name, group = metric.partition("@")[0], comparison.short(metric)
        if any(key == metric for _, key in beside):
            fillers.append((Column(f"{name}_published", "published", group), published_column(beside, metric)))
        for label, run in here.items():
            column = Column(f"{name}_{_key(label)}", label, group)
            fillers.append((column, column_of(comparison, run, dataset, metric, models)))
    rows = [_row(comparison, place, fillers) for place in places]
    if not comparison.study.empty_rows:
        rows = [row for row in rows if any(cell.kind != "absent" for cell in row.cells[2 * len(here) :])]
    rows += _floor_row(comparison, dataset, [column for column, _ in fillers], metrics)
    caption = f"Mean ± standard error over seeds. {comparison.said(dataset, metrics)}"
    notes = [
        sentence
        for label, run in here.items()
        for sentence in comparison.left_out(dataset, models, run, "" if run is comparison.run else _capital(label))
    ]
    notes += _notes(comparison, dataset, metrics, beside)
    name = f"{dataset}_{columns.name}"
    title = f"{comparison.run.title('datasets', dataset)}: {comparison.study.table_titles.get(name, columns.title)}"
    if any("§" in cell.text for row in rows for cell in row.cells):
        notes.append(SHORT_NOTE)
    return Table(name, title, caption, tuple(column for column, _ in fillers), tuple(rows), tuple(notes), reading=BEST)


def _row(comparison: Comparison, place: RowSpec, fillers: list[tuple[Column, Callable[[str], Cell]]]) -> Row:
    cells = tuple(fill(place.model) for _, fill in fillers)
    return Row(place.model, comparison.title(place.model), comparison.study.blocks[place.block], cells)


def _seeds(run: RunResults, dataset: str, unfinished: bool = False) -> Callable[[str], Cell]:
    """The cells that count seeds; unfinished: whether the run is a reference, whose missing cells are no failure."""

    def fill(model: str) -> Cell:
        summary = summarise(run, dataset, model, "seconds")
        cell = seeds(summary)
        if unfinished and not summary.counts.get("ok") and summary.expected:
            return replace(cell, text="–", kind="absent", hint=f"not there yet: {summary.troubles}")
        return replace(cell, kind="") if unfinished and cell.kind == "trouble" else cell

    return fill


def _budget(comparison: Comparison, run: RunResults, dataset: str) -> Callable[[str], Cell]:
    found = comparison.budgets(dataset, run)

    def fill(model: str) -> Cell:
        one = found.get(model)
        if one is None:
            return ABSENT
        if run is comparison.reference and one.why == NO_VALUE:
            return ABSENT
        return Cell(one.said, {"": one.verdict}, kind="" if one.compared else "trouble", hint=one.why)

    return fill


def published_column(beside: dict[tuple[str, str], Published], metric: str) -> Callable[[str], Cell]:
    """The published figures of a metric.

    Args:
        beside: (model, metric) -> published figure.
        metric: Metric as measured, with `@network` where it has features.

    Returns:
        A function that gives the cell of a model.
    """

    def fill(model: str) -> Cell:
        record = beside.get((model, metric))
        if record is None:
            return ABSENT
        raw = {
            "": str(record.value),
            "_error": None if record.error is None else str(record.error),
            "_error_kind": record.error_kind,
            "_n": record.n_trials,
            "_certain": "yes" if record.certain else "no",
            "_source": record.source,
        }
        return Cell(record.text(metric_label(metric).factor) + ("" if record.certain else " †"), raw)

    return fill


def column_of(
    comparison: Comparison, run: RunResults, dataset: str, metric: str, rows: set[str]
) -> Callable[[str], Cell]:
    """The values of a metric in the run or the reference, the best one marked.

    Args:
        comparison: Study of a run.
        run: The run, or the reference. What the reference lacks is that of a short one, marked §, where there is one.
        dataset: Name of the data set.
        metric: Metric as measured, with `@network` where it has features.
        rows: Models of the table.

    Returns:
        A function that gives the cell of a model.
    """
    models = [model for model in comparison.compared(dataset, run) if model in rows]
    measurements = {model: summarise(run, dataset, model, metric) for model in models}
    best, equal = best_of(measurements, metric, floor(run, dataset, metric))

    def fill(model: str) -> Cell:
        summary = summarise(run, dataset, model, metric)
        if metric in comparison.study.internal_metrics and not summary.n and summary.counts.get("ok"):
            return ABSENT  # a model without an autoencoder lacks nothing
        if run is comparison.reference and not summary.n:
            return _unfinished(comparison, dataset, model, metric, summary)
        strong = best is not None and model in measurements and summary.mean == measurements[best].mean
        return measured(summary, metric, strong, undecided=model in equal and not strong)

    return fill


def _unfinished(comparison: Comparison, dataset: str, model: str, metric: str, summary: Summary) -> Cell:
    """The cell of a reference that has not got there yet: a short reference's value, else a dash with the reason."""
    for short in comparison.shorts:
        value = summarise(short, dataset, model, metric)
        if value.n and short.protocol(dataset, metric) == comparison.run.protocol(dataset, metric):
            cell = measured(value, metric)
            return replace(cell, text=f"{cell.text} §", kind="short", hint=f"{short.name}: {short.budget}. {cell.hint}")
    why = f"the reference is not there yet: {summary.troubles}" if summary.expected else "not part of the reference"
    return replace(ABSENT, raw={"": None}, hint=why)


def _floor_row(comparison: Comparison, dataset: str, columns: list[Column], metrics: tuple[str, ...]) -> list[Row]:
    values = {metric: floor(comparison.run, dataset, metric) for metric in metrics}
    if all(math.isnan(value) for value in values.values()):
        return []
    by_column = {f"{metric.partition('@')[0]}_{_key(comparison.label)}": metric for metric in metrics}
    cells = []
    for column in columns:
        metric = by_column.get(column.key)
        if metric is None or math.isnan(values[metric]):
            cells.append(ABSENT)
        else:
            cells.append(Cell(metric_label(metric).number(values[metric]), {"": values[metric]}))
    return [Row("floor", "Perfect sampler (expected)", comparison.study.blocks["floor"], tuple(cells))]


def _notes(
    comparison: Comparison, dataset: str, metrics: tuple[str, ...], beside: dict[tuple[str, str], Published]
) -> list[str]:
    used = {key: record for key, record in beside.items() if key[1] in metrics}
    notes = []
    for source in dict.fromkeys(record.source for record in used.values()):
        records = [record for record in used.values() if record.source == source]
        trials = f", {records[0].n_trials} trials" if records[0].n_trials else ", trials not stated"
        kind = ERROR_KINDS[records[0].error_kind].replace("standard", "the standard").replace("error of", "an error of")
        text = kind if records[0].error_kind == "none" else f"± is {kind}"
        notes.append(f"Published, {source}: {text}{trials}. {_capital(records[0].setup)}.")
    doubts: dict[str, dict[str, list[str]]] = {}
    for (model, metric), record in used.items():
        for doubt in [] if record.certain else record.note.split("; "):
            label = metric_label(metric).label.split(",")[0]
            doubts.setdefault(doubt, {}).setdefault(label, []).append(comparison.title(model))
    for doubt, labels in doubts.items():
        if "AE-OT Table 2" not in doubt:
            text = "; ".join(f"{label} of {', '.join(models)}" for label, models in labels.items())
            notes.append(f"† {_capital(doubt)} ({text}).")
    if any("AE-OT Table 2" in record.note for record in used.values()):
        notes.append(
            "AE-OT Table 2 prints the rows of GAN, ALI, MD and PacGAN as copies of PacGAN Table 1; shown once."
        )
    return notes + (_protocol_notes(comparison, dataset, metrics) if comparison.study.kind == "images" else [])


def _protocol_notes(comparison: Comparison, dataset: str, metrics: tuple[str, ...]) -> list[str]:
    """Notes on metrics that the reference measured under another protocol than this run."""
    if comparison.reference is None:
        return []
    other: dict[tuple[str, str], list[str]] = {}
    for metric in metrics:
        pair = comparison.reference.protocol(dataset, metric), comparison.run.protocol(dataset, metric)
        if all(pair) and pair[0] != pair[1]:
            other.setdefault(pair, []).append(comparison.short(metric))
    return [
        f"{'; '.join(names)}: the reference ({first}) and this run ({second}) were measured under different protocols; "
        "do not compare these columns."
        for (first, second), names in other.items()
    ]


def _key(label: str) -> str:
    return label.replace(" ", "_")
