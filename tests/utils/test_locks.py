"""One run at a time in a results folder, one process at a time in a fit's."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from otbench.errors import OtbenchError
from otbench.utils import locks
from otbench.utils.owners import Process, current
from tests.conftest import ROOT
from tests.disks import disk, read_only

HOLD = (
    "import sys, time\nfrom otbench.utils import locks\nlocks.acquire(sys.argv[1])\n"
    "print('held', flush=True)\ntime.sleep(600)"
)
WORK = (
    "import sys, time\nfrom otbench.utils import locks\nwith locks.exclusive(sys.argv[1]):\n"
    "    print('alone', flush=True)\n    time.sleep(float(sys.argv[2]))"
)

#: a file system without flock, as far as this process can tell
WITHOUT = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
#: reads a number, waits, and writes the next one, so often
COUNT = """
import sys, time
from pathlib import Path
from otbench.utils import locks
path = Path(sys.argv[1]) / "number"
for _ in range(int(sys.argv[2])):
    with locks.exclusive(sys.argv[1]):
        number = int(path.read_text())
        time.sleep(0.002)
        path.write_text(str(number + 1))
"""
ERRORS = [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EIO]


def python(code: str, *words: str) -> subprocess.Popen:
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=where)


def test_a_folder_in_use_is_refused_until_its_process_is_killed(tmp_path):
    folder = tmp_path / "results" / "run"
    with python(HOLD, str(folder)) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OtbenchError, match=f"run is in use by process {other.pid} on .*another name"):
            locks.acquire(folder)
        assert not folder.exists(), "looking makes no folder"
        other.kill()
        other.wait()
    locks.acquire(folder)
    locks.acquire(folder)  # its own process may ask again
    locks.release(folder)
    with python(HOLD, str(folder)) as other:
        assert other.stdout.readline() == "held\n", "what is let go of can be had"
        other.kill()


def test_a_folder_that_may_not_be_written_to_gets_a_sentence(tmp_path):
    with disk(tmp_path / "small", "64k") as folder:
        read_only(folder)
        with pytest.raises(OtbenchError, match="cannot write to .*run: Read-only file system"):
            locks.acquire(folder / "run")


def test_work_in_a_folder_waits_for_who_was_there_first(tmp_path):
    with python(WORK, str(tmp_path), "2") as first:
        assert first.stdout.readline() == "alone\n"
        began = time.monotonic()
        with python(WORK, str(tmp_path), "0") as second:
            assert second.stderr.readline() == f"waiting for another process to end its work in {tmp_path}\n"
            assert second.stdout.readline() == "alone\n"
            assert first.wait() == 0 and time.monotonic() - began > 0.5


# ---------------------------------------------------------------------- file systems without flock


@pytest.fixture
def without(monkeypatch):
    """A file system without flock; call it with another error number than ENOLCK for another kind."""

    def fail(number: int) -> None:
        def flock(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    fail(errno.ENOLCK)
    return fail


def soft(folder: Path) -> Path:
    """The file that is the lock of a results folder where there is no flock."""
    return folder.parent / f".{folder.name}.lock.soft"


def put(path: Path, owner: Process) -> None:
    path.write_text(json.dumps(asdict(owner)))


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
def test_without_flock_a_file_with_the_owner_is_the_lock(number, without, tmp_path):
    without(number)
    folder = tmp_path / "run"
    locks.acquire(folder)
    locks.acquire(folder)
    assert json.loads(soft(folder).read_text()) == asdict(current())
    with python(WITHOUT + HOLD, str(folder)) as other:
        assert f"run is in use by process {os.getpid()} on" in other.stderr.read() and other.wait() == 1
    locks.release(folder)
    assert not soft(folder).exists()
    with locks.exclusive(tmp_path):
        assert json.loads((tmp_path / ".lock.soft").read_text()) == asdict(current())
    assert not (tmp_path / ".lock.soft").exists()


def test_a_failing_flock_is_not_taken_for_another_process(monkeypatch, tmp_path):
    """Errors of other kinds are told as they are."""

    def flock(*_: object) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OtbenchError, match=r"cannot write to .*run: Bad file descriptor \(lock file .*\.run\.lock\)"):
        locks.acquire(tmp_path / "run")


def test_the_file_of_a_killed_process_is_removed_and_told(without, tmp_path, capsys):
    folder = tmp_path / "run"
    with python(WITHOUT + HOLD, str(folder)) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OtbenchError, match=f"run is in use by process {other.pid} on "):
            locks.acquire(folder)
        other.kill()
        other.wait()
    assert soft(folder).exists() and not capsys.readouterr().err
    locks.acquire(folder)
    said = capsys.readouterr().err
    assert f"removed {soft(folder)}, the lock of process {other.pid} on " in said and "which has ended" in said
    locks.release(folder)
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


def test_a_process_that_ends_by_itself_lets_go(without, tmp_path, capsys):
    folder = tmp_path / "run"
    with python(WITHOUT + HOLD.replace("600", "0"), str(folder)) as other:
        assert other.stdout.readline() == "held\n" and other.wait() == 0
    assert not soft(folder).exists()


def test_a_number_that_another_process_has_by_now_is_no_owner(without, tmp_path, capsys):
    folder = tmp_path / "run"
    put(soft(folder), replace(current(), start="0:1"))
    locks.acquire(folder)
    assert "which has ended" in capsys.readouterr().err and json.loads(soft(folder).read_text()) == asdict(current())
    locks.release(folder)


def test_the_file_of_another_host_stays_and_is_named(without, tmp_path, capsys, monkeypatch):
    folder, owner = tmp_path / "run", Process("node7", 12, "b:34")
    put(soft(folder), owner)
    with pytest.raises(OtbenchError) as error:
        locks.acquire(folder)
    said = f"run is in use by process 12 on node7 (lock file {soft(folder)}; if that process has ended, remove this"
    assert said in str(error.value)
    put(tmp_path / ".lock.soft", owner)
    monkeypatch.setattr(locks, "PATIENCE", 0.3)
    with pytest.raises(OtbenchError, match=r"was in use for 0.3 s by process 12 on node7 \(lock file .*/.lock.soft; "):
        with locks.exclusive(tmp_path):
            pytest.fail("two at once")
    assert "waiting for process 12 on node7 (lock file" in capsys.readouterr().err
    assert json.loads((tmp_path / ".lock.soft").read_text()) == asdict(owner) == json.loads(soft(folder).read_text())


def test_a_removed_owner_is_not_the_next_one(without, tmp_path, monkeypatch):
    """Who looked before another took over does not remove the other's file."""
    marker, ended = tmp_path / ".lock.soft", replace(current(), start="0:1")
    put(marker, current())
    assert locks._remove(marker, ended, tmp_path) is False and locks.owner_of(marker) == current()
    put(marker, ended)
    with monkeypatch.context() as patch:

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        patch.setattr(os, "link", link)  # a file system without hard links
        assert locks._remove(marker, ended, tmp_path) is True and not list(tmp_path.iterdir())


def test_both_kinds_of_lock_respect_each_other(tmp_path, monkeypatch, without):
    """A lock server may be away for one process of two, and one machine of two may know no flock."""
    folder = tmp_path / "run"
    with python(HOLD, str(folder)) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OtbenchError, match=f"run is in use by process {other.pid} on "):
            locks.acquire(folder)
        assert not soft(folder).exists()
        other.kill()
        other.wait()
    locks.acquire(folder)  # what the killed process wrote is no lock
    with python(HOLD, str(folder)) as other:
        assert f"run is in use by process {os.getpid()} on" in other.stderr.read() and other.wait() == 1
    locks.release(folder)
    put(tmp_path / ".run.lock", Process("node7", 12, "b:34"))
    with pytest.raises(OtbenchError, match=r"in use by process 12 on node7 .lock file .*/\.run\.lock; if that"):
        locks.acquire(folder)
    monkeypatch.undo()
    locks.acquire(folder)  # the system knows that nobody has it
    locks.release(folder)


# ---------------------------------------------------------------------- one at a time


@pytest.mark.parametrize("before", ["", WITHOUT], ids=["flock", "soft"])
def test_processes_take_turns(before, tmp_path):
    (tmp_path / "number").write_text("0")
    others = [python(before + COUNT, str(tmp_path), "20") for _ in range(4)]
    ended = [(other.communicate()[1], other.returncode) for other in others]
    assert [status for _, status in ended] == [0] * 4, ended
    assert (tmp_path / "number").read_text() == "80"


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_what_a_process_starts_does_not_keep_its_lock(way, tmp_path):
    start = {
        "fork": "import os\nif os.fork() == 0:\n    time.sleep(600)",
        "spawn": "import subprocess\nsubprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)",
    }[way]
    code = HOLD.replace("print(", f"{start}\nprint(")
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(OtbenchError, match=f"in use by process {other.pid} on"):
                locks.acquire(folder)
            other.kill()
            other.wait()
            locks.acquire(folder)
            locks.release(folder)
        finally:
            os.killpg(other.pid, signal.SIGKILL)


def test_a_fork_has_no_lock_of_its_parent(tmp_path):
    """It neither believes that it has the lock nor takes it away."""
    locks.acquire(tmp_path / "run")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            locks.release(tmp_path / "run")
            locks.acquire(tmp_path / "run")
        except OtbenchError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    locks.release(tmp_path / "run")


# ---------------------------------------------------------------------- what is in the lock's place


KINDS = {
    "link": (lambda path, target: path.symlink_to(target), "is a link"),
    "hard link": (lambda path, target: path.hardlink_to(target), "is a link to another file"),
    "folder": (lambda path, target: path.mkdir(), "is a folder"),
    "pipe": (lambda path, target: os.mkfifo(path), "is no regular file"),
    "text": (lambda path, target: path.write_text("precious"), "holds something else than a lock"),
}


def exclusive(folder: Path) -> None:
    with locks.exclusive(folder):
        pytest.fail("it was locked")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("take", ["acquire", "exclusive", "soft"])
def test_another_file_in_the_locks_place_is_refused_and_untouched(take, kind, tmp_path, monkeypatch, request):
    make, said = KINDS[kind]
    target, folder = tmp_path / "target", tmp_path / "run"
    target.write_text("precious")
    folder.mkdir()
    name = {"acquire": ".run.lock", "exclusive": "run/.lock", "soft": "run/.lock.soft"}[take]
    make(tmp_path / name, target)
    if take == "soft":
        request.getfixturevalue("without")
        monkeypatch.setattr(locks, "PATIENCE", 0.0)
        said = "was in use for 0 s by another process" if kind in ("text", "hard link") else said
    with pytest.raises(OtbenchError, match=said) as error:
        locks.acquire(folder) if take == "acquire" else exclusive(folder)
    assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)
    assert target.read_text() == "precious" and os.path.lexists(tmp_path / name)
    assert kind != "text" or (tmp_path / name).read_text() == "precious"


def test_a_link_that_is_put_there_after_the_look_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_refuse_other_kinds", lambda path: None)
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / ".run.lock").symlink_to(target)
    (tmp_path / ".lock").symlink_to(tmp_path / "nothing")
    with pytest.raises(OtbenchError, match=r"cannot write to .*run: Too many levels of symbolic links \(lock file"):
        locks.acquire(tmp_path / "run")
    with pytest.raises(OtbenchError, match=r"\(lock file .*/\.lock\)"):
        exclusive(tmp_path)
    assert target.read_text() == "precious" and not (tmp_path / "nothing").exists()


def test_letting_go_writes_into_no_link_that_came_meanwhile(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    locks.acquire(tmp_path / "run")
    (tmp_path / ".run.lock").unlink()
    (tmp_path / ".run.lock").symlink_to(target)
    locks.release(tmp_path / "run")
    assert target.read_text() == "precious"


def test_the_lock_of_an_earlier_release_is_taken(tmp_path):
    (tmp_path / ".run.lock").write_text("process 12 on node7")
    locks.acquire(tmp_path / "run")
    assert json.loads((tmp_path / ".run.lock").read_text()) == asdict(current())
    locks.release(tmp_path / "run")
    assert (tmp_path / ".run.lock").read_text() == ""


@pytest.mark.parametrize("kind", ["flock", "soft"])
def test_a_full_disk_gets_a_sentence_with_the_path(kind, tmp_path, request):
    if kind == "soft":
        request.getfixturevalue("without")
    with disk(tmp_path / "small", "64k") as folder:
        with open(folder / "full", "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(4096))
        for call, name in ((locks.acquire, ".run.lock"), (exclusive, "run/.lock")):
            (folder / "run").mkdir(exist_ok=True)
            with pytest.raises(OtbenchError, match=f"run: No space left on device .lock file .*{name}"):
                call(folder / "run")
        assert not list(folder.rglob("*.soft"))
        (folder / "full").unlink()
        locks.acquire(folder / "run")
        locks.release(folder / "run")
