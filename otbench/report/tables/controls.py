"""Whether each metric ranks the controls as it must: its verdict, metric by metric."""

from __future__ import annotations

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.report.recipes.base import Recipe
from otbench.report.recipes.mode_collapse import RECIPE
from otbench.report.summary import Summary, summarise, told_apart
from otbench.report.tables.base import Cell, Column, Row, Table, measured

RIGHT, WRONG, UNSURE = "right order", "misorders", "cannot say"
RUBBISH = ("untrained", "blur")
"""Controls with neither likeness nor variety, which every metric that ranks must see where they were measured."""


def verdict(metric: str, held: dict[str, Summary], study: Recipe = RECIPE) -> tuple[str, str]:
    """Whether a metric ranks the controls as it must.

    Right: held-out real data beats every control that the metric is there to see, and no control beats it. Every metric
    is there to see a generator at its initialisation and the mean image. A control beats another where Welch's t test
    tells them apart, or by the mean where there is one seed. An alarm of the study is right where it tells the
    memoriser from held-out real data; it does not judge the others.

    Args:
        metric: Name of the metric.
        held: Control -> the metric over its seeds; `real` is held-out real data.
        study: Recipe with the metric's duties.

    Returns:
        RIGHT, WRONG or UNSURE, and the reason.
    """
    real = held.get("real")
    if real is None or not real.n:
        return UNSURE, "held-out real data were not measured"
    base, must = metric.partition("@")[0], study.must_rank(metric)
    direction = study.copy_alarms.get(base, metric_label(metric).direction)
    if direction not in ("higher", "lower"):
        return UNSURE, "no side is better: read it against held-out real data"
    alarm = base in study.copy_alarms
    worse, blind, preferred = [], [], []
    for name in ("memoriser",) if alarm else ("collapsed", "noise", *RUBBISH):
        other = held.get(name)
        if other is None or not other.n:
            if name in must or alarm:
                return UNSURE, f"{name} was not measured"
            continue
        order = _order(direction, real, other)
        if order < 0:
            preferred.append(name)
        elif order == 0:
            (worse if name in must or name in RUBBISH or alarm else blind).append(name)
    reasons = [f"prefers {name} to held-out real data" for name in preferred]
    reasons += [f"does not tell {name} from held-out real data" for name in worse]
    extra = [f"does not see {name} (not what it is for)" for name in blind]
    status = WRONG if reasons else RIGHT
    if alarm:
        return status, "; ".join(reasons) or "tells a memoriser from held-out real data; says nothing of quality"
    return status, "; ".join(reasons + extra + _memoriser(direction, real, held.get("memoriser")))


def _order(direction: str, real: Summary, other: Summary) -> int:
    """1 where real is better, -1 where the other is, 0 where they are not told apart."""
    apart = told_apart(real, other)
    if apart is False or real.mean == other.mean:
        return 0
    better = real.mean > other.mean if direction == "higher" else real.mean < other.mean
    return 1 if better else -1


def _memoriser(direction: str, real: Summary, memoriser: Summary | None) -> list[str]:
    if memoriser is None or not memoriser.n:
        return []
    order = _order(direction, real, memoriser)
    return [{0: "a memoriser passes as real", 1: "sees the memoriser", -1: "prefers the memoriser to real"}[order]]


def controls_table(comparison: Comparison, dataset: str) -> Table | None:
    """The controls of a data set, a row a metric, with the verdict.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The table; None where there are no controls, or no metric of them was measured.
    """
    run, study = comparison.run, comparison.study
    present = [name for name in study.controls if (dataset, name) in run.cells]
    columned = [run.key(dataset, metric, table.features) for table in study.tables for metric in table.metrics]
    metrics = [
        metric
        for metric in dict.fromkeys(columned)
        if metric not in ("seconds", *study.internal_metrics) and (dataset, metric) in run.protocols
    ]
    if not present or not metrics:
        return None
    rows = []
    for metric in metrics:
        measures = {name: summarise(run, dataset, name, metric) for name in present}
        status, reason = verdict(metric, measures, study)
        cells = [measured(measures[name], metric) for name in present]
        cells.append(Cell(status, {}, kind="trouble" if status == WRONG else ""))
        cells.append(Cell(reason, {}))
        rows.append(Row(metric, comparison.full(metric), "", tuple(cells)))
    columns = [Column(name, comparison.title(name)) for name in present]
    columns += [Column("verdict", "Verdict", align="l"), Column("why", "Why", align="l")]
    caption = (
        "A metric is in the right order where held-out real data beat the controls it is there to see (collapse for "
        "those of coverage, noise for those of quality) and no control beats them, by Welch's t test at 5 % or, with "
        f"one seed, by the value. {comparison.said(dataset, metrics)}"
    )
    title = f"{run.title('datasets', dataset)}: the controls, metric by metric"
    return Table(f"{dataset}_controls", title, caption, tuple(columns), tuple(rows), row_head="Metric")
