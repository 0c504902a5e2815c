"""Work through the queue of the reference results, several cells at once; it can be stopped and resumed.

A cell's folder holds its fit (with checkpoints while it is trained), samples.npz, metrics.csv, curves.npz, log.txt, and
cell.json, which is written last: a cell is complete where that exists, and counts for nothing before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otbench.config.queue import Cell, Queue, read_queue
from otbench.errors import OtbenchError
from otbench.fingerprints import fit_version, measure_version
from otbench.utils import locks
from otbench.utils.files import read_json, write_json
from otbench.utils.interrupt import Interrupted, Stop, stoppable
from otbench.utils.processes import _end
from otbench.utils.threads import THREADS

DONE = "cell.json"
#: seconds between two looks at the jobs, and at the process that started a job
PAUSE, WATCH = 0.2, 1.0


def done(queue: Queue, cell: Cell) -> dict[str, Any] | None:
    """Record of a complete cell.

    Args:
        queue: The queue.
        cell: Cell of the queue.

    Returns:
        Content of cell.json; None where the cell is not complete, or was measured in another way than now.
    """
    path = cell.folder(queue.work) / DONE
    if not path.exists():
        return None
    about = read_json(path)
    return about if about.get("measure_version") == measure_version() else None


def work(path: Path, cores: int, device: str, tell: Callable[[str], None]) -> list[Cell]:
    """Work through a queue until it is done.

    Args:
        path: The queue, .yaml; it is read once, here and by every job.
        cores: Cells made at once, each in a process with one thread.
        device: Where models are trained: `auto`, `cpu` or `cuda`.
        tell: Function that is given a line for everything that begins or ends.

    Returns:
        Cells that could not be made.

    Raises:
        Interrupted: A signal asked to stop; training has written checkpoints, from which the next call goes on.
        OtbenchError: Another process works in the work folder.
    """
    queue = read_queue(path)
    waiting = [cell for cell in queue.cells if done(queue, cell) is None]
    running: dict[subprocess.Popen, Cell] = {}
    failed: list[Cell] = []
    with stoppable() as stop, stop.held():
        locks.acquire(queue.work)
        try:
            while (waiting or running) and stop.asked is None:
                while waiting and len(running) < cores:
                    cell = waiting.pop(0)
                    running[_start(path, queue, cell, device)] = cell
                    tell(f"{cell.name}: started")
                time.sleep(PAUSE)
                for process in [job for job in running if job.poll() is not None]:
                    cell = running.pop(process)
                    if process.returncode or done(queue, cell) is None:
                        failed.append(cell)
                        tell(f"{cell.name}: failed, see {cell.folder(queue.work)}/log.txt")
                    else:
                        tell(f"{cell.name}: done")
            _stop(running, stop)
        finally:
            locks.release(queue.work)
    return failed


def _stop(running: dict[subprocess.Popen, Cell], stop: Stop) -> None:
    """Where a signal has asked to stop, let all jobs write their checkpoints; raises Interrupted then."""
    if stop.asked is None:
        return
    for process in running:
        process.terminate()
    for process in running:
        _end(process)
    raise Interrupted("stopped; the same command goes on from the last checkpoints", stop.asked)


def _start(path: Path, queue: Queue, cell: Cell, device: str) -> subprocess.Popen:
    """Start the job that makes a cell; its output goes to the cell's log."""
    folder = cell.folder(queue.work)
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, "-m", "otbench.runs.queue", str(path), cell.name, device, str(os.getpid())]
    with open(folder / "log.txt", "a", encoding="utf-8") as log:
        # a session of its own: Ctrl-C at a terminal reaches the queue alone, which passes it on
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


# ---------------------------------------------------------------------- the job of one cell


def make(path: Path, name: str, device: str) -> None:
    """Make one cell of a queue, from where an earlier job left it.

    Args:
        path: The queue, .yaml.
        name: Name of the cell, such as `grid/gan/0`.
        device: Where models are trained: `auto`, `cpu` or `cuda`.
    """
    from otbench.data import load
    from otbench.runs.make_cell import make_cell
    from otbench.training.trainer import Options
    from otbench.utils.devices import setup_device

    queue = read_queue(path)
    cell = next(cell for cell in queue.cells if cell.name == name)
    out, part, where = cell.folder(queue.work), cell.part, setup_device(device)
    with locks.exclusive(out):  # the job of a queue that was killed may still write its checkpoint
        data_path = _data(queue, cell.dataset)
        data = load(str(data_path))
        if not (out / "fit" / "fit.json").exists():
            write_json(out / "code.json", {"fit_version": fit_version(cell.model, data.kind)})
        table = make_cell(
            data,
            cell.model,
            cell.seed,
            out,
            steps=None if part.steps == "paper" else part.steps,
            snapshots=part.marks,
            options=part.set,
            training=Options(where, checkpoint=queue.checkpoint, capture=where.startswith("cuda")),
            samples=part.samples,
            run=queue.reference.name,
            study=part.study,
            features=_features(queue, data, where) if data.kind == "images" else None,
            given=str(data_path),
            resume=True,
        )
        fitted = read_json(out / "fit" / "fit.json")
        about = cell.request | read_json(out / "code.json") | {"measure_version": measure_version()}
        about |= {key: fitted[key] for key in ("code_version", "config_hash", "device", "steps", "finished")}
        about |= {"seconds": float(table["seconds"].max()), "status": sorted(set(table["status"]))}
        write_json(out / DONE, about)


def _data(queue: Queue, name: str) -> Path:
    """Path of the data set's file in the work folder, made where it does not exist."""
    from otbench.data import load, save

    path = queue.work / "data" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(path.parent):
        if not path.exists():
            save(load(name), path)
    return path


def _features(queue: Queue, data: Any, device: str) -> Any:
    """Features that images of a data set are compared in: its classifier, trained where it does not exist."""
    from otbench.features.store import make_features
    from otbench.metrics.reference import open_features

    folder = queue.work / "features" / data.name
    folder.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(folder):
        if not (folder / "features.json").exists():
            make_features(data, folder, ["classifier"], device=device)
    return open_features(folder, data, None, device)


def _watch(parent: int) -> None:
    """Stop this process as a signal would once the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":  # python -m otbench.runs.queue QUEUE CELL DEVICE PARENT
    threading.Thread(target=_watch, args=(int(sys.argv[4]),), daemon=True).start()
    with stoppable():
        try:
            make(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
        except OtbenchError as error:
            print(f"otbench: {error}", file=sys.stderr)
            sys.exit(error.status)
