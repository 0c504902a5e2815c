"""The first screen: which model wins at what, how sure that is, and at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otbench.report.cells import all_cells
from otbench.report.compare import Comparison, best_of
from otbench.report.gathered import STATUSES
from otbench.report.registry import NETWORKS, shown
from otbench.report.summary import Summary, summarise


@dataclass(frozen=True)
class Answer:
    """The winner of one question on one data set.

    winners: those with the best mean; tied: those not told apart from it. value: its figure; real: held-out real
    data's; sure: how sure the win is, in words; cost: seconds of training.
    """

    question: str
    winners: tuple[str, ...]
    tied: tuple[str, ...]
    value: str
    real: str
    sure: str
    cost: str


def answers(comparison: Comparison, dataset: str) -> list[Answer]:
    """An answer a question, for the questions whose metric was measured on the data set."""
    found = []
    for name, question in comparison.study.questions.items():
        metric = comparison.main_key(dataset, name)
        held = {model: summarise(comparison.run, dataset, model, metric) for model in comparison.generative(dataset)}
        best, equal = best_of(held, metric)
        if best is not None:
            network = metric.partition("@")[2]
            question = f"{question}, {NETWORKS.get(network, network)}" if network else question
            found.append(_answer(comparison, dataset, metric, question, held, [best, *equal]))
    return found


def _answer(
    comparison: Comparison, dataset: str, metric: str, question: str, held: dict[str, Summary], winners: list[str]
) -> Answer:
    best = held[winners[0]]
    exact = [model for model in comparison.generative(dataset) if model in winners and held[model].mean == best.mean]
    real = summarise(comparison.run, dataset, "real", metric)
    return Answer(
        question=question,
        winners=tuple(comparison.title(model) for model in exact),
        tied=tuple(comparison.title(model) for model in winners if model not in exact),
        value=shown(metric).number(best.mean, best.error),
        real=shown(metric).number(real.mean, real.error) if real.n else "not measured",
        sure=_sure(comparison, metric, held, winners, real) + _warning(comparison, dataset, metric, winners[0]),
        cost=_cost(comparison, dataset, winners),
    )


def _warning(comparison: Comparison, dataset: str, metric: str, winner: str) -> str:
    """What the metric does not see of the winner and another does."""
    warn = _copies if comparison.study.kind == "images" else _blur
    return warn(comparison, dataset, metric, winner)


def _copies(comparison: Comparison, dataset: str, metric: str, winner: str) -> str:
    """A warning where the winner's samples lie nearer to training images than held-out ones do."""
    key = comparison.main_key(dataset, "memorised")
    own, real = (summarise(comparison.run, dataset, model, key) for model in (winner, "real"))
    if not own.n or own.mean <= max(0.1, 2 * real.mean if real.n else 0.0):
        return ""
    return (
        f"; but {shown(key).number(own.mean)} % of its samples are as near to a training image as the nearest 5 % of "
        "test images: it may copy"
    )


def _blur(comparison: Comparison, dataset: str, metric: str, winner: str) -> str:
    """A warning where a metric that does not see blur is won by a model whose samples are mostly off the modes."""
    if metric not in ("reverse_kl", "w2"):
        return ""
    own, real = (summarise(comparison.run, dataset, model, "high_quality") for model in (winner, "real"))
    if not own.n or not real.n or own.mean > real.mean / 2:
        return ""
    return f"; but only {shown('high_quality').number(own.mean)} % of its points are of high quality"


def _cost(comparison: Comparison, dataset: str, winners: list[str]) -> str:
    """The cheapest and the dearest of the winners, in seconds of training."""
    spent = {comparison.title(model): summarise(comparison.run, dataset, model, "seconds").mean for model in winners}
    priced = sorted((seconds, title) for title, seconds in spent.items() if not math.isnan(seconds))
    said = [f"{shown('seconds').number(seconds)} s" for seconds, _ in priced]
    if len(set(said)) < 2:
        return said[0] if said else "not measured"
    return f"{said[0]} ({priced[0][1]}) to {said[-1]} ({priced[-1][1]})"


def _sure(comparison: Comparison, metric: str, held: dict[str, Summary], winners: list[str], real: Summary) -> str:
    best, parts = held[winners[0]], []
    if best.n < 2:
        parts.append("one seed, so no error bar and no test")
    elif len(winners) > 1:
        parts.append(f"{best.n} seeds; not told apart from {len(winners) - 1} other{'s' if len(winners) > 2 else ''}")
    else:
        others = sum(1 for model, one in held.items() if model != winners[0] and one.n > 1)
        parts.append(f"{best.n} seeds; told apart from all {others} others with error bars")
    if not best.whole:
        parts.append(best.said)
    if real.n and metric == "high_quality" and best.mean > real.mean:
        parts.append("above held-out real data: its modes are too narrow")
    return "; ".join(parts)


def completeness(comparisons: list[Comparison]) -> dict[str, int]:
    """Status -> number of cells, and `all` of them."""
    cells = [status for comparison in comparisons for _, _, _, status in all_cells(comparison)]
    counts = {status: cells.count(status) for status in STATUSES}
    return counts | {"all": len(cells)}
