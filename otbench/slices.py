"""A run in slices, on machines that are there for minutes: the verb `slice`."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from otbench import lock, parcel
from otbench.config import Run, checked
from otbench.errors import OtbenchError, WorkFailed
from otbench.files import read_json
from otbench.provenance import code_version
from otbench.training.interrupt import Stop, stoppable

#: seconds that jobs may take to write their checkpoints, and Snakemake to end
GRACE = 60.0
SHELLS = ("sh", "bash", "dash")
#: the config that Snakemake lays every other over
BASE = Path("config") / "config.yaml"


def configured(config: Path, words: list[str]) -> Run:
    """The run that Snakemake makes of a config file and the words after `--config`, lean in any case.

    Raises OtbenchError where there is no workflow in this folder, or the config is wrong.
    """
    import yaml
    from snakemake.utils import update_config

    if not Path("Snakefile").exists() or not BASE.exists():
        raise OtbenchError(f"there is no Snakefile with {BASE} in {Path.cwd()}; expected the folder of the workflow")
    values: dict[str, Any] = {}
    for path in (BASE, config):
        try:
            update_config(values, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except OSError as error:
            raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise OtbenchError(f"{path} is no config ({' '.join(str(error).split())})") from error
    for word in [*words, "lean=True"]:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise OtbenchError(f"--config {word}: expected key=value")
        update_config(values, {key: _value(value)})
    return checked(values, str(config))


def _value(text: str) -> Any:
    """What Snakemake makes of the text after `key=`; its own function is in a module that takes seconds to import."""
    import yaml

    if text in ("", "True", "False"):
        return {"True": True, "False": False}.get(text)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return text


def run(
    config: Path,
    minutes: float,
    out: Path,
    source: Path | None,
    cores: int,
    words: list[str] | None,
    part_size: float,
    parts: int,
) -> dict[str, Any]:
    """Go on with a run for at most so many minutes, and pack what the next slice needs into `out`.

    source: where an earlier slice packed it, if one did. words: `key=value` for the config. Returns what the manifest
    holds; `complete` says whether there is nothing more to do. Raises OtbenchError where a folder holds another run or
    is damaged, and WorkFailed, after packing, where jobs failed by themselves.
    """
    ends = time.monotonic() + 60 * minutes
    wanted = configured(config, words or [])
    parcel.check_folder(wanted, out)
    if source is not None and (before := parcel.check_folder(wanted, source)):
        lock.hold(wanted.folder)
        try:
            written = parcel.unpack(wanted, source)
        finally:
            lock.release(wanted.folder)
        print(f"unpacked {written} files of run {wanted.run} from {source}", flush=True)
        if before["code_version"] != code_version():
            said = f"they are of code {before['code_version']}, this is {code_version()}"
            print(f"{said}: what the change touches is made again", flush=True)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--keep-going", "--rerun-incomplete"]
    command += ["--nolock", "--configfile", str(config), "--config", "lean=True", *(words or [])]
    with stoppable() as stop, stop.held():
        ended = _make_data(wanted, command, ends, stop)
        if ended == 0:
            _make_features(wanted)
            ended = _snakemake(command, ends, stop)
    done, asked = cells(wanted)
    counted = {"complete": ended == 0, "cells": {"done": done, "missing": asked - done, "all": asked}}
    said = parcel.pack(wanted, out, part_size, parts, counted)
    if ended:
        raise WorkFailed(
            f"jobs of run {wanted.run} failed, or cells are not ok; {wanted.folder}/logs says why. {done} of {asked}"
            f" cells are measured, and packed in {out}"
        )
    return said


def cells(run: Run) -> tuple[int, int]:
    """How many cells of a run are measured, and how many it asks for."""
    done = asked = 0
    for dataset, model in run.pairs:
        seeds, path = set(run.seeds_of(dataset)), run.folder / "metrics" / dataset / f"{model}.csv"
        asked += len(seeds)
        if path.exists():
            with open(path, encoding="utf-8", newline="") as file:
                done += len(seeds & {int(row["seed"]) for row in csv.DictReader(file)})
    return done, asked


def _make_data(run: Run, command: list[str], ends: float, stop: Stop) -> int | None:
    """Make the data sets that something was made of and that are not there, as they do not travel.

    They are the same bits each time, so the workflow is to take them for older than what was made of them. One that
    differs from what fits were made of is left new, and these are made again. Returns Snakemake's status.
    """
    from otbench.data import load

    folder = run.folder
    names = {name for name in run.datasets if (folder / "fit" / name).exists() or (folder / "features" / name).exists()}
    if any((folder / "theory").glob("*.npz")):
        open_ = [part for name, part in run.theories.items() if not (folder / "theory" / f"{name}.npz").exists()]
        names |= {part.dataset for part in open_ if part.dataset}
    paths = [path for name in sorted(names) if not (path := folder / "data" / f"{name}.npz").exists()]
    # targets come before the options, which take several words
    ended = _snakemake([*command[:3], *map(str, paths), *command[3:]], ends, stop) if paths else 0
    for path in paths if ended == 0 else ():
        used = {read_json(fit).get("data") for fit in (folder / "fit" / path.stem).rglob("fit.json")}
        if used <= {load(str(path)).digest()}:
            os.utime(path, (1, 1))
    return ended


def _make_features(run: Run) -> None:
    """Make the features of real images that did not travel, from the extractor that did, where they are needed."""
    from otbench.cli_options import Device, ready
    from otbench.data import load
    from otbench.features import store

    for dataset in run.datasets:
        folder = run.folder / "features" / dataset
        models = run.section(dataset).models
        measured = all((run.folder / "metrics" / dataset / f"{model}.csv").exists() for model in models)
        if measured or not (folder / "features.json").exists():
            continue
        for name, told in store.read_info(folder)["extractors"].items():
            if not (folder / f"{name}.npz").exists():
                device, data = ready(Device(run.device)), load(str(run.folder / "data" / f"{dataset}.npz"))
                extractor = store.opener(name, folder, run.section(dataset).inception_weights, device)()
                store.write_extracted(data, folder, extractor, told, told.get("seed", 0))


def _snakemake(command: list[str], ends: float, stop: Stop) -> int | None:
    """Run Snakemake until it ends, the time is over or a signal asks to stop; its status, None where it was stopped."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    if shutil.which("otbench", path=path) is None:
        raise OtbenchError(
            f"the command `otbench` is not on the PATH, nor beside {sys.executable}; install the package"
        )
    if _over(ends, stop):
        return None
    process = subprocess.Popen(command, env={**os.environ, "PATH": path}, start_new_session=True)
    try:
        while process.poll() is None:
            if _over(ends, stop):
                return None
            time.sleep(0.1)
        return process.returncode
    finally:
        _end(process)


def _over(ends: float, stop: Stop) -> bool:
    return time.monotonic() >= ends or stop.asked is not None


def _end(process: subprocess.Popen) -> None:
    """Ask a process and all that it started to stop, wait until they have, and kill them where they do not."""
    asked: set[int] = set()
    patience = time.monotonic() + GRACE
    stopped = process.poll() is None
    while process.poll() is None or _group(process.pid):
        for one in _group(process.pid) if stopped else ():
            # what Snakemake still starts is a report of what there is; and a shell would end before the training that
            # it waits for, whose job would then be taken for over
            if one.pid not in asked and one.info["name"] not in SHELLS:
                asked.add(one.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGTERM)
        if time.monotonic() > patience:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.1)


def _group(number: int) -> list[psutil.Process]:
    """The processes of a group that still run; one that ended and that nobody waited for does not."""
    found = []
    for one in psutil.process_iter(["name", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(one.pid) == number and one.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found
