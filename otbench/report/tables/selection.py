"""Which snapshot of a model is shown: the last, the one chosen on validation images, or the best on the test images.

Lucic et al. report the best of all checkpoints on the very test images that the FID is measured on. What that gains
over an honest choice is its optimism.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.results import RunResults
from otbench.report.summary import Summary, counts_of, of_seeds
from otbench.report.tables.base import Cell, Column, Row, Table, measured, seeds
from otbench.report.tables.comparison import BEST, best_of

RULES = {"last": "last", "validation": "chosen on validation", "test": "best on test (the rule of Lucic et al.)"}
"""Rule -> what its column is called."""
OPTIMISM = {"optimism": "chosen on validation − best", "optimism_last": "last − best"}


def choices(run: RunResults, dataset: str, model: str, network: str) -> pd.DataFrame:
    """The Fréchet distance to the test images of the snapshot that each rule chooses.

    Only snapshots that are ok and have both distances count. Ties go to the earlier snapshot.

    Args:
        run: Run that followed the distance along training.
        dataset: Name of the data set.
        model: Name of the model.
        network: Network of the features.

    Returns:
        Index seed. Columns: last, validation, test, the distances; at_validation and at_test, the shares of the budget
        chosen; snapshots, how many there were to choose from. `last` is NaN where the last one is not among them.
    """
    keys = {f"fid@{network}": "fid", f"fid_validation@{network}": "held_out"}
    rows = run.rows(dataset, model)
    same = [
        metric in keys and protocol == run.protocol(dataset, metric)
        for metric, protocol in zip(rows["metric"], rows["protocol"], strict=True)
    ]
    rows = rows[np.array(same, dtype=bool) & (rows["status"] == "ok").to_numpy()]
    table = rows.assign(metric=rows["metric"].map(keys)).pivot(
        index=["seed", "snapshot"], columns="metric", values="value"
    )
    table = table.reindex(columns=["fid", "held_out"]).dropna()
    chosen = {}
    for seed, curve in table.groupby(level="seed"):
        curve = curve.droplevel("seed").sort_index()
        on_validation, on_test = curve["held_out"].idxmin(), curve["fid"].idxmin()
        last = curve["fid"][np.isclose(curve.index, run.last)]
        chosen[seed] = {
            "last": float(last.iloc[0]) if len(last) else np.nan,
            "validation": float(curve["fid"][on_validation]),
            "test": float(curve["fid"][on_test]),
            "at_validation": float(on_validation),
            "at_test": float(on_test),
            "snapshots": len(curve),
        }
    names = [*RULES, "at_validation", "at_test", "snapshots"]
    return pd.DataFrame.from_dict(chosen, orient="index", columns=names).rename_axis("seed")


def selection_table(comparison: Comparison, dataset: str, network: str) -> Table | None:
    """The distance of every model with several snapshots under every rule, and the optimism of the rule of Lucic et al.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The table, a row a model; None where no model has the choice.
    """
    run, metric = comparison.run, f"fid@{network}"
    followed = {model: choices(run, dataset, model, network) for model in comparison.generative(dataset)}
    followed = {model: picks for model, picks in followed.items() if len(picks) and picks["snapshots"].max() > 1}
    if not followed:
        return None
    values = {
        rule: {model: _over_seeds(run, dataset, model, picks[rule]) for model, picks in followed.items()}
        for rule in RULES
    }
    best = {rule: best_of(summaries, metric) for rule, summaries in values.items()}
    blocks = {place.model: comparison.study.blocks[place.block] for place in comparison.rows(dataset)}
    rows = []
    for model, picks in followed.items():
        cells = [seeds(_over_seeds(run, dataset, model, picks["test"]))]
        cells += [
            measured(values[rule][model], metric, strong=model == best[rule][0], undecided=model in best[rule][1])
            for rule in RULES
        ]
        for rule in ("validation", "last"):
            cells.append(measured(_over_seeds(run, dataset, model, picks[rule] - picks["test"]), metric))
        cells += [_share(picks[name]) for name in ("at_validation", "at_test")]
        rows.append(Row(model, comparison.title(model), blocks[model], tuple(cells)))
    name = metric_label(metric).label
    columns = [Column("seeds", "Seeds")]
    columns += [Column(rule, label, f"{name}, test images") for rule, label in RULES.items()]
    columns += [Column(key, label, "Optimism of the best") for key, label in OPTIMISM.items()]
    columns += [
        Column("at_validation", "on validation", "Share of the budget chosen"),
        Column("at_test", "on test", "Share of the budget chosen"),
    ]
    caption = (
        "The distance is to the test images under every rule. “Chosen on validation” is the snapshot nearest to "
        "validation images, which the distance shown does not use; “best on test” is the least of all snapshots, as "
        "Lucic et al. report it, and so for no seed above the others. Choices and differences are made "
        "seed by seed. A seed that diverged has no last snapshot, but the two other rules may choose from its earlier "
        "ones. All rows are compared, whatever the verdict on their budget: that is of the last snapshot, this table "
        f"of the choice. Mean ± standard error over seeds. {comparison.said(dataset, [metric])}"
    )
    title = f"{run.title('datasets', dataset)}: which snapshot is shown, {NETWORKS[network]}"
    name, notes = f"{dataset}_selection_{network}", tuple(_notes(comparison, best))
    return Table(name, title, caption, tuple(columns), tuple(rows), notes, reading=BEST)


def selection_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The choice on every network's features that was followed along training.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        A table for each such network.
    """
    tables = [selection_table(comparison, dataset, network) for network in NETWORKS]
    return [table for table in tables if table is not None]


def _notes(comparison: Comparison, best: dict[str, tuple[str | None, list[str]]]) -> list[str]:
    """Whether the rule decides which model is best."""
    first = {rule: model for rule, (model, _) in best.items() if model is not None}
    if len(set(first.values())) < 2:
        return []
    texts = [f"{comparison.title(model)} ({RULES[rule]})" for rule, model in first.items()]
    return [f"The rule decides which model has the least mean: {'; '.join(texts)}."]


def _over_seeds(run: RunResults, dataset: str, model: str, values: pd.Series) -> Summary:
    finite = values.dropna().sort_index()
    return of_seeds(finite, counts_of(run, dataset, model))


def _share(values: pd.Series) -> Cell:
    """The mean share of the budget, in per cent."""
    return Cell(f"{100 * values.mean():.3g} %", {"": float(values.mean())})
