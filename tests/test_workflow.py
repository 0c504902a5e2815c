"""The workflow: job counts, the smoke run end to end, nothing to do the second time, and then only what changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from otbench.config.search_spaces import SEARCHED
from otbench.config.study import KINDS
from otbench.data import load
from otbench.metrics import METRICS, applicable
from otbench.ratings.answers import merge
from otbench.ratings.key import read_key
from otbench.registry import THEORIES, models_of

SECTION = {"datasets": ["ring-pyomt"], "models": ["real", "noise"], "steps": 10, "samples": 100}
#: what comes after the last measurement
LAST = {"gather", "render", "verdict", "all"}
#: parts of the default's studies that a test of something else does without
BARE = {"search": None, "spread": None, "rating": None}
#: the default's choices for its own data sets and budget
OWN = {"leave_out": [], "overrides": [], "tuned": None, "together": None}


def small(**change: object) -> dict:
    """A run of two controls on one data set in the plane, with this change of its study."""
    return {
        "run": "small",
        "seeds": [0, 1],
        "studies": {"mode-collapse": {**SECTION, **OWN, "spread": None, **change}, "images": None, "stacked": None},
        "theory": None,
    }


def copy(root: Path, target: Path) -> None:
    """A copy of what a run needs, so that tests can edit it."""
    for name in ("otbench", "workflow", "config", "profiles"):
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "Snakefile", target)


def snakemake(where: Path, *words: str, broken: str = "", code: Path | None = None) -> subprocess.CompletedProcess:
    """Run Snakemake in `where`; calls of otbench that begin with the words `broken` end at once, as if killed."""
    shim = where / "bin" / "otbench"
    shim.parent.mkdir(exist_ok=True)
    fault = f'case "$*" in "{broken}"*) kill -9 $$;; esac\n' if broken else ""
    shim.write_text(f'#!/bin/sh\n{fault}exec "{sys.executable}" -m otbench "$@"\n')
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(code or where)}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *words]
    return subprocess.run(command, cwd=where, env=env, capture_output=True, text=True)


def jobs(done: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs by rule of a dry run."""
    text = done.stdout + done.stderr
    if "Nothing to be done" in text:
        return {}
    counted = re.search(r"job +count\n[- ]+\n(.*?)\n\n", text, re.S)
    assert counted, text[-2000:]
    return {line.split()[0]: int(line.split()[1]) for line in counted.group(1).splitlines()}


def timeless(path: Path) -> pd.DataFrame:
    """A run's table without what differs from call to call: times and memory."""
    table = pd.read_csv(path)
    return table[table["protocol"] != "cost"].drop(columns="seconds").reset_index(drop=True)


def set_up(root: Path, target: Path, **change: object) -> Path:
    copy(root, target)
    path = target / "own.yaml"
    path.write_text(yaml.safe_dump(small(**change)))
    return path


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


def test_the_workflow_passes_snakemakes_own_check_of_style(root, tmp_path):
    copy(root, tmp_path)
    done = snakemake(tmp_path, "--lint")
    assert done.returncode == 0 and "in a good condition" in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_wrong_config_is_refused_before_anything_runs(root, tmp_path):
    set_up(root, tmp_path, modles=["gan"])
    done = snakemake(tmp_path, "--configfile", "own.yaml")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "modles': there is no such key" in text and "Traceback" not in text
    assert not (tmp_path / "results").exists()


def test_a_config_file_does_not_write_elsewhere(root, tmp_path):
    copy(root, tmp_path)
    for results in (str(tmp_path.parent / "away"), "../away"):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"results": results}))
        done = snakemake(tmp_path, "-n", "--configfile", "own.yaml")
        assert done.returncode != 0 and "is outside this folder" in done.stdout + done.stderr
        allowed = f"allow={tmp_path.parent}"
        assert snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", allowed).returncode == 0
        done = snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", f"results={results}")
        assert done.returncode == 0 and f"{results}/small/report.html" in done.stdout


def test_a_config_file_does_not_read_elsewhere(root, tmp_path):
    copy(root, tmp_path)
    for change in ({"data_root": "/data"}, {"published": "../table.csv"}, {"reference": "~/reference"}):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | change))
        done = snakemake(tmp_path, "-n", "--configfile", "own.yaml")
        said = done.stdout + done.stderr
        assert done.returncode != 0 and f"key '{min(change)}'" in said and "is outside this folder" in said
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"data_root": "/data", "allow": "/data"}))
    done = snakemake(tmp_path, "-n", "--configfile", "own.yaml")
    assert done.returncode != 0 and "this is for the command line alone" in done.stdout + done.stderr
    done = snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", "allow=[/data]")
    assert "outside this folder" not in done.stdout + done.stderr, "said on the command line, in the config or not"


def test_images_get_features_and_the_latent_study(root, tmp_path):
    pictures = {**BARE, "datasets": ["digits"], "models": ["ae-ot", "real"], "steps": 2, "samples": 100}
    set_up(root, tmp_path)
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump(small() | {"studies": {"mode-collapse": None, "images": pictures, "stacked": None}})
    )
    counted = jobs(snakemake(tmp_path, "-n", "--configfile", "own.yaml"))
    assert counted.pop("total") == 2 + 3 * 2 + 6
    assert (counted["features"], counted["latent"], counted["fit"], counted["data"]) == (1, 1, 2, 1)


def test_repeats_and_a_rating_session_are_jobs_of_their_own(root, tmp_path):
    copy(root, tmp_path)
    pictures = {"datasets": ["digits"], "models": ["vae", "noise"], "steps": 2, "samples": 100}
    pictures |= {"search": None, "spread": {"draws": 2}, "rating": {"per_cell": 3}}
    studies = {"mode-collapse": None, "images": pictures, "stacked": None}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"studies": studies}))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml")
    counted = jobs(done)
    assert (counted["spread"], counted["rate"]) == (1, 1), "the default asks for the VAE's spread, and rates both"
    assert "--n 100 --draws 2 --subsets 3" in done.stdout and "--per-cell 3 --real 40" in done.stdout
    assert "--along" not in done.stdout, "models that the study has not are passed over"


def test_a_study_of_the_theory_is_a_job_of_its_own_on_its_own_images(root, tmp_path):
    copy(root, tmp_path)
    theory = {"theory": {"parallel-lines": {"seed": 3}, "blur": {"dataset": "mnist"}, "folding": None}}
    left_out = dict.fromkeys(name for name in THEORIES if name not in ("parallel-lines", "blur"))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"theory": left_out | theory["theory"]}))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml", "--config", "device=cuda")
    counted = jobs(done)
    assert (counted["theory"], counted["data"]) == (2, 2), "images that no other study has are made for it"
    text = " ".join(done.stdout.split())
    assert "otbench theory parallel-lines --options '{}' --seed 3 --device cpu" in text, "it is computed on the CPU"
    assert "otbench theory blur --data results/small/data/mnist.npz --options '{}' --seed 0 --device cuda" in text


@pytest.fixture(scope="module")
def smoked(root, tmp_path_factory) -> Path:
    """The smoke run, done."""
    where = tmp_path_factory.mktemp("smoke")
    copy(root, where)
    done = snakemake(where, "--configfile", "config/smoke.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return where


@pytest.mark.slow
def test_smoke_run_has_every_model_and_metric(smoked):
    folder = smoked / "results" / "smoke"
    table = pd.read_parquet(folder / "metrics.parquet")
    from otbench.models import models

    assert set(table["model"]) == set(models()) and set(table["status"]) <= {"ok"}
    assert set(table["study"]) == set(KINDS)
    for kind in set(KINDS.values()):
        rows = table[table["study"].isin([study for study in KINDS if KINDS[study] == kind])]
        assert set(rows["model"]) == set(models_of(kind))
        measured = {name for name, metric in METRICS.items() if kind in metric.kinds} - {"energy"}  # a GPU's
        assert measured <= set(rows["metric"]), f"not measured: {measured - set(rows['metric'])}"
    page = (folder / "report.html").read_text()
    for name in THEORIES:
        assert (folder / "theory" / f"{name}.npz").exists() and f'id="theory-{name}"' in page
    for name in ("report.html", "metrics.csv", "run.json", "scatter.npz", "gallery.npz", "curves.npz", "latent.npz"):
        assert (folder / name).stat().st_size > 0
    searched = pd.read_csv(folder / "search.csv")
    assert set(searched["model"]) == set(SEARCHED) and set(searched["space"]) == {"wide", "narrow"}
    assert list((folder / "figures").glob("*.png")) and list((folder / "tables").glob("*.tex"))
    assert list((folder / "sheets").rglob("*.png"))
    page = re.sub(r"<a [^>]*>|http://www.w3.org\S*", "", (folder / "report.html").read_text())
    assert not re.search(r"https?://", page), "it needs no network; pictures in base64 may hold any four letters"


@pytest.mark.slow
def test_answers_of_raters_are_an_input_of_the_report_alone(smoked, tmp_path):
    folder = smoked / "results" / "smoke"
    session = folder / "ratings" / "digits"
    for name in ("rate.html", "sheet.pdf", "form.csv"):
        assert (session / name).stat().st_size > 0
    key = json.loads((session / "key.json").read_text())
    for rater, fooled in (("Ann", "otvae"), ("Bo", "vae")):
        answers = [
            {
                "item": one["item"],
                "answer": "real" if one["kind"] != "model" or one["model"] == fooled else "generated",
                "milliseconds": 900,
            }
            for one in key["items"]
        ]
        said = {"format": "otbench-ratings-1", "session": key["session"], "rater": rater, "answers": answers}
        said |= {"started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:05:00Z"}
        path = tmp_path / f"{rater}.json"
        path.write_text(json.dumps(said))
        merge([path], read_key(session), session)
    assert set(jobs(snakemake(smoked, "-n", "--configfile", "config/smoke.yaml"))) - {"total"} == LAST
    done = snakemake(smoked, "--configfile", "config/smoke.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(folder / "metrics.csv").query("metric == 'excellence'")
    rates = table.groupby("model")["value"].mean()
    assert rates["otvae"] == rates["vae"] == 0.5 and rates["noise"] == 0, "each rater was fooled by one model"
    assert table["protocol"].str.contains("raters=2").all() and (table["status"] == "ok").all()
    assert len(table[table["model"] == "otvae"]) == 2 * 2, "two seeds at two snapshots"
    page = (folder / "report.html").read_text()
    assert "Ann" in page and "Krippendorff" in page


def test_braces_in_paths_are_letters(root, tmp_path):
    """Fault 11: they were taken for wildcards."""
    copy(root, tmp_path)
    values = small() | {"data_root": "{x}/{dataset}"}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml")
    assert done.returncode == 0 and "--root '{x}/{dataset}'" in done.stdout + done.stderr, done.stderr[-2000:]


def test_the_workflow_may_be_called_from_another_folder(root, tmp_path):
    """Fault 15, C14."""
    copy(root, tmp_path / "clone")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "own.yaml").write_text(yaml.safe_dump(small()))
    done = snakemake(
        tmp_path / "here",
        *("-n", "-p", "-s", str(tmp_path / "clone" / "Snakefile"), "--configfile", "own.yaml"),
        code=tmp_path / "clone",
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0 and f"--published {tmp_path}/clone/config/published.csv" in text, text[-2000:]
    (tmp_path / "here" / "Snakefile").write_text(
        "module otbench:\n    snakefile: '../clone/Snakefile'\n    config: config\n\nuse rule * from otbench\n"
    )
    done = snakemake(tmp_path / "here", "-n", "--configfile", "own.yaml", code=tmp_path / "clone")
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def test_a_wrong_reference_is_refused_before_anything_runs(root, tmp_path):
    """Fault 27."""
    set_up(root, tmp_path)
    done = snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", "reference=results/nosuch")
    assert done.returncode != 0 and "there is no metrics.parquet in results/nosuch" in done.stdout + done.stderr
