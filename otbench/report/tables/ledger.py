"""The ledger: every published figure beside what was measured, whether the two are alike, and whether they agree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from otbench.report.agreement import LEVEL, Agreement, agreement
from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.recipes.published import ERROR_KINDS, Published
from otbench.report.results import RunResults
from otbench.report.summary import Summary, summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table
from otbench.report.tables.run import said_of
from otbench.statistics.holm import holm

AGREES, DIFFERS, UNLIKE, MISSING = "agrees", "differs", "unlike: not tested", "not measured"
TESTED = (AGREES, DIFFERS)


@dataclass(frozen=True)
class Finding:
    """A published figure as one run measured it: metric with its features, seeds, why it is unlike (empty where it is
    like), and, where it is like, the test and its p-value after Holm's correction.
    """

    metric: str
    summary: Summary
    reasons: tuple[str, ...]
    test: Agreement | None = None
    adjusted: float = math.nan

    @property
    def verdict(self) -> str:
        """One of AGREES, DIFFERS, UNLIKE."""
        if self.test is None:
            return UNLIKE
        return DIFFERS if self.adjusted < LEVEL else AGREES


@dataclass(frozen=True)
class Entry:
    """A published figure, its study (None where the run has not its data set), and what each run found."""

    record: Published
    comparison: Comparison | None
    found: dict[str, Finding] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Of this run where it is like, else of the reference; else UNLIKE, or MISSING where no run measured it."""
        tested = [finding.verdict for finding in self.found.values() if finding.test]
        return tested[-1] if tested else UNLIKE if self.found else MISSING


def entries(comparisons: list[Comparison]) -> list[Entry]:
    """One entry a published figure, tested where it is like; Holm's correction is over all tests.

    Args:
        comparisons: Studies of a run.

    Returns:
        The entries, in the order of the file of published figures.
    """
    records = dict.fromkeys(record for comparison in comparisons for record in comparison.published)
    ledger = [_entry(record, comparisons) for record in records]
    tests = [
        (at, label, finding)
        for at, entry in enumerate(ledger)
        for label, finding in entry.found.items()
        if finding.test
    ]
    adjusted = holm(np.array([finding.test.p for _, _, finding in tests if finding.test]))
    for (at, label, finding), p in zip(tests, adjusted, strict=True):
        ledger[at].found[label] = replace(finding, adjusted=float(p))
    return ledger


def counts(held: list[Entry]) -> dict[str, int]:
    """Number of published figures by verdict.

    Args:
        held: Entries of the ledger.

    Returns:
        `all`, `like`, and one for each verdict.
    """
    verdicts = [entry.verdict for entry in held]
    by_verdict = {verdict: verdicts.count(verdict) for verdict in (AGREES, DIFFERS, UNLIKE, MISSING)}
    return by_verdict | {"all": len(verdicts), "like": by_verdict[AGREES] + by_verdict[DIFFERS]}


def said(held: list[Entry]) -> str:
    """The counts in words, with which run the like figures were tested on.

    Args:
        held: Entries of the ledger.

    Returns:
        One clause, without a full stop.
    """
    number = counts(held)
    tested = dict.fromkeys(label for entry in held for label, finding in entry.found.items() if finding.test)
    where = f", measured in {' and '.join(label if 'run' in label else f'the {label}' for label in tested)}"
    return (
        f"{number['all']} published figures: {number['like']} like{where if tested else ''} ({number[AGREES]} agree, "
        f"{number[DIFFERS]} differ), {number[UNLIKE]} unlike, {number[MISSING]} not measured"
    )


def ledger_table(comparisons: list[Comparison]) -> Table | None:
    """The ledger, a row a published figure.

    Args:
        comparisons: Studies of a run.

    Returns:
        The table, figures that differ first; None where there is no published figure.
    """
    ledger = entries(comparisons)
    if not ledger:
        return None
    labels = list(dict.fromkeys(label for comparison in comparisons for label in comparison.runs))
    order = (DIFFERS, AGREES, UNLIKE, MISSING)
    rows = tuple(_row(entry, labels) for entry in sorted(ledger, key=lambda entry: order.index(entry.verdict)))
    columns = [
        Column("dataset", "Data set", align="l"),
        Column("model", "Model", align="l"),
        Column("metric", "Metric", align="l"),
        Column("published", "value", "Published"),
        Column("kind", "± is", "Published", "l"),
    ]
    for label in labels:
        key = label.replace(" ", "_")
        columns += [Column(key, "mean ± se", label), Column(f"{key}_verdict", "verdict", label, "l")]
    columns.append(Column("why", "Why", align="l"))
    caption = (
        f"{said(ledger)}. A figure is like where data set, set-up, features, number of samples and budget "
        "are the paper's, the figure is certain and its error is of a known kind; only these are tested, by Welch's t "
        "test from the printed statistics (one seed: as one more trial of the paper), at 5 % after Holm's correction "
        "over the ledger. ± of a published figure: se (standard error), sd (of one trial) or a range, of so many "
        "trials; †: uncertain. In brackets: seeds. Failing to differ is no proof of agreement where seeds are few. "
        f"{said_of(comparisons)}"
    )
    return Table("ledger", "Ledger of published figures", caption, tuple(columns), rows, row_head="Published in")


def _entry(record: Published, comparisons: list[Comparison]) -> Entry:
    for comparison in comparisons:
        if any(record.dataset in run.datasets for run in comparison.runs.values()):
            return Entry(record, comparison, dict(_findings(record, comparison)))
    return Entry(record, None)


def _findings(record: Published, comparison: Comparison) -> Iterator[tuple[str, Finding]]:
    for label, run in comparison.runs.items():
        metric = _key(record, comparison, run)
        summary = summarise(run, record.dataset, record.model, metric)
        if not summary.n:
            continue
        reasons = tuple(_reasons(record, comparison, run, metric, summary))
        test = None if reasons else agreement(record, summary)
        if not reasons and test is None:
            reasons = ("too few seeds or trials for a test",)
        yield label, Finding(metric, summary, reasons, test)


def _key(record: Published, comparison: Comparison, run: RunResults) -> str:
    """The metric on the published features where the run has it for the model, else on those it has."""
    published = comparison.study.published_key(record.metric)
    keys = [published, *(run.key(record.dataset, record.metric, network) for network in NETWORKS), record.metric]
    return next((key for key in keys if summarise(run, record.dataset, record.model, key).n), published)


def _reasons(record: Published, comparison: Comparison, run: RunResults, metric: str, own: Summary) -> Iterator[str]:
    """Why the two are unlike, in words; nothing where they are like."""
    study = comparison.study
    if (record.paper, record.table) not in study.same_setup:
        yield f"another set-up: {record.setup}"
    published = study.published_key(record.metric)
    if metric != published:
        yield f"published on {_features(published)}, measured on {_features(metric)}"
    yield from _samples(record, run.protocol(record.dataset, metric))
    yield from _budget(run, record.dataset, record.model)
    left = {status: own.counts.get(status, 0) for status in ("diverged", "failed")}
    if any(left.values()):
        yield "the mean leaves out " + " and ".join(f"{number} {status}" for status, number in left.items() if number)
    if not record.certain:
        yield f"published figure uncertain: {record.note or 'not read in its source'}"
    if record.error_kind not in ("se", "sd"):
        yield {"none": "no error published"}.get(record.error_kind, ERROR_KINDS[record.error_kind])


def _features(metric: str) -> str:
    network = metric.partition("@")[2]
    return NETWORKS.get(network, network or "no features")


def _samples(record: Published, protocol: str) -> Iterator[str]:
    match = re.search(r"\bn_generated=(\d+)", protocol)
    measured = int(match[1]) if match else None
    if record.n_samples is None:
        yield "number of samples not published"
    elif measured is None:
        yield "number of samples not in the protocol"
    elif measured != record.n_samples:
        yield f"{record.n_samples:,} samples published, {measured:,} measured"


def _budget(run: RunResults, dataset: str, model: str) -> Iterator[str]:
    """How the model's budget differs from the paper's; a model without steps always has its full budget."""
    about = run.info["models"].get(model, {})
    paper = run.paper_steps(dataset, model)
    if "paper_steps" in about and not paper:
        return
    steps = run.steps(dataset, model)
    if paper and steps != paper:
        yield f"{steps:,.0f} of the paper's {paper:,.0f} steps"
    elif not paper and run.small:
        yield "small budget"


def _row(entry: Entry, labels: list[str]) -> Row:
    record, comparison = entry.record, entry.comparison
    place = comparison.dataset_title(record.dataset) if comparison else record.dataset
    model = comparison.title(record.model) if comparison else record.model
    metric = comparison.study.published_key(record.metric) if comparison else record.metric
    label = comparison.full(metric) if comparison else metric_label(metric).label
    cells = [Cell(place, {"": record.dataset}), Cell(model, {"": record.model}), Cell(label, {"": metric})]
    cells += [_value(record, metric_label(metric).factor), _kind(record)]
    for label in labels:
        cells += _found(entry.found.get(label))
    name = "/".join((record.paper, record.table, record.dataset, record.model, record.metric))
    return Row(name, record.source, entry.verdict, (*cells, _why(entry)))


def _value(record: Published, scale: int) -> Cell:
    error = None if record.error is None else str(record.error)
    raw = {"": str(record.value), "_error": error, "_n_samples": record.n_samples, "_setup": record.setup}
    return Cell(record.text(scale) + ("" if record.certain else " †"), raw)


def _kind(record: Published) -> Cell:
    trials = f" of {record.n_trials}" if record.n_trials else ""
    kind = {"none": "not given", "unstated": "not stated"}.get(record.error_kind, record.error_kind)
    return Cell(kind + trials, {"": record.error_kind, "_trials": record.n_trials})


def _found(one: Finding | None) -> tuple[Cell, Cell]:
    if one is None:
        return ABSENT, Cell(MISSING, {"": MISSING}, kind="absent")
    summary, raw = one.summary, {"": one.verdict}
    number = metric_label(one.metric).number(summary.mean, summary.error)
    measured = Cell(f"{number} ({summary.n})", {"": summary.mean, "_error": summary.error, "_n": summary.n})
    if one.test is None:
        return measured, Cell(UNLIKE, raw, kind="absent")
    raw |= {"_test": one.test.test, "_statistic": one.test.statistic, "_p": one.test.p, "_p_holm": one.adjusted}
    return measured, Cell(one.verdict, raw, kind="trouble" if one.verdict == DIFFERS else "good")


def _why(entry: Entry) -> Cell:
    """The reasons or the test of each run; those that all runs share come first, once."""
    if not entry.found:
        return ABSENT if entry.comparison else Cell("data set not in the run", {})
    statements = {label: finding.reasons or (_tested(finding),) for label, finding in entry.found.items()}
    shared = [text for text in next(iter(statements.values())) if all(text in texts for texts in statements.values())]
    parts = ["; ".join(shared)] if shared else []
    for label, texts in statements.items():
        rest = "; ".join(text for text in texts if text not in shared)
        parts += [f"{label}: {rest}"] if rest and len(statements) > 1 else [rest] if rest else []
    return Cell(". ".join(part[:1].upper() + part[1:] for part in parts), {})


def _tested(one: Finding) -> str:
    if one.test is None:
        return ""
    seeds = f"{one.summary.n} seed" + ("s" if one.summary.n > 1 else "")
    away = one.test.trials_away
    spread = "" if math.isnan(away) else f"; {away:.1f} standard deviations of one published trial away"
    side = "" if math.isnan(away) else ", inside its scatter" if away <= 2 else ", outside its scatter"
    p = "p < 0.001" if one.adjusted < 0.001 else f"p = {one.adjusted:.3f}"
    return f"{one.test.test} test, {seeds}: {p} after Holm{spread}{side}"
