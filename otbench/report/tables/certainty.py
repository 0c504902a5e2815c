"""How sure the comparison is: every figure in full, what the seeds leave open, where the variance is."""

from __future__ import annotations

import math
from collections.abc import Callable

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.report.summary import Summary, of_samples, summarise
from otbench.report.tables import variance
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table, between, seeds
from otbench.report.tables.rankings import ranking_table
from otbench.statistics.best import AgainstBest
from otbench.statistics.power import MOST, POWER
from otbench.statistics.scales import EFFECTS


def statistics_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The statistics of one data set: what is open, variance, bias of the Frechet distance, every figure in full.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The tables that there are numbers for.
    """
    tables = [
        ties_table(comparison, dataset),
        variance.variance_table(comparison, dataset),
        *variance.bias_tables(comparison, dataset),
        full_table(comparison, dataset),
    ]
    return [table for table in tables if table is not None]


def study_tables(comparison: Comparison) -> list[Table]:
    """The statistics over all data sets of a study: average ranks.

    Args:
        comparison: Study of a run.

    Returns:
        The table of ranks, or none.
    """
    table = ranking_table(comparison)
    return [table] if table else []


def full_table(comparison: Comparison, dataset: str) -> Table | None:
    """Every figure of the run's own tables, a row a model and metric.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The table; None where nothing was measured.
    """
    run, study = comparison.run, comparison.study
    keys = [run.key(dataset, metric, table.features) for table in study.tables for metric in table.metrics]
    metrics = [key for key in dict.fromkeys(keys) if key == "seconds" or (dataset, key) in run.protocols]
    places = [place for place in comparison.rows(dataset) if (dataset, place.model) in run.cells]
    rows = []
    for metric in metrics if metrics != ["seconds"] else ():
        for place in places:
            summary = summarise(run, dataset, place.model, metric)
            inner = metric in study.internal_metrics and not summary.n and summary.counts.get("ok")
            if not inner:
                rows.append(_full_row(comparison, place.model, metric, summary))
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
        Column("samples", "One seed's samples", "95 % interval of the value"),
    )
    caption = (
        "At the end of training. n: seeds with a value; sd: over seeds, with n − 1. The bootstrap of few seeds is too "
        "narrow: a 95 % interval of normal values holds the mean in 76 % of cases with 3 seeds, 84 % with 5, 89 % with "
        "10; Student's t interval holds it in 95 %. Of one seed, a share of independent samples has Wilson's interval: "
        f"what other samples would change, not another training. {comparison.said(dataset, metrics, own=True)}"
    )
    title = f"{run.title('datasets', dataset)}: every figure in full"
    return Table(f"{dataset}_full", title, caption, columns, tuple(rows))


def _full_row(comparison: Comparison, model: str, metric: str, one: Summary) -> Row:
    number = metric_label(metric).number
    cells = [Cell(comparison.full(metric), {"": metric}), seeds(one), Cell(str(one.n), {"": one.n})]
    for value in (one.mean, one.sd, one.error):
        cells.append(ABSENT if math.isnan(value) else Cell(number(value), {"": value}))
    for interval in (one.interval, one.student, of_samples(one, metric)):
        cell = Cell(between(interval, metric), {"_low": interval.low, "_high": interval.high})
        cells.append(cell if interval.known else ABSENT)
    return Row(model, comparison.title(model), metric, tuple(cells))


def ties_table(comparison: Comparison, dataset: str) -> Table | None:
    """The models that the seeds do not show to be worse than the best one of a question, with the seeds that would.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        The table, a row a question and model; None where no question was measured with two seeds or more.
    """
    rows, single = [], []
    for name in comparison.study.questions:
        metric = comparison.main_key(dataset, name)
        stands = comparison.standing(dataset, metric)
        if stands is not None and stands.tested:
            rows += _open_rows(comparison, dataset, metric, stands)
            single += [model for model, rival in stands.models.items() if rival.n < 2]
    if not rows:
        return None
    columns = (
        Column("best", "Best by its mean", align="l"),
        Column("tied", "Not significantly worse", align="l"),
        Column("interval", "95 % interval of its mean"),
        Column("difference", "Difference"),
        Column("effect", "on the scale", "Against the best"),
        Column("p", "p", "Against the best"),
        Column("test", "Scale", align="l"),
        Column("seeds", "now", "Seeds a model"),
        Column("resolve", "to resolve it", "Seeds a model"),
    )
    caption = (
        "Every ranked model whose budget was enough is compared with the best one on the scale of the metric, with "
        "variances drawn together over models. p is simultaneous: of models as good as the best, any is called worse "
        "in about 5 % of cases (docs/statistics.md has the simulated rates, which are higher with two seeds or where "
        "the models' variances differ much). A row is a model that is not significantly worse with these seeds, which "
        "does not mean as good. "
        f"To resolve: seeds a model that would tell the two apart with a power of {100 * POWER:.0f} %, if the true "
        "difference and deviations are those seen; few seeds tell these only roughly. "
        f"{comparison.said(dataset, [], own=True)}"
    )
    title = f"{comparison.run.title('datasets', dataset)}: what these seeds leave open"
    names = ", ".join(comparison.title(model) for model in dict.fromkeys(single))
    notes = [f"Not tested for some metric, as there are fewer than two seeds: {names}."] if single else []
    notes += comparison.left_out(dataset, unknown=False)
    return Table(f"{dataset}_ties", title, caption, columns, tuple(rows), tuple(notes), row_head="Metric")


SCALES = {"log": "logarithm: ratios", "logit": "logit: odds ratios", "identity": "as it is: differences"}


def _open_rows(comparison: Comparison, dataset: str, metric: str, stands: AgainstBest) -> list[Row]:
    """The rows of one metric; one that says `none` where all others are significantly worse than the best model."""
    number, best = metric_label(metric).number, stands.models[stands.best]
    label, title = comparison.full(metric), comparison.title(stands.best)
    error = summarise(comparison.run, dataset, stands.best, metric).error
    first = Cell(f"{title} ({number(best.estimate, error)})", {"": stands.best})
    scale = Cell(SCALES[stands.scale], {"": stands.scale})
    if not stands.undecided:
        rest = [ABSENT, ABSENT, ABSENT, ABSENT, scale, Cell(str(best.n), {"": best.n}), ABSENT]
        return [Row(metric, label, metric, (first, Cell("none", {"": "none"}), *rest))]
    rows = []
    for model in stands.undecided:
        rival = stands.models[model]
        interval = Cell(between(rival.interval, metric), {"_low": rival.interval.low, "_high": rival.interval.high})
        cells = [
            Cell(comparison.title(model), {"": model}),
            interval if rival.interval.known else ABSENT,
            Cell(number(rival.difference), {"": rival.difference}),
            _effect(rival.effect, stands.scale, number),
            _p(rival.p),
            scale,
            Cell(f"{rival.n}" if rival.n == best.n else f"{rival.n} and {best.n}", {"": rival.n, "_best": best.n}),
            _needed(rival.seeds, rival.difference),
        ]
        rows.append(Row(metric, label, metric, (first, *cells)))
    return rows


def _effect(value: float, scale: str, number: Callable[[float], str]) -> Cell:
    """How far the model is from the best one, in words: a ratio, an odds ratio, or a difference."""
    if math.isnan(value):
        return ABSENT
    text = number(value) if scale == "identity" else f"{EFFECTS[scale]} {value:.3g}"
    return Cell(text, {"": value, "_kind": EFFECTS[scale]})


def _p(value: float) -> Cell:
    if math.isnan(value):
        return ABSENT
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", {"": value})


def _needed(seeds_a_model: float, difference: float) -> Cell:
    """The number of seeds, or words where no number of seeds is enough."""
    if math.isnan(seeds_a_model):
        return ABSENT
    if math.isinf(seeds_a_model):
        return Cell("no difference" if difference == 0 else f"> {MOST:,}", {"": math.inf})
    return Cell(f"{seeds_a_model:,.0f}", {"": int(seeds_a_model)})
