"""How sure the comparison is: every figure in full, ties, seeds that would resolve them, where the variance is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from otbench.report.comparison import Comparison
from otbench.report.labels import shown
from otbench.report.summary import Standing, Summary, summarise
from otbench.report.tables import variance
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table, between, seeds
from otbench.report.tables.rankings import ranking_table
from otbench.statistics.power import MOST, POWER, seeds_to_resolve
from otbench.statistics.ties import NONE

if TYPE_CHECKING:
    pass


def statistics_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The statistics of one data set: ties, variance, bias of the Frechet distance, every figure in full."""
    found = [
        ties_table(comparison, dataset),
        variance.variance_table(comparison, dataset),
        *variance.bias_tables(comparison, dataset),
        full_table(comparison, dataset),
    ]
    return [table for table in found if table is not None]


def study_tables(comparison: Comparison) -> list[Table]:
    """The statistics over all data sets of a study: average ranks."""
    table = ranking_table(comparison)
    return [table] if table else []


def full_table(comparison: Comparison, dataset: str) -> Table | None:
    """Every figure of the run's own tables: a row a model and metric; None where nothing was measured."""
    run, study = comparison.run, comparison.study
    keys = [run.key(dataset, metric, table.features) for table in study.tables for metric in table.metrics]
    metrics = [key for key in dict.fromkeys(keys) if key == "seconds" or (dataset, key) in run.protocols]
    places = [place for place in comparison.places(dataset) if (dataset, place.model) in run.cells]
    rows = []
    for metric in metrics if metrics != ["seconds"] else ():
        for place in places:
            one = summarise(run, dataset, place.model, metric)
            inner = metric in study.inner and not one.n and one.counts.get("ok")
            if not inner:
                rows.append(_full_row(comparison, place.model, metric, one))
    if not rows:
        return None
    columns = (
        Column("metric", "Metric", align="l"),
        Column("seeds", "Seeds"),
        Column("n", "n"),
        Column("mean", "Mean"),
        Column("sd", "sd"),
        Column("error", "Standard error"),
        Column("bootstrap", "Bootstrap", "95 % interval of the mean"),
        Column("student", "Student's t", "95 % interval of the mean"),
    )
    caption = (
        "At the end of training. n: seeds with a value; sd: over seeds, with n − 1. The bootstrap of few seeds is too "
        "narrow: a 95 % interval of normal values holds the mean in 76 % of cases with 3 seeds, 84 % with 5, 89 % with "
        f"10; Student's t interval holds it in 95 %. {comparison.said(dataset, metrics, own=True)}"
    )
    title = f"{run.title('datasets', dataset)}: every figure in full"
    return Table(f"{dataset}_full", title, caption, columns, tuple(rows))


def _full_row(comparison: Comparison, model: str, metric: str, one: Summary) -> Row:
    number = shown(metric).number
    cells = [Cell(comparison.full(metric), {"": metric}), seeds(one), Cell(str(one.n), {"": one.n})]
    for value in (one.mean, one.sd, one.error):
        cells.append(ABSENT if math.isnan(value) else Cell(number(value), {"": value}))
    for interval in (one.interval, one.student):
        known = Cell(between(interval, metric), {"_low": interval.low, "_high": interval.high})
        cells.append(known if interval.known else ABSENT)
    return Row(model, comparison.title(model), metric, tuple(cells))


def ties_table(comparison: Comparison, dataset: str) -> Table | None:
    """A row for every model tied with the best one of a question, with the seeds that would tell them apart; None where
    no question was measured with two seeds or more.
    """
    rows, said, single = [], [], []
    for name in comparison.study.questions:
        metric = comparison.main_key(dataset, name)
        stands = comparison.standing(dataset, metric)
        if stands is not None and stands.family.size:
            rows += _tie_rows(comparison, dataset, metric, stands)
            said.append(stands.family.said)
            tests = zip(stands.models, stands.family.tests, strict=True)
            single += [model for model, test in tests if test == NONE and model != stands.best]
    if not rows:
        return None
    columns = (
        Column("best", "Best by its mean", align="l"),
        Column("tied", "Tied with it", align="l"),
        Column("difference", "Difference"),
        Column("p", "alone", "p"),
        Column("p_holm", "after Holm", "p"),
        Column("test", "Test", align="l"),
        Column("seeds", "now", "Seeds a model"),
        Column("resolve", "to resolve it", "Seeds a model"),
    )
    tests = "; ".join(dict.fromkeys(text for text in said if text))
    caption = (
        f"Every ranked model is compared with the best one at 5 %: {tests}. The truly best model is left out of such a "
        "bracket in at most 5 % of cases (simulated with normal values), but of many equal models some are left out "
        "more often. To resolve: seeds a model for which Welch's test tells the two apart with a power of "
        f"{100 * POWER:.0f} %, at 5 % shared among the ties, if the true difference and deviations are those seen; "
        "few seeds tell these only roughly. "
        f"{comparison.said(dataset, [], own=True)}"
    )
    title = f"{comparison.run.title('datasets', dataset)}: which models are tied with the best"
    names = ", ".join(comparison.title(model) for model in dict.fromkeys(single))
    notes = (f"Not tested for some metric, as there are fewer than two seeds: {names}.",) if single else ()
    return Table(f"{dataset}_ties", title, caption, columns, tuple(rows), notes, row_head="Metric")


def _tie_rows(comparison: Comparison, dataset: str, metric: str, stands: Standing) -> list[Row]:
    """The rows of one metric; one that says `none` where the best model is told apart from all others."""
    number, family = shown(metric).number, stands.family
    best = summarise(comparison.run, dataset, stands.best, metric)
    label, title = comparison.full(metric), comparison.title(stands.best)
    first = Cell(f"{title} ({number(best.mean, best.error)})", {"": stands.best})
    if not family.tied:
        others = Cell("none", {"": "none"})
        rest = [ABSENT, ABSENT, ABSENT, Cell(family.short, {"": family.short}), Cell(str(best.n), {"": best.n}), ABSENT]
        return [Row(metric, label, metric, (first, others, *rest))]
    rows = []
    for row in family.tied:
        model, test = stands.models[row], family.tests[row]
        own = summarise(comparison.run, dataset, model, metric)
        difference = float(family.differences[row])
        needed = seeds_to_resolve(difference, (own.sd, best.sd), family.level / len(family.tied))
        now = f"{own.n}" if own.n == best.n else f"{own.n} and {best.n}"
        cells = [
            Cell(comparison.title(model), {"": model}),
            Cell(number(difference), {"": difference}),
            _p(float(family.p[row])),
            _p(float(family.adjusted[row])),
            Cell(TESTS[test], {"": test}),
            Cell(now, {"": own.n, "_best": best.n}),
            _needed(needed, difference),
        ]
        rows.append(Row(metric, label, metric, (first, *cells)))
    return rows


TESTS = {"permutation": "paired permutation", "welch": "Welch's t", "exact": "exact values", "none": "none: one seed"}


def _p(value: float) -> Cell:
    if math.isnan(value):
        return ABSENT
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", {"": value})


def _needed(seeds_a_model: float, difference: float) -> Cell:
    """How many seeds, in words where no number does."""
    if math.isnan(seeds_a_model):
        return ABSENT
    if math.isinf(seeds_a_model):
        return Cell("no difference" if difference == 0 else f"> {MOST:,}", {"": math.inf})
    return Cell(f"{seeds_a_model:,.0f}", {"": int(seeds_a_model)})
