"""The workflow run in a copy of the sources: what tests of it share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

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


def snakemake(
    where: Path, *words: str, broken: str = "", code: Path | None = None, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Run Snakemake in `where`; calls of otbench that begin with the words `broken` end at once, as if killed."""
    shim = where / "bin" / "otbench"
    shim.parent.mkdir(exist_ok=True)
    fault = f'case "$*" in "{broken}"*) kill -9 $$;; esac\n' if broken else ""
    text = f'#!/bin/sh\n{fault}exec "{sys.executable}" -m otbench "$@"\n'
    if not shim.exists() or shim.read_text() != text:  # where nothing may be written, it is there already
        shim.write_text(text)
        shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(code or where), **(variables or {})}
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
