"""What every model cost: seconds, peak memory, energy; and its losses along training."""

from __future__ import annotations

import math

from otbench.report.comparison import Comparison
from otbench.report.labels import UNITS, metric_label
from otbench.report.summary import Summary, summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table


def cost_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """Seconds, peak memory (MiB), energy (kJ), parameters and steps of every model of the run, means over seeds.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        One table; none where no cost is above zero.
    """
    run = comparison.run
    places = [place for place in comparison.rows(dataset) if (dataset, place.model) in run.cells]
    expenses = {place.model: _spent(comparison, dataset, place.model) for place in places}
    if not any(summary.n and summary.mean > 0 for costs in expenses.values() for summary in costs.values()):
        return []
    metrics = [name for name in ("seconds", *UNITS) if any(costs[name].n for costs in expenses.values())]
    columns = [Column("seconds", "Training, s")]
    columns += [Column(name, f"{UNITS[name][0]}, {UNITS[name][1]}") for name in metrics if name in UNITS]
    columns += [Column("parameters", "Parameters"), Column("steps", "Steps")]
    rows = []
    for place in places:
        cells = [_cell(name, expenses[place.model][name]) for name in metrics]
        cells += [_parameters(comparison, place.model), _steps(comparison, dataset, place.model)]
        rows.append(Row(place.model, comparison.title(place.model), comparison.study.blocks[place.block], tuple(cells)))
    caption = (
        f"Mean ± standard error over seeds, of training. {comparison.said(dataset, [], own=True)} Seconds depend "
        f"on the device: {_devices(comparison, dataset)}. "
    )
    absent = [UNITS[name][0].lower() for name in UNITS if name not in metrics]
    caption += f"Not measured: {', '.join(absent)}." if absent else "Peak memory is the largest over training."
    title = f"{run.title('datasets', dataset)}: what training cost"
    return [Table(f"{dataset}_cost", title, caption, tuple(columns), tuple(rows))]


def paid(comparison: Comparison, dataset: str, models: list[str]) -> str:
    """Peak memory and energy of these models in words, the least and the most.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        models: Names of the models.

    Returns:
        Text with MiB and kJ; empty where none was measured.
    """
    parts = []
    for name, (_, unit, size) in UNITS.items():
        means = sorted(
            summary.mean / size
            for model in models
            for summary in [summarise(comparison.run, dataset, model, name)]
            if summary.n
        )
        if means:
            ends = list(dict.fromkeys(_three(value) for value in (means[0], means[-1])))
            parts.append(f"{' to '.join(ends)} {unit}")
    return ", ".join(parts)


def _spent(comparison: Comparison, dataset: str, model: str) -> dict[str, Summary]:
    return {name: summarise(comparison.run, dataset, model, name) for name in ("seconds", *UNITS)}


def _cell(metric: str, one: Summary) -> Cell:
    raw = {"": one.mean, "_error": one.error, "_n": one.n}
    if not one.n:
        return Cell("–", raw, kind="absent")
    if metric == "seconds":
        return Cell(metric_label("seconds").number(one.mean, one.error), raw)
    size = UNITS[metric][2]
    return Cell(_three(one.mean / size, one.error / size), raw)


def _three(value: float, error: float = math.nan) -> str:
    """Three significant digits, never in powers of ten; the error with as many decimals."""
    digits = 0 if value == 0 else min(6, max(0, 2 - math.floor(math.log10(abs(value)))))
    return " ± ".join(f"{number:,.{digits}f}" for number in (value, error) if math.isfinite(number))


def _parameters(comparison: Comparison, model: str) -> Cell:
    counts = comparison.run.info["models"].get(model, {}).get("parameters") or {}
    if not counts:
        return ABSENT
    total = sum(int(number) for number in counts.values())
    return Cell(f"{total:,}", {"": total} | {f"_{name}": int(number) for name, number in counts.items()})


def _steps(comparison: Comparison, dataset: str, model: str) -> Cell:
    about = comparison.run.info["models"].get(model, {})
    paper = comparison.run.paper_steps(dataset, model)
    if model in comparison.controls or ("paper_steps" in about and not paper):
        return ABSENT
    steps = comparison.run.steps(dataset, model)
    text = f"{steps:,.0f}" + (f" of {paper:,.0f}" if paper and paper != steps else "")
    return Cell(text, {"": steps, "_paper": paper})


def _devices(comparison: Comparison, dataset: str) -> str:
    rows = comparison.run.table[comparison.run.table["dataset"] == dataset]
    return ", ".join(sorted({str(device) for device in rows["device"].dropna() if str(device)})) or "not stated"
