"""A metric and data sets of another package: a folder on the path with metadata, as pip would leave it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from tests.docs.pages import read_page

ENTRIES = """[otbench.metrics]
duplicates = elsewhere.duplicates:DUPLICATES

[otbench.datasets]
triangle = elsewhere.triangle:load
"""


@pytest.fixture(scope="module")
def otbench(root, tmp_path_factory):
    """Runs the command line where the package `elsewhere` is installed, which has the files of the pages."""
    site, work = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("work")
    package, metadata = site / "elsewhere", site / "elsewhere-1.0.dist-info"
    package.mkdir()
    metadata.mkdir()
    (package / "__init__.py").touch()
    metric = read_page(root / "docs" / "add-a-metric.md").source
    (package / "duplicates.py").write_text(f"{metric}\nDUPLICATES = METRICS[0]\n")
    (package / "triangle.py").write_text(read_page(root / "docs" / "add-a-data-set.md").source)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRIES)
    env = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{root}"}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "otbench", *words]
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    run.folder = work
    return run


def test_list_shows_them(otbench):
    found = json.loads(otbench("list", "--json"))
    metrics = {row["name"]: row for row in found["metrics"]}
    assert metrics["duplicates"]["title"] == "Duplicates" and metrics["duplicates"]["data"] == ["points", "images"]
    about = {row["name"]: row["description"] for row in found["datasets"]}
    assert about["triangle"] == "registered by elsewhere.triangle:load"


def test_samples_are_measured_by_the_metric_on_the_data_set(otbench):
    otbench("data", "triangle", "--out", "triangle.npz")
    code = (
        "import numpy as np; real = np.load('triangle.npz')['test'][:100];"
        " np.save('twice.npy', np.concatenate([real, real[:50]]))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=otbench.folder, check=True)
    otbench("measure", "--dataset", "triangle", "--samples", "twice.npy", "--out", "metrics.csv")
    table = pd.read_csv(otbench.folder / "metrics.csv").set_index("metric")
    assert table.loc["duplicates", "value"] == pytest.approx(100 / 150)
    assert table.loc["duplicates", "protocol"] == "features=coordinates;n_generated=150"
    assert table.loc["modes", "value"] == 3 and set(table["dataset"]) == {"triangle"}
