"""The first screen: which model wins at what, how sure that is, and at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otbench.report.budget import SOLVED
from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.results import STATUSES
from otbench.report.summary import Summary, summarise
from otbench.report.tables.controls import WRONG
from otbench.report.tables.controls import verdict as controls_verdict
from otbench.report.tables.run import all_cells
from otbench.statistics.best import AgainstBest


@dataclass(frozen=True)
class Answer:
    """The winner of one question on one data set.

    winners: those with the best mean; tied: those not significantly worse. value: its figure; real: held-out real
    data's; sure: how sure the win is, in words; cost: seconds of training; memorised: share of the winner's samples
    that lie nearer to training images than 95 % of the test images do, in percent, empty where it was not measured.
    """

    question: str
    winners: tuple[str, ...]
    tied: tuple[str, ...]
    value: str
    real: str
    sure: str
    cost: str
    memorised: str = ""


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
        why = _no_contest(comparison, dataset, metric, stands)
        if why and stands is not None:
            rows.append(Answer(question, (NONE,), (), "–", _real(comparison, dataset, metric), why, "–"))
        elif stands is not None:
            rows.append(_answer(comparison, dataset, metric, question, stands))
        elif any(summarise(comparison.run, dataset, model, metric).n for model in comparison.generative(dataset)):
            real = _real(comparison, dataset, metric)
            rows.append(Answer(question, (NONE,), (), "–", real, "no row's budget was enough (below)", "–"))
    return rows


def void(comparison: Comparison, dataset: str) -> str:
    """Why the rows of a data set cannot be compared at all.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Returns:
        A clause; empty where a trained model is compared, or where none was trained.
    """
    found = comparison.budgets(dataset)
    trained = [model for model in comparison.generative(dataset) if found[model].said != SOLVED]
    if not trained or any(found[model].compared for model in trained):
        return ""
    return f"void: none of {len(trained)} trained models had settled above noise"


def _no_contest(comparison: Comparison, dataset: str, metric: str, stands: AgainstBest | None) -> str:
    """Why no winner is named although rows are compared; empty where one is."""
    if stands is None:
        return ""
    controls = {
        name: summarise(comparison.run, dataset, name, metric)
        for name in comparison.study.controls
        if (dataset, name) in comparison.run.cells
    }
    if controls and controls_verdict(metric, controls, comparison.study)[0] == WRONG:
        return "this metric fails its check: it misorders the controls"
    found = comparison.budgets(dataset)
    trained = [model for model in comparison.generative(dataset) if found[model].said != SOLVED]
    if trained and not [model for model in stands.models if found[model].said != SOLVED]:
        titles = ", ".join(comparison.title(model) for model in list(stands.models)[:2])
        return f"no trained model had settled above noise, so {titles} has no rival here"
    if len(stands.models) == 1:
        return f"{comparison.title(stands.best)} is the only model that is compared"
    if _not_above_noise(comparison, dataset, metric, stands.best):
        return "no model is better than noise"
    if len(stands.models) > 2 and len(stands.undecided) == len(stands.models) - 1 and stands.tested:
        return f"these seeds tell none of the {len(stands.models)} models apart"
    return ""


def _not_above_noise(comparison: Comparison, dataset: str, metric: str, model: str) -> bool:
    """Whether the mean of a model is no better than that of noise, where noise was measured."""
    noise = summarise(comparison.run, dataset, "noise", metric)
    direction = metric_label(metric).direction
    if not noise.n or direction not in ("higher", "lower"):
        return False
    gain = summarise(comparison.run, dataset, model, metric).mean - noise.mean
    return gain <= 0 if direction == "higher" else gain >= 0


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
        memorised=_memorised(comparison, dataset, exact[0]),
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


def _memorised(comparison: Comparison, dataset: str, winner: str) -> str:
    key = comparison.main_key(dataset, "memorised")
    summary = summarise(comparison.run, dataset, winner, key)
    return metric_label(key).number(summary.mean) if summary.n else ""


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
