"""The headline tables: published, reference and this run side by side, with what true samples reach."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from otbench.report.budget import Budget, budgets, left_out
from otbench.report.floors import floor
from otbench.report.labels import INCEPTION, NETWORKS, lower_first, metric_label, points_in
from otbench.report.recipes.base import Recipe, RowSpec
from otbench.report.recipes.mode_collapse import RECIPE
from otbench.report.recipes.published import Published
from otbench.report.results import RunResults
from otbench.report.summary import standing, summarise
from otbench.statistics.best import AgainstBest

MANY, FEW = 14, 8
"""Most models that share a figure; where there are more, most that blocks of a table may have to share one."""


@dataclass(frozen=True)
class Comparison:
    """One study of a run, the reference it is set beside (None where there is none or the run is it), the published
    figures, and the study's recipe; shorts: references at a part of the budget, for what the reference lacks.
    """

    run: RunResults
    reference: RunResults | None
    published: tuple[Published, ...]
    is_reference: bool = False
    study: Recipe = RECIPE
    shorts: tuple[RunResults, ...] = ()

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
    def runs(self) -> dict[str, RunResults]:
        """Label of a column -> the run that fills it, the reference first."""
        return ({"reference": self.reference} if self.reference else {}) | {self.label: self.run}

    @property
    def datasets(self) -> list[str]:
        """The data sets of this run in the study's order."""
        return self.study.ordered(self.run.datasets)

    def published_for(self, dataset: str) -> dict[tuple[str, str], Published]:
        """Published figures of the same set-up, for metrics that a run measured likewise.

        Args:
            dataset: Name of the data set.

        Returns:
            (model, metric) -> published figure.
        """
        figures = self.study.published_for(list(self.published), dataset)
        if not self.study.published_features:
            return figures
        return {key: figure for key, figure in figures.items() if self.has(dataset, key[1])}

    def rows(self, dataset: str) -> list[RowSpec]:
        """Rows of a data set's tables.

        Args:
            dataset: Name of the data set.

        Returns:
            Models with their blocks, in the study's order.
        """
        models = [model for run in self.runs.values() for where, model in run.cells if where == dataset]
        models = list(dict.fromkeys(models))
        return self.study.rows(models, sorted(self.controls), [model for model, _ in self.published_for(dataset)])

    def title(self, model: str) -> str:
        """Title of a model.

        Args:
            model: Name of the model.

        Returns:
            Title as a run gives it, else as the papers name the model.
        """
        for run in reversed(self.runs.values()):
            if run.info["models"].get(model, {}).get("title"):
                return run.title("models", model)
        return self.study.titles.get(model, model)

    def dataset_title(self, dataset: str) -> str:
        """Title of a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            Title as the run gives it, else as the study names the data set.
        """
        title = self.run.info["datasets"].get(dataset, {}).get("title")
        return str(title or self.study.data_titles.get(dataset, dataset))

    def short(self, metric: str) -> str:
        """Short name of a metric, without the features that a table is about.

        Args:
            metric: Name of the metric, with or without `@network`.

        Returns:
            Name for headings with little room.
        """
        base, _, network = metric.partition("@")
        if network == "inception" and base in INCEPTION:
            return INCEPTION[base]
        return self.study.short.get(base, metric_label(base).label)

    def full(self, metric: str) -> str:
        """Full name of a metric, with its features.

        Args:
            metric: Name of the metric, with or without `@network`.

        Returns:
            Name for places where nothing else states the features.
        """
        base, _, network = metric.partition("@")
        if not network or (network == "inception" and base in INCEPTION):
            return self.short(metric)
        return f"{self.short(base)}, {NETWORKS.get(network, network)}"

    @cached_property
    def unranked(self) -> set[str]:
        """Controls, and what the study does not rank."""
        return self.controls | set(self.study.unranked)

    def generative(self, dataset: str) -> list[str]:
        """Models of this run on the data set that are to be ranked.

        Args:
            dataset: Name of the data set.

        Returns:
            Names of the models, in the study's order.
        """
        return [
            place.model
            for place in self.rows(dataset)
            if place.model not in self.unranked and (dataset, place.model) in self.run.cells
        ]

    def budgets(self, dataset: str, run: RunResults | None = None) -> dict[str, Budget]:
        """The verdict on the budget of every row of the data set.

        Args:
            dataset: Name of the data set.
            run: The run, or the reference; default: the run.

        Returns:
            Model -> verdict, which the run remembers.
        """
        run = self.run if run is None else run
        key = ("budgets", self.study.name, dataset)
        if key not in run.memo:
            run.memo[key] = budgets(run, self.study, dataset, self.controls)
        return run.memo[key]

    def compared(self, dataset: str, run: RunResults | None = None) -> list[str]:
        """Models that best marks, ties, ranks and answers are about: the ranked ones whose budget is not too small.

        Args:
            dataset: Name of the data set.
            run: The run, or the reference; default: the run.

        Returns:
            Names of the models, in the study's order.
        """
        found = self.budgets(dataset, run)
        models = [place.model for place in self.rows(dataset) if place.model not in self.unranked]
        return [model for model in models if model in found and found[model].compared]

    def left_out(
        self,
        dataset: str,
        models: Collection[str] | None = None,
        run: RunResults | None = None,
        said: str = "",
        unknown: bool = True,
    ) -> list[str]:
        """Sentences on the ranked models that are not compared, and on those whose budget nothing can be said of.

        Args:
            dataset: Name of the data set.
            models: Those to name; default: all.
            run: The run, or the reference; default: the run.
            said: What stands before a sentence.
            unknown: Whether to name rows whose budget nothing can be said of.

        Returns:
            At most two sentences.
        """
        names = [place.model for place in self.rows(dataset) if place.model not in self.unranked]
        titles = {model: self.title(model) for model in names if models is None or model in models}
        return left_out(self.budgets(dataset, run), titles, said, unknown)

    def families(self, dataset: str) -> list[tuple[str, str, list[str]]]:
        """Parts that a figure of all ranked models is drawn in.

        Args:
            dataset: Name of the data set.

        Returns:
            (key, title, models) of every part: one without a key or title where there are few models, else neighbouring
            blocks of the table, together as long as they stay small.
        """
        blocks: dict[str, list[str]] = {}
        ranked = self.generative(dataset)
        for place in self.rows(dataset):
            if place.model in ranked:
                blocks.setdefault(place.block, []).append(place.model)
        if len(ranked) <= MANY:
            return [("", "", ranked)]
        parts: list[tuple[str, str, list[str]]] = []
        for block, models in blocks.items():
            title = self.study.blocks[block]
            if parts and len(parts[-1][2]) + len(models) <= FEW:
                key, before, members = parts[-1]
                parts[-1] = (key, f"{before}; {lower_first(title)}", members + models)
            else:
                parts.append((block, title, models))
        return parts

    def standing(self, dataset: str, metric: str) -> AgainstBest | None:
        """This run's compared models on the data set beside the best of them.

        Args:
            dataset: Name of the data set.
            metric: Metric as measured, with `@network` where it has features.

        Returns:
            The comparison with the best model; None where there is none.
        """
        key = ("standing", dataset, metric)
        if key not in self.run.memo:
            summaries = {model: summarise(self.run, dataset, model, metric) for model in self.compared(dataset)}
            self.run.memo[key] = standing(summaries, metric, floor(self.run, dataset, metric))
        return self.run.memo[key]

    def key(self, dataset: str, metric: str, features: str = "") -> str:
        """The metric as a run of the comparison measured it.

        Args:
            dataset: Name of the data set.
            metric: Name of the metric, without features.
            features: Network of the features; empty for none.

        Returns:
            `metric@features` where a run has such values, else `metric`.
        """
        keys = [run.key(dataset, metric, features) for run in self.runs.values()]
        return next((key for key in keys if key != metric), metric)

    def main_key(self, dataset: str, metric: str) -> str:
        """The metric with the best features that this run measured it with.

        Args:
            dataset: Name of the data set.
            metric: Name of the metric, without features.

        Returns:
            The metric with Inception's features, a classifier's, or none.
        """
        keys = [self.run.key(dataset, metric, features) for features in ("inception", "classifier")]
        return next((key for key in keys if key != metric), metric)

    def has(self, dataset: str, metric: str) -> bool:
        """Whether a run measured the metric on the data set.

        Args:
            dataset: Name of the data set.
            metric: Metric as measured, with `@network` where it has features; `seconds` is always there.

        Returns:
            True where this run or the reference has values.
        """
        if metric == "seconds":
            return True
        return any((dataset, metric) in run.protocols for run in self.runs.values())

    def said(self, dataset: str, metrics: tuple[str, ...] | list[str], own: bool = False) -> str:
        """Caption of run, budget, seeds and number of points.

        Args:
            dataset: Name of the data set.
            metrics: Metrics whose protocols state the number of points; empty leaves it out.
            own: Whether this run alone is described, without the reference.

        Returns:
            The sentences.
        """
        parts = []
        for label, run in ({self.label: self.run} if own else self.runs).items():
            counts = sorted({len(seeds) for (where, _), seeds in run.cells.items() if where == dataset})
            if counts:
                number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
                plural = "" if counts[-1] == 1 else "s"
                parts.append(f"{_capital(label)}: {run.name} ({run.budget}; {number} seed{plural})")
        points = [points_in(self.run.protocol(dataset, metric)) for metric in metrics]
        points = sorted({count for count in points if count})
        if points:
            parts.append(f"n = {' or '.join(points)} generated {self.study.kind}")
        return ". ".join(parts) + "."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _control(about: object) -> bool:
    return isinstance(about, dict) and bool(about.get("control"))
