"""The workflow: job counts, nothing to do the second time, and then only what changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from otbench.data import load
from otbench.metrics import applicable
from tests.workflow import BARE, LAST, copy, jobs, set_up, small, snakemake, timeless


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory) -> Path:
    """A small run, done."""
    where = tmp_path_factory.mktemp("run")
    set_up(root, where)
    done = snakemake(where, "--configfile", "own.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return where


def test_dry_run_counts_a_job_of_each_kind_a_model_and_data_set(root, tmp_path):
    set_up(root, tmp_path, datasets=["grid", "ring"], models=["gan", "ali", "real"])
    counted = jobs(snakemake(tmp_path, "-n", "--configfile", "own.yaml"))
    assert counted.pop("total") == 2 + 3 * 6 + 5
    once = dict.fromkeys(("config", "gather", "render", "verdict", "all"), 1)
    assert counted == {"data": 2, "fit": 6, "draw": 6, "measure": 6, **once}


def test_a_search_adds_its_jobs_and_its_table(root, tmp_path):
    copy(root, tmp_path)
    search = {
        "datasets": ["digits"],
        "models": ["ns-gan"],
        "trials": {"wide": 5, "narrow": 2},
        "steps": 3,
        "at_once": 3,
    }
    pictures = {**BARE, "datasets": ["digits"], "models": ["real"], "steps": 10, "search": search}
    run = small() | {"studies": {"mode-collapse": None, "images": pictures, "stacked": None}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(run))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml")
    assert jobs(done)["search"] == 3 and jobs(done)["fit"] == 1
    assert "--trials 3:5" in done.stdout and "results/small/search.csv" in done.stdout


def test_a_second_run_has_nothing_to_do(finished):
    assert jobs(snakemake(finished, "-n", "--configfile", "own.yaml")) == {}


def test_a_model_added_runs_that_model_alone(finished):
    config = finished / "own.yaml"
    before = config.read_text()
    config.write_text(yaml.safe_dump(small(models=["real", "noise", "memoriser"])))
    try:
        counted = jobs(snakemake(finished, "-n", "--configfile", "own.yaml"))
    finally:
        config.write_text(before)
    assert (counted["fit"], counted["draw"], counted["measure"]) == (1, 1, 1) and "data" not in counted


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("models/points/gan.py", set()),
        ("models/controls.py", {"fit", "draw", "measure", *LAST}),
        ("metrics/modes.py", {"measure", *LAST}),
        ("report/figures/marks.py", LAST),
    ],
)
def test_an_edit_reruns_what_it_touches(file, expected, finished):
    path = finished / "otbench" / file
    before = path.read_text()
    path.write_text(before + "\nEDITED = True\n")
    try:
        counted = jobs(snakemake(finished, "-n", "--configfile", "own.yaml"))
    finally:
        path.write_text(before)
    assert set(counted) - {"total"} == expected


@pytest.mark.parametrize("words", [(), ("--rerun-triggers", "mtime")])
def test_another_budget_or_model_is_made_although_snakemake_has_no_records(words, finished, tmp_path):
    where = tmp_path / "copy"
    # the files keep their times, so that only what differs from the config is a reason
    shutil.copytree(finished, where, ignore=shutil.ignore_patterns(".snakemake"))
    (where / "own.yaml").write_text(yaml.safe_dump(small(steps=20)))
    counted = jobs(snakemake(where, "-n", "--configfile", "own.yaml", *words))
    assert (counted["fit"], counted["draw"], counted["measure"]) == (2, 2, 2) and set(counted) > LAST
    (where / "own.yaml").write_text(yaml.safe_dump(small(models=["real", "noise", "memoriser"])))
    counted = jobs(snakemake(where, "-n", "--configfile", "own.yaml", *words))
    assert (counted["fit"], counted["draw"], counted["measure"]) == (1, 1, 1) and set(counted) > LAST
    (where / "own.yaml").write_text(yaml.safe_dump(small()))
    assert jobs(snakemake(where, "-n", "--configfile", "own.yaml", *words)) == {}
    assert "fit" not in jobs(snakemake(where, "-n", "report", "--configfile", "own.yaml", *words))


def test_files_of_another_budget_that_were_touched_are_made_again(finished, tmp_path):
    where = tmp_path / "copy"
    shutil.copytree(finished, where)
    (where / "own.yaml").write_text(yaml.safe_dump(small(steps=20)))
    assert snakemake(where, "--touch", "--configfile", "own.yaml").returncode == 0
    assert jobs(snakemake(where, "-n", "--configfile", "own.yaml"))["fit"] == 2


def test_report_renders_again_without_training(finished):
    page = finished / "results" / "small" / "report.html"
    page.unlink()
    done = snakemake(finished, "report", "--configfile", "own.yaml")
    assert done.returncode == 0 and page.exists(), done.stderr[-2000:]
    assert "fit" not in jobs(snakemake(finished, "-n", "report", "--configfile", "own.yaml"))


def test_the_report_follows_the_table_of_the_reference_results(finished):
    """Fault 17: inputs outside the run that nothing looked at; a copy of the same table is the same input."""
    table = finished / "results" / "reference" / "metrics.parquet"
    table.parent.mkdir()
    try:
        shutil.copy(finished / "results" / "small" / "metrics.parquet", table)
        assert set(jobs(snakemake(finished, "-n", "--configfile", "own.yaml"))) == LAST - {"gather"} | {"total"}
    finally:
        shutil.rmtree(table.parent)
    assert jobs(snakemake(finished, "-n", "--configfile", "own.yaml")) == {}


def test_a_fit_has_no_benchmark_of_a_process_that_waits(finished):
    """Fault 16: Snakemake measured the process that waits for the warm one; fit.json has what the work took."""
    assert not (finished / "results" / "small" / "benchmarks").exists()
    fitted = json.loads((finished / "results" / "small" / "fit" / "ring-pyomt" / "noise" / "fit.json").read_text())
    last = [cell for cell in fitted["cells"] if cell["snapshot"] == 1.0]
    assert len(last) == 2 and all(cell["certificate"]["peak_memory"] > 0 for cell in last)
    table = pd.read_csv(finished / "results" / "small" / "metrics.csv")
    costs = table[(table["metric"] == "peak_memory") & (table["protocol"] == "cost") & (table["model"] == "noise")]
    assert costs["value"].tolist() == [cell["certificate"]["peak_memory"] for cell in last]


def test_report_of_a_fresh_clone_comes_from_the_reference_results(root, finished, tmp_path):
    copy(root, tmp_path)
    shutil.copytree(root / "results" / "reference", tmp_path / "results" / "reference")
    done = snakemake(tmp_path, "report")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "results" / "reference" / "report.html").exists()
    assert not (tmp_path / "results" / "default").exists(), "nothing was trained"


def test_a_missing_cell_is_counted(root, finished, tmp_path):
    from otbench.config.run import Run
    from otbench.runs.gather import gather

    shutil.copytree(finished / "results", tmp_path / "results")
    run = Run(**small(models=["real", "noise", "gan"]), results=str(tmp_path / "results"))
    gather(run)
    table = pd.read_csv(run.folder / "metrics.csv")
    gone = table[table["model"] == "gan"]
    assert set(gone["status"]) == {"missing"} and set(gone["seed"]) == {0, 1} and gone["value"].isna().all()
    assert set(gone["metric"]) == set(applicable(load("ring-pyomt")))


def test_seeds_may_be_spread_over_jobs_without_changing_a_number(root, finished, tmp_path):
    copy(root, tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"seeds_per_job": 1}))
    counted = jobs(snakemake(tmp_path, "-n", "--configfile", "own.yaml"))
    assert (counted["fit_part"], counted["join"]) == (4, 2) and "fit" not in counted
    done = snakemake(tmp_path, "--configfile", "own.yaml")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    tables = [timeless(where / "results" / "small" / "metrics.csv") for where in (finished, tmp_path)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_job_that_is_killed_leaves_the_rest_and_a_report_that_counts_it(root, tmp_path):
    set_up(root, tmp_path)
    folder = tmp_path / "results" / "small"
    done = snakemake(tmp_path, "--configfile", "own.yaml", broken="fit noise")
    assert done.returncode == 1 and "2 of 4 cells are ok, 2 missing" in done.stdout + done.stderr
    table = pd.read_csv(folder / "metrics.csv")
    assert table.groupby("model")["status"].unique().map(list).to_dict() == {"noise": ["missing"], "real": ["ok"]}
    assert "missing" in (folder / "tables" / "incomplete.csv").read_text() and (folder / "report.html").exists()
    assert not (folder / "complete").exists()
    assert {"fit", "gather"} <= set(jobs(snakemake(tmp_path, "-n", "--configfile", "own.yaml")))
    again = snakemake(tmp_path, "--configfile", "own.yaml")
    assert again.returncode == 0 and (folder / "complete").exists(), again.stdout[-2000:] + again.stderr[-2000:]
    assert set(pd.read_csv(folder / "metrics.csv")["status"]) == {"ok"}


def test_a_data_set_that_cannot_be_had_leaves_the_others_their_report(root, tmp_path):
    copy(root, tmp_path)
    images = {"datasets": ["mine"], "folders": {"mine": "nowhere"}, "models": ["noise"], "steps": 1, "samples": 20}
    config = small(models=["real"], samples=200)
    config["studies"]["images"] = images | {"snapshots": [1.0], "search": None, "spread": None, "rating": None}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(tmp_path, "--keep-going", "--configfile", "own.yaml")
    assert done.returncode == 1 and "2 of 4 cells are ok, 2 missing" in done.stdout + done.stderr
    table = pd.read_csv(tmp_path / "results" / "small" / "metrics.csv")
    found = table.groupby("dataset")["status"].unique().map(list).to_dict()
    assert found == {"mine": ["missing"], "ring-pyomt": ["ok"]}
    assert (tmp_path / "results" / "small" / "report.html").exists()
