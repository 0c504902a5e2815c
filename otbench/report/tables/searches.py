"""The search over options: the best distance found against the number of trials, as the study of Lucic et al. shows it.

What k trials find is estimated from all n trials: the expected least value of k of them, drawn at random without
replacement, which is an unbiased estimate of what k fresh trials find. Its band is a bootstrap over the trials.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.results import network_of
from otbench.report.tables.base import Cell, Column, Row, Table

if TYPE_CHECKING:
    pass

SPACES = {"wide": "Wide ranges", "narrow": "Narrow ranges"}
RULES = {"test": "best on test (the study's rule)", "validation": "chosen on validation"}
BOOTSTRAPS, LEVEL, SEED = 1000, 0.9, 0
"""Resamples of the trials, the share of them that a band holds, and the seed that draws them."""


def weights(n: int) -> np.ndarray:
    """(n, n): row k - 1 holds the probability that the i-th best of n values is the best of k drawn without
    replacement, C(n - i, k - 1) / C(n, k) for i from 1.
    """
    k = np.arange(1, n + 1)
    found = np.empty((n, n))
    found[:, 0] = k / n
    for i in range(1, n):
        found[:, i] = found[:, i - 1] * np.maximum(n - i - k + 1, 0) / (n - i)
    return found


def expected_best(score: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
    """(n,): the expected `value` of the trial with the least `score` among k of n trials, for k = 1 .. n.

    score, value: (n,); value defaults to score, which gives the expected minimum. Of equal scores the earlier wins.
    """
    value = score if value is None else value
    return weights(len(score)) @ value[np.argsort(score, kind="stable")]


def band(score: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
    """(2, n): the lower and upper ends of the central 90 % of `expected_best` over bootstraps of the trials."""
    value, stream = score if value is None else value, np.random.default_rng(SEED)
    rows = stream.integers(len(score), size=(BOOTSTRAPS, len(score)))
    order = np.argsort(score[rows], axis=1, kind="stable")
    curves = np.take_along_axis(value[rows], order, axis=1) @ weights(len(score)).T
    return np.quantile(curves, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


def trials(comparison: Comparison, dataset: str, network: str, space: str, model: str) -> pd.DataFrame:
    """Index trial: what it reached and how it was set.

    Columns: test, the least distance to the test images over its snapshots; validation, the distance to the test images
    of the snapshot that is nearest to validation images; held_out, the latter's own distance to those; options, JSON;
    seconds. Means over seeds; NaN where no snapshot of any seed has both distances.
    """
    rows = comparison.run.search
    rows = rows[(rows["dataset"] == dataset) & (rows["space"] == space) & (rows["model"] == model)]
    told = rows.drop_duplicates("trial").set_index("trial")["options"]
    spent = rows.groupby("trial")["seconds"].max()
    rows = rows[(rows["status"] == "ok") & (rows["protocol"].map(network_of) == network)]
    values = rows.pivot_table(index=["trial", "seed", "snapshot"], columns="metric", values="value", aggfunc="first")
    values = values.reindex(columns=["fid", "fid_validation"]).dropna()
    best = []
    for (trial, _), own in values.groupby(level=["trial", "seed"]):
        nearest = own.loc[own["fid_validation"].idxmin()]
        best.append((trial, own["fid"].min(), nearest["fid"], nearest["fid_validation"]))
    found = pd.DataFrame(best, columns=["trial", "test", "validation", "held_out"]).groupby("trial").mean()
    return found.reindex(sorted(told.index)).assign(options=told, seconds=spent)


def filled(comparison: Comparison, dataset: str, network: str) -> dict[tuple[str, str], pd.DataFrame]:
    """(space, model) -> its trials, models in the study's order; one that reached nothing has the worst distance that
    any trial on the data set reached, and a column `lost` that says so.
    """
    rows = comparison.run.search[comparison.run.search["dataset"] == dataset]
    order = comparison.study.rows(sorted(set(rows["model"])), [], [])
    found = {
        (space, place.model): trials(comparison, dataset, network, space, place.model)
        for space in SPACES
        for place in order
        if ((rows["space"] == space) & (rows["model"] == place.model)).any()
    }
    worst = max((one[["test", "validation"]].max().max() for one in found.values()), default=np.nan)
    for key, one in found.items():
        lost = one["test"].isna()
        one = one.fillna({"test": worst, "validation": worst, "held_out": np.inf})
        found[key] = one.assign(lost=lost)
    return {key: one for key, one in found.items() if np.isfinite(one["test"]).all()}


def searched(comparison: Comparison) -> list[tuple[str, str]]:
    """(data set, network) of every search that reached a value, the best network of each data set alone."""
    rows = comparison.run.search
    found = []
    for dataset in comparison.study.ordered(list(dict.fromkeys(rows["dataset"]))):
        own = rows[(rows["dataset"] == dataset) & (rows["status"] == "ok") & rows["value"].notna()]
        used = set(own["protocol"].map(network_of))
        found += [(dataset, network) for network in NETWORKS if network in used][:1]
    return found


def search_tables(comparison: Comparison) -> list[Table]:
    """A table a searched data set: what one trial and all of them find, by both rules, and the best options."""
    return [search_table(comparison, *one) for one in searched(comparison)]


def search_table(comparison: Comparison, dataset: str, network: str) -> Table:
    """The table of one data set, a row a space and model."""
    metric, rows = f"fid@{network}", []
    for (space, model), one in filled(comparison, dataset, network).items():
        test, validation = one["test"].to_numpy(), one["validation"].to_numpy()
        honest = expected_best(one["held_out"].to_numpy(), validation)
        numbers = (expected_best(test)[0], expected_best(test)[-1], honest[-1], honest[-1] - expected_best(test)[-1])
        lost = int(one["lost"].sum())
        options = one["options"][one["test"].idxmin()]
        cells = [Cell(space, {"": space}), Cell(str(len(one)), {"": len(one)})]
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
        "Every trial has options drawn at random from the ranges of the study of Lucic et al.; the first of the wide "
        "ones has the model's defaults. By the study's rule trial and snapshot are chosen on the test images that the "
        f"distance is measured on; the honest choice is made on validation images. {_budget(comparison)}"
    )
    title = f"Search over options, {comparison.dataset_title(dataset)}, {NETWORKS[network]}"
    return Table(f"{dataset}_search", title, caption, columns, tuple(rows))


def _budget(comparison: Comparison) -> str:
    """What every trial got, where the run says it."""
    about = (comparison.run.info.get("studies") or {}).get(comparison.study.name, {}).get("search") or {}
    if not about:
        return f"Run {comparison.run.name}."
    steps = about["steps"] if about["steps"] == "paper" else f"{about['steps']:,}"
    steps = "the paper's budget" if steps == "paper" else f"{steps} training steps"
    marks = len({*about["snapshots"], 1.0})
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
