"""From the files of a run to those that a report is made of: the verb `gather`."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from otbench.config.run import Run
from otbench.config.study import KINDS, StudyConfig
from otbench.data import load
from otbench.data.base import DataSet, Mixture
from otbench.metrics.measure import expected
from otbench.metrics.registry import with_rulers
from otbench.metrics.table import COLUMNS, check_table, read_table, write_table
from otbench.models import find
from otbench.provenance import code_version, machine, versions
from otbench.runs import arrays, losses, stale
from otbench.runs.layout import layout
from otbench.studies.search import COLUMNS as SEARCH
from otbench.studies.search import read_search, write_search
from otbench.utils.files import read_object, write_json
from otbench.utils.records import file_digest

KEY = ["dataset", "model", "seed", "snapshot"]


def gather(run: Run) -> dict[str, Any]:
    """Write the files of a run that its report is made of.

    metrics.csv and .parquet (the tidy table), run.json, losses.parquet, spread.csv, bias.csv, ratings.json, search.csv
    where the run searches, and the pictures (see `arrays.write`).

    Cells that the config asks for and that were not measured become rows of status `missing`; so do those whose files
    are not what it asks for (`stale`), which run.json names with the reason, beside the studies that are lacking.

    Args:
        run: The run.

    Returns:
        Content of run.json.

    Raises:
        OtbenchError: A file of the run cannot be read.
    """
    folder = run.folder
    at = layout(run)
    files = {name: at.data(name) for name in run.datasets}
    # a data set that could not be made, without a network for example, does not stop the report of the others
    data = {name: load(str(path)) for name, path in files.items() if path.exists()}
    outdated = stale.stale_files(run, {name: values.digest() for name, values in data.items()})
    tables, fits = _tables(run, outdated), _fits(run, outdated)
    table = pd.concat([t for t in tables if len(t)] or [_nothing()], ignore_index=True)
    table = check_table(pd.concat([table, missing(run, table, data)], ignore_index=True), str(folder))
    table, ratings = rated(run, table)
    table = table.sort_values(KEY, kind="stable").reset_index(drop=True)
    summary = describe(run, data, fits)
    summary |= {"stale": _outdated_cells(run, outdated), "lacking": _lacking(run, outdated)}
    for path in (at.csv, at.table):
        write_table(table, path)
    arrays.write(run, data, table, outdated)
    losses.write(run, outdated)
    write_json(folder / "ratings.json", ratings)
    if run.searches:
        write_search(_searched(run, outdated), at.searches)
    summary["table_sha256"] = file_digest(at.table)
    write_json(at.summary, summary)
    if (table["status"] == "missing").any():
        # older than whatever it was made of, so that the workflow makes what is missing and gathers again
        os.utime(at.table, (1, 1))
    return summary


def rated(run: Run, table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Tidy table with people's excellence rates, and what their ratings say of every data set that was rated.

    Args:
        run: The run.
        table: Tidy table of the run.

    Returns:
        The table with rows of metric `excellence` added, and the rating summary by data set. Answers to a session that
        is not the present one are counted in the summary and left out of the rates.

    Raises:
        OtbenchError: A key or an answers file is wrong.
    """
    from otbench.ratings.analysis import rating_summary, tidy_rows

    summaries, rows = {}, []
    cells = table.drop_duplicates(KEY).set_index(KEY)[["seconds", "device", "code_version", "config_hash"]]
    for dataset in run.rated:
        folder = layout(run).ratings(dataset)
        summary = rating_summary(folder, table[table["dataset"] == dataset])
        if summary is None:
            continue
        summaries[dataset] = summary
        for row in tidy_rows(folder):
            row |= {"dataset": dataset, "run": run.run, "study": run.study_of[dataset], "status": "ok"}
            cell = tuple(row[name] for name in KEY)
            if cell in cells.index:
                rows.append(row | {"metric": "excellence"} | cells.loc[cell].to_dict())
    return (pd.concat([table, pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True) if rows else table), summaries


def _tables(run: Run, outdated: dict[Path, str]) -> list[pd.DataFrame]:
    """The tables of all models, without what is stale and without seeds that the config does not ask for."""
    tables = []
    for dataset, model in run.measured:
        path = layout(run).metrics(dataset, model)
        if path.exists() and path not in outdated:
            table = read_table(path)
            tables.append(table[table["seed"].isin(run.seeds_measured(dataset, model))])
    return tables


def _fits(run: Run, outdated: dict[Path, str]) -> dict[tuple[str, str], dict]:
    """Content of fit.json of every model that was fitted as the config asks."""
    paths = {pair: layout(run).fit_summary(*pair) for pair in run.pairs}
    return {
        pair: read_object(path, what="what `otbench fit` writes")
        for pair, path in paths.items()
        if path.exists() and path not in outdated
    }


def _outdated_cells(run: Run, outdated: dict[Path, str]) -> list[dict[str, str]]:
    """Data set, model and message of the tables that are on disk and left out."""
    tables = {pair: layout(run).metrics(*pair) for pair in run.measured}
    return [
        {"dataset": dataset, "model": model, "message": f"stale: {outdated[path]}"}
        for (dataset, model), path in tables.items()
        if path in outdated
    ]


def _lacking(run: Run, outdated: dict[Path, str]) -> list[str]:
    """The studies beside the table of metrics that the config asks for and that do not exist, or are stale."""
    asked = {layout(run).latent(images): f"the latent study of {images}" for images in run.latents}
    for dataset, model in run.spreads:
        asked[layout(run).spread(dataset, model)] = f"the spread of {model} on {dataset}"
    for job in run.searches:
        asked[layout(run).search(*job)] = f"the search of {job[1]} on {job[0]} ({job[2]} {job[3]})"
    return [
        f"{name} ({f'stale: {outdated[path]}' if path in outdated else 'not there'})"
        for path, name in asked.items()
        if path in outdated or not path.exists()
    ]


def _searched(run: Run, outdated: dict[Path, str]) -> pd.DataFrame:
    """The searches of the run in one table; a job whose file does not exist, or is stale, leaves no rows."""
    files = [layout(run).search(*job) for job in run.searches]
    tables = [read_search(path) for path in files if path.exists() and path not in outdated]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SEARCH)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=COLUMNS)


def missing(run: Run, table: pd.DataFrame, data: dict[str, DataSet]) -> pd.DataFrame:
    """Rows of status `missing` for every cell that the run asks for and the table does not have.

    Args:
        run: The run.
        table: Tidy table of the run.
        data: Data sets by name, those that exist.

    Returns:
        Tidy table of the missing cells.
    """
    present = set(table[KEY].itertuples(index=False, name=None))
    rows = []
    for dataset, model in run.measured:
        section, guest = run.section(dataset), (dataset, model) in run.guests
        fitted = not guest and find(model, run.kind(dataset)).paper_budget(dataset)
        marks = section.marks if fitted else [1.0]
        absent = [
            (seed, mark)
            for seed in run.seeds_measured(dataset, model)
            for mark in marks
            if (dataset, model, seed, mark) not in present
        ]
        scores = {mark: _wanted(run, dataset, mark, data) for _, mark in absent}
        for seed, mark in absent:
            cell = dict(zip(KEY, (dataset, model, seed, mark), strict=True))
            cell |= {"run": run.run, "study": run.study_of[dataset], "value": math.nan, "status": "missing"}
            cell |= {"seconds": math.nan, "device": "", "code_version": "", "config_hash": ""}
            rows += [cell | {"metric": metric, "protocol": protocol} for metric, protocol in scores[mark]]
    return pd.DataFrame(rows, columns=COLUMNS)


def _wanted(run: Run, dataset: str, mark: float, data: dict[str, DataSet]) -> list[tuple[str, str]]:
    """(metric, protocol) of every value that a cell should have; of a data set that is not there what all have."""
    if dataset not in data:
        return [("peak_memory", "cost")]
    section = run.section(dataset)
    metrics = with_rulers(section.rulers)
    return expected(data[dataset], section.samples, mark == 1.0, layout(run).features(dataset), metrics)


def describe(run: Run, data: dict[str, DataSet], fits: dict[tuple[str, str], dict]) -> dict[str, Any]:
    """Description of a run for run.json.

    Args:
        run: The run.
        data: Data sets by name, those that exist.
        fits: Content of fit.json by data set and model.

    Returns:
        Config, code, versions, studies, models, data sets and cells that are expected.
    """
    started = [f["started"] for f in fits.values() if "started" in f]
    config = run.model_dump(mode="json")
    return {
        "run": run.run,
        "config": config,
        "config_hash": stale.config_digest(run),
        "code_version": code_version(),
        "versions": versions(),
        "machine": machine(),
        "started": min(started) if started else None,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "expected": [[*pair, seed] for pair in run.measured for seed in run.seeds_measured(*pair)],
        "studies": {name: _study(name, section) for name, section in run.sections.items()},
        "models": _models(run, fits),
        "datasets": {name: _data(run, name, values) for name, values in data.items()},
        "seeds": run.seeds,
    }


def _study(name: str, section: StudyConfig) -> dict[str, Any]:
    return {
        "datasets": section.datasets,
        "models": section.models,
        "budget": _budget(section, KINDS[name]),
        "snapshots": section.marks,
        "samples": section.samples,
        "seeds": section.seeds,
        "features": section.features if KINDS[name] == "images" else [],
        "search": section.search.model_dump(mode="json") if section.search else None,
    }


def _models(run: Run, fits: dict[tuple[str, str], dict]) -> dict[str, Any]:
    """Every model of the run by name; one that stands in several studies has `by_study` for what differs."""
    about: dict[str, Any] = {}
    for study, section in run.sections.items():
        for name in section.models:
            record = _model(name, study, section, fits)
            about.setdefault(name, {**record, "by_study": {}})["by_study"][study] = record
        for name, by_data in section.guests.items():
            record = _guest(name, section, by_data)
            about.setdefault(name, {**record, "by_study": {}})["by_study"][study] = record
    return about


def _guest(name: str, section: StudyConfig, by_data: dict[str, list[str]]) -> dict[str, Any]:
    """What run.json says of a guest: somebody's samples, which nothing was fitted for."""
    return {
        "title": f"{name} (guest)",
        "paper": "",
        "family": "guest",
        "control": False,
        "options": {},
        "parameters": {},
        "steps": None,
        "paper_steps": dict.fromkeys(section.datasets),
        "tuned": {},
        "guest": by_data,
    }


def _model(name: str, study: str, section: StudyConfig, fits: dict[tuple[str, str], dict]) -> dict[str, Any]:
    model = find(name, KINDS[study])
    fitted = next((f for (d, m), f in fits.items() if m == name and d in section.datasets), {})
    return {
        "title": model.title_of(name),
        "paper": model.paper,
        "family": model.family,
        "control": model.control,
        "options": fitted.get("options", section.options(name)),
        "parameters": fitted.get("parameters", {}),
        "steps": fitted.get("steps"),
        "paper_steps": {dataset: model.paper_budget(dataset) for dataset in section.datasets},
        "tuned": {
            dataset: found.model_dump(mode="json")
            for dataset in section.datasets
            if name in section.models_on(dataset) and (found := section.tuning_of(name, dataset))
        },
    }


def _data(run: Run, name: str, values: DataSet) -> dict[str, Any]:
    truth, described = values.truth, layout(run).feature_info(name)
    return {
        "title": values.title,
        "source": values.source,
        "study": run.study_of[name],
        "kind": values.kind,
        "shape": list(values.shape),
        "classes": list(values.classes),
        "n_train": len(values.train),
        "n_test": len(values.test),
        "n_validation": 0 if values.validation is None else len(values.validation),
        "features": read_object(described) if described.exists() else {},
        "modes": len(truth.centres) if truth else None,
        "sigma": truth.sigma if truth else None,
        "centres": truth.centres.tolist() if truth else None,
        "weights": truth.weights.tolist() if truth else None,
    } | _unusual(truth)


def _unusual(truth: Mixture | None) -> dict[str, Any]:
    """Where high quality is not within three sigma, and Gaussians are flat in some directions."""
    found: dict[str, Any] = {}
    if truth and truth.radius != Mixture.radius:
        found["radius"] = truth.radius
    if truth and truth.basis is not None:
        found["directions"] = truth.directions
    return found


def _budget(section: StudyConfig, kind: str) -> dict[str, Any]:
    """The least of the papers' budgets in the section, the section's own, and both in words."""
    unit = "discriminator updates" if kind == "points" else "training steps"
    budgets = {find(m, kind).paper_budget(d) for m in section.models for d in section.datasets}
    least = min((budget for budget in budgets if budget is not None), default=None)
    if section.steps == "paper":
        words = "the papers' full budgets"
    elif least and section.steps < least:
        words = f"{section.steps:,} {unit} of the papers' {least:,} or more ({100 * section.steps / least:.2g} %)"
    else:
        words = f"{section.steps:,} {unit}"
    return {"steps": least if section.steps == "paper" else section.steps, "paper_steps": least, "said": words}
