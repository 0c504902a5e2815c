"""Whether a run is whole: counts by status, the cells that are not ok, the exit status."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.report.results import load_run
from otbench.report.status import said, status


def test_the_cells_that_are_not_ok_are_counted_and_named(run_folder):
    found = status(run_folder)
    run = load_run(run_folder)
    assert found["counts"]["all"] == sum(len(seeds) for seeds in run.cells.values())
    assert sorted(cell["status"] for cell in found["troubled"]) == ["diverged", "missing"]
    assert found["counts"]["ok"] == found["counts"]["all"] - 2 and found["counts"]["failed"] == 0
    lines = said(found).splitlines()
    assert lines[0].endswith("cells are ok, 1 diverged, 1 missing") and len(lines) == 3
    cell = found["troubled"][0]
    assert f"  {cell['dataset']}/{cell['model']}: {cell['status']}, seed {cell['seed']}" in lines


def test_the_exit_status_says_so(run_folder, reference_folder):
    done = CliRunner().invoke(app, ["status", str(run_folder), "--json"])
    assert done.exit_code != 0 and len(json.loads(done.stdout)["troubled"]) == 2
    done = CliRunner().invoke(app, ["status", str(reference_folder)])
    assert (done.exit_code, done.stdout) == (0, "reference: 20 of 20 cells are ok\n")


def test_seeds_of_one_model_share_a_line():
    cells = [{"dataset": "grid", "model": "gan", "seed": seed, "status": "failed"} for seed in (2, 0)]
    counts = {"ok": 1, "diverged": 0, "failed": 2, "missing": 0, "all": 3}
    text = said({"run": "r", "counts": counts, "troubled": cells})
    assert text == "r: 1 of 3 cells are ok, 2 failed\n  grid/gan: failed, seed 0, 2"
