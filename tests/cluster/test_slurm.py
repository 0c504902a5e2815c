"""A run through a real Slurm that loses jobs on the way: its tables are those of the local run, bit for bit."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from tests.cluster import slurm

#: why the test of Slurm cannot be run here; None where it can
WHY_NOT = None
if slurm.lacking():
    WHY_NOT = f"Slurm is not installed: no {', '.join(slurm.lacking())} (Debian: slurmctld slurmd slurm-client munge)"
elif importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
    WHY_NOT = "snakemake-executor-plugin-slurm is not installed"

RUN = {
    "run": "small",
    "seeds": [0, 1],
    "studies": {
        "mode-collapse": {
            "datasets": ["grid-pyomt"],
            "models": ["gan", "real"],
            "steps": 200,
            "samples": 200,
            "snapshots": [0.5, 1.0],
        },
        "images": {"datasets": ["digits"], "models": ["vae"], "steps": 5, "samples": 100},
    },
}
#: the model whose job is cancelled after its first checkpoint
GAN = "grid-pyomt/gan"
#: what may differ between two runs of the same thing: time, and what the machine spent
SPENT = re.compile("seconds|device|peak_memory|energy|^cost$")


def test_free_ports_are_different_and_free():
    ports = slurm.free_ports(4)
    assert len(set(ports)) == 4
    for port in ports:
        with socket.socket() as one:
            one.bind(("127.0.0.1", port))


def test_the_commands_that_are_lacking_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(slurm, "WHERE", str(tmp_path))
    assert slurm.lacking() == [*slurm.DAEMONS, *slurm.TOOLS]
    for name in (*slurm.DAEMONS, *slurm.TOOLS[1:]):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert slurm.lacking() == ["sbatch"]


def smoke(root: Path) -> dict:
    """The smoke run: the default with what smoke.yaml changes."""
    run, change = (yaml.safe_load((root / "config" / f"{name}.yaml").read_text()) for name in ("config", "smoke"))
    update_config(run, change)
    return run


def place(root: Path, where: Path, config: dict, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A copy of what a run needs, with this config as its default; returns the environment to run it in."""
    for name in ("otbench", "workflow", "config", "profiles"):
        shutil.copytree(root / name, where / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "Snakefile", where)
    (where / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    shim = where / "bin" / "otbench"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m otbench "$@"\n')
    shim.chmod(0o755)
    python = os.pathsep.join([str(where), *filter(None, [given.get("PYTHONPATH")])])
    path = os.pathsep.join([str(shim.parent), given["PATH"], str(Path(sys.executable).parent)])
    return {**given, "PATH": path, "PYTHONPATH": python}


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Every table of a run as text, less what a run spends."""
    found = {}
    for path in [folder / "metrics.csv", *sorted((folder / "tables").glob("*.csv"))]:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if "metric" in table:
            table = table[~table["metric"].str.fullmatch(SPENT)]
        found[path.name] = table[[name for name in table if not SPENT.search(name)]].reset_index(drop=True)
    return found


class Watch:
    """Waits for what happens in a run through Slurm, for as long as the run goes on."""

    def __init__(self, node: slurm.Node, run: subprocess.Popen, results: Path, log: Path, seconds: float) -> None:
        self.node, self.run, self.results, self.log = node, run, results, log
        self.ends = time.monotonic() + seconds

    def until(self, happens: Callable[[], object], what: str) -> object:
        """What `happens` returns, once that is true of anything."""
        while not (found := happens()):
            waiting = self.run.poll() is None and time.monotonic() < self.ends
            assert waiting, f"waiting for {what}: {self.log.read_text()[-4000:]}\n{self.node.logs()}"
            time.sleep(0.2)
        return found

    def training(self, without: str = "", checkpoint: str = "") -> dict[str, str] | None:
        """A job that trains right now: it has begun to write its log, or that of a model has written a checkpoint."""
        for job in self.node.jobs():
            model = job["Comment"].removeprefix("rule_fit_wildcards_").replace("_", "/")
            begun = (self.results / "logs" / "fit" / f"{model}.log").exists()
            if checkpoint:
                begun = model == checkpoint and any((self.results / "fit" / model).glob(".resume-*/*.pt"))
            if job["JobState"] == "RUNNING" and begun and job["JobId"] != without:
                return job
        return None


@pytest.mark.faults
@pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
def test_a_run_through_slurm_that_loses_jobs_has_the_tables_of_the_local_run(root, tmp_path):
    here, there = both(root, tmp_path, RUN, GAN, 540)
    # a replica that was taken up from its checkpoint tells of no peak, since it knows that of its last part alone
    assert measured(here) >= measured(there) and ("gan", 0) in measured(here) - measured(there)


@pytest.mark.cluster
@pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
def test_the_smoke_run_through_slurm_has_the_tables_of_the_local_run(root, tmp_path):
    both(root, tmp_path, smoke(root), "", 7200)


def both(root: Path, tmp_path: Path, config: dict, checkpoint: str, seconds: float) -> tuple[Path, Path]:
    """Run a config here and through Slurm, there with jobs that are lost; see that the tables are equal.

    checkpoint: the model whose job is cancelled after its first checkpoint; any training job where empty. Returns the
    folders of results.
    """
    here, there = tmp_path / "here", tmp_path / "there"
    command = [sys.executable, "-m", "snakemake"]
    own = place(root, here, config)
    local = subprocess.run(
        [*command, "--cores", "2"], cwd=here, env=own, capture_output=True, text=True, timeout=seconds
    )
    assert local.returncode == 0, local.stdout[-3000:] + local.stderr[-3000:]

    # the checks of a small cluster, often; and a GPU for training, which here computes on the CPU all the same
    small = "--slurm-status-command squeue --slurm-init-seconds-before-status-checks 1 --latency-wait 10".split()
    through = [*command, "--workflow-profile", "profiles/slurm", *small, "--set-resources", "fit:gpu=1"]
    log = there / "snakemake.txt"
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm.one_node(Path(folder) / "s") as node:
        own = place(root, there, config, node.environment)
        with log.open("w") as said:
            run = subprocess.Popen(through, cwd=there, env=own, stdout=said, stderr=said)
        try:
            watch = Watch(node, run, there / "results" / config["run"], log, seconds)
            jobs, events = disturb(watch, checkpoint)
        finally:
            run.kill()
            run.wait()
    text = log.read_text()
    assert run.returncode == 0, text[-4000:]
    check_jobs(jobs, *events)

    folders = here / "results" / config["run"], there / "results" / config["run"]
    expected, got = map(tables, folders)
    assert got.keys() == expected.keys() and len(got["metrics.csv"]) > 100
    for name in expected:
        pd.testing.assert_frame_equal(got[name], expected[name], obj=name)
    return folders


def measured(folder: Path) -> set[tuple[str, int]]:
    """The replicas, model and seed, that tell the memory of their whole training."""
    rows = pd.read_csv(folder / "metrics.csv").query("metric == 'peak_memory' and value > 0")
    return set(zip(rows["model"], rows["seed"], strict=True))


def disturb(watch: Watch, checkpoint: str) -> tuple[list[dict[str, str]], tuple[str, str]]:
    """Cancel a training job, pre-empt another, drain the node and resume it, and wait for the end of the run.

    Returns all jobs as Slurm knows them then, and the ids of the one cancelled and the one pre-empted.
    """
    node = watch.node
    cancelled = watch.until(lambda: watch.training(checkpoint=checkpoint), "a job to train")["JobId"]
    node("scancel", cancelled)
    pre_empted = watch.until(lambda: watch.training(cancelled), "another training job")["JobId"]
    node(*"sbatch --partition=urgent --gpus=1 --mem=10 --output=/dev/null --wrap=true".split())
    watch.until(lambda: [job for job in node.jobs() if job["Restarts"] == "1"], "a job to be pre-empted")
    node(*f"scontrol update NodeName={node.host} State=DRAIN Reason=test".split())
    watch.until(lambda: node.state() == "drained", "the node to be drained")
    assert "RUNNING" not in {job["JobState"] for job in node.jobs()} and watch.run.poll() is None
    node(*f"scontrol update NodeName={node.host} State=RESUME".split())
    watch.run.wait(watch.ends - time.monotonic())
    return node.jobs(), (cancelled, pre_empted)


def check_jobs(jobs: list[dict[str, str]], cancelled: str, pre_empted: str) -> None:
    """Every job asked for what its rule says; the cancelled one came again with more, the pre-empted one as it was."""
    own = [job for job in jobs if job["Comment"].startswith("rule_")]
    by_id = {job["JobId"]: job for job in own}
    for job in own:
        training = job["Comment"].startswith("rule_fit")
        assert job["Partition"] == ("gpu" if training else "cpu")
        assert ("gpu:1" in job.get("TresPerJob", "")) == training
    first = by_id[cancelled]
    again = [job for job in own if job["Comment"] == first["Comment"] and job is not first]
    assert first["JobState"] == "CANCELLED" and "mem=3000M" in first["TRES"] and first["TimeLimit"] == "04:00:00"
    assert [job["JobState"] for job in again] == ["COMPLETED"]
    assert "mem=6000M" in again[0]["TRES"] and again[0]["TimeLimit"] == "08:00:00"
    assert (by_id[pre_empted]["JobState"], by_id[pre_empted]["Restarts"]) == ("COMPLETED", "1")
