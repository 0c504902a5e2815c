"""The warm process: a call through it is the same call, in a process of its own, and ends with its caller."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from otbench.cli import server
from tests.conftest import ROOT


def alive(process: int) -> bool:
    """Whether there is such a process, and it is not a dead one that nobody has asked about."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait(for_what, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if for_what():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What calls need to reach a warm process that lives as long as this test."""
    before = dict(os.environ)
    os.environ["PYTHONPATH"] = str(ROOT)
    server.start(os.getpid())
    told = {**os.environ, "OMP_NUM_THREADS": "1"}
    os.environ.clear()
    os.environ.update(before)
    assert wait(lambda: Path(told[server.VARIABLE]).exists())
    yield told


def call(environment: dict[str, str], *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "otbench", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "words", [("--version",), ("fit", "--help"), ("nosuch",), ("fit", "nosuch", "--data", "ring-pyomt", "--out", "f")]
)
def test_a_call_says_and_returns_what_it_does_alone(words, environment, tmp_path):
    alone = {k: v for k, v in environment.items() if k != server.VARIABLE}
    first, second = call(alone, *words, cwd=tmp_path), call(environment, *words, cwd=tmp_path)
    assert (first.returncode, first.stdout, first.stderr) == (second.returncode, second.stdout, second.stderr)


def test_a_call_in_another_encoding_says_what_it_does_alone(environment, tmp_path):
    """Fault 12: "Illegal seek", as Python's streams were those of /dev/null."""
    plain = {**environment, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    alone = {k: v for k, v in plain.items() if k != server.VARIABLE}
    words = ("status", "l\u00e4ufe")
    first, second = call(alone, *words, cwd=tmp_path), call(plain, *words, cwd=tmp_path)
    assert (first.returncode, first.stdout, first.stderr) == (second.returncode, second.stdout, second.stderr)
    assert first.returncode == 2 and "Illegal seek" not in second.stderr


def test_files_are_those_of_a_process_of_its_own(environment, tmp_path):
    alone = {k: v for k, v in environment.items() if k != server.VARIABLE}
    for name, where in (("alone", alone), ("warm", environment)):
        (tmp_path / name).mkdir()
        for words in (
            "data ring-pyomt --out d.npz",
            'fit gan --data d.npz --out f --seeds 0,1 --steps 5 --options {"width":8,"maxout":4}',
            "draw --fit f --data d.npz --n 100 --out s.npz",
            "measure --data d.npz --samples s.npz --out m.csv",
        ):
            done = call(where, *words.split(), cwd=tmp_path / name)
            assert done.returncode == 0, done.stderr
    assert (tmp_path / "alone/f/losses.csv").read_bytes() == (tmp_path / "warm/f/losses.csv").read_bytes()
    first, second = (load_file(tmp_path / name / "f/weights.safetensors") for name in ("alone", "warm"))
    assert set(first) == set(second) and all(torch.equal(first[k], second[k]) for k in first)
    rows = [
        [line.split(",")[6:8] for line in (tmp_path / name / "m.csv").read_text().splitlines() if ",cost," not in line]
        for name in ("alone", "warm")
    ]
    assert rows[0] == rows[1], "the same values under the same names"


def at_work(folder: Path, caller: int) -> set[int]:
    """The processes in a folder, but for the caller."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            found |= {int(path.parent.name)} if path.readlink() == folder else set()
        except OSError:
            continue
    return found - {caller}


def catches(process: int, number: int) -> bool:
    """Whether a process has a handler for a signal, as training has."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    (mask,) = [line.split()[1] for line in text.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.fixture
def working(environment, tmp_path):
    """A call that would take hours, and the process that does its work."""
    words = "fit gan --data ring-pyomt --out f --steps 1000000".split()
    command = [sys.executable, "-m", "otbench", *words]
    caller = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)

    assert wait(lambda: at_work(tmp_path, caller.pid)), "the work is done in another process"
    (worker,) = at_work(tmp_path, caller.pid)
    yield caller, worker
    caller.kill()


def test_a_call_ends_when_its_caller_is_killed(working, tmp_path):
    caller, worker = working
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    assert wait(lambda: not alive(worker)) and not (tmp_path / "f" / "fit.json").exists()


def test_a_call_that_is_asked_to_stop_saves_its_work_first(working, tmp_path):
    caller, worker = working
    assert wait(lambda: catches(worker, signal.SIGTERM)), "training has begun"
    caller.send_signal(signal.SIGTERM)
    assert caller.wait(timeout=120) == 128 + signal.SIGTERM and wait(lambda: not alive(worker))
    assert b"the same command goes on from there" in caller.stderr.read()
    assert list(tmp_path.glob("f/.resume*/0.pt"))


def test_a_call_ends_with_the_process_it_belongs_to(environment, tmp_path):
    other = subprocess.Popen(["sleep", "600"])
    words = "fit gan --data ring-pyomt --out f --steps 1000000".split()
    command = [sys.executable, "-m", "otbench", *words]
    belongs = {**environment, server.PARENT: str(other.pid)}
    with subprocess.Popen(command, cwd=tmp_path, env=belongs, stderr=subprocess.PIPE) as caller:
        assert wait(lambda: any(catches(one, signal.SIGTERM) for one in at_work(tmp_path, caller.pid)))
        other.kill()
        other.wait()
        assert caller.wait(timeout=120) == 128 + signal.SIGTERM


def test_a_call_that_nobody_has_answered_ends_with_the_process_it_belongs_to(tmp_path):
    """As where a run is killed while its warm process still imports: what waits there must not begin work by itself."""
    other = subprocess.Popen(["sleep", "600"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {server.PARENT: str(other.pid), server.VARIABLE: str(tmp_path / "warm")}
    command = [sys.executable, "-m", "otbench", "data", "ring", "--out", "ring.npz"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "warm"))
        listener.listen()
        caller = subprocess.Popen(command, cwd=tmp_path, env=environment)
        assert select.select([listener], [], [], 60)[0], "it has called"
        assert wait(lambda: catches(caller.pid, signal.SIGTERM)), "it waits"
        other.kill()
        other.wait()
        time.sleep(2 * server.LOOK)
    assert caller.wait(timeout=60) == 128 + signal.SIGTERM and not (tmp_path / "ring.npz").exists()


def test_a_call_whose_process_is_killed_fails(working):
    caller, worker = working
    os.kill(worker, signal.SIGKILL)
    assert caller.wait(timeout=60) == server.KILLED


def test_without_an_answer_the_command_runs_itself(environment, tmp_path):
    done = call({**environment, server.VARIABLE: str(tmp_path / "nobody")}, "--version")
    assert done.returncode == 0 and done.stdout.startswith("otbench ")
    assert server.ask(str(tmp_path / "nobody"), ["--version"]) is None


def test_a_call_with_more_threads_runs_itself(environment, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert server.ask(environment[server.VARIABLE], ["--version"]) is None


def test_it_ends_with_its_parent_and_cleans_up(tmp_path):
    code = "import os, time; from otbench.cli import server; server.start(os.getpid()); "
    code += "print(os.environ[server.VARIABLE], flush=True); time.sleep(60)"
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=where)
    path = Path(parent.stdout.readline().strip())
    assert wait(path.exists)
    parent.kill()
    parent.wait()
    assert wait(lambda: not path.parent.exists())
