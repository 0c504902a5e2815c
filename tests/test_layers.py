"""Imports run down the layers of pyproject.toml and never in a circle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint_imports(folder: Path) -> tuple[int, str]:
    """Exit status and output of import-linter on the package in this folder."""
    command = [sys.executable, "-c", COMMAND, "--no-logo", "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def broken(tmp_path: Path, root: Path) -> Path:
    """A copy of the package with a lazy import that runs up, a circle within a layer and a module without one."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    package = shutil.copytree(root / "otbench", tmp_path / "otbench", ignore=shutil.ignore_patterns("__pycache__"))
    append(package / "utils/files.py", "\n\ndef late():\n    import otbench.report.labels\n")
    append(package / "data/samples.py", "\nimport otbench.geometry.curves\n")
    append(package / "geometry/curves.py", "\nimport otbench.data.samples\n")
    (package / "stray.py").write_text("")
    return tmp_path


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_contracts_are_kept(root):
    status, output = lint_imports(root)
    assert "Contracts: 2 kept, 0 broken." in output, output
    assert status == 0


def test_imports_that_run_up_or_in_a_circle_break_the_contracts(broken):
    status, output = lint_imports(broken)
    assert status == 1
    assert "Contracts: 0 kept, 2 broken." in output
    assert "otbench.utils.files -> otbench.report.labels" in output
    assert "otbench.stray" in output
