"""The first screen: which model wins at what, how sure that is, and at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.results import STATUSES
from otbench.report.summary import Summary, summarise
from otbench.report.tables.run import all_cells
from otbench.statistics.best import AgainstBest


@dataclass(frozen=True)
class Answer:
    """The winner of one question on one data set.

    winners: those with the best mean; tied: those not significantly worse. value: its figure; real: held-out real
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
    """Answers to the questions whose metric was measured on the data set.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        One answer a question, in the study's order.
    """
    rows = []
    for name, question in comparison.study.questions.items():
        metric = comparison.main_key(dataset, name)
        stands = comparison.standing(dataset, metric)
        network = metric.partition("@")[2]
        question = f"{question}, {NETWORKS.get(network, network)}" if network else question
        if stands is not None:
            rows.append(_answer(comparison, dataset, metric, question, stands))
        elif any(summarise(comparison.run, dataset, model, metric).n for model in comparison.generative(dataset)):
            real = _real(comparison, dataset, metric)
            rows.append(Answer(question, (NONE,), (), "–", real, "no row's budget was enough (below)", "–"))
    return rows


NONE = "none"
"""What stands for a winner where no row is compared."""


def how(comparisons: list[Comparison]) -> str:
    """Text on what ± is and how the models of the answers are compared.

    Args:
        comparisons: Studies of the run.

    Returns:
        Sentences; another one where no model has more than one seed.
    """
    stands = [
        comparison.standing(dataset, comparison.main_key(dataset, name))
        for comparison in comparisons
        for dataset in comparison.datasets
        for name in comparison.study.questions
    ]
    if not any(standing and standing.tested for standing in stands):
        return "There is one seed a model, so there are no error bars and no tests."
    return (
        "± is the standard error over seeds. A model counts as worse than the best one where its difference is "
        "significant at 5 % over all models compared: on a logarithmic or logit scale where the metric asks for it, "
        "with variances drawn together over models (docs/statistics.md). Not significant with these seeds (n.s.) does "
        "not mean equal."
    )


def _answer(comparison: Comparison, dataset: str, metric: str, question: str, stands: AgainstBest) -> Answer:
    winners = [stands.best, *stands.undecided]
    summaries = {model: summarise(comparison.run, dataset, model, metric) for model in comparison.compared(dataset)}
    best = summaries[stands.best]
    exact = [model for model in summaries if model in winners and summaries[model].mean == best.mean]
    real = summarise(comparison.run, dataset, "real", metric)
    return Answer(
        question=question,
        winners=tuple(comparison.title(model) for model in exact),
        tied=tuple(comparison.title(model) for model in winners if model not in exact),
        value=metric_label(metric).number(best.mean, best.error),
        real=_real(comparison, dataset, metric),
        sure=_sure(metric, best, stands, real) + _warning(comparison, dataset, metric, winners[0]),
        cost=_cost(comparison, dataset, winners),
    )


def _real(comparison: Comparison, dataset: str, metric: str) -> str:
    real = summarise(comparison.run, dataset, "real", metric)
    return metric_label(metric).number(real.mean, real.error) if real.n else "not measured"


def _warning(comparison: Comparison, dataset: str, metric: str, winner: str) -> str:
    """Warning of what the metric cannot see in the winner and another metric can."""
    warn = _copies if comparison.study.kind == "images" else _blur
    return warn(comparison, dataset, metric, winner)


def _copies(comparison: Comparison, dataset: str, metric: str, winner: str) -> str:
    """A warning where the winner's samples lie nearer to training images than held-out ones do."""
    key = comparison.main_key(dataset, "memorised")
    best, real = (summarise(comparison.run, dataset, model, key) for model in (winner, "real"))
    if not best.n or best.mean <= max(0.1, 2 * real.mean if real.n else 0.0):
        return ""
    return (
        f"; but {metric_label(key).number(best.mean)} % of its samples are as near to a training image as "
        "the nearest 5 % of "
        "test images: it may copy"
    )


def _blur(comparison: Comparison, dataset: str, metric: str, winner: str) -> str:
    """A warning where a metric that does not see blur is won by a model whose samples are mostly off the modes."""
    if metric not in ("reverse_kl", "w2"):
        return ""
    best, real = (summarise(comparison.run, dataset, model, "high_quality") for model in (winner, "real"))
    if not best.n or not real.n or best.mean > real.mean / 2:
        return ""
    return f"; but only {metric_label('high_quality').number(best.mean)} % of its points are of high quality"


def _cost(comparison: Comparison, dataset: str, winners: list[str]) -> str:
    """The cheapest and the dearest of the winners, in seconds of training."""
    spent = {comparison.title(model): summarise(comparison.run, dataset, model, "seconds").mean for model in winners}
    priced = sorted((seconds, title) for title, seconds in spent.items() if not math.isnan(seconds))
    texts = [f"{metric_label('seconds').number(seconds)} s" for seconds, _ in priced]
    if len(set(texts)) < 2:
        return texts[0] if texts else "not measured"
    return f"{texts[0]} ({priced[0][1]}) to {texts[-1]} ({priced[-1][1]})"


def _sure(metric: str, best: Summary, stands: AgainstBest, real: Summary) -> str:
    parts, several = [], len(stands.undecided)
    if best.n < 2:
        parts.append("one seed, so no error bar and no test")
    elif several:
        parts.append(
            f"{best.n} seeds; {several} other{'s' if several > 1 else ''} not significantly worse with these seeds"
        )
    elif stands.tested:
        others = f"all {len(stands.tested)} others" if len(stands.tested) > 1 else "the other one"
        parts.append(f"{best.n} seeds; significantly better than {others} with error bars")
    else:
        parts.append(f"{best.n} seeds; no other model has error bars")
    if not best.complete:
        parts.append(best.said)
    if real.n and metric == "high_quality" and best.mean > real.mean:
        parts.append("above held-out real data: its modes are too narrow")
    return "; ".join(parts)


def completeness(comparisons: list[Comparison]) -> dict[str, int]:
    """Number of cells by status.

    Args:
        comparisons: Studies of the run.

    Returns:
        Status -> number of cells, and `all` of them.
    """
    cells = [status for comparison in comparisons for _, _, _, status in all_cells(comparison)]
    counts = {status: cells.count(status) for status in STATUSES}
    return counts | {"all": len(cells)}
