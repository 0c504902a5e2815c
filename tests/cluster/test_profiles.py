"""The profiles of other systems, with their commands, which here run jobs on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.cluster import batch
from tests.cluster.test_slurm import RUN, place

SMALL = {
    "run": "small",
    "seeds": [0],
    "studies": {"mode-collapse": {"datasets": ["grid-pyomt"], "models": ["real"], "steps": 5, "samples": 50}},
}
KUBERNETES = {"OTBENCH_IMAGE": "registry/otbench:1", "OTBENCH_CLAIM": "shared", "OTBENCH_MOUNT": "/work"}


def set_up(root: Path, where: Path) -> dict[str, str]:
    """A small run in the folder `run`, with the commands of batch systems, whose jobs go to the folder `jobs`."""
    env = place(root, where / "run", RUN)
    (where / "run" / "config" / "config.yaml").write_text(yaml.safe_dump(SMALL))
    batch.install(where / "run" / "bin", where / "jobs")
    return env | KUBERNETES


def snakemake(where: Path, env: dict[str, str], *words: str) -> str:
    """What a run says, which must end well."""
    command = [sys.executable, "-m", "snakemake", *words]
    done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.faults
def test_generic_runs_and_asks_for_more_after_a_failure(root, tmp_path):
    env = set_up(root, tmp_path) | {"BATCH_FAILS": "2"}
    often = ["--latency-wait", "5", "--max-status-checks-per-second", "10"]
    snakemake(tmp_path / "run", env, "--workflow-profile", "profiles/generic", *often)
    table = pd.read_csv(tmp_path / "run" / "results" / "small" / "metrics.csv")
    assert set(table["model"]) == {"real"} and set(table["status"]) == {"ok"}
    # data, fit, fit again, draw with measure, gather with render
    codes = [batch.status(tmp_path / "jobs", str(number)) for number in range(1, 6)]
    assert codes == [0, 1, 0, 0, 0] and len(list((tmp_path / "jobs").iterdir())) == 5
    asked = [json.loads((tmp_path / "jobs" / str(number) / "asked").read_text()) for number in range(1, 6)]
    assert {"walltime=14400", "select=1:ncpus=1:mem=3000mb:ngpus=0"} < set(asked[1])
    assert {"walltime=28800", "select=1:ncpus=1:mem=6000mb:ngpus=0"} < set(asked[2])


@pytest.mark.parametrize("profile", ["generic", "kubernetes", "slurm"])
def test_a_profile_is_accepted(profile, root, tmp_path):
    if profile == "slurm":
        pytest.importorskip("snakemake_executor_plugin_slurm")
    said = snakemake(tmp_path / "run", set_up(root, tmp_path), "-n", "--workflow-profile", f"profiles/{profile}")
    assert "measure" in said


@pytest.mark.parametrize(("script", "becomes"), [("exit 0", "success"), ("exit 3", "failed")])
def test_kubernetes_job_and_what_becomes_of_it(script, becomes, root, tmp_path):
    batch.install(tmp_path, tmp_path / "jobs")
    env = {**os.environ, **KUBERNETES, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    (tmp_path / "script.sh").write_text(f"while ! [ -e go ]; do sleep 0.05; done; {script}\n")

    def call(name: str, *words: str) -> str:
        command = [str(root / "profiles" / "kubernetes" / name), *words]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout.strip()

    job = call("submit", "2", "3000", "240", "1", "script.sh")
    assert (job, call("status", job)) == ("job.batch/otbench-1", "running")
    (tmp_path / "go").touch()
    ends = time.monotonic() + 20
    while call("status", job) == "running" and time.monotonic() < ends:
        time.sleep(0.05)
    assert call("status", job) == becomes

    spec = json.loads((tmp_path / "jobs" / "1" / "asked").read_text())["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    assert (spec["backoffLimit"], pod["activeDeadlineSeconds"], pod["restartPolicy"]) == (0, 240 * 60, "Never")
    assert "activeDeadlineSeconds" not in spec, "that of a job counts the time that it waits for a place"
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    ]
    assert (container["image"], container["workingDir"]) == ("registry/otbench:1", str(tmp_path))
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "3000M"}
    assert container["resources"]["limits"] == {"memory": "3000M", "nvidia.com/gpu": "1"}
    assert container["volumeMounts"] == [{"name": "work", "mountPath": "/work"}]
    assert pod["volumes"] == [{"name": "work", "persistentVolumeClaim": {"claimName": "shared"}}]


def test_kubernetes_job_that_is_gone_has_failed_and_one_not_heard_of_still_runs(root, tmp_path):
    command = [str(root / "profiles" / "kubernetes" / "status"), "job.batch/otbench-1"]
    for says, expected in (("exit 0", "failed"), ("exit 1", "running"), ("echo 'Job FailureTarget Failed'", "failed")):
        (tmp_path / "kubectl").write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "kubectl").chmod(0o755)
        env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        assert subprocess.run(command, env=env, capture_output=True, text=True).stdout.strip() == expected
