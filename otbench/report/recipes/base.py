"""What a study is to the report: which models stand in which order, which metrics are columns, what stands beside them.

A recipe holds no numbers of a run; those come from a gathered run and from the published figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from otbench.metrics import METRICS
from otbench.report.recipes.published import Published

# The controls that a metric is there to rank below held-out real data, where neither recipe nor metric says which.
BOTH = frozenset({"collapsed", "noise"})


@dataclass(frozen=True)
class RowSpec:
    """Where a model stands in a table: its name, its block (a key of the recipe's `blocks`)."""

    model: str
    block: str


@dataclass(frozen=True)
class Group:
    """A block of rows: its key, its models in order, and whether a model that is only published has a row too."""

    block: str
    models: tuple[str, ...]
    published: bool = False


@dataclass(frozen=True)
class Columns:
    """A table of every data set: the end of its file name, its title, its metrics, the features they were taken on.

    features: `inception`, `classifier`, or empty where the metrics know no features. blocks: those of the table's rows,
    controls apart; none: all.
    """

    name: str
    title: str
    metrics: tuple[str, ...]
    features: str = ""
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One study of the report.

    name, title: on disk and for people. kind: what its data sets hold, `points` or `images`. datasets: their order.
    groups: the blocks of rows in order; a model of no group joins the group `further`. blocks: the titles of blocks.
    controls: in order. unranked: models that are no controls and are not to be ranked either (reconstructions).
    titles, data_titles, short: names of models and data sets, short names of metrics. tables: those of every data set.
    table_titles: file name -> title where it is another. questions: metric -> question of the first screen.
    citations: paper -> reference.
    same_setup, other_setup: (paper, table) of published figures that may stand beside this study's, and of those from
    another set-up, shown apart. published_features: the features that the published figures were taken on.
    must_see: metric -> the controls that it is there to rank below held-out real data. alarms: metrics that are only to
    tell a memoriser from held-out data -> the side on which held-out data stand. inner: metrics of a model's own parts,
    which controls do not have.
    budget_metrics: those that decide whether a row had settled; they are measured at every snapshot.
    empty_rows: whether a row without any number is shown. ceiling: (model, metric) of a published figure that is better
    than true samples reach. why_ceiling, why_floor, why_memoriser: paragraphs for the page.
    """

    name: str
    title: str
    kind: str
    datasets: tuple[str, ...]
    groups: tuple[Group, ...]
    blocks: dict[str, str]
    controls: tuple[str, ...]
    tables: tuple[Columns, ...]
    questions: dict[str, str]
    titles: dict[str, str] = field(default_factory=dict)
    data_titles: dict[str, str] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)
    unranked: tuple[str, ...] = ()
    table_titles: dict[str, str] = field(default_factory=dict)
    same_setup: tuple[tuple[str, str], ...] = ()
    other_setup: tuple[tuple[str, str], ...] = ()
    published_features: str = ""
    citations: dict[str, str] = field(default_factory=dict)
    must_see: dict[str, frozenset[str]] = field(default_factory=dict)
    copy_alarms: dict[str, str] = field(default_factory=dict)
    internal_metrics: tuple[str, ...] = ()
    budget_metrics: tuple[str, ...] = ()
    empty_rows: bool = True
    ceiling: tuple[str, str] = ("", "")
    why_ceiling: str = ""
    why_floor: str = ""
    why_memoriser: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics of the tables, without features, each once, in order."""
        return tuple(dict.fromkeys(metric for table in self.tables for metric in table.metrics))

    @property
    def headline(self) -> tuple[str, ...]:
        """The metrics of the first table."""
        return self.tables[0].metrics

    def must_rank(self, metric: str) -> frozenset[str]:
        """Controls that the metric must rank below held-out real data.

        Args:
            metric: Name of the metric, with or without `@network`.

        Returns:
            Names of the controls.
        """
        base = metric.partition("@")[0]
        default = frozenset(METRICS[base].must_see) if base in METRICS else BOTH
        return self.must_see.get(base, default)

    def rows(self, models: list[str], controls: list[str], published: list[str]) -> list[RowSpec]:
        """Order of rows for the models of a run, of its reference and of the papers' tables.

        Args:
            models: All models to show.
            controls: Those of them that are controls.
            published: Models that have a published figure of the same set-up.

        Returns:
            Models with their blocks, controls last.
        """
        listed = {*(model for group in self.groups for model in group.models), *self.controls}
        strange = [model for model in models if model not in listed]
        rows: list[RowSpec] = []
        for group in self.groups:
            members = [model for model in group.models if model in models or (group.published and model in published)]
            rows += [RowSpec(model, group.block) for model in members]
            if group.block == "further":
                rows += [RowSpec(model, "further") for model in strange if model not in controls]
        rows += [RowSpec(model, "control") for model in self.controls if model in models]
        return rows + [RowSpec(model, "control") for model in strange if model in controls]

    def ordered(self, datasets: list[str]) -> list[str]:
        """Data sets in the order of the study, others after them.

        Args:
            datasets: Names of the data sets.

        Returns:
            The same names in order.
        """
        return [name for name in self.datasets if name in datasets] + [
            name for name in datasets if name not in self.datasets
        ]

    def published_for(self, records: list[Published], dataset: str) -> dict[tuple[str, str], Published]:
        """Published figures that may stand beside this study's, of the same data and set-up.

        Args:
            records: All published figures.
            dataset: Name of the data set.

        Returns:
            (model, metric) -> figure; where the study has features, the metric carries those of the published figure.
        """
        chosen = [
            record
            for record in records
            if record.dataset == dataset and (record.paper, record.table) in self.same_setup
        ]
        return {(record.model, self.published_key(record.metric)): record for record in chosen}

    def published_key(self, metric: str) -> str:
        """Published metric with the features that it was taken on.

        Args:
            metric: Name of the metric, without features.

        Returns:
            `metric@network` where the study takes the metric on features, else `metric`.
        """
        featured = {name for table in self.tables if table.features for name in table.metrics}
        return f"{metric}@{self.published_features}" if metric in featured else metric

    def published_elsewhere(self, records: list[Published], dataset: str) -> list[Published]:
        """Published figures of the same data set under another set-up, never to be mixed with the others.

        Args:
            records: All published figures.
            dataset: Name of the data set.

        Returns:
            The figures, in the order of `records`.
        """
        return [
            record
            for record in records
            if record.dataset == dataset and (record.paper, record.table) in self.other_setup
        ]
