"""The search over options: the best distance found against the number of trials, as Lucic et al. show it.

What k trials find is estimated from all n trials: the expected least value of k of them, drawn at random without
replacement, which is an unbiased estimate of what k fresh trials find. Its band is a bootstrap over the trials.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from otbench.config.search_spaces import AGAIN
from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.results import network_of
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table
from otbench.utils.bounds import to_the_end

SPACES = {"wide": "Wide ranges", "narrow": "Narrow ranges"}
RULES = {"test": "best on test (the rule of Lucic et al.)", "validation": "chosen on validation"}
BOOTSTRAPS, LEVEL, SEED = 1000, 0.9, 0
"""Resamples of the trials, the share of them that a band holds, and the seed that draws them."""


def weights(n: int) -> np.ndarray:
    """Probabilities that the i-th best of n values is the best of k drawn without replacement.

    Args:
        n: Number of values.

    Returns:
        Probabilities (n, n), C(n - i, k - 1) / C(n, k) in row k - 1 and column i - 1.
    """
    k = np.arange(1, n + 1)
    matrix = np.empty((n, n))
    matrix[:, 0] = k / n
    for i in range(1, n):
        matrix[:, i] = matrix[:, i - 1] * np.maximum(n - i - k + 1, 0) / (n - i)
    return matrix


def expected_best(score: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
    """The expected `value` of the trial with the least `score` among k of n trials, for k = 1 .. n.

    Args:
        score: Scores (n,); of equal ones the earlier trial wins.
        value: Values (n,); default: `score`, which gives the expected minimum.

    Returns:
        Expected values (n,).
    """
    value = score if value is None else value
    return weights(len(score)) @ value[np.argsort(score, kind="stable")]


def band(score: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
    """The central 90 % of `expected_best` over bootstraps of the trials.

    Args:
        score: Scores (n,).
        value: Values (n,); default: `score`.

    Returns:
        Lower and upper ends (2, n).
    """
    value, stream = score if value is None else value, np.random.default_rng(SEED)
    rows = stream.integers(len(score), size=(BOOTSTRAPS, len(score)))
    order = np.argsort(score[rows], axis=1, kind="stable")
    curves = np.take_along_axis(value[rows], order, axis=1) @ weights(len(score)).T
    return np.quantile(curves, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


def trials(comparison: Comparison, dataset: str, network: str, space: str, model: str) -> pd.DataFrame:
    """The trials of one model's search: what each reached and how it was set.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.
        space: Ranges of the search (a key of SPACES).
        model: Name of the model.

    Returns:
        Index trial. Columns: test, the least distance to the test images over its snapshots; validation, the distance
        to the test images of the snapshot that is nearest to validation images; held_out, the latter's own distance to
        those; options, JSON; seconds. Means over seeds; NaN where no snapshot of any seed has both distances.
    """
    rows = comparison.run.search
    rows = rows[(rows["dataset"] == dataset) & (rows["space"] == space) & (rows["model"] == model)]
    options = rows.drop_duplicates("trial").set_index("trial")["options"]
    spent = rows.groupby("trial")["seconds"].max()
    rows = rows[(rows["status"] == "ok") & (rows["protocol"].map(network_of) == network)]
    values = rows.pivot_table(index=["trial", "seed", "snapshot"], columns="metric", values="value", aggfunc="first")
    values = values.reindex(columns=["fid", "fid_validation"]).dropna()
    best = []
    for (trial, _), snapshots in values.groupby(level=["trial", "seed"]):
        nearest = snapshots.loc[snapshots["fid_validation"].idxmin()]
        best.append((trial, snapshots["fid"].min(), nearest["fid"], nearest["fid_validation"]))
    means = pd.DataFrame(best, columns=["trial", "test", "validation", "held_out"]).groupby("trial").mean()
    return means.reindex(sorted(options.index)).assign(options=options, seconds=spent)


def filled(comparison: Comparison, dataset: str, network: str) -> dict[tuple[str, str], pd.DataFrame]:
    """The trials of every model's search on a data set, none without a value.

    A trial that reached nothing has the worst distance that any trial on the data set reached.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        (space, model) -> its `trials`, with a column `lost` for those without a value; models in the study's order.
    """
    rows = comparison.run.search[comparison.run.search["dataset"] == dataset]
    order = comparison.study.rows(sorted(set(rows["model"])), [], [])
    frames = {
        (space, place.model): trials(comparison, dataset, network, space, place.model)
        for space in SPACES
        for place in order
        if ((rows["space"] == space) & (rows["model"] == place.model)).any()
    }
    worst = max((frame[["test", "validation"]].max().max() for frame in frames.values()), default=np.nan)
    for key, frame in frames.items():
        lost = frame["test"].isna()
        frame = frame.fillna({"test": worst, "validation": worst, "held_out": np.inf})
        frames[key] = frame.assign(lost=lost)
    return {key: frame for key, frame in frames.items() if np.isfinite(frame["test"]).all()}


def pairs(comparison: Comparison, dataset: str, network: str) -> dict[tuple[str, str], np.ndarray]:
    """Recall and precision of every trial of every search on a data set, at the end of training.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        (space, model) -> PRD's F8 and F1/8 (2, n) of the n trials that have both, means over seeds; in the study's
        order, searches without such a trial left out.
    """
    rows = comparison.run.search
    rows = rows[(rows["dataset"] == dataset) & (rows["status"] == "ok") & (rows["snapshot"] == 1)]
    rows = rows[rows["protocol"].map(network_of) == network]
    means = rows.pivot_table(index=["space", "model", "trial"], columns="metric", values="value", aggfunc="mean")
    means = means.reindex(columns=["prd_f8", "prd_f1_8"]).dropna()
    clouds = {key: frame.to_numpy().T for key, frame in means.groupby(level=["space", "model"])}
    order = [place.model for place in comparison.study.rows(sorted(set(rows["model"])), [], [])]
    return {(space, model): clouds[space, model] for space in SPACES for model in order if (space, model) in clouds}


def searched(comparison: Comparison) -> list[tuple[str, str]]:
    """Every search that reached a value, with the best network of each data set alone.

    Args:
        comparison: Image study of a run.

    Returns:
        (data set, network) of each, in the study's order.
    """
    rows = comparison.run.search
    found = []
    for dataset in comparison.study.ordered(list(dict.fromkeys(rows["dataset"]))):
        reached = rows[(rows["dataset"] == dataset) & (rows["status"] == "ok") & rows["value"].notna()]
        used = set(reached["protocol"].map(network_of))
        found += [(dataset, network) for network in NETWORKS if network in used][:1]
    return found


def search_tables(comparison: Comparison) -> list[Table]:
    """The tables of searches: what one trial and all of them find, by both rules, and the best options.

    Args:
        comparison: Image study of a run.

    Returns:
        A table for each searched data set.
    """
    found = searched(comparison)
    return [search_table(comparison, *one) for one in found] + [
        table for one in found if (table := again_table(comparison, *one)) is not None
    ]


def search_table(comparison: Comparison, dataset: str, network: str) -> Table:
    """The search on one data set, a row a space and model.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The table.
    """
    metric, rows = f"fid@{network}", []
    for (space, model), frame in filled(comparison, dataset, network).items():
        test, validation = frame["test"].to_numpy(), frame["validation"].to_numpy()
        honest = expected_best(frame["held_out"].to_numpy(), validation)
        numbers = (expected_best(test)[0], expected_best(test)[-1], honest[-1], honest[-1] - expected_best(test)[-1])
        lost = int(frame["lost"].sum())
        options = frame["options"][frame["test"].idxmin()]
        cells = [Cell(space, {"": space}), Cell(str(len(frame)), {"": len(frame)})]
        cells += [Cell(str(lost) if lost else "–", {"": lost})]
        cells += [Cell(metric_label(metric).number(value), {"": float(value)}) for value in numbers]
        cells.append(Cell(_said_options(options), {"": options}))
        rows.append(Row(model, comparison.title(model), SPACES[space], tuple(cells)))
    name = metric_label(metric).label
    columns = (
        Column("space", "Ranges", align="l"),
        Column("trials", "Trials"),
        Column("lost", "Without a value"),
        Column("one", "one trial, expected", name),
        Column("best", RULES["test"], name),
        Column("validation", RULES["validation"], name),
        Column("optimism", "difference", name),
        Column("options", "Options of the best on test", align="l"),
    )
    caption = (
        "Every trial has options drawn at random from the ranges of Lucic et al.; the first of the wide "
        "ones has the model's defaults. By their rule trial and snapshot are chosen on the test images that the "
        f"distance is measured on; the honest choice is made on validation images. {_budget(comparison)}"
    )
    title = f"Search over options, {comparison.dataset_title(dataset)}, {NETWORKS[network]}"
    return Table(f"{dataset}_search", title, caption, columns, tuple(rows))


def again_table(comparison: Comparison, dataset: str, network: str) -> Table | None:
    """The best wide configuration of each model with other seeds: the third phase of Lucic et al.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The table; None where the run trained none again.
    """
    metric, rows = f"fid@{network}", []
    models = set(comparison.run.search["model"])
    for place in comparison.study.rows(sorted(models), [], []):
        frame = trials(comparison, dataset, network, AGAIN, place.model)
        if not len(frame):
            continue
        test, held_out = frame["test"].dropna(), frame["validation"].dropna()
        wide = trials(comparison, dataset, network, "wide", place.model)["test"].min()
        lost = int(frame["test"].isna().sum())
        numbers = (wide, test.mean(), test.std(ddof=1), test.min(), test.max(), held_out.mean())
        cells = [Cell(str(len(frame)), {"": len(frame)}), Cell(str(lost) if lost else "–", {"": lost})]
        cells += [_number(metric, value) for value in numbers]
        rows.append(Row(place.model, comparison.title(place.model), "", tuple(cells)))
    if not rows:
        return None
    name = metric_label(metric).label
    columns = (
        Column("seeds", "Seeds"),
        Column("lost", "Without a value"),
        Column("found", "found by the search", name),
        Column("mean", "mean over seeds", name),
        Column("deviation", "s.d.", name),
        Column("least", "least", name),
        Column("most", "most", name),
        Column("validation", "mean, snapshot chosen on validation", name),
    )
    caption = (
        "The trial of the wide ranges with the least distance to the test images, trained again with seeds that the "
        "search did not see; of each seed the best snapshot on the test images, as in Lucic et al., whose 50 seeds "
        f"make their table's means and deviations. What the search found is the least of many. {_budget(comparison)}"
    )
    title = f"The best configuration again, {comparison.dataset_title(dataset)}, {NETWORKS[network]}"
    return Table(f"{dataset}_search_again", title, caption, columns, tuple(rows))


def _number(metric: str, value: float) -> Cell:
    return ABSENT if np.isnan(value) else Cell(metric_label(metric).number(value), {"": float(value)})


def _budget(comparison: Comparison) -> str:
    """The budget of every trial, where the run states it."""
    about = (comparison.run.info.get("studies") or {}).get(comparison.study.name, {}).get("search") or {}
    if not about:
        return f"Run {comparison.run.name}."
    steps = about["steps"] if about["steps"] == "paper" else f"{about['steps']:,}"
    steps = "the paper's budget" if steps == "paper" else f"{steps} training steps"
    marks = len(to_the_end(about["snapshots"]))
    return (
        f"Run {comparison.run.name}; every trial: {steps}, {marks} snapshot{'s' * (marks > 1)}, {about['samples']:,} "
        "samples, one seed."
    )


def _said_options(text: str) -> str:
    """Options in words: `beta1 0.5, rate 0.001`."""
    try:
        options = json.loads(text)
    except (TypeError, ValueError):
        return str(text)
    return ", ".join(f"{key} {value}" for key, value in options.items()) or "defaults"
