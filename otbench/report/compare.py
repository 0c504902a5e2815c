"""The headline tables: published, reference and this run side by side, with what true samples reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from otbench.report.floors import floor
from otbench.report.gathered import Gathered
from otbench.report.published import ERROR_KINDS, Published
from otbench.report.registry import INCEPTION, NETWORKS, points_in, shown
from otbench.report.summary import Standing, Summary, standing, summarise
from otbench.report.tables import ABSENT, Cell, Column, Row, Table, measured, seeds
from otbench.studies.base import Columns, Place, Recipe
from otbench.studies.mode_collapse import RECIPE

MANY, FEW = 14, 8
"""Most models that share a figure; where there are more, most that blocks of a table may have to share one."""

BEST = (
    "Bold: the best generative model by its mean; ≈: not told apart from it at 5 %, corrected for the number of tests "
    "(Holm), by a paired permutation test over seeds or, where these are too few for it, Welch's t test."
)


@dataclass(frozen=True)
class Comparison:
    """One study of a run, the reference it is set beside (None where there is none or the run is it), the published
    figures, and the study's recipe.
    """

    run: Gathered
    reference: Gathered | None
    published: tuple[Published, ...]
    is_reference: bool = False
    study: Recipe = RECIPE

    @property
    def label(self) -> str:
        """What the run's own column is called."""
        return "reference" if self.is_reference else "this run"

    @cached_property
    def controls(self) -> set[str]:
        """The models that are controls, in either run."""
        marked = {name for run in self.runs.values() for name, about in run.info["models"].items() if _control(about)}
        return marked | set(self.study.controls)

    @property
    def runs(self) -> dict[str, Gathered]:
        """Label of a column -> the run that fills it, the reference first."""
        return ({"reference": self.reference} if self.reference else {}) | {self.label: self.run}

    @property
    def datasets(self) -> list[str]:
        """The data sets of this run in the study's order."""
        return self.study.ordered(self.run.datasets)

    def beside(self, dataset: str) -> dict[tuple[str, str], Published]:
        """(model, metric) -> the published figure of the same set-up, for metrics that a run measured likewise."""
        found = self.study.beside(list(self.published), dataset)
        if not self.study.published_features:
            return found
        return {key: one for key, one in found.items() if self.has(dataset, key[1])}

    def places(self, dataset: str) -> list[Place]:
        """The rows of a data set's tables."""
        models = [model for run in self.runs.values() for where, model in run.cells if where == dataset]
        models = list(dict.fromkeys(models))
        return self.study.places(models, sorted(self.controls), [model for model, _ in self.beside(dataset)])

    def title(self, model: str) -> str:
        """A model's title: as a run gives it, else as the papers name it."""
        for run in reversed(self.runs.values()):
            if run.info["models"].get(model, {}).get("title"):
                return run.title("models", model)
        return self.study.titles.get(model, model)

    def place(self, dataset: str) -> str:
        """A data set's title: as the run gives it, else as the study names it."""
        own = self.run.info["datasets"].get(dataset, {}).get("title")
        return str(own or self.study.data_titles.get(dataset, dataset))

    def short(self, metric: str) -> str:
        """What a metric is called where there is little room, without the features that a table is about."""
        base, _, network = metric.partition("@")
        if network == "inception" and base in INCEPTION:
            return INCEPTION[base]
        return self.study.short.get(base, shown(base).label)

    def full(self, metric: str) -> str:
        """What a metric is called where nothing else says its features."""
        base, _, network = metric.partition("@")
        if not network or (network == "inception" and base in INCEPTION):
            return self.short(metric)
        return f"{self.short(base)}, {NETWORKS.get(network, network)}"

    @cached_property
    def unranked(self) -> set[str]:
        """Controls, and what the study does not rank."""
        return self.controls | set(self.study.unranked)

    def generative(self, dataset: str) -> list[str]:
        """The models of this run on the data set that are to be ranked, in the study's order."""
        return [
            place.model
            for place in self.places(dataset)
            if place.model not in self.unranked and (dataset, place.model) in self.run.cells
        ]

    def families(self, dataset: str) -> list[tuple[str, str, list[str]]]:
        """(key, title, models) of the parts that a figure of all ranked models is drawn in: one without a key or title
        where there are few models, else neighbouring blocks of the table, together as long as they stay small.
        """
        blocks: dict[str, list[str]] = {}
        ranked = self.generative(dataset)
        for place in self.places(dataset):
            if place.model in ranked:
                blocks.setdefault(place.block, []).append(place.model)
        if len(ranked) <= MANY:
            return [("", "", ranked)]
        found: list[tuple[str, str, list[str]]] = []
        for block, models in blocks.items():
            title = self.study.blocks[block]
            if found and len(found[-1][2]) + len(models) <= FEW:
                key, before, kept = found[-1]
                found[-1] = (key, f"{before}; {title[:1].lower()}{title[1:]}", kept + models)
            else:
                found.append((block, title, models))
        return found

    def standing(self, dataset: str, metric: str) -> Standing | None:
        """The best of this run's ranked models on the data set, and the tests against it; None where there is none."""
        key = ("standing", dataset, metric)
        if key not in self.run.memo:
            held = {model: summarise(self.run, dataset, model, metric) for model in self.generative(dataset)}
            self.run.memo[key] = standing(held, metric)
        return self.run.memo[key]

    def key(self, dataset: str, metric: str, features: str = "") -> str:
        """The metric as a run of the comparison measured it: with these features where there are such values."""
        found = [run.key(dataset, metric, features) for run in self.runs.values()]
        return next((key for key in found if key != metric), metric)

    def main_key(self, dataset: str, metric: str) -> str:
        """The metric with the best features that this run measured it with: Inception's, a classifier's, or none."""
        keys = [self.run.key(dataset, metric, features) for features in ("inception", "classifier")]
        return next((key for key in keys if key != metric), metric)

    def has(self, dataset: str, metric: str) -> bool:
        """Whether a run measured the metric on the data set."""
        if metric == "seconds":
            return True
        return any((dataset, metric) in run.protocols for run in self.runs.values())

    def said(self, dataset: str, metrics: tuple[str, ...] | list[str], own: bool = False) -> str:
        """Run, budget, seeds and number of points, for a caption; own: of this run alone, without the reference."""
        parts = []
        for label, run in ({self.label: self.run} if own else self.runs).items():
            counts = sorted({len(found) for (where, _), found in run.cells.items() if where == dataset})
            if counts:
                number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
                plural = "" if counts[-1] == 1 else "s"
                parts.append(f"{_capital(label)}: {run.name} ({run.budget}; {number} seed{plural})")
        points = [points_in(self.run.protocol(dataset, metric)) for metric in metrics]
        points = sorted({one for one in points if one})
        if points:
            parts.append(f"n = {' or '.join(points)} generated {self.study.kind}")
        return ". ".join(parts) + "."


def best_of(summaries: dict[str, Summary], metric: str) -> tuple[str | None, list[str]]:
    """The best model by its mean, and the others that are not told apart from it.

    None where no model has a value or the metric has no better side.
    """
    found = standing(summaries, metric)
    return (found.best, found.tied) if found else (None, [])


def comparison_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The tables of one data set, as the recipe wants them."""
    tables = [comparison_table(comparison, dataset, columns) for columns in comparison.study.tables]
    return [table for table in tables if table]


def comparison_table(comparison: Comparison, dataset: str, columns: Columns) -> Table | None:
    """One table of a data set: a row a model, for each metric published | reference | this run; None without one."""
    keys = [comparison.key(dataset, metric, columns.features) for metric in columns.metrics]
    metrics = tuple(key for key in keys if comparison.has(dataset, key))
    if not metrics or metrics == ("seconds",):
        return None
    blocks = (*columns.blocks, "control") if columns.blocks else tuple(comparison.study.blocks)
    places = [place for place in comparison.places(dataset) if place.block in blocks]
    models = {place.model for place in places}
    beside = {key: one for key, one in comparison.beside(dataset).items() if key[0] in models}
    fillers: list[tuple[Column, Callable[[str], Cell]]] = []
    here = {label: run for label, run in comparison.runs.items() if any(where == dataset for where, _ in run.cells)}
    for label, run in here.items():
        fillers.append((Column(f"seeds_{_key(label)}", label, "Seeds"), _seeds(run, dataset)))
    for metric in metrics:
        name, group = metric.partition("@")[0], comparison.short(metric)
        if any(one == metric for _, one in beside):
            fillers.append((Column(f"{name}_published", "published", group), _published(beside, metric)))
        for label, run in here.items():
            column = Column(f"{name}_{_key(label)}", label, group)
            fillers.append((column, _measured(comparison, run, dataset, metric, models)))
    rows = [_row(comparison, place, fillers) for place in places]
    if not comparison.study.empty_rows:
        rows = [row for row in rows if any(cell.kind != "absent" for cell in row.cells[len(here) :])]
    rows += _floor_row(comparison, dataset, [column for column, _ in fillers], metrics)
    caption = f"Mean ± standard error over seeds. {comparison.said(dataset, metrics)} {BEST}"
    notes = _notes(comparison, dataset, metrics, beside)
    name = f"{dataset}_{columns.name}"
    title = f"{comparison.run.title('datasets', dataset)}: {comparison.study.table_titles.get(name, columns.title)}"
    return Table(name, title, caption, tuple(column for column, _ in fillers), tuple(rows), tuple(notes))


def _row(comparison: Comparison, place: Place, fillers: list[tuple[Column, Callable[[str], Cell]]]) -> Row:
    cells = tuple(fill(place.model) for _, fill in fillers)
    return Row(place.model, comparison.title(place.model), comparison.study.blocks[place.block], cells)


def _seeds(run: Gathered, dataset: str) -> Callable[[str], Cell]:
    def fill(model: str) -> Cell:
        return seeds(summarise(run, dataset, model, "seconds"))

    return fill


def _published(beside: dict[tuple[str, str], Published], metric: str) -> Callable[[str], Cell]:
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
        return Cell(record.text(shown(metric).scale) + ("" if record.certain else " †"), raw)

    return fill


def _measured(
    comparison: Comparison, run: Gathered, dataset: str, metric: str, rows: set[str]
) -> Callable[[str], Cell]:
    models = [model for where, model in run.cells if where == dataset and model in rows - comparison.unranked]
    held = {model: summarise(run, dataset, model, metric) for model in models}
    best, equal = best_of(held, metric)

    def fill(model: str) -> Cell:
        one = summarise(run, dataset, model, metric)
        if metric in comparison.study.inner and not one.n and one.counts.get("ok"):
            return ABSENT  # a model without an autoencoder lacks nothing
        strong = best is not None and model in held and one.mean == held[best].mean
        return measured(one, metric, strong, tied=model in equal and not strong)

    return fill


def _floor_row(comparison: Comparison, dataset: str, columns: list[Column], metrics: tuple[str, ...]) -> list[Row]:
    values = {metric: floor(comparison.run, dataset, metric) for metric in metrics}
    if all(math.isnan(value) for value in values.values()):
        return []
    own = {f"{metric.partition('@')[0]}_{_key(comparison.label)}": metric for metric in metrics}
    cells = []
    for column in columns:
        metric = own.get(column.key)
        if metric is None or math.isnan(values[metric]):
            cells.append(ABSENT)
        else:
            cells.append(Cell(shown(metric).number(values[metric]), {"": values[metric]}))
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
        said = kind if records[0].error_kind == "none" else f"± is {kind}"
        notes.append(f"Published, {source}: {said}{trials}. {_capital(records[0].setup)}.")
    doubts: dict[str, dict[str, list[str]]] = {}
    for (model, metric), record in used.items():
        for doubt in [] if record.certain else record.note.split("; "):
            label = shown(metric).label.split(",")[0]
            doubts.setdefault(doubt, {}).setdefault(label, []).append(comparison.title(model))
    for doubt, labels in doubts.items():
        if "AE-OT Table 2" not in doubt:
            said = "; ".join(f"{label} of {', '.join(models)}" for label, models in labels.items())
            notes.append(f"† {_capital(doubt)} ({said}).")
    if any("AE-OT Table 2" in record.note for record in used.values()):
        notes.append(
            "AE-OT Table 2 prints the rows of GAN, ALI, MD and PacGAN as copies of PacGAN Table 1; shown once."
        )
    return notes + (_protocol_notes(comparison, dataset, metrics) if comparison.study.kind == "images" else [])


def _protocol_notes(comparison: Comparison, dataset: str, metrics: tuple[str, ...]) -> list[str]:
    """Where the reference was measured otherwise than this run, which its columns cannot say."""
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _control(about: object) -> bool:
    return isinstance(about, dict) and bool(about.get("control"))
