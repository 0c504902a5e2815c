"""One run at a time in a results folder, one process at a time in a fit's."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from otbench.errors import OtbenchError
from otbench.utils import locks
from tests.conftest import ROOT
from tests.disks import disk, read_only

HOLD = "import sys, time; from otbench import lock; lock.hold(sys.argv[1]); print('held', flush=True); time.sleep(600)"
WORK = (
    "import sys, time\nfrom otbench import lock\nwith lock.alone(sys.argv[1]):\n"
    "    print('alone', flush=True)\n    time.sleep(float(sys.argv[2]))"
)


def python(code: str, *words: str) -> subprocess.Popen:
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=where)


def test_a_folder_in_use_is_refused_until_its_process_is_killed(tmp_path):
    folder = tmp_path / "results" / "run"
    with python(HOLD, str(folder)) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OtbenchError, match=f"run is in use by process {other.pid} on .*another name"):
            locks.hold(folder)
        assert not folder.exists(), "looking makes no folder"
        other.kill()
        other.wait()
    locks.hold(folder)
    locks.hold(folder)  # its own process may ask again
    locks.release(folder)
    with python(HOLD, str(folder)) as other:
        assert other.stdout.readline() == "held\n", "what is let go of can be had"
        other.kill()


def test_a_folder_that_may_not_be_written_to_gets_a_sentence(tmp_path):
    with disk(tmp_path / "small", "64k") as folder:
        read_only(folder)
        with pytest.raises(OtbenchError, match="cannot write to .*run: Read-only file system"):
            locks.hold(folder / "run")


def test_work_in_a_folder_waits_for_who_was_there_first(tmp_path):
    with python(WORK, str(tmp_path), "2") as first:
        assert first.stdout.readline() == "alone\n"
        began = time.monotonic()
        with python(WORK, str(tmp_path), "0") as second:
            assert second.stderr.readline() == f"waiting for another process to end its work in {tmp_path}\n"
            assert second.stdout.readline() == "alone\n"
            assert first.wait() == 0 and time.monotonic() - began > 0.5
