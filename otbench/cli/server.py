"""A process that has imported what the verbs need, and forks itself for every call of the command line.

A small job of a run takes less time than importing PyTorch. While a run is on, the workflow keeps such a process
(`python -m otbench.cli.server SOCKET PARENT`), and names its socket in the environment variable OTBENCH_WARM; the
command `otbench` hands its words, folder, environment and open files to it. What runs is the same, in a process of its
own; without the variable, or where nobody answers, the command does it all itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from otbench.utils.threads import MODULES, THREADS

VARIABLE = "OTBENCH_WARM"
PARENT = "OTBENCH_PARENT"
"""Environment variable with the process that a call belongs to, where it must not outlive it."""
#: seconds between two checks that the parent lives
LOOK = 1.0
#: exit status of a call whose process ended without one: a shell's for SIGKILL
KILLED = 137


def start(parent: int) -> None:
    """Start the process in the background and name its socket in the environment.

    Args:
        parent: Id of the process that it ends with.
    """
    from otbench.utils.temporary import make_temporary_folder

    path = str(make_temporary_folder("otbench") / "warm")
    command = [sys.executable, "-m", "otbench.cli.server", path, str(parent)]
    # libraries take their number of threads when they are loaded: one, as the jobs of a run have
    environment = os.environ | dict.fromkeys(THREADS, "1")
    nothing = subprocess.DEVNULL
    subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment)
    os.environ[VARIABLE] = path


def ask(path: str, words: list[str]) -> int | None:
    """Let the process at the socket run `otbench WORDS`.

    Args:
        path: Where the socket lies.
        words: Arguments of the command line.

    Returns:
        Exit status. None where nobody answers, or where the call asks for more threads than that process has. A call
        that was asked to stop before anybody answered has stopped: its status is a signal's.
    """
    if any(os.environ.get(name, "1") != "1" for name in THREADS):
        return None
    asked: list[int] = []
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            encodings = [getattr(stream, "encoding", None) for stream in (sys.stdin, sys.stdout, sys.stderr)]
            call = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
            call = json.dumps(call | {"encodings": encodings})
            call = call.encode()
            # the length goes with the files, so that both arrive in one message
            socket.send_fds(connection, [len(call).to_bytes(8)], [0, 1, 2])
            connection.sendall(call)
            with _forwarding(connection, asked):
                status = connection.recv(1)
        except OSError:
            return 128 + asked[-1] if asked else None
    return status[0] if status else KILLED


@contextlib.contextmanager
def _forwarding(connection: socket.socket, asked: list[int]) -> Iterator[None]:
    """Forward signals that ask this process to stop to the process at the other end, and go on waiting for it.

    asked: gets their numbers.
    """

    def forward(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        with contextlib.suppress(OSError):
            connection.sendall(bytes([number]))

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with(parent: int) -> None:
    """Ask this process to stop, as SIGTERM does, once another is gone.

    Args:
        parent: Id of the other process.
    """

    def look() -> None:
        while _lives(parent):
            time.sleep(LOOK)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True).start()


def serve(path: str, parent: int) -> None:
    """Answer calls at the socket until the parent is gone.

    Args:
        path: Where to make the socket; its folder is removed at the end.
        parent: Id of the process to end with.
    """
    import importlib

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        for name in MODULES:
            importlib.import_module(name)
        from otbench.metrics.wasserstein import import_ot

        import_ot()
        listener.settimeout(LOOK)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the calls; this process ends with its parent
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks: their status goes to the caller
        try:
            while _lives(parent):
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    if os.fork() == 0:
                        listener.close()
                        _answer(connection)
                    connection.close()
        finally:
            Path(path).unlink(missing_ok=True)
            Path(path).parent.rmdir()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _answer(connection: socket.socket) -> None:
    """Run the caller's command in the fork, send the exit status, and end."""
    status = 1
    try:
        os.setsid()  # a terminal's Ctrl-C is the caller's, who passes it on
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        connection.settimeout(None)
        length, files, _, _ = socket.recv_fds(connection, 8, 3)
        call = json.loads(_received(connection, int.from_bytes(length)))
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        _open_streams(call["encodings"])
        os.environ.clear()
        os.environ.update(call["environment"])
        os.chdir(call["folder"])
        threading.Thread(target=_watch, args=(connection,), daemon=True).start()
        status = _run(call["words"])
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            connection.sendall(bytes([status]))
        os._exit(status)


def _open_streams(encodings: list[str | None]) -> None:
    """Reopen Python's standard streams on the caller's files: the earlier ones belong to /dev/null, which can seek."""
    names = ("stdin", "stdout", "stderr")
    for number, (name, encoding) in enumerate(zip(names, encodings, strict=True)):
        mode = "r" if number == 0 else "w"
        stream = open(number, mode, encoding=encoding, errors="backslashreplace", buffering=1, closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _received(connection: socket.socket, length: int) -> bytes:
    parts, left = [], length
    while left:
        part = connection.recv(left)
        if not part:
            raise EOFError("the caller went away")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _watch(connection: socket.socket) -> None:
    """Send this process the signals that the caller passes on, and SIGTERM once the caller is gone."""
    byte = b"\0"
    while byte:
        try:
            byte = connection.recv(1)
        except OSError:
            byte = b""
        os.kill(os.getpid(), byte[0] if byte else signal.SIGTERM)


def _run(words: list[str]) -> int:
    """Run the command line; its exit status."""
    import traceback

    from otbench.cli.app import main

    sys.argv = ["otbench", *words]
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # what a process of its own would print before it ends
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
