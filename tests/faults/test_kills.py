"""Real runs, killed at random moments: the same command again goes on, and the numbers are those of a quiet run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.faults

KILLS = 20
SETTLED = 0.5
"""Seconds after which what Snakemake books of a file counts as written."""
CONFIG = {
    "run": "killed",
    "seeds": [0, 1],
    "studies": {
        "mode-collapse": {
            "datasets": ["grid-pyomt"],
            "models": ["gan", "ae-ot", "real"],
            "steps": 2000,
            "snapshots": [0.5, 1.0],
            "samples": 200,
            "overrides": [{"models": ["gan"], "set": {"width": 64, "maxout": 16}}],
            "spread": None,
        },
        "images": {
            "datasets": ["digits"],
            "models": ["vae", "noise"],
            "steps": 150,
            "snapshots": [0.5, 1.0],
            "samples": 100,
            "overrides": [{"models": ["vae"], "set": {"width": 8}}],
            "search": None,
            "spread": None,
            "rating": None,
        },
        "stacked": None,
    },
    "theory": None,
}


def start(where: Path, *words: str) -> subprocess.Popen:
    """Snakemake on the run, in a process group of its own."""
    path = f"{where / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(where)}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "own.yaml", *words]
    with open(where / "run.log", "a") as log:
        return subprocess.Popen(command, cwd=where, env=environment, stdout=log, stderr=log, start_new_session=True)


def set_up(root: Path, where: Path) -> None:
    for name in ("otbench", "workflow", "config", "profiles"):
        shutil.copytree(root / name, where / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "Snakefile", where)
    (where / "own.yaml").write_text(yaml.safe_dump(CONFIG))
    (where / "bin").mkdir()
    (where / "bin" / "otbench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m otbench "$@"\n')
    (where / "bin" / "otbench").chmod(0o755)


def jobs_of(run: subprocess.Popen) -> list[int]:
    """Processes that work for a run: everything in its session, and what its warm process forked."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
        except (OSError, IndexError, ValueError):
            continue
        ours = session == run.pid or (b"otbench.cli.server" in words and str(run.pid).encode() in words)
        if ours and int(entry.name) != run.pid and any(b"otbench" in word for word in words):
            found.append(int(entry.name))
    return found


def finished(where: Path) -> dict[Path, float]:
    """Outputs that Snakemake has booked, and so are there for good: path -> time of its last change."""
    now, books = time.time(), where / ".snakemake"
    kinds = ("data/*.npz", "fit/*/*/fit.json", "samples/*/*.npz", "metrics/*/*.csv")
    found = {}
    for path in (path for kind in kinds for path in (where / "results" / "killed").glob(kind)):
        record = urlsafe_b64encode(str(path.relative_to(where)).encode()).decode()
        booked = books / "metadata" / record
        if booked.exists() and booked.stat().st_mtime < now - SETTLED and not (books / "incomplete" / record).exists():
            found[path] = path.stat().st_mtime
    return found


def numbers(where: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray], dict[str, bytes]]:
    """What a run found, without times: its table, the arrays of its figures, its weights."""
    folder = where / "results" / "killed"
    table = pd.read_csv(folder / "metrics.csv")
    table = table[table["protocol"] != "cost"].drop(columns="seconds").reset_index(drop=True)
    arrays = {}
    for name in ("scatter", "gallery", "curves"):
        with np.load(folder / f"{name}.npz") as file:
            arrays |= {f"{name}/{key}": file[key] for key in file.files}
    weights = {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("fit/*/*/weights.safetensors")}
    return table, arrays, weights


def assert_same(first: Path, second: Path) -> None:
    (table, arrays, weights), (others, their_arrays, their_weights) = numbers(first), numbers(second)
    pd.testing.assert_frame_equal(table, others, check_exact=True)
    assert arrays.keys() == their_arrays.keys()
    assert all(np.array_equal(arrays[key], their_arrays[key], equal_nan=True) for key in arrays)
    assert weights == their_weights


@pytest.fixture(scope="module")
def quiet(root, tmp_path_factory) -> tuple[Path, float]:
    """The run that nobody disturbs, and the seconds it takes."""
    where = tmp_path_factory.mktemp("quiet")
    set_up(root, where)
    began = time.monotonic()
    assert start(where).wait() == 0, (where / "run.log").read_text()[-3000:]
    return where, time.monotonic() - began


def test_twenty_kills_change_no_number(root, quiet, tmp_path):
    whole, seconds = quiet
    draw, kills, rounds = random.Random(6), 0, 0
    victims = {"snakemake": 0, "job": 0, "all": 0}
    while kills < KILLS:
        where = tmp_path / str(rounds)
        where.mkdir()
        set_up(root, where)
        rounds += 1
        kept: dict[Path, float] = {}
        while True:
            run, victim = start(where), draw.choice(sorted(victims))
            moment = draw.uniform(1.0, 0.7 * seconds) if kills < KILLS else 10 * seconds + 600
            try:
                run.wait(moment)
                assert run.returncode == 0, (where / "run.log").read_text()[-3000:]
                break
            except subprocess.TimeoutExpired:
                kills += 1
                victims[victim] += 1
            kept |= finished(where)
            found = jobs_of(run)
            if victim == "job" and found:
                os.kill(draw.choice(sorted(found)), signal.SIGKILL)
                run.wait()
            elif victim == "all":
                os.killpg(run.pid, signal.SIGKILL)
            else:
                run.kill()
            run.wait()
        assert_same(whole, where)
        again = {path: path.stat().st_mtime for path in kept}
        assert again == kept, f"done again: {[str(path) for path in kept if again[path] != kept[path]]}"
        for path in (where / "results").rglob("*"):
            assert not path.name.startswith(".resume"), "no checkpoint is left"
    print(f"{kills} kills {victims} in {rounds} runs")


def test_neither_cores_nor_the_order_of_jobs_nor_their_size_change_a_number(root, quiet, tmp_path):
    set_up(root, tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(CONFIG | {"seeds_per_job": 1}))
    words = ("--cores", "1", "--prioritize", "results/killed/metrics/digits/vae.csv")
    assert start(tmp_path, *words).wait() == 0, (tmp_path / "run.log").read_text()[-3000:]
    for part in (tmp_path / "results" / "killed").glob("fit/*/*/part-*"):
        shutil.rmtree(part)
    assert_same(quiet[0], tmp_path)


def test_two_runs_do_not_share_a_folder(quiet):
    where, _ = quiet
    (where / "results" / "killed" / "report.html").unlink()
    first = start(where)
    try:
        lock = where / "results" / ".killed.lock"
        end = time.monotonic() + 120
        while not (lock.exists() and str(first.pid) in lock.read_text()) and time.monotonic() < end:
            time.sleep(0.1)
        second = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "own.yaml", "--forcerun", "gather"],
            cwd=where,
            env={**os.environ, "PYTHONPATH": str(where)},
            capture_output=True,
            text=True,
        )
        assert second.returncode != 0
        assert f"is in use by process {first.pid}" in second.stdout + second.stderr
        assert first.wait() == 0 and (where / "results" / "killed" / "report.html").exists()
    finally:
        first.kill()
