"""Processes as files record them: who still runs, who has ended, and whom nobody here can know about."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from otbench.utils import owners
from otbench.utils.owners import Process, current, is_running, start_of


def test_this_process_runs_and_one_of_the_same_number_that_began_earlier_has_ended():
    own = current()
    assert own.pid == os.getpid() and own == current() and own.is_local and not own.has_ended
    assert replace(own, start=None).has_ended is False, "its number alone is known"
    boot, tick = own.start.split(":")
    assert replace(own, start=f"{boot}:{int(tick) - 1}").has_ended
    assert replace(own, start=f"{'0' * len(boot)}:{tick}").has_ended, "before the machine was started again"
    assert str(own) == f"process {os.getpid()} on {owners.host_name()}"


def test_a_killed_process_has_ended_even_where_nobody_has_asked_for_its_status():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        start = start_of(child.pid)
        assert is_running(child.pid, start) and start != current().start
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(child.pid, start) and not is_running(child.pid), "a zombie"
    assert not is_running(child.pid, start) and not is_running(2**40)


def test_a_process_of_another_host_is_not_known_to_have_ended(monkeypatch):
    ended = Process("elsewhere", 2**22 + 1, "x:1")
    assert not ended.is_local and not ended.has_ended
    assert Process(owners.host_name(), 2**22 + 1, "x:1").has_ended
    there = current()
    monkeypatch.setattr(owners, "_FIRST_NAMESPACE", os.stat("/proc/self/ns/pid").st_ino)
    outside = owners.host_name()
    monkeypatch.setattr(owners, "_FIRST_NAMESPACE", 0)
    assert owners.host_name().startswith(f"{outside}:"), "a container has the machine's name"
    assert replace(there, host=outside).is_local is False
