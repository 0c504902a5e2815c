"""Whether each row had settled when its budget ended: one row a model and data set."""

from __future__ import annotations

import math

from otbench.report.budget import SOLVED, Budget
from otbench.report.comparison import Comparison
from otbench.report.summary import counts_of
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table
from otbench.report.tables.run import said_of
from otbench.statistics.settled import FROM, LEVEL, NOT_ABOVE

SCALES = {"log": "ratio", "logit": "odds ratio", "identity": "difference"}


def budget_table(comparisons: list[Comparison]) -> Table | None:
    """The verdict on the budget of every model on every data set, controls apart.

    Args:
        comparisons: Studies of a run.

    Returns:
        The table, a row a data set and model; None where the run has no models but controls.
    """
    rows = []
    for comparison, dataset in [(study, dataset) for study in comparisons for dataset in study.datasets]:
        found = comparison.budgets(dataset)
        for place in comparison.rows(dataset):
            if place.model in found and place.model not in comparison.controls:
                rows.append(_row(comparison, dataset, place.model, found[place.model]))
    if not rows:
        return None
    columns = (
        Column("model", "Model", align="l"),
        Column("verdict", "Verdict", align="l"),
        Column("metric", "Metric", align="l"),
        Column("since", "Since"),
        Column("change", "Change"),
        Column("noise", "Its noise"),
        Column("seeds", "Seeds"),
        Column("needs", "What it needs", align="l"),
    )
    decide = "; ".join(
        f"{comparison.study.title}: {' and '.join(comparison.short(name) for name in comparison.study.budget_metrics)}"
        for comparison in comparisons
    )
    caption = (
        f"{said_of(comparisons)} The end is compared, seed by seed, with the last snapshot at or before {FROM:.0%} of "
        "the budget. Still learning, worsening: the metric got better or worse by more than its noise "
        f"(Student's t at {LEVEL:.0%}, with variances drawn together over models) and by more than a tenth of the "
        "distance or of the odds; not above noise: at the end no better than the controls that the metric is there to "
        "see. A change above 1 is for the better. Settled says that these seeds show no change, not that there is "
        f"none: the noise says how large one may be. Solved: not trained by steps. Decided by: {decide}."
    )
    title = "Whether every row had settled when its budget ended"
    return Table("budget", title, caption, columns, tuple(rows), row_head="Data set", named_blocks=False)


def _row(comparison: Comparison, dataset: str, model: str, one: Budget) -> Row:
    change, label = one.change, comparison.dataset_title(dataset)
    why = one.why or ("not trained by steps" if one.said == SOLVED else "")
    if one.verdict == NOT_ABOVE and change is not None:
        why = f"no better than {', '.join(comparison.title(name) for name in change.below)}"
    verdict = {"": one.verdict, "_why": why}
    text = f"{one.said}: {why}" if why else one.said
    cells = [
        Cell(comparison.title(model), {"": model}),
        Cell(text, verdict, kind="" if one.compared else "trouble"),
        Cell(comparison.full(one.metric), {"": one.metric}) if one.metric else ABSENT,
        ABSENT if math.isnan(one.since) else Cell(f"{one.since:.0%}", {"": one.since}),
    ]
    if change is None or math.isnan(change.change):
        ok = counts_of(comparison.run, dataset, model).get("ok", 0)
        cells += [ABSENT, ABSENT, Cell(str(ok), {"": ok})]
    else:
        cells += [
            Cell(_size(change.change, change.scale), {"": change.change, "_scale": change.scale}),
            Cell(_size(change.noise, change.scale), {"": change.noise}),
            Cell(str(change.n), {"": change.n}),
        ]
    return Row(dataset, label, label, (*cells, Cell(one.needs, {"": one.needs})))


def _size(value: float, scale: str) -> str:
    """A change on the scale as a ratio, an odds ratio or a difference."""
    if scale == "identity":
        return f"{SCALES[scale]} {value:.3g}"
    return f"{SCALES[scale]} {math.exp(min(value, 99)):.3g}"
