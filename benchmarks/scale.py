"""How long the workflow itself takes on a large run: building the DAG, finding nothing to do, gathering, rendering.

    python benchmarks/scale.py --cells 1000 --cells 10000 --out results/scale

The run is made up, file by file, and nothing is trained: 17 models and controls on five data sets in the plane, with
as many seeds as make the number of cells (a cell is one model with one seed on one data set). Two layouts: one job
trains all seeds of a model, or one job trains one (`seeds_per_job: 1`). Prints and writes a table of seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from otbench.config.run import Run
from otbench.data import load, save
from otbench.data.samples import write_samples
from otbench.metrics.measure import expected
from otbench.metrics.table import COLUMNS, write_table
from otbench.provenance import machine, versions
from otbench.runs.check import checked
from otbench.utils.files import atomic_write, write_json

ROOT = Path(__file__).parents[1]
DATASETS = ("grid", "ring", "grid-pyomt", "ring-pyomt", "swissroll")


def configured(cells: int, per_job: int | None) -> dict:
    """The config of a run of about this many cells."""
    models = yaml.safe_load((ROOT / "config" / "all.yaml").read_text())["studies"]["mode-collapse"]["models"]
    seeds = list(range(math.ceil(cells / len(models) / len(DATASETS))))
    points = {"datasets": list(DATASETS), "models": models, "steps": 100, "snapshots": [1.0], "samples": 100}
    bare = {"spread": None, "leave_out": [], "overrides": [], "tuned": None, "together": None}
    studies = {"mode-collapse": points | bare, "images": None, "stacked": None}
    return {"run": f"cells-{cells}", "seeds": seeds, "seeds_per_job": per_job, "studies": studies, "theory": None}


def make(run: Run, root: Path) -> None:
    """Write every file of the run, as its jobs would, with made-up numbers."""
    draw = np.random.default_rng(0)
    for name in run.datasets:
        data = load(name)
        save(data, root / run.folder / "data" / f"{name}.npz")
        wanted = [(m, p) for m, p in expected(data, 100, True) if not math.isnan(0)]
        seeds = run.seeds_of(name)
        for model in run.section(name).models:
            for part in ["", *(f"part-{seeds}" for seeds in run.parts(name))]:
                fit(root / run.folder / "fit" / name / model / part, model, name, seeds)
            rows = [
                dict(
                    zip(
                        COLUMNS,
                        ("", "", "", "", seed, 1.0, metric, draw.random(), text, "ok", 1.0, "", "", ""),
                        strict=True,
                    )
                )
                | {"run": run.run, "study": run.study_of[name], "dataset": name, "model": model}
                for seed in seeds
                for metric, text in wanted
            ]
            write_table(pd.DataFrame(rows), root / run.folder / "metrics" / name / f"{model}.csv")
            with (
                atomic_write(root / run.folder / "metrics" / name / f"{model}.curves.npz") as path,
                open(path, "wb") as file,
            ):
                np.savez(file)
            samples = draw.normal(size=(20 * len(seeds), 2)).astype(np.float32)
            write_samples(root / run.folder / "samples" / name / f"{model}.npz", samples, np.repeat(seeds, 20))


def fit(folder: Path, model: str, dataset: str, seeds: list[int]) -> None:
    """The files of a fit, as far as gathering reads them."""
    write_json(folder / "fit.json", {"model": model, "dataset": dataset, "seeds": seeds, "started": "2000-01-01"})
    (folder / "weights.safetensors").touch()
    (folder / "losses.csv").write_text("stage,step,seed,loss,value\n")


def timed(where: Path, *words: str) -> float:
    """Seconds that a command takes; raises SystemExit with what it said where it fails."""
    path = f"{where / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(where)}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *words], cwd=where, env=environment, capture_output=True, text=True)
    spent = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return spent


def measured(cells: int, per_job: int | None, out: Path) -> dict[str, object]:
    """The times of one run, which is made in a copy of the workflow under `out` and left there without its results."""
    where = out / f"{cells}-{per_job or 'all'}"
    shutil.rmtree(where, ignore_errors=True)
    for name in ("otbench", "workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, where / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", where)
    config = configured(cells, per_job)
    (where / "own.yaml").write_text(yaml.safe_dump(config))
    run = checked({**yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), **config})
    snakemake = ("snakemake", "--cores", "2", "--configfile", "own.yaml", "--quiet", "all")
    told: dict[str, object] = {
        "cells": sum(len(run.seeds_of(d)) for d, _ in run.pairs),
        "seeds a job": per_job or "all",
    }
    told["DAG, s"] = timed(where, *snakemake, "--dry-run")
    make(run, where)
    write_json(where / run.folder / "config.json", json.loads(run.model_dump_json()))
    told["gather, s"] = timed(where, "otbench", "gather", str(run.folder))
    told["report, s"] = timed(
        where, "otbench", "report", str(run.folder), "--reference", str(ROOT / "results/reference")
    )
    (where / run.folder / "complete").touch()
    timed(where, *snakemake, "--touch")
    told["nothing to do, s"] = timed(where, *snakemake)
    shutil.rmtree(where / "results")
    return told


def main() -> None:
    """Measure every size in both layouts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, action="append", help="about how many cells; may be given several times")
    parser.add_argument("--out", type=Path, default=Path("results/scale"), help="folder for the table")
    given = parser.parse_args()
    rows = []
    for cells in given.cells or [1000]:
        for per_job in (None, 1):
            rows.append(measured(cells, per_job, given.out))
            print(pd.DataFrame(rows).round(1).to_string(index=False), flush=True)
    pd.DataFrame(rows).round(2).to_csv(given.out / "scale.csv", index=False)
    write_json(given.out / "machine.json", {"machine": machine(), "versions": versions()})


if __name__ == "__main__":
    main()
