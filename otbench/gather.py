"""From the files of a run to the four that a report is made of: the verb `gather`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.config import Run
from otbench.data import load
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.files import read_json, whole, write_json
from otbench.metrics import CHEAP, applicable
from otbench.metrics.measuring import protocol_of
from otbench.metrics.samples import read_samples
from otbench.metrics.table import COLUMNS, check_table, read_table, write_table
from otbench.models import find
from otbench.provenance import code_version, digest, machine, versions

SHOWN = 2500
REAL = "__real__"


def gather(run: Run) -> dict[str, Any]:
    """Write metrics.csv, metrics.parquet, run.json and scatter.npz of a run; returns what run.json holds.

    Cells that the config asks for and that were not measured become rows of status `missing`. Raises OtbenchError
    where a file of the run cannot be read.
    """
    folder = run.folder
    data = {name: load(str(folder / "data" / f"{name}.npz")) for name in run.datasets}
    tables, fits = [], {}
    for name in run.datasets:
        for model in run.models:
            path = folder / "metrics" / name / f"{model}.csv"
            tables.append(read_table(path) if path.exists() else _nothing())
            fitted = folder / "fit" / name / model / "fit.json"
            if fitted.exists():
                fits[name, model] = read_json(fitted)
    table = pd.concat([t for t in tables if len(t)] or [_nothing()], ignore_index=True)
    table = check_table(pd.concat([table, _missing(run, table, data)], ignore_index=True), str(folder))
    table = table.sort_values(["dataset", "model", "seed", "snapshot"], kind="stable").reset_index(drop=True)
    said = _describe(run, data, fits)
    for suffix in (".csv", ".parquet"):
        write_table(table, folder / f"metrics{suffix}")
    _write_scatter(run, data, table)
    write_json(folder / "run.json", said)
    return said


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=COLUMNS)


def _missing(run: Run, table: pd.DataFrame, data: dict[str, DataSet]) -> pd.DataFrame:
    keys = ["dataset", "model", "seed", "snapshot"]
    present = set(table[keys].itertuples(index=False, name=None))
    rows = []
    for dataset, model, seed in product(run.datasets, run.models, run.seeds):
        for snapshot in run.marks if find(model).paper_steps else [1.0]:
            if (dataset, model, seed, snapshot) in present:
                continue
            cell = dict(zip(keys, (dataset, model, seed, snapshot), strict=True))
            cell |= {"run": run.run, "study": run.study, "value": math.nan, "status": "missing", "seconds": math.nan}
            cell |= {"device": "", "code_version": "", "config_hash": ""}
            names = applicable(data[dataset], None if snapshot == 1.0 else list(CHEAP))
            rows += [cell | {"metric": m, "protocol": protocol_of(m, data[dataset], run.samples)} for m in names]
    return pd.DataFrame(rows, columns=COLUMNS)


def _describe(run: Run, data: dict[str, DataSet], fits: dict[tuple[str, str], dict]) -> dict[str, Any]:
    started = [f["started"] for f in fits.values() if "started" in f]
    return {
        "run": run.run,
        "config": run.model_dump(),
        "config_hash": digest(run.model_dump()),
        "code_version": code_version(),
        "versions": versions(),
        "machine": machine(),
        "started": min(started) if started else None,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "expected": [list(cell) for cell in product(run.datasets, run.models, run.seeds)],
        "models": {name: _model(name, run, fits) for name in run.models},
        "datasets": {name: _data(values) for name, values in data.items()},
        "budget": _budget(run),
        "seeds": run.seeds,
        "snapshots": run.marks,
    }


def _model(name: str, run: Run, fits: dict[tuple[str, str], dict]) -> dict[str, Any]:
    model = find(name)
    fitted = next((f for (_, m), f in fits.items() if m == name), {})
    return {
        "title": model.title_of(name),
        "paper": model.paper,
        "family": model.family,
        "control": model.control,
        "options": fitted.get("options", run.options(name)),
        "parameters": fitted.get("parameters", {}),
        "steps": fitted.get("steps"),
        "paper_steps": model.paper_steps,
    }


def _data(values: DataSet) -> dict[str, Any]:
    truth = values.truth
    return {
        "title": values.title,
        "source": values.source,
        "n_train": len(values.train),
        "modes": len(truth.centres) if truth else None,
        "sigma": truth.sigma if truth else None,
        "centres": truth.centres.tolist() if truth else None,
        "weights": truth.weights.tolist() if truth else None,
    }


def _budget(run: Run) -> dict[str, Any]:
    papers = sorted({find(m).paper_steps for m in run.models} - {None})
    least = papers[0] if papers else None
    if run.steps == "paper":
        said = "the papers' full budgets"
    elif least and run.steps < least:
        said = f"{run.steps:,} discriminator updates of the papers' {least:,} or more ({100 * run.steps / least:.2g} %)"
    else:
        said = f"{run.steps:,} discriminator updates"
    return {"steps": least if run.steps == "paper" else run.steps, "paper_steps": least, "said": said}


def _write_scatter(run: Run, data: dict[str, DataSet], table: pd.DataFrame) -> None:
    arrays: dict[str, np.ndarray] = {}
    for name, values in data.items():
        if values.kind != "points":
            continue
        arrays[f"{name}/{REAL}"] = values.held_out[:SHOWN]
        for model in run.models:
            path = run.folder / "samples" / name / f"{model}.npz"
            chosen = table[(table["dataset"] == name) & (table["model"] == model) & (table["status"] == "ok")]
            if not path.exists() or chosen.empty:
                continue
            file = read_samples(path)
            rows = (file.seed == chosen["seed"].min()) & np.isclose(file.snapshot, chosen["snapshot"].max())
            arrays[f"{name}/{model}"] = file.samples[rows][:SHOWN].astype(np.float32)
    with whole(run.folder / "scatter.npz") as path, open(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def run_of(folder: Path) -> Run:
    """The run whose results are in `folder`; raises OtbenchError where its config is missing."""
    from otbench.config import read

    run = read(folder / "config.json")
    if run.folder.resolve() != Path(folder).resolve():
        raise OtbenchError(f"{folder}/config.json describes {run.folder}, not this folder")
    return run
