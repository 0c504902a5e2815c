"""Runs in odd places: a folder with an odd name, results behind a link, no home, a clone that may not be written to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.disks import disk, read_only
from tests.workflow import jobs, set_up, snakemake, timeless

pytestmark = pytest.mark.faults

OWN = ("--configfile", "own.yaml")


@pytest.fixture(scope="module")
def plain(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in a folder of its own."""
    folder = tmp_path_factory.mktemp("plain")
    set_up(root, folder)
    done = snakemake(folder, *OWN)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


def same(one: Path, other: Path) -> None:
    tables = [timeless(where / "results" / "small" / "metrics.csv") for where in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_an_odd_folder_results_behind_a_link_and_no_home(root: Path, plain: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "it's a dir (1)", tmp_path / "another disk"
    for path in (folder, elsewhere):
        path.mkdir()
    (folder / "results").symlink_to(elsewhere)
    set_up(root, folder)
    done = snakemake(folder, *OWN, variables={"HOME": "/nonexistent/home"})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    same(folder, plain)
    assert (elsewhere / "small" / "report.html").exists() and (folder / "results").is_symlink()
    assert jobs(snakemake(folder, *OWN, "-n")) == {}


def test_what_a_killed_job_left_is_not_taken_for_its_result(root: Path, plain: Path, tmp_path: Path) -> None:
    set_up(root, tmp_path)
    table = tmp_path / "results" / "small" / "metrics" / "ring-pyomt" / "real.csv"
    done = snakemake(tmp_path, *OWN, "--keep-incomplete", "--keep-going", broken="measure")
    assert done.returncode == 1
    whole = (plain / table.relative_to(tmp_path)).read_bytes()
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_bytes(whole[: len(whole) // 2])
    again = snakemake(tmp_path, *OWN, "--keep-incomplete", "--rerun-triggers", "mtime")
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    same(tmp_path, plain)


def test_a_clone_that_may_not_be_written_to_runs_from_another_folder(root: Path, plain: Path, tmp_path: Path) -> None:
    """Snakemake itself writes into its working directory, dry runs included, so that has to be another."""
    work = tmp_path / "work"
    work.mkdir()
    with disk(tmp_path / "clone", "64m") as clone:
        set_up(root, clone)
        read_only(clone)
        words = ("--snakefile", str(clone / "Snakefile"), "--configfile", str(clone / "own.yaml"))
        assert jobs(snakemake(work, *words, "-n", code=clone))["fit"] == 2
        done = snakemake(work, *words, code=clone)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    same(work, plain)
