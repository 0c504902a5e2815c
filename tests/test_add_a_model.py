"""docs/add-a-model.md, done to the letter in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd


def block(text: str, language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", text, re.S).group(1)


def test_the_page_works_as_written(root, tmp_path):
    text = (root / "docs" / "add-a-model.md").read_text()
    for name in ("otbench", "workflow", "config", "tests", "profiles"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "otbench" / "models" / "affine.py").write_text(block(text, "python"))
    config = tmp_path / "config" / "config.yaml"
    line = block(text, "yaml")
    config.write_text(config.read_text().replace("      - noise\n", f"      - noise\n{line}", 1))
    commands = block(text, "sh").strip().splitlines()
    # the copy's package, not the installed one
    shim = tmp_path / "bin" / "otbench"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m otbench "$@"\n')
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(tmp_path)}
    outputs = []
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        outputs.append(done.stdout)
    assert "affine" in outputs[0] and "generator 6" in outputs[0], "2 x 2 weights and 2 biases"
    table = pd.read_csv(tmp_path / "results/smoke/metrics/grid-pyomt/affine.csv")
    assert set(table["seed"]) == {0, 1} and set(table["status"]) == {"ok"}
    assert re.search(r"\d+ passed", outputs[2]) and "failed" not in outputs[2]
