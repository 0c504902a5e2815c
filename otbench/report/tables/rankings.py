"""Average ranks of the models over the data sets of a study, question by question."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.floors import floor, mirrored
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.summary import summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table
from otbench.statistics.ranks import Ranks, rank

ENOUGH = 5
"""Data sets below which nothing is ranked: the seeds of few data sets are not independent blocks, and Friedman's test
finds too much in them."""


@dataclass(frozen=True)
class Ranking:
    """The ranks of one question's metric.

    name, label: the metric. models: those ranked, in the order of `ranks`; a block is a data set. left_out: titles of
    the models that a block lacks. said: what was run.
    """

    name: str
    label: str
    models: tuple[str, ...]
    ranks: Ranks
    datasets: tuple[str, ...]
    left_out: tuple[str, ...]
    said: str

    @property
    def blocks(self) -> str:
        """What a block is."""
        return f"Rank 1 is the best, averaged over {self.ranks.blocks} data sets (means over seeds). "

    @property
    def test(self) -> str:
        """What Friedman's test and Nemenyi's say, and who was left out."""
        p, critical = self.ranks.p, self.ranks.critical
        friedman = "not defined" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        text = f"Friedman's test: {friedman}; Nemenyi's critical difference at 5 %: {critical:.2f}. "
        return text + (f"Left out, as a block lacks them: {', '.join(self.left_out)}. " if self.left_out else "")

    @property
    def caption(self) -> str:
        """What the ranks are of, and what the tests say."""
        bars = "Models joined by a bar do not differ significantly with these data sets. "
        return self.blocks + self.test + bars + self.said


def rankings(comparison: Comparison) -> list[Ranking]:
    """A ranking for every question whose metric all data sets have.

    Args:
        comparison: Study of a run.

    Returns:
        The rankings; none where there are fewer than ENOUGH data sets.
    """
    key = ("rankings",)
    if key not in comparison.run.memo:
        candidates = [_ranking(comparison, name) for name in comparison.study.questions]
        comparison.run.memo[key] = [ranking for ranking in candidates if ranking is not None]
    return comparison.run.memo[key]


def _ranking(comparison: Comparison, name: str) -> Ranking | None:
    run, datasets = comparison.run, comparison.datasets
    keys = {dataset: comparison.main_key(dataset, name) for dataset in datasets}
    direction = metric_label(name).direction
    measured = all((dataset, key) in run.protocols for dataset, key in keys.items())
    if len(datasets) < ENOUGH or direction == "none" or not measured:
        return None
    figures = _means(comparison, keys)
    models = [model for model in figures if figures[model]]
    blocks = [dataset for dataset in datasets if 2 * sum(dataset in figures[model] for model in models) >= len(models)]
    included = [model for model in models if all(block in figures[model] for block in blocks)]
    if len(blocks) < ENOUGH or len(included) < 2:
        return None
    ranks = rank(np.array([[figures[model][block] for model in included] for block in blocks]), direction)
    networks = dict.fromkeys(key.partition("@")[2] for key in keys.values())
    on = " and ".join(NETWORKS.get(network, network) for network in networks if network)
    label = comparison.full(next(iter(keys.values()))) if len(networks) == 1 else f"{comparison.short(name)}, {on}"
    left = tuple(comparison.title(model) for model in models if model not in included)
    note = " ".join(dict.fromkeys(comparison.said(dataset, [keys[dataset]], own=True) for dataset in datasets))
    return Ranking(name, label, tuple(included), ranks, tuple(datasets), left, note)


def _means(comparison: Comparison, keys: dict[str, str]) -> dict[str, dict[str, float]]:
    """Model -> data set -> mean over seeds, where its budget lets it be compared; see `floors.mirrored`."""
    by_model: dict[str, dict[str, float]] = {}
    for dataset, key in keys.items():
        ideal, direction = floor(comparison.run, dataset, key), metric_label(key).direction
        compared = comparison.compared(dataset)
        for model in comparison.generative(dataset):
            summary = summarise(comparison.run, dataset, model, key)
            means = by_model.setdefault(model, {})
            if model in compared and summary.n and not math.isnan(summary.mean):
                means[dataset] = float(np.mean(mirrored(summary.values, ideal, direction)))
    return by_model


def ranking_table(comparison: Comparison) -> Table | None:
    """The average ranks, a row a model, a column a question.

    Args:
        comparison: Study of a run.

    Returns:
        The table; None without a ranking.
    """
    ranks = rankings(comparison)
    if not ranks:
        return None
    places = {
        place.model: comparison.study.blocks[place.block]
        for where in ranks[0].datasets
        for place in comparison.rows(where)
    }
    best = [float(np.min(ranking.ranks.average)) for ranking in ranks]
    rows = []
    for model, block in places.items():
        if any(model in ranking.models for ranking in ranks):
            cells = tuple(_cell(ranking, model, least) for ranking, least in zip(ranks, best, strict=True))
            rows.append(Row(model, comparison.title(model), block, cells))
    columns = tuple(Column(ranking.name, ranking.label, "Average rank") for ranking in ranks)
    notes = [f"{ranking.label}: {ranking.test.strip()}" for ranking in ranks]
    same = len({ranking.blocks for ranking in ranks}) == 1
    notes = notes if same else [f"{note} {ranking.blocks.strip()}" for note, ranking in zip(notes, ranks, strict=True)]
    caption = (
        f"{ranks[0].blocks if same else ''}Bold: the best average rank; n.s.: not significantly behind it by Nemenyi's "
        f"critical difference; –: not ranked. {ranks[0].said}"
    )
    title = f"{comparison.study.title}: average ranks over data sets"
    return Table(f"{comparison.study.name}_ranks", title, caption, columns, tuple(rows), tuple(notes))


def _cell(one: Ranking, model: str, least: float) -> Cell:
    if model not in one.models:
        return ABSENT
    value = float(one.ranks.average[one.models.index(model)])
    near = value != least and value - least <= one.ranks.critical
    return Cell(f"{value:.2f}{' n.s.' if near else ''}", {"": value}, strong=value == least)
