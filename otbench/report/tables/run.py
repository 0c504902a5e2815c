"""Tables about the run itself: its cells, those that are not ok, certificates, protocols; and figures to keep apart."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.report.recipes.published import Published
from otbench.report.summary import status_of, summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table

CERTIFICATE = {
    "map_max_cell_error": ("Largest relative cell error", max),
    "map_mean_cell_error": ("Mean relative cell error", max),
    "map_empty_cells": ("Empty cells", max),
    "map_dual_gap": ("Dual gap", max),
    "map_dual_value": ("Dual value", None),
    "map_cost": ("Transport cost", None),
    "map_targets_reverse_kl": ("Reverse KL against its own targets", None),
}


def all_cells(comparison: Comparison) -> list[tuple[str, str, int, str]]:
    """Every cell of the comparison's run with its status.

    Args:
        comparison: Study of a run.

    Returns:
        (data set, model, seed, status) of each, in the order of data sets.
    """
    run, order = comparison.run, comparison.datasets
    cells = [(dataset, model, seed) for (dataset, model), seeds in run.cells.items() for seed in seeds]
    cells.sort(key=lambda cell: order.index(cell[0]))
    return [(*cell, status_of(run, *cell)) for cell in cells]


def said_of(comparisons: list[Comparison]) -> str:
    """Run and budget, the budget of every study where there are several.

    Args:
        comparisons: Studies of a run, at least one.

    Returns:
        One sentence.
    """
    if len(comparisons) == 1:
        return f"Run {comparisons[0].run.name} ({comparisons[0].run.budget})."
    budgets = "; ".join(f"{comparison.study.title}: {comparison.run.budget}" for comparison in comparisons)
    return f"Run {comparisons[0].run.name} ({budgets})."


def cells_table(comparisons: list[Comparison], troubled: bool = False) -> Table:
    """Time, device, code version and config hash of every cell of every study.

    Args:
        comparisons: Studies of a run.
        troubled: Whether to show only cells that are not ok.

    Returns:
        The table, a row a cell.
    """
    rows = []
    for comparison, dataset, model, seed, status in [
        (study, *cell) for study in comparisons for cell in all_cells(study)
    ]:
        if troubled and status == "ok":
            continue
        run = comparison.run
        measured = run.rows(dataset, model)
        measured = measured[measured["seed"] == seed]
        spent = float(measured["seconds"].max()) if len(measured) else math.nan
        reached = float(measured.loc[measured["status"] == "ok", "snapshot"].max()) if len(measured) else math.nan
        cells = (
            Cell(comparison.title(model), {"": model}),
            Cell(str(seed), {"": seed}),
            Cell(status, {"": status}, kind="" if status == "ok" else "trouble"),
            _number(reached, f"{reached:.0%}"),
            _number(spent, metric_label("seconds").number(spent)),
            Cell(_one_of(measured["device"]), {"": _one_of(measured["device"])}),
            Cell(_one_of(measured["code_version"]), {"": _one_of(measured["code_version"])}),
            Cell(_one_of(measured["config_hash"]), {"": _one_of(measured["config_hash"])}),
            Cell(f"{dataset}/{model}/{seed}", {}),
        )
        rows.append(Row(dataset, run.title("datasets", dataset), dataset, cells))
    columns = (
        Column("model", "Model", align="l"),
        Column("seed", "Seed"),
        Column("status", "Status", align="l"),
        Column("measured_up_to", "Measured up to"),
        Column("seconds", "Training, s"),
        Column("device", "Device", align="l"),
        Column("code_version", "Code version", align="l"),
        Column("config_hash", "Config hash", align="l"),
        Column("cell", "Cell", align="l"),
    )
    name, title = ("incomplete", "Cells that are not ok") if troubled else ("cells", "Every cell")
    caption = f"{said_of(comparisons)} A cell is one model with one seed on one data set."
    return Table(name, title, caption, columns, tuple(rows), row_head="Data set", named_blocks=False)


def certificates_table(comparisons: list[Comparison]) -> Table | None:
    """What each transport map certifies, over its seeds.

    Args:
        comparisons: Studies of a run.

    Returns:
        The table, a row a data set and model; None where no map was measured.
    """
    rows = []
    for comparison, dataset in [(study, dataset) for study in comparisons for dataset in study.datasets]:
        run = comparison.run
        for model in comparison.generative(dataset):
            measures = {name: summarise(run, dataset, model, name) for name in CERTIFICATE}
            if any(summary.n for summary in measures.values()):
                label = f"{run.title('datasets', dataset)}, {comparison.title(model)}"
                cells = tuple(_certificate(measures[name].values, CERTIFICATE[name][1]) for name in CERTIFICATE)
                rows.append(Row(f"{dataset}/{model}", label, "", cells))
    if not rows:
        return None
    columns = tuple(Column(name, label) for name, (label, _) in CERTIFICATE.items())
    caption = (
        f"{said_of(comparisons)} Errors, empty cells and gaps are the worst over the seeds; dual value and "
        "cost are means. The cell error is relative to the weight a cell must have."
    )
    return Table("certificates", "Certificates of the transport maps", caption, columns, tuple(rows))


def _certificate(values: tuple[float, ...], worst: object) -> Cell:
    if not values:
        return ABSENT
    value = float(max(values) if worst else np.mean(values))
    text = f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.3g}"
    return Cell(text, {"": value})


def protocols_table(comparisons: list[Comparison]) -> Table:
    """The protocols of every metric, with the data sets measured under each.

    Args:
        comparisons: Studies of a run.

    Returns:
        The table, a row a metric and protocol.
    """
    rows = []
    for comparison in comparisons:
        run, order = comparison.run, comparison.study.metrics
        by_protocol: dict[tuple[str, str], list[str]] = {}
        for dataset in comparison.datasets:
            for (where, metric), protocols in run.protocols.items():
                if where == dataset and metric not in CERTIFICATE:
                    for protocol in (name for name in protocols if name != "cost"):
                        by_protocol.setdefault((metric, protocol), []).append(run.title("datasets", dataset))
        place = {metric: at for at, metric in enumerate(order)}
        for metric, protocol in sorted(by_protocol, key=lambda key: (place.get(key[0].partition("@")[0], 99), key)):
            cells = (Cell(protocol, {"": protocol}), Cell(", ".join(by_protocol[metric, protocol]), {}))
            label = comparison.full(metric) if comparison.study.kind == "images" else metric_label(metric).label
            rows.append(Row(metric, label, "", cells))
    columns = (Column("protocol", "Protocol", align="l"), Column("datasets", "Data sets", align="l"))
    caption = "Figures under different protocols never share a column."
    return Table("protocols", "Protocol of every metric", caption, columns, tuple(rows), row_head="Metric")


def elsewhere_table(comparison: Comparison, dataset: str) -> Table | None:
    """Published figures of the data set from another set-up, which must not stand beside this run's.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The table, a row a model; None where there are no such figures.
    """
    study = comparison.study
    records = study.published_elsewhere(list(comparison.published), dataset)
    if not records:
        return None
    metrics = [metric for metric in study.metrics if any(record.metric == metric for record in records)]
    rows = []
    for model in dict.fromkeys(record.model for record in records):
        metric_records = {record.metric: record for record in records if record.model == model}
        cells = tuple(_apart(metric_records[metric]) if metric in metric_records else ABSENT for metric in metrics)
        rows.append(Row(model, comparison.title(model), "", cells))
    sources = dict.fromkeys((record.source, record.setup) for record in records)
    captions, doubts = [], []
    for source, setup in sources:
        same = [record for record in records if (record.source, record.setup) == (source, setup)]
        first = same[0]
        trials = f"{first.n_trials} runs" if first.n_trials else "number of runs not stated"
        errors = "no error bars" if all(record.error is None for record in same) else "errors of a kind not stated"
        captions.append(f"{first.note[:1].upper()}{first.note[1:]}: {setup}; {trials}, {errors}.")
        if any(record.note != first.note for record in same):
            doubts += [f"† {comparison.title(record.model)}: {record.note}." for record in same if not record.certain]
    caption = " ".join(captions)
    named = "; ".join(f"{source}, another set-up" for source in dict.fromkeys(source for source, _ in sources))
    title = f"{comparison.run.title('datasets', dataset)}: {named}"
    columns = tuple(Column(metric, metric_label(study.published_key(metric)).label) for metric in metrics)
    return Table(
        f"{dataset}_{first.paper.lower().replace(' ', '_')}", title, caption, columns, tuple(rows), tuple(doubts)
    )


def _apart(one: Published) -> Cell:
    mark = "" if one.certain else " †"
    return Cell(one.text(metric_label(one.metric).factor) + mark, {"": str(one.value)})


def _number(value: float, text: str) -> Cell:
    return ABSENT if math.isnan(value) else Cell(text, {"": value})


def _one_of(values: Iterable[object]) -> str:
    texts = sorted({str(value) for value in values if value is not None and str(value) not in ("", "nan", "None")})
    return ", ".join(texts) or "–"
