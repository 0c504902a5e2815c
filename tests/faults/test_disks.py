"""Runs on disks that fill or may not be written to: a sentence, nothing half-written, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from otbench.data import load
from otbench.utils.records import read_record
from tests.conftest import otbench
from tests.disks import disk, read_only
from tests.workflow import set_up, snakemake, timeless

pytestmark = pytest.mark.faults


def fit(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return otbench("fit", "gan", "--data", "grid-pyomt", "--out", folder, *words)


def test_a_fit_on_a_disk_that_fills(tmp_path):
    with disk(tmp_path / "small", "300k") as folder:
        done = fit(folder / "fit", "--steps", "60")
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "No space left on device; it is as it was before" in done.stderr.replace("\n", " ")
        assert not (folder / "fit" / "fit.json").exists() and not (folder / "fit" / "weights.safetensors").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        assert fit(folder / "fit", "--steps", "60").returncode == 0
        assert (folder / "fit" / "fit.json").exists()


def test_a_fit_in_a_folder_that_may_not_be_written_to(tmp_path):
    with disk(tmp_path / "small", "1m") as folder:
        read_only(folder)
        done = fit(folder / "fit", "--steps", "5")
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr
        assert "Read-only file system" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_run_on_a_disk_that_fills_goes_on_once_there_is_room(root, tmp_path):
    set_up(root, tmp_path)
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    set_up(root, quiet)
    assert snakemake(quiet, "--configfile", "own.yaml").returncode == 0
    with disk(tmp_path / "results", "200k") as results:
        done = snakemake(tmp_path, "--configfile", "own.yaml")
        assert done.returncode == 1
        logs = "".join(path.read_text() for path in (results / "small" / "logs").rglob("*.log"))
        assert "No space left on device" in logs + done.stdout + done.stderr
        assert not (results / "small" / "complete").exists()
        subprocess.run(["mount", "-o", "remount,size=256m", results], check=True)
        again = snakemake(tmp_path, "--configfile", "own.yaml")
        assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
        tables = [timeless(where / "small" / "metrics.csv") for where in (results, quiet / "results")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_run_in_a_folder_that_may_not_be_written_to(root, tmp_path):
    set_up(root, tmp_path)
    with disk(tmp_path / "results", "1m") as results:
        read_only(results)
        done = snakemake(tmp_path, "--configfile", "own.yaml")
        said = done.stdout + done.stderr
        assert done.returncode == 1 and "Read-only file system" in said and "Traceback" not in said


def test_data_that_change_under_a_run_are_noticed(root, tmp_path):
    set_up(root, tmp_path)
    assert snakemake(tmp_path, "--configfile", "own.yaml").returncode == 0
    small = tmp_path / "results" / "small"
    data, table = small / "data" / "ring-pyomt.npz", small / "metrics" / "ring-pyomt" / "real.csv"
    samples = small / "samples" / "ring-pyomt" / "real.npz"
    before, times = load(str(data)).digest(), data.stat().st_mtime_ns
    assert read_record(table)["samples"]["data"] == before
    assert otbench("data", "ring", "--name", "ring-pyomt", "--out", data).returncode == 0
    after = load(str(data)).digest()
    os.utime(data, ns=(times, times))  # nothing tells Snakemake
    alone = otbench("measure", "--data", data, "--samples", samples, "--out", tmp_path / "t.csv")
    assert before != after and alone.returncode == 2 and "it changed since" in alone.stderr
    assert snakemake(tmp_path, "--configfile", "own.yaml").returncode == 0
    for path in table.parent.glob("*.csv"):
        assert read_record(path)["samples"]["data"] == after, path
