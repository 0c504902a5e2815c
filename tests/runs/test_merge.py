"""Runs of one config merged: the same numbers as one run of all, and what does not fit refused by its cell."""

from __future__ import annotations

import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.config.run import Run
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError, WorkFailed
from otbench.runs.cells import planned
from otbench.runs.gather import gather
from otbench.runs.merge import merge
from otbench.utils.files import read_json, write_json

KEY = ["dataset", "model", "seed", "snapshot", "metric", "protocol"]


def made(folder, name: str, seeds: list[int], models=("real", "noise"), **change) -> Run:
    """A run of two controls, made by the commands that the workflow runs."""
    study = {"datasets": ["ring-pyomt"], "models": list(models), "steps": 4, "samples": 60, "snapshots": [1.0]} | change
    run = Run(run=name, results=str(folder), seeds=seeds, device="cpu", studies={"mode-collapse": study})
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    words = [["data", "ring-pyomt", "--out", f"{run.folder}/data/ring-pyomt.npz"]]
    words += [shlex.split(line)[1:] for pair in run.pairs for line in planned(run, *pair).values()]
    for one in words:
        done = CliRunner().invoke(app, one)
        assert done.exit_code == 0, done.exception
    gather(run)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three parts, by seeds and by models, and the run of all."""
    folder = tmp_path_factory.mktemp("results")
    parts = [made(folder, "a", [0]), made(folder, "b", [1, 2]), made(folder, "c", [0, 1, 2], models=["memoriser"])]
    whole = made(folder, "whole", [0, 1, 2], models=["real", "noise", "memoriser"])
    return parts, whole


def table(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv").sort_values(KEY, ignore_index=True)


def test_parts_make_the_run_of_all(runs, tmp_path):
    parts, whole = runs
    merged = merge([part.folder for part in parts], tmp_path / "merged")
    assert merged.refused == [] and merged.cells == 9
    ours, theirs = table(tmp_path / "merged"), table(whole.folder)
    timed = ours["metric"].isin(["seconds", "peak_memory"])
    columns = [*KEY, "value", "status"]
    pd.testing.assert_frame_equal(ours.loc[~timed, columns], theirs.loc[~timed, columns])
    assert set(ours["run"]) == {"merged"} and (ours["status"] == "ok").all()
    mine, all_of_them = (read_samples(f / "samples/ring-pyomt/noise.npz") for f in (tmp_path / "merged", whole.folder))
    np.testing.assert_array_equal(mine.samples, all_of_them.samples)
    assert read_json(tmp_path / "merged/fit/ring-pyomt/noise/fit.json")["seeds"] == [0, 1, 2]


def test_a_cell_of_two_runs_is_taken_once_and_said(runs, tmp_path):
    parts, whole = runs
    merged = merge([parts[0].folder, whole.folder], tmp_path / "merged")
    assert merged.cells == 9 and len(merged.refused) == 2
    assert all(sentence.endswith("has this cell already") and "/0:" in sentence for sentence in merged.refused)


def test_other_data_and_other_code_are_refused(runs, tmp_path):
    parts, _ = runs
    shutil.copytree(parts[1].folder, tmp_path / "b")
    for path in (tmp_path / "b/metrics/ring-pyomt").glob("*.info.json"):
        record = read_json(path)
        record["samples" if path.stem.startswith("real") else "none"] = record["samples"] | {"data": "0" * 12}
        write_json(path, record | ({} if path.stem.startswith("real") else {"measure_version": "0+old"}))
    done = CliRunner().invoke(
        app, ["merge", str(parts[0].folder), str(tmp_path / "b"), "--out", str(tmp_path / "m"), "--no-report"]
    )
    assert isinstance(done.exception, WorkFailed)
    assert "ring-pyomt/real: its data have digest 000000000000" in done.stderr
    assert 'ring-pyomt/noise: measure version is "0+old"' in done.stderr
    found = table(tmp_path / "m")
    assert (found[found.seed > 0].status == "missing").all() and (found[found.seed == 0].status == "ok").all()


def test_configs_that_differ_are_refused_before_anything_is_written(runs, tmp_path):
    parts, _ = runs
    config = parts[1].model_dump(mode="json")
    config["studies"]["mode-collapse"]["steps"] = 5
    write_json(tmp_path / "b/config.json", config)
    with pytest.raises(OtbenchError, match=r"studies.mode-collapse.steps is 4 in .* and 5 in .*"):
        merge([parts[0].folder, tmp_path / "b"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    with pytest.raises(OtbenchError, match="at least two"):
        merge([parts[0].folder], tmp_path / "merged")
    with pytest.raises(OtbenchError, match="has no config.json"):
        merge([parts[0].folder, tmp_path], tmp_path / "merged")
    with pytest.raises(OtbenchError, match="exists already"):
        merge([parts[0].folder, parts[1].folder], tmp_path)
