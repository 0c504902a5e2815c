"""The verdict on the budget of every row: whether a model had settled, and so whether it is compared with others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from otbench.report.floors import floor, within
from otbench.report.labels import metric_label, points_in, scale_of
from otbench.report.recipes.base import Recipe
from otbench.report.results import RunResults
from otbench.statistics.settled import (
    FROM,
    LEARNING,
    LEFT_OUT,
    LEVEL,
    NO_SNAPSHOT,
    NOT_ABOVE,
    ONE_SEED,
    SETTLED,
    UNKNOWN,
    WORSENING,
    Change,
    changes,
    decide,
)

SOLVED, CONTROL = "solved", "control"
"""What is said of rows that are settled by definition: those not trained by steps, and controls."""
NOT_MEASURED, NO_VALUE = "no metric that decides was measured", "no value at the end"


@dataclass(frozen=True)
class Budget:
    """What is said of the budget of one row.

    verdict: one of `settled.VERDICTS`. said: the same in the cell of a table, or why the row is settled by definition.
    metric: as measured, that the verdict comes from; empty where none does. change: what that metric says. since: the
    snapshot that the end is compared with. needs: in words, what would settle the row. why: of an unknown verdict.
    """

    verdict: str
    said: str
    metric: str = ""
    change: Change | None = None
    since: float = math.nan
    needs: str = "nothing"
    why: str = ""

    @property
    def compared(self) -> bool:
        """Whether the row takes part in best marks, ties, ranks and answers."""
        return self.verdict not in LEFT_OUT


def budgets(run: RunResults, study: Recipe, dataset: str, controls: set[str]) -> dict[str, Budget]:
    """The verdict on every row of a data set.

    Args:
        run: Gathered run.
        study: Recipe, whose `budget_metrics` decide.
        dataset: Name of the data set.
        controls: Models that are controls.

    Returns:
        Model -> verdict, of every model that has cells on the data set.
    """
    found: dict[str, Budget] = {}
    trained = []
    for model in (model for where, model in run.cells if where == dataset):
        if model in controls or _solved(run, dataset, model):
            found[model] = Budget(SETTLED, CONTROL if model in controls else SOLVED)
        else:
            trained.append(model)
    metrics = list(dict.fromkeys(_followed(run, dataset, metric) for metric in study.budget_metrics))
    metrics = [metric for metric in metrics if (dataset, metric) in run.protocols]
    by_metric = {metric: _changes(run, study, dataset, metric, trained, LEVEL / len(metrics)) for metric in metrics}
    for model in trained:
        mine = {metric: by_metric[metric][0][model] for metric in metrics if model in by_metric[metric][0]}
        if not mine:
            why, needs = (NO_VALUE, "a seed that is ok") if metrics else (NOT_MEASURED, "a metric that decides")
            found[model] = Budget(UNKNOWN, UNKNOWN, why=why, needs=needs)
            continue
        verdict, metric = decide(mine)
        since = by_metric[metric][1].get(model, math.nan)
        needs = _needs(run, study, dataset, model, verdict, mine[metric], since)
        found[model] = Budget(verdict, verdict, metric, mine[metric], since, needs, mine[metric].why)
    return found


def _solved(run: RunResults, dataset: str, model: str) -> bool:
    """Whether a model is not trained by steps: it has no budget, and was measured at its end alone."""
    about, rows = run.info["models"].get(model, {}), run.rows(dataset, model)
    known = "paper_steps" in about and not run.paper_steps(dataset, model)
    return known and bool(np.isclose(rows["snapshot"], run.last).all())


def _followed(run: RunResults, dataset: str, metric: str) -> str:
    """The metric on the features that the run followed it with; only one network is used before the end."""
    keys = [run.key(dataset, metric, network) for network in ("classifier", "inception")]
    keys = list(dict.fromkeys(key for key in (*keys, metric) if (dataset, key) in run.protocols))
    early = run.table[(run.table["dataset"] == dataset) & (run.table["snapshot"] < run.last)]
    return next((key for key in keys if (early["metric"] == key).any()), keys[0] if keys else metric)


def _changes(
    run: RunResults, study: Recipe, dataset: str, metric: str, trained: list[str], level: float
) -> tuple[dict[str, Change], dict[str, float]]:
    """What the metric says of every trained model, and the snapshot that its end is compared with."""
    protocol, ideal = run.protocol(dataset, metric), floor(run, dataset, metric)
    direction = metric_label(metric).direction
    points = points_in(protocol).replace(",", "")

    def by_seed(rows: pd.DataFrame) -> dict[int, float]:
        # what is beyond a perfect sampler is no progress
        values = within(rows["value"].to_numpy(float), ideal, direction)
        return {int(seed): float(value) for seed, value in zip(rows["seed"], values, strict=True)}

    before, end, since = {}, {}, {}
    floors = study.must_rank(metric) | {"untrained"}
    controls = {}
    for model in [*trained, *floors]:
        rows = run.rows(dataset, model)
        rows = rows[(rows["metric"] == metric) & (rows["protocol"] == protocol) & (rows["status"] == "ok")]
        rows = rows[rows["value"].notna()]
        final = by_seed(rows[np.isclose(rows["snapshot"], run.last)])
        if model in floors:
            controls[model] = list(final.values())
        elif final:
            end[model] = final
            early = rows[rows["snapshot"] <= FROM * run.last + 1e-9]
            since[model] = float(early["snapshot"].max()) if len(early) else math.nan
            before[model] = by_seed(early[early["snapshot"] == since[model]])
    samples = int(points) if points else None
    return changes(before, end, controls, direction, scale_of(metric), samples, level), since


def _needs(run: RunResults, study: Recipe, dataset: str, model: str, verdict: str, change: Change, since: float) -> str:
    """What would settle a row, in words."""
    if verdict == SETTLED:
        return "nothing"
    if verdict == UNKNOWN:
        needed = {ONE_SEED: "two seeds or more", NO_SNAPSHOT: f"a snapshot at or before {FROM:.0%} of the budget"}
        return needed.get(change.why, change.why)
    unit, steps = "updates" if study.kind == "points" else "training steps", run.steps(dataset, model)
    budget = f"{steps:,.0f} {unit}" if steps > 1 else f"the {unit} it had"
    return {
        LEARNING: f"more than {budget}",
        WORSENING: f"fewer than {budget}, or other options: it was better at {since:.0%} of the budget",
        NOT_ABOVE: f"more than {budget}, or other options",
    }[verdict]


def left_out(found: dict[str, Budget], titles: dict[str, str], said: str = "", unknown: bool = True) -> list[str]:
    """Sentences on the rows that are not compared, and on those whose budget nothing can be said of.

    Args:
        found: Model -> verdict.
        titles: Title of every model that would be ranked, in order; others are not named.
        said: What stands before a sentence, such as the name of a data set.
        unknown: Whether to name rows whose budget nothing can be said of.

    Returns:
        At most two sentences.
    """
    groups: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    for model, title in titles.items():
        one = found.get(model)
        if one is None or one.why == NO_VALUE:
            continue  # its row says what there is
        if one.verdict == UNKNOWN:
            reasons.setdefault(one.why, []).append(title)
        elif not one.compared:
            groups.setdefault(one.verdict, []).append(title)
    start, sentences = f"{said}: " if said else "", []
    if groups:
        kinds = [f"{verdict}: {', '.join(groups[verdict])}" for verdict in LEFT_OUT if verdict in groups]
        sentences.append(f"{start}{'not' if said else 'Not'} compared, {'; '.join(kinds)}.")
    if reasons and unknown:
        texts = [f"{', '.join(names)} ({why})" for why, names in reasons.items()]
        nothing = f"{'nothing' if said else 'Nothing'} can be said of the budget of"
        sentences.append(f"{start}{nothing} {'; '.join(texts)}.")
    return sentences
