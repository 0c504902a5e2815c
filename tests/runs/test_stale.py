"""What is on disk against what the config asks: each difference is named, not gathered, and made again."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.config.run import Run
from otbench.errors import WorkFailed
from otbench.fingerprints import theory_version
from otbench.report.status import problem, said, status
from otbench.runs import reproduce, stale
from otbench.runs.cells import planned
from otbench.runs.gather import gather
from otbench.theory.findings import Findings
from otbench.utils.files import write_json
from otbench.utils.records import file_digest, read_record, record_path

STUDY = {"datasets": ["ring-pyomt"], "models": ["real", "noise"], "steps": 4, "samples": 100}


def run_in(folder: Path, seeds: list[int] | None = None, **change: object) -> Run:
    studies = {"mode-collapse": {**STUDY, **change}}
    return Run(run="small", results=str(folder), seeds=seeds or [0, 1], device="cpu", studies=studies)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of two controls, gathered, made by the commands that the workflow runs."""
    folder = tmp_path_factory.mktemp("results")
    run = run_in(folder)
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    words = [["data", "ring-pyomt", "--out", f"{run.folder}/data/ring-pyomt.npz"]]
    words += [shlex.split(line)[1:] for pair in run.pairs for line in planned(run, *pair).values()]
    for one in words:
        done = CliRunner().invoke(app, one)
        assert done.exit_code == 0, done.exception
    gather(run)
    (run.folder / "complete").write_text(f"{stale.config_digest(run)}\n")
    return folder


@pytest.fixture
def results(finished, tmp_path) -> Path:
    """A copy of the run's files, with new times."""
    shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copyfile)
    return tmp_path / "results"


def table_of(run: Run) -> pd.DataFrame:
    """The run gathered: its table, config.json as the workflow writes it first."""
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    gather(run)
    return pd.read_csv(run.folder / "metrics.csv")


def regather(folder: Path, **change: object) -> Run:
    """The run's config as `finished` has it but for this change, with the folder's files."""
    return run_in(folder, **change)


def names(run: Run, files) -> set[str]:
    return {path.relative_to(run.folder).as_posix() for path in files}


def test_a_finished_run_has_nothing_stale(finished):
    run = run_in(finished)
    assert stale.stale_files(run, {}) == {} and stale.to_make(run) == {}
    assert stale.seeds_measured(run, "ring-pyomt", "real") == {0, 1}


@pytest.mark.parametrize(
    ("change", "reason", "kinds"),
    [
        ({"steps": 6}, "fitted with steps 4, asked 6", {"fit", "samples", "metrics"}),
        ({"steps": "paper"}, "fitted with steps 4, asked paper", {"fit", "samples", "metrics"}),
        ({"snapshots": [0.5]}, "fitted with snapshots [1.0], asked [0.5, 1.0]", {"fit", "samples", "metrics"}),
        ({"samples": 120}, "drawn with 100 samples, asked 120", {"samples", "metrics"}),
    ],
)
def test_each_difference_is_named_and_what_depends_on_it_made_again(change, reason, kinds, finished):
    run = regather(finished, **change)
    found = stale.stale_files(run, {})
    assert set(found.values()) == {reason}
    assert {name.split("/")[0] for name in names(run, found)} == kinds and len(found) == 2 * len(kinds)
    assert names(run, stale.to_make(run)) == names(run, found) | {
        *("config.json", "metrics.parquet", "complete", "report.html")
    }


def test_options_precision_data_and_code_are_part_of_what_was_asked(finished):
    run = run_in(finished)
    fitted = json.loads((run.folder / "fit/ring-pyomt/real/fit.json").read_text())
    mismatch = lambda fit, data=None: stale.fit_mismatch(run, "ring-pyomt", "real", fit, data)
    assert mismatch(fitted) == "" and mismatch(fitted, fitted["data"]) == ""
    assert mismatch(fitted, "other") == f"fitted on data {fitted['data']}, the data are other"
    assert mismatch(fitted | {"model": "noise"}) == "fitted with model noise, asked real"
    asked = fitted["asked"] | {"options": {"rate": 0.1}}
    assert mismatch(fitted | {"asked": asked}) == 'fitted with options {"rate": 0.1}, asked {}'
    asked = fitted["asked"] | {"precision": "tf32"}
    assert mismatch(fitted | {"asked": asked}) == "fitted with precision tf32, asked float32"
    assert mismatch(fitted | {"fit_version": "0+x"}).startswith("fitted by code 0+x, the code is ")
    assert mismatch({}) == mismatch([]) == mismatch(None) == stale.NO_RECORD


def test_another_budget_is_counted_as_missing_and_said(results):
    run = run_in(results, steps=6)
    table = table_of(run)
    assert set(table["status"]) == {"missing"} and table["value"].isna().all() and len(table.query("seed == 0")) > 10
    found = status(run.folder)
    assert found["counts"] == {"ok": 0, "diverged": 0, "failed": 0, "missing": 4, "all": 4}
    assert "ring-pyomt/real: missing, seed 0, 1 (stale: fitted with steps 4, asked 6)" in said(found)
    done = CliRunner().invoke(app, ["status", str(run.folder)])
    assert isinstance(done.exception, WorkFailed) and "4 of 4 cells are not ok" in str(done.exception)


def test_seeds_that_the_config_lacks_are_not_gathered_and_those_that_lack_are_missing(results):
    run = run_in(results, seeds=[0])
    table = table_of(run)
    assert set(table["seed"]) == {0} and set(table["status"]) == {"ok"}
    assert status(run.folder)["counts"]["all"] == 2 and stale.stale_files(run, {}) == {}
    run = run_in(results, seeds=[1, 2])
    states = table_of(run).groupby("seed")["status"].unique().map(list).to_dict()
    assert states == {1: ["ok"], 2: ["missing"]}
    assert stale.to_make(run)[run.folder / "fit/ring-pyomt/real/fit.json"] == "it lacks seed 2"


def test_a_table_of_another_run_or_changed_by_hand_is_not_gathered(results):
    run = run_in(results)
    real, noise = (run.folder / f"metrics/ring-pyomt/{name}.csv" for name in ("real", "noise"))
    shutil.copyfile(noise, real)
    assert read_record(real) is None and read_record(noise) is not None
    table = table_of(run)
    assert table.groupby("model")["status"].unique().map(list).to_dict() == {"noise": ["ok"], "real": ["missing"]}
    shutil.copyfile(record_path(noise), record_path(real))
    assert stale.stale_files(run, {})[real] == "fitted with model noise, asked real"
    assert real in stale.to_make(run)


def test_status_judges_the_config_it_is_asked_about(results):
    run, other = run_in(results), run_in(results, models=["real", "noise", "memoriser"])
    assert problem(status(run.folder)) == "" == problem(status(run.folder, stale.config_digest(run)))
    found = problem(status(run.folder, stale.config_digest(other)))
    assert "was gathered under config" in found and stale.config_digest(other) in found
    write_json(run.folder / "config.json", other.model_dump(mode="json"))
    assert "was gathered under config" in problem(status(run.folder))


def test_a_study_that_is_not_there_is_named(results):
    spread = {"models": ["real"], "datasets": ["ring-pyomt"]}
    run = run_in(results, spread=spread)
    table = table_of(run)
    assert set(table["status"]) == {"ok"}
    found = status(run.folder)
    assert problem(found) == "missing: the spread of real on ring-pyomt (not there)"
    assert said(found).splitlines()[-1] == "  missing: the spread of real on ring-pyomt (not there)"


def test_a_cell_of_another_budget_is_not_reproduced(results):
    run = run_in(results, steps=5)
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    with pytest.raises(WorkFailed, match=r"fitted with steps 4, asked 5\), so its cells cannot be reproduced"):
        reproduce.reproduce(run.folder, "ring-pyomt/real/0")
    run = run_in(results, samples=120)
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    with pytest.raises(WorkFailed, match="drawn with 100 samples, asked 120"):
        reproduce.reproduce(run.folder, "ring-pyomt/real/0")


def test_three_hundred_cells_are_compared_within_a_second(results):
    run = run_in(results)
    began = time.process_time()
    for _ in range(75):  # two models of two seeds
        assert stale.to_make(run) == {}
    assert time.process_time() - began < 1


def ball(path: Path, subdivisions: int) -> None:
    pytest.importorskip("trimesh").creation.icosphere(subdivisions=subdivisions).export(path)


def test_a_study_of_the_theory_is_made_again_where_options_seed_code_or_mesh_differ(tmp_path, monkeypatch):
    """Faults 3 and 17: nothing compared a study with the config, nor a mesh with what it was."""
    ball(tmp_path / "ball.stl", 1)
    tiny = {"solids": [], "points": 20, "starts": 2, "steps": 2, "times": [0, 1], "mesh": str(tmp_path / "ball.stl")}

    def run_with(seed: int = 3, **change: object) -> Run:
        given = {"folding": {"set": tiny | change, "seed": seed}}
        return Run.model_validate(run_in(tmp_path).model_dump() | {"theory": given})

    path = run_with().folder / "theory" / "folding.npz"
    path.parent.mkdir(parents=True)
    info = {"asked": tiny, "seed": 3, "theory_version": theory_version("folding"), "data": ""}
    info["mesh"] = file_digest(tmp_path / "ball.stl")
    Findings("folding", info=info).write(path)
    assert stale.to_make(run_with()) == {}
    assert stale.to_make(run_with(seed=4)) == {path: "computed with seed 3, asked 4"}
    assert stale.to_make(run_with(points=30))[path].startswith("computed with asked {")
    monkeypatch.setattr(stale, "theory_version", lambda name: "1.0+abc")
    assert "computed with theory version" in stale.to_make(run_with())[path]
    monkeypatch.undo()
    ball(tmp_path / "ball.stl", 2)
    assert stale.to_make(run_with())[path].startswith(f"computed with mesh {info['mesh'][:20]}")
    (tmp_path / "ball.stl").unlink()
    assert stale.to_make(run_with()) == {}, "a mesh that is gone is missed where it is read"
    path.write_bytes(b"broken")
    assert stale.to_make(run_with()) == {path: "nothing says what it was made with"}
