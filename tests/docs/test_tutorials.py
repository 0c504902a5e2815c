"""docs/tutorials.md, done to the letter in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otbench.transport import load

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def done(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all blocks of the page were run in their order."""
    folder = tmp_path_factory.mktemp("tutorials")
    shim = folder / "bin" / "otbench"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m otbench "$@"\n')
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(root)}
    text = (root / "docs" / "tutorials.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(sh|python)\n(.*?)```", text, re.S)
    assert [kind for kind, _ in blocks] == ["sh", "python", "sh", "python", "sh"]
    for kind, block in blocks:
        command = ["sh", "-e", "-c", block] if kind == "sh" else [sys.executable, "-c", block]
        ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        assert ended.returncode == 0, f"{block}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        (folder / f"{kind}.txt").open("a").write(ended.stdout)
    return folder


def value(folder: Path, table: str, metric: str) -> float:
    rows = pd.read_csv(folder / table)
    return float(rows[rows["metric"] == metric]["value"].mean())


def test_two_gans_are_measured_on_two_seeds(done):
    for model in ("gan", "pacgan2"):
        rows = pd.read_csv(done / f"{model}.csv")
        assert set(rows["seed"]) == {0, 1} and set(rows["model"]) == {model} and set(rows["status"]) == {"ok"}


def test_samples_of_twenty_modes_have_twenty_modes(done):
    assert value(done, "mine.csv", "modes") == 20
    assert value(done, "mine.csv", "high_quality") > 0.98


def test_the_map_is_exact(done):
    said = (done / "python.txt").read_text()
    assert re.search(r"every cell has its mass but for \S+e-1\d; 1000 new points", said), said
    assert callable(load) and np.load(done / "mine.npy").shape == (2500, 2)


def test_the_run_has_a_report_and_its_papers(done):
    assert (done / "results" / "tiny" / "report.html").is_file()
    papers = (done / "papers.bib").read_text()
    assert papers.startswith("@software{otbench,") and "{goodfellow2014," in papers
