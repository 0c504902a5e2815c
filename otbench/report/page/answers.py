"""The first screen: which model wins at what, how sure that is, and at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, shown
from otbench.report.results import STATUSES
from otbench.report.summary import Standing, Summary, summarise
from otbench.report.tables.run import all_cells
from otbench.statistics.ties import NONE, PERMUTATION, WELCH


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
        stands = comparison.standing(dataset, metric)
        if stands is not None:
            network = metric.partition("@")[2]
            question = f"{question}, {NETWORKS.get(network, network)}" if network else question
            found.append(_answer(comparison, dataset, metric, question, stands))
    return found


def how(comparisons: list[Comparison]) -> str:
    """What ± is and how the models of the answers are told apart, in one or two sentences."""
    tests: dict[str, set[int]] = {}
    for comparison in comparisons:
        for dataset in comparison.datasets:
            for name in comparison.study.questions:
                stands = comparison.standing(dataset, comparison.main_key(dataset, name))
                family = stands.family if stands else None
                for test, pairs in zip(family.tests, family.pairs, strict=True) if family else ():
                    tests.setdefault(test, set()).add(int(pairs))
    if not tests.keys() - {NONE}:
        return "There is one seed a model, so there are no error bars and no tests."
    by = "a paired permutation test over seeds" if PERMUTATION in tests else "Welch's t test"
    said = f"± is the standard error over seeds. Models are told apart from the best one by {by} at 5 %, corrected for "
    said += "the number of models compared with it by Holm's method"
    if WELCH not in tests:
        return said + "."
    least, most = min(tests[WELCH]), max(tests[WELCH])
    few = f"{least}" if least == most else f"{least} to {most}"
    if PERMUTATION in tests:
        return f"{said}; where seeds are too few for that ({few}), by Welch's t test, corrected alike."
    return f"{said}; {few} seed{'' if most == 1 else 's'} are too few for a permutation test so corrected."


def _answer(comparison: Comparison, dataset: str, metric: str, question: str, stands: Standing) -> Answer:
    winners = [stands.best, *stands.tied]
    held = {model: summarise(comparison.run, dataset, model, metric) for model in comparison.generative(dataset)}
    best = held[stands.best]
    exact = [model for model in comparison.generative(dataset) if model in winners and held[model].mean == best.mean]
    real = summarise(comparison.run, dataset, "real", metric)
    return Answer(
        question=question,
        winners=tuple(comparison.title(model) for model in exact),
        tied=tuple(comparison.title(model) for model in winners if model not in exact),
        value=shown(metric).number(best.mean, best.error),
        real=shown(metric).number(real.mean, real.error) if real.n else "not measured",
        sure=_sure(metric, best, stands, real) + _warning(comparison, dataset, metric, winners[0]),
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


def _sure(metric: str, best: Summary, stands: Standing, real: Summary) -> str:
    parts, tied = [], len(stands.tied)
    test = f" ({stands.family.short})" if stands.family.short else ""
    if best.n < 2:
        parts.append("one seed, so no error bar and no test")
    elif tied:
        parts.append(f"{best.n} seeds; not told apart from {tied} other{'s' if tied > 1 else ''}{test}")
    else:
        others = f"all {stands.family.size} others" if stands.family.size > 1 else "the other one"
        parts.append(f"{best.n} seeds; told apart from {others} with error bars{test}")
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
