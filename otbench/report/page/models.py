"""The page of a model: what it is, its options and their source, every seed, its curve, and how to run it again."""

from __future__ import annotations

import ast
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otbench.registry import ROOT, model_files
from otbench.report.comparison import Comparison
from otbench.report.figures.sheets import Sheets
from otbench.report.labels import metric_label
from otbench.report.summary import curve, status_of
from otbench.report.tables.base import Cell, Column, Row, Table

MOST = 9
"""Metrics at most in the table of a model's seeds."""


@dataclass(frozen=True)
class Curve:
    """A metric along training as a polyline: its label, the points of an SVG of 240 x 60, first and last value."""

    label: str
    points: str
    first: str
    last: str


@dataclass(frozen=True)
class Place:
    """A model on one data set."""

    dataset: str
    title: str
    budget: str
    needs: str
    steps: str
    tuned: str
    options: list[tuple[str, str, str]]
    seeds: Table
    curves: list[Curve]
    sheets: Sheets | None
    reproduce: str


@dataclass(frozen=True)
class ModelPage:
    """What the page of a model shows."""

    name: str
    title: str
    paper: str
    family: str
    control: bool
    about: list[str]
    source: str
    parameters: list[tuple[str, str]]
    places: list[Place]


def model_pages(comparisons: list[Comparison], sheets: dict[tuple[str, str], Sheets]) -> list[ModelPage]:
    """A page for every model of the run.

    Args:
        comparisons: Studies of the run.
        sheets: (data set, title of the model) -> its contact sheets.

    Returns:
        The pages, in the order of studies and rows.
    """
    where: dict[str, list[tuple[Comparison, str]]] = {}
    for comparison in comparisons:
        for dataset in comparison.datasets:
            for place in comparison.rows(dataset):
                if (dataset, place.model) in comparison.run.cells:
                    where.setdefault(place.model, []).append((comparison, dataset))
    return [_page(model, places, sheets) for model, places in where.items()]


def _page(model: str, where: list[tuple[Comparison, str]], sheets: dict[tuple[str, str], Sheets]) -> ModelPage:
    first = where[0][0]
    about: dict[str, Any] = first.run.info["models"].get(model, {})
    kind = first.study.kind
    source = model_files(kind).get(model, "") or model_files().get(model, "")
    counts = about.get("parameters") or {}
    return ModelPage(
        model,
        first.title(model),
        str(about.get("paper") or ""),
        str(about.get("family") or ""),
        model in first.controls,
        documentation(source),
        f"otbench/{source}" if source else "",
        [(name, f"{int(number):,}") for name, number in counts.items()],
        [_place(model, comparison, dataset, sheets) for comparison, dataset in where],
    )


def documentation(source: str) -> list[str]:
    """What the file of a model says of it: sources, choices, and what is uncertain.

    Args:
        source: Path in the package; empty for a model of another package.

    Returns:
        Paragraphs of the module's docstring, read without running the file.
    """
    path = ROOT / source if source else Path()
    if not source or not path.is_file():
        return []
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _place(model: str, comparison: Comparison, dataset: str, sheets: dict[tuple[str, str], Sheets]) -> Place:
    run, about = comparison.run, comparison.run.info["models"].get(model, {})
    budget = comparison.budgets(dataset).get(model)
    tuned = (about.get("tuned") or {}).get(dataset) or {}
    steps, paper = run.steps(dataset, model), run.paper_steps(dataset, model)
    trained = not (model in comparison.controls or ("paper_steps" in about and not paper))
    text = f"{steps:,.0f}" + (f" of the paper's {paper:,.0f}" if paper and paper != steps else "") if trained else ""
    seed = next(iter(run.cells[dataset, model]), 0)
    return Place(
        dataset,
        comparison.dataset_title(dataset),
        budget.said if budget else "",
        "" if budget is None or budget.needs == "nothing" else budget.needs,
        text,
        f"draw {tuned['trial']} of {tuned['draws']}" if tuned else "",
        _options(run.info, about, model, dataset, tuned),
        _seeds(model, comparison, dataset),
        _curves(model, comparison, dataset),
        sheets.get((dataset, comparison.title(model))),
        shlex.join(["otbench", "reproduce", f"results/{run.name}", f"{dataset}/{model}/{seed}"]),
    )


def _options(info: dict, about: dict, model: str, dataset: str, tuned: dict) -> list[tuple[str, str, str]]:
    """(option, value, source) of every option: tuning, the run's config, or the paper's value."""
    given: set[str] = set()
    for study in ((info.get("config") or {}).get("studies") or {}).values():
        for entry in (study or {}).get("overrides") or []:
            if model in entry.get("models", ()) and dataset in entry.get("datasets", (dataset,)):
                given |= set(entry.get("set") or {})
    chosen = set(tuned.get("set") or {})
    rows = []
    for name, value in (about.get("options") or {}).items():
        source = "tuning" if name in chosen else "the run's config" if name in given else "default: the paper's value"
        rows.append((name, str(value), source))
    return rows


def _seeds(model: str, comparison: Comparison, dataset: str) -> Table:
    """Every seed of a model at the end of training, a row a seed."""
    run, metrics = comparison.run, []
    for table in comparison.study.tables:
        for metric in table.metrics:
            key = run.key(dataset, metric, table.features)
            if (dataset, key) in run.protocols and key not in metrics:
                metrics.append(key)
    final = run.final.get((dataset, model), run.table.iloc[:0])
    metrics = [key for key in metrics if (final["metric"] == key).any()][:MOST]
    rows = []
    for seed in run.cells[dataset, model]:
        own = final[final["seed"] == seed]
        status = status_of(run, dataset, model, seed)
        cells = [Cell(status, {"": status}, kind="" if status == "ok" else "trouble")]
        for key in metrics:
            values = own.loc[(own["metric"] == key) & (own["protocol"] == run.protocol(dataset, key)), "value"]
            value = float(values.iloc[0]) if len(values) else math.nan
            missing = math.isnan(value)
            cells.append(
                Cell("–" if missing else metric_label(key).number(value), {"": value}, kind="absent" if missing else "")
            )
        seconds = float(own["seconds"].max()) if len(own) else math.nan
        text = "–" if math.isnan(seconds) else metric_label("seconds").number(seconds)
        rows.append(Row(str(seed), str(seed), "", (*cells, Cell(text, {"": seconds}))))
    columns = [Column("status", "Status", align="l"), *(Column(key, comparison.full(key)) for key in metrics)]
    columns.append(Column("seconds", "Training, s"))
    title = f"{comparison.title(model)} on {comparison.dataset_title(dataset)}: every seed"
    name = f"model_{dataset}_{model}"
    return Table(name, title, "At the end of training.", tuple(columns), tuple(rows), row_head="Seed")


def _curves(model: str, comparison: Comparison, dataset: str) -> list[Curve]:
    found = []
    for name in comparison.study.budget_metrics:
        key = next(
            (
                key
                for key in (comparison.main_key(dataset, name), f"{name}@classifier", name)
                if len(curve(comparison.run, dataset, model, key)) > 1
            ),
            "",
        )
        if key:
            points = curve(comparison.run, dataset, model, key)
            low, high = float(points["mean"].min()), float(points["mean"].max())
            room = high - low or 1.0
            pairs = [
                f"{4 + 232 * float(at) / comparison.run.last:.1f},{55 - 50 * (float(value) - low) / room:.1f}"
                for at, value in zip(points["snapshot"], points["mean"], strict=True)
            ]
            number = metric_label(key).number
            ends = [number(float(points["mean"].iloc[at])) for at in (0, -1)]
            found.append(Curve(comparison.full(key), " ".join(pairs), ends[0], ends[1]))
    return found
