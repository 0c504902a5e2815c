"""Tables about the run itself: its cells, those that are not ok, certificates, protocols; and figures to keep apart."""

from __future__ import annotations

import math

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
    """(data set, model, seed, status) of every cell of the comparison's run."""
    run, order = comparison.run, comparison.datasets
    cells = [(dataset, model, seed) for (dataset, model), seeds in run.cells.items() for seed in seeds]
    cells.sort(key=lambda cell: order.index(cell[0]))
    return [(*cell, status_of(run, *cell)) for cell in cells]


def said_of(comparisons: list[Comparison]) -> str:
    """Run and budget, the budget of every study where there are several."""
    if len(comparisons) == 1:
        return f"Run {comparisons[0].run.name} ({comparisons[0].run.budget})."
    budgets = "; ".join(f"{one.study.title}: {one.run.budget}" for one in comparisons)
    return f"Run {comparisons[0].run.name} ({budgets})."


def cells_table(comparisons: list[Comparison], troubled: bool = False) -> Table:
    """Time, device, code version and config hash of every cell of every study, or of those that are not ok."""
    rows = []
    for comparison, dataset, model, seed, status in [(one, *cell) for one in comparisons for cell in all_cells(one)]:
        if troubled and status == "ok":
            continue
        run = comparison.run
        found = run.rows(dataset, model)
        found = found[found["seed"] == seed]
        spent = float(found["seconds"].max()) if len(found) else math.nan
        reached = float(found.loc[found["status"] == "ok", "snapshot"].max()) if len(found) else math.nan
        cells = (
            Cell(comparison.title(model), {"": model}),
            Cell(str(seed), {"": seed}),
            Cell(status, {"": status}, kind="" if status == "ok" else "trouble"),
            _number(reached, f"{reached:.0%}"),
            _number(spent, metric_label("seconds").number(spent)),
            Cell(_one_of(found["device"]), {"": _one_of(found["device"])}),
            Cell(_one_of(found["code_version"]), {"": _one_of(found["code_version"])}),
            Cell(_one_of(found["config_hash"]), {"": _one_of(found["config_hash"])}),
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
    return Table(name, title, caption, columns, tuple(rows), row_head="Data set")


def certificates_table(comparisons: list[Comparison]) -> Table | None:
    """What each transport map certifies, over its seeds; None where no map was measured."""
    rows = []
    for comparison, dataset in [(one, dataset) for one in comparisons for dataset in one.datasets]:
        run = comparison.run
        for model in comparison.generative(dataset):
            held = {name: summarise(run, dataset, model, name) for name in CERTIFICATE}
            if any(one.n for one in held.values()):
                label = f"{run.title('datasets', dataset)}, {comparison.title(model)}"
                cells = tuple(_certificate(held[name].values, CERTIFICATE[name][1]) for name in CERTIFICATE)
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
    """Under which protocol each metric was measured, and on which data sets."""
    rows = []
    for comparison in comparisons:
        run, order = comparison.run, comparison.study.metrics
        found: dict[tuple[str, str], list[str]] = {}
        for dataset in comparison.datasets:
            for (where, metric), protocols in run.protocols.items():
                if where == dataset and metric not in CERTIFICATE:
                    for protocol in (one for one in protocols if one != "cost"):
                        found.setdefault((metric, protocol), []).append(run.title("datasets", dataset))
        place = {metric: at for at, metric in enumerate(order)}
        for metric, protocol in sorted(found, key=lambda key: (place.get(key[0].partition("@")[0], 99), key)):
            cells = (Cell(protocol, {"": protocol}), Cell(", ".join(found[metric, protocol]), {}))
            label = comparison.full(metric) if comparison.study.kind == "images" else metric_label(metric).label
            rows.append(Row(metric, label, "", cells))
    columns = (Column("protocol", "Protocol", align="l"), Column("datasets", "Data sets", align="l"))
    caption = "Figures under different protocols never share a column."
    return Table("protocols", "Protocol of every metric", caption, columns, tuple(rows), row_head="Metric")


def elsewhere_table(comparison: Comparison, dataset: str) -> Table | None:
    """Published figures of the data set from another set-up, which must not stand beside this run's."""
    study = comparison.study
    records = study.published_elsewhere(list(comparison.published), dataset)
    if not records:
        return None
    metrics = [metric for metric in study.metrics if any(one.metric == metric for one in records)]
    rows = []
    for model in dict.fromkeys(one.model for one in records):
        held = {one.metric: one for one in records if one.model == model}
        cells = tuple(_apart(held[metric]) if metric in held else ABSENT for metric in metrics)
        rows.append(Row(model, comparison.title(model), "", cells))
    sources = dict.fromkeys((one.source, one.setup) for one in records)
    captions, doubts = [], []
    for source, setup in sources:
        same = [one for one in records if (one.source, one.setup) == (source, setup)]
        first = same[0]
        trials = f"{first.n_trials} runs" if first.n_trials else "number of runs not stated"
        errors = "no error bars" if all(one.error is None for one in same) else "errors of a kind not stated"
        captions.append(f"{first.note[:1].upper()}{first.note[1:]}: {setup}; {trials}, {errors}.")
        if any(one.note != first.note for one in same):
            doubts += [f"† {comparison.title(one.model)}: {one.note}." for one in same if not one.certain]
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


def _one_of(values: object) -> str:
    found = sorted({str(value) for value in values if value is not None and str(value) not in ("", "nan", "None")})
    return ", ".join(found) or "–"
