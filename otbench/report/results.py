"""A gathered run: the tidy table, what is said of the run, and the arrays for its figures."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.data.samples import STATUSES
from otbench.errors import OtbenchError
from otbench.metrics.table import COLUMNS
from otbench.registry import THEORIES
from otbench.runs.formats import LOSSES
from otbench.runs.layout import Layout
from otbench.studies.search import COLUMNS as SEARCHED
from otbench.studies.search import read_search
from otbench.studies.spread import BIAS, SPREAD, read_spread
from otbench.theory.findings import Findings, read_findings
from otbench.utils.arrays import read_npz
from otbench.utils.files import read_json, read_parquet

FIRST_STUDY = "mode-collapse"
"""The study of a run that names none: runs from before there were several."""


@dataclass(frozen=True)
class RunResults:
    """What the report reads of one run.

    table: the tidy rows (COLUMNS), a metric taken on the features of a network named `metric@network`. info: run.json.
    scatter: `dataset/model` -> points (n, 2). gallery: `dataset/model/seed/snapshot`, `dataset/model/reconstruction`,
    `dataset/__real__` and `dataset/__reference__` -> images (n, c, h, w) uint8. curves:
    `dataset/model/network/seed/precision` and `recall` -> (angles,). latent: `dataset/...`, see `studies.latent`.
    search: the rows of search.csv, see `studies.search`; empty where there are none. ratings: data set -> what people's
    ratings say, see `ratings.analysis`. spread, bias: the rows of spread.csv and bias.csv, see `studies.spread`.
    losses: the rows of losses.parquet (LOSSES), thinned. theory: what its studies found, by name. All five are empty
    where the run has none.
    `of(study)` is the part of one study, in the same form.
    """

    folder: Path
    table: pd.DataFrame
    info: dict[str, Any]
    scatter: dict[str, np.ndarray]
    gallery: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    latent: dict[str, np.ndarray] = field(default_factory=dict)
    search: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SEARCHED))
    ratings: dict[str, Any] = field(default_factory=dict)
    spread: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SPREAD))
    bias: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=BIAS))
    losses: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LOSSES))
    theory: dict[str, Findings] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.info["run"])

    @cached_property
    def studies(self) -> dict[str, dict[str, Any]]:
        """Study -> what run.json says of it; a run that names no studies is one of mode collapse."""
        named = self.info.get("studies")
        if named:
            return named
        keys = ("budget", "snapshots", "seeds")
        return {FIRST_STUDY: {key: self.info[key] for key in keys if key in self.info}}

    def study_of(self, dataset: str) -> str:
        """Study that a data set belongs to: as run.json says, else as its rows say, else the first.

        Args:
            dataset: Name of the data set.

        Returns:
            Name of the study.
        """
        study = self.info["datasets"].get(dataset, {}).get("study")
        study = study or next(
            (name for name, about in self.studies.items() if dataset in about.get("datasets", ())), None
        )
        if study is None and "study" in self.table:
            study = next(iter(self.table.loc[self.table["dataset"] == dataset, "study"]), None)
        return study if study in self.studies else next(iter(self.studies))

    def of(self, study: str) -> RunResults:
        """Part of the run that belongs to one study.

        Args:
            study: Name of the study, a key of `studies`.

        Returns:
            Results of the same form, with that study's own budget, snapshots, seeds and models.
        """
        about = self.studies[study]
        names = {dataset for dataset in self.datasets if self.study_of(dataset) == study}
        models = {name: entry | entry.get("by_study", {}).get(study, {}) for name, entry in self.info["models"].items()}
        listed = about.get("models") or self.info.get("models_of", {}).get(study) or list(models)
        info = self.info | {key: about[key] for key in ("budget", "snapshots", "seeds") if about.get(key)}
        info |= {
            "expected": [cell for cell in self.info["expected"] if str(cell[0]) in names],
            "datasets": {name: entry for name, entry in self.info["datasets"].items() if name in names},
            "models": {name: entry for name, entry in models.items() if name in listed},
        }
        frames = ("table", "search", "spread", "bias", "losses")
        parts = {name: frame[frame["dataset"].isin(names)] for name in frames for frame in [getattr(self, name)]}
        ratings = {name: entry for name, entry in self.ratings.items() if name in names}
        return replace(self, info=info, ratings=ratings, **parts)

    @cached_property
    def last(self) -> float:
        """The last snapshot, as a fraction of the budget."""
        given = self.info.get("snapshots") or []
        return float(max(given, default=0.0) or self.table["snapshot"].max())

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[int]]:
        """(data set, model) -> seeds that should be there: the expected ones and any others found."""
        pairs: dict[tuple[str, str], set[int]] = {}
        for dataset, model, seed in self.info["expected"]:
            pairs.setdefault((str(dataset), str(model)), set()).add(int(seed))
        for dataset, model, seed in self.table[["dataset", "model", "seed"]].drop_duplicates().itertuples(index=False):
            pairs.setdefault((dataset, model), set()).add(int(seed))
        return {key: sorted(seeds) for key, seeds in pairs.items()}

    @cached_property
    def groups(self) -> dict[tuple[str, str], pd.DataFrame]:
        """(data set, model) -> its rows."""
        return {key: rows for key, rows in self.table.groupby(["dataset", "model"], sort=False)}

    @cached_property
    def memo(self) -> dict[tuple[str, ...], Any]:
        """Summaries already computed, which tables and figures ask for many times."""
        return {}

    @cached_property
    def final(self) -> dict[tuple[str, str], pd.DataFrame]:
        """(data set, model) -> its rows that are ok at the last snapshot."""
        rows = self.table[np.isclose(self.table["snapshot"], self.last) & (self.table["status"] == "ok")]
        return {key: part for key, part in rows.groupby(["dataset", "model"], sort=False)}

    @cached_property
    def measured(self) -> dict[tuple[str, str, str], pd.DataFrame]:
        """(data set, model, metric) -> the rows of `final` of that metric."""
        return {
            (*key, str(metric)): rows
            for key, part in self.final.items()
            for metric, rows in part.groupby("metric", sort=False)
        }

    def rows(self, dataset: str, model: str) -> pd.DataFrame:
        """Rows of one model on one data set.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Rows of `table`; none where the model was not measured.
        """
        return self.groups.get((dataset, model), self.table.iloc[:0])

    @cached_property
    def protocols(self) -> dict[tuple[str, str], list[str]]:
        """(data set, metric) -> the protocols it was measured under, the most frequent first."""
        rows = self.table[self.table["status"] == "ok"]
        counted = (
            rows.groupby(["dataset", "metric", "protocol"], sort=True)
            .size()
            .sort_values(ascending=False, kind="stable")
        )
        by_metric: dict[tuple[str, str], list[str]] = {}
        for dataset, metric, protocol in counted.index:
            by_metric.setdefault((dataset, metric), []).append(protocol)
        return by_metric

    def key(self, dataset: str, metric: str, features: str = "") -> str:
        """The metric as measured on the data set.

        Args:
            dataset: Name of the data set.
            metric: Name of the metric, without features.
            features: Network of the features; empty for none.

        Returns:
            `metric@features` where there are such values, else `metric`.
        """
        featured = f"{metric}@{features}"
        return featured if features and (dataset, featured) in self.protocols else metric

    def protocol(self, dataset: str, metric: str) -> str:
        """Protocol of the metric's column.

        Args:
            dataset: Name of the data set.
            metric: Metric as measured, with `@network` where it has features.

        Returns:
            The most frequent protocol; empty where the metric was not measured.
        """
        return self.protocols.get((dataset, metric), [""])[0]

    def title(self, kind: str, name: str) -> str:
        """Title of a model or data set.

        Args:
            kind: `models` or `datasets`.
            name: Name of the model or data set.

        Returns:
            Title, or the name where there is none.
        """
        return str(self.info[kind].get(name, {}).get("title") or name)

    @property
    def datasets(self) -> list[str]:
        """The data sets of the run, in the order of run.json, then any found in the table."""
        used = [dataset for dataset, _ in self.cells]
        named = [name for name in self.info["datasets"] if name in used]
        return list(dict.fromkeys([*named, *used]))

    def paper_steps(self, dataset: str, model: str) -> float | None:
        """The paper's budget of the model on the data set.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Training steps; None where the paper has none or they are not known.
        """
        paper = self.info["models"].get(model, {}).get("paper_steps")
        return paper.get(dataset) if isinstance(paper, dict) else paper

    def steps(self, dataset: str, model: str) -> float:
        """The model's budget on the data set: the paper's for it, its own, or the study's.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Training steps; 1 where none are known.
        """
        about = self.info["models"].get(model, {})
        study = (self.info.get("config") or {}).get("studies") or {}
        if (study.get(self.study_of(dataset)) or {}).get("steps") == "paper" and isinstance(about["paper_steps"], dict):
            return float(about["paper_steps"].get(dataset) or 1)
        return float(about.get("steps") or self.info["budget"].get("steps") or 1)

    @property
    def small(self) -> bool:
        """Whether the run's budget is below the papers'."""
        budget = self.info["budget"]
        return float(budget.get("steps") or 0) < float(budget.get("paper_steps") or 0)

    @property
    def budget(self) -> str:
        """The budget in words, marked where it is small."""
        text = str(self.info["budget"].get("said") or "")
        if not text:
            text = f"{self.info['budget'].get('steps', 'unstated')} steps"
        return f"small budget: {text}" if self.small else text


def load_run(folder: str | Path, scatter: bool = True) -> RunResults:
    """Read a gathered run.

    Args:
        folder: Folder with metrics.parquet and run.json.
        scatter: Whether to read scatter.npz too, and with it, where they are there, gallery.npz, curves.npz,
            latent.npz, search.csv, spread.csv, bias.csv, losses.parquet, ratings.json and theory/*.npz.

    Returns:
        The run's results.

    Raises:
        OtbenchError: Where a file is missing or wrong; the message names it and what was expected.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OtbenchError(f"no run at {folder}: expected a folder with metrics.parquet, run.json and scatter.npz")
    info = _info(folder / "run.json")
    table = _table(folder / "metrics.parquet")
    if not scatter:
        return RunResults(folder, table, info, {})
    gallery, curves, latent = (_optional(folder / f"{name}.npz") for name in ("gallery", "curves", "latent"))
    images, scattered = _images(folder, gallery), _scatter(folder / "scatter.npz")
    path = folder / "search.csv"
    searched = {"search": read_search(path)} if path.is_file() else {}
    return RunResults(folder, table, info, scattered, images, curves, latent, **searched, **_numbers(folder))


def _numbers(folder: Path) -> dict[str, Any]:
    """Repeated measurements, losses, ratings and the theory, as far as the run has them."""
    parts: dict[str, Any] = {}
    for name, columns in (("spread", SPREAD), ("bias", BIAS)):
        if (path := folder / f"{name}.csv").is_file():
            parts[name] = read_spread(path, columns)
    if (path := folder / "losses.parquet").is_file():
        parts["losses"] = _parquet(path, LOSSES)
    if (path := folder / "ratings.json").is_file():
        parts["ratings"] = read_json(path)
        if not isinstance(parts["ratings"], dict):
            raise OtbenchError(f"{path}: expected an object, got {type(parts['ratings']).__name__}")
    paths = {name: Layout(folder).theory(name) for name in THEORIES}
    parts["theory"] = {name: read_findings(path) for name, path in paths.items() if path.is_file()}
    return parts


def _info(path: Path) -> dict[str, Any]:
    info = read_json(path)
    if not isinstance(info, dict):
        raise OtbenchError(f"{path}: expected an object, got {type(info).__name__}")
    kinds = {"run": str, "expected": list, "models": dict, "datasets": dict}
    kinds |= {"studies": dict} if "studies" in info else {"budget": dict}
    for key, kind in kinds.items():
        if not isinstance(info.get(key), kind):
            raise OtbenchError(f"{path}: expected the key {key!r} with a {kind.__name__}")
    for cell in info["expected"]:
        if not (isinstance(cell, list) and len(cell) == 3):
            raise OtbenchError(f"{path}: expected every entry of 'expected' to be [dataset, model, seed], got {cell!r}")
    for name, about in info.get("studies", {}).items():
        if not isinstance(about, dict) or not isinstance(about.get("budget"), dict):
            raise OtbenchError(f"{path}: expected study {name!r} to be an object with a budget")
    return info


def _parquet(path: Path, columns: list) -> pd.DataFrame:
    """Columns of a parquet table; raises OtbenchError where the file is not one or lacks a column."""
    if not path.is_file():
        raise OtbenchError(f"cannot read {path}: no such file; `otbench gather` writes it")
    table = read_parquet(path)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise OtbenchError(f"{path}: the column(s) {', '.join(missing)} are missing")
    return table[columns]


def _table(path: Path) -> pd.DataFrame:
    table = _parquet(path, COLUMNS).copy()
    wrong = sorted(set(table["status"]) - set(STATUSES))
    if wrong:
        raise OtbenchError(f"{path}, column status: expected one of {', '.join(STATUSES)}, got {wrong[0]!r}")
    for name in ("value", "snapshot", "seconds"):
        try:
            table[name] = pd.to_numeric(table[name]).astype(float)
        except (TypeError, ValueError) as error:
            raise OtbenchError(f"{path}, column {name}: expected numbers ({error})") from error
    keys = ["dataset", "model", "seed", "snapshot", "metric", "protocol"]
    twice = table[table.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        where = ", ".join(f"{key} {row[key]}" for key in keys[:-1])
        raise OtbenchError(f"{path}: {where} is measured twice under one protocol")
    table["metric"] = featured(table)
    return table


def featured(table: pd.DataFrame) -> list[str]:
    """Metric of every row with its features.

    Args:
        table: Tidy rows with the columns `metric` and `protocol`.

    Returns:
        Names (rows,): `metric@network` where the protocol states a network and the name does not yet.
    """
    networks = table["protocol"].map(network_of)
    return [
        f"{metric}@{network}" if network and "@" not in metric else metric
        for metric, network in zip(table["metric"], networks, strict=True)
    ]


def network_of(protocol: object) -> str:
    """Network whose features a protocol states.

    Args:
        protocol: Protocol of a metric, which may begin with `features=...`.

    Returns:
        `inception` or `classifier`; empty where there is none.
    """
    match = re.match(r"features=([a-z]+)", str(protocol))
    return match[1] if match and match[1] not in ("coordinates", "pixels") else ""


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise OtbenchError(f"cannot read {path}: no such file; `otbench gather` writes it")
    return read_npz(path)


def _optional(path: Path) -> dict[str, np.ndarray]:
    return _arrays(path) if path.is_file() else {}


def _scatter(path: Path) -> dict[str, np.ndarray]:
    arrays = _arrays(path)
    for key, points in arrays.items():
        if points.ndim != 2 or points.shape[1] != 2 or not np.issubdtype(points.dtype, np.floating):
            raise OtbenchError(f"{path}, array {key}: expected floats of shape (n, 2), got {points.shape}")
    return arrays


def _images(folder: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for key, images in arrays.items():
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != np.uint8:
            raise OtbenchError(
                f"{folder / 'gallery.npz'}, array {key}: expected images (n, 1 or 3, h, w) uint8, got {images.dtype} "
                f"{images.shape}"
            )
    return arrays
