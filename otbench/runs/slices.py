"""A run in slices, on machines that are available for minutes: the verb `slice`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from otbench.config.run import Run
from otbench.errors import OtbenchError, WorkFailed
from otbench.provenance import code_version
from otbench.runs import archive, stale
from otbench.runs.check import checked
from otbench.runs.layout import layout
from otbench.runs.parcel import MANIFEST, check_folder
from otbench.runs.unpack import unpack
from otbench.utils import locks
from otbench.utils.files import read_object, read_yaml
from otbench.utils.interrupt import Stop, stoppable
from otbench.utils.processes import _end
from otbench.utils.threads import THREADS

#: the config that Snakemake lays every other over
BASE = Path("config") / "config.yaml"
#: folders of a run whose files are made with the features of real images
OF_FEATURES = ("metrics", "spread", "search")


def configured(config: Path, words: list[str]) -> Run:
    """Run that Snakemake makes of a config file and the words after `--config`, lean in any case.

    Args:
        config: The run's config, .yaml.
        words: `key=value` of the config.

    Returns:
        The run.

    Raises:
        OtbenchError: There is no workflow in this folder, the config is wrong, or it leads out of this folder and the
            words do not allow it.
    """
    from snakemake.utils import update_config

    if not Path("Snakefile").exists() or not BASE.exists():
        raise OtbenchError(f"there is no Snakefile with {BASE} in {Path.cwd()}; expected the folder of the workflow")
    values: dict[str, Any] = {}
    for path in (BASE, config):
        try:
            update_config(values, read_yaml(path) or {})
        except (AttributeError, TypeError, RecursionError) as error:
            raise OtbenchError(f"{path} is no config ({' '.join(str(error).split())})") from error
    overrides = _said(words) | {"lean": True}
    update_config(values, overrides)
    run = checked(values, str(config))
    run.stay_inside(overrides)
    return run


def _said(words: list[str]) -> dict[str, Any]:
    """Values of `key=value` words as Snakemake reads them; raises OtbenchError where one has another form."""
    if not words:  # the parser's module takes seconds to import
        return {}
    from snakemake.cli import parse_config
    from snakemake.utils import update_config

    values: dict[str, Any] = {}
    for word in words:
        try:
            update_config(values, parse_config([word]))
        except ValueError as error:
            raise OtbenchError(f"--config {word}: expected key=value") from error
    return values


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
    """Go on with a run for some minutes, and pack what the next slice needs.

    Args:
        config: The run's config, .yaml.
        minutes: Minutes after which the run is stopped.
        out: Folder to pack into.
        source: Folder that an earlier slice packed into; None for the first slice.
        cores: Jobs at once.
        words: `key=value` of the config.
        part_size: Most MiB of a part.
        parts: Most parts.

    Returns:
        Content of manifest.json; `complete` says whether there is nothing more to do.

    Raises:
        OtbenchError: A folder holds another run, is damaged or in use, or a parcel would be lost.
        WorkFailed: Jobs failed by themselves; raised after packing.
    """
    ends = time.monotonic() + 60 * minutes
    this_run = configured(config, words or [])
    before = _earlier(this_run, out, source)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--keep-going", "--rerun-incomplete"]
    command += ["--nolock", "--configfile", str(config), "--config", "lean=True", *(words or [])]
    # a first signal is only noted: what exists by then is packed
    with stoppable() as stop, stop.held():
        locks.acquire(this_run.folder)
        try:
            if source is not None and before:
                _unpack(this_run, source, before)
            for step in (_make_data, _make_ready, _snakemake):
                ended = step(this_run, command, ends, stop)
                if ended != 0:
                    break
            done, asked = cells(this_run)
            counted = {"complete": ended == 0, "cells": {"done": done, "missing": asked - done, "all": asked}}
            manifest = archive.pack(this_run, out, part_size, parts, counted)
        finally:
            locks.release(this_run.folder)
    if ended:
        raise WorkFailed(
            f"jobs of run {this_run.run} failed, or cells are not ok; {this_run.folder}/logs says why."
            f" {done} of {asked} cells are measured, and packed in {out}"
        )
    return manifest


def _earlier(run: Run, out: Path, source: Path | None) -> dict[str, Any] | None:
    """Manifest of the slice to go on from; None where this is the first.

    Raises OtbenchError where `source` is none that can be gone on from, and where `out` holds another parcel, which
    this slice would replace without reading it.
    """
    there = check_folder(run, out)
    if source is not None and source.resolve() == out.resolve():
        return there
    if there:
        raise OtbenchError(
            f"{out} holds what an earlier slice of run {run.run} packed; expected --from {out}, to go on from it, or"
            " another folder for --out"
        )
    before = check_folder(run, source) if source is not None else None
    if source is not None and before is None:
        raise OtbenchError(f"--from {source}: there is no {MANIFEST}; expected a folder that a slice packed into")
    return before


def _unpack(run: Run, source: Path, before: dict[str, Any]) -> None:
    """Unpack what an earlier slice packed, and say so."""
    print(f"unpacked {unpack(run, source)} files of run {run.run} from {source}", flush=True)
    if before["code_version"] != code_version():
        change = f"they are of code {before['code_version']}, this is {code_version()}"
        print(f"{change}: what the change touches is made again", flush=True)


def cells(run: Run) -> tuple[int, int]:
    """Numbers of cells of a run.

    Args:
        run: The run.

    Returns:
        How many cells are measured as the run's config asks, and how many it asks for.
    """
    done = sum(len(stale.seeds_measured(run, dataset, model)) for dataset, model in run.pairs)
    return done, sum(len(run.seeds_of(dataset)) for dataset, _ in run.pairs)


def _make_data(run: Run, command: list[str], ends: float, stop: Stop) -> int | None:
    """Make the data sets that something was made of and that do not exist, as they do not travel.

    They are the same bits each time, so they get an old time stamp, for the workflow to take them for older than what
    was made of them. One that differs from the data of the fits stays new, and the fits are made again. Returns
    Snakemake's status.
    """
    from otbench.data import load

    at = layout(run)
    fits = {name: run.folder / "fit" / name for name in run.datasets}
    names = {name for name in run.datasets if fits[name].exists() or at.features(name).exists()}
    if any((run.folder / "theory").glob("*.npz")):
        open_ = [part for name, part in run.theories.items() if not at.theory(name).exists()]
        names |= {part.dataset for part in open_ if part.dataset}
    paths = [path for name in sorted(names) if not (path := at.data(name)).exists()]
    # targets come before the options, which take several words
    ended = _snakemake(run, [*command[:3], *map(str, paths), *command[3:]], ends, stop) if paths else 0
    for path in paths if ended == 0 else ():
        used = {read_object(fit).get("data") for fit in fits[path.stem].rglob("fit.json")}
        if used <= {load(str(path)).digest()}:
            os.utime(path, (1, 1))
    return ended


def _make_ready(run: Run, command: list[str], ends: float, stop: Stop) -> int | None:
    """Mend what did not travel whole, where Snakemake is about to use it; returns a status as Snakemake's.

    Samples of which a part travelled must not be measured as if they were all: they are deleted, to be drawn again.
    Features of real images are made again from their extractor.
    """
    partial, lacking = archive.partial(run), _lacking(run)
    if not partial and not lacking:
        return 0
    ended, coming = _coming(command, ends, stop)
    for path in partial if ended == 0 else ():
        if archive.table(run, path) in coming:
            print(f"{path} holds a part of the samples that is not to be measured: they are made again", flush=True)
            path.unlink()
    for dataset, name in lacking:
        if ended == 0 and _opens_features(run, dataset, coming):
            ended = _wait(_extraction(run, dataset, name), ends, stop, os.environ | dict.fromkeys(THREADS, "1"))
    return ended


def _coming(command: list[str], ends: float, stop: Stop) -> tuple[int | None, set[Path]]:
    """Snakemake's status when it is asked for its plan, and the files that it is about to make."""
    with tempfile.TemporaryFile("w+") as file:
        ended = _wait([*command[:3], "--summary", *command[3:]], ends, stop, _environment(), file)
        file.seek(0)
        rows = [line.rstrip("\n").split("\t") for line in file]
    return ended, {Path(row[0]) for row in rows if row[-1] == "update pending"}


def _lacking(run: Run) -> list[tuple[str, str]]:
    """Every (data set, extractor) whose features of real images do not exist, while the extractor does."""
    from otbench.features.store import read_info

    folders = {name: layout(run).features(name) for name in run.datasets}
    made = {name: read_info(folder) for name, folder in folders.items() if (folder / "features.json").exists()}
    each = [(dataset, name) for dataset, info in made.items() for name in info["extractors"]]
    return [(dataset, name) for dataset, name in each if not (folders[dataset] / f"{name}.npz").exists()]


def _opens_features(run: Run, dataset: str, coming: set[Path]) -> bool:
    """Whether a job to come opens the features of a data set, and none makes them all anew before."""
    folders = {run.folder / name / dataset for name in OF_FEATURES}
    return layout(run).feature_info(dataset) not in coming and any(path.parent in folders for path in coming)


def _extraction(run: Run, dataset: str, name: str) -> list[str]:
    """The command that makes the features of a data set's images again; a process of its own can be stopped."""
    weights = run.section(dataset).inception_weights or ""
    return [sys.executable, "-m", "otbench.runs.slices", str(run.folder), dataset, name, run.device, weights]


def _extract(results: str, dataset: str, name: str, device: str, weights: str) -> None:
    """Make the features of a data set's real images again, with the extractor that travelled."""
    from otbench.data import load
    from otbench.features import store
    from otbench.utils.devices import setup_device

    where, data = setup_device(device), load(str(Path(results) / "data" / f"{dataset}.npz"))
    folder = Path(results) / "features" / dataset
    info = store.read_info(folder, data)["extractors"][name]
    store.write_extracted(data, folder, store.opener(name, folder, weights or None, where)(), info, info.get("seed", 0))


def _snakemake(run: Run, command: list[str], ends: float, stop: Stop) -> int | None:
    """Run Snakemake as `_wait` does; it takes the lock of the results folder itself, so the lock is released meanwhile.

    Raises OtbenchError where another run took it first.
    """
    environment = _environment()
    locks.release(run.folder)
    try:
        return _wait(command, ends, stop, environment)
    finally:
        locks.acquire(run.folder)


def _environment() -> dict[str, str]:
    """The environment of Snakemake, with the command `otbench` on the PATH; raises OtbenchError where there is none."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    if shutil.which("otbench", path=path) is None:
        raise OtbenchError(
            f"the command `otbench` is not on the PATH, nor beside {sys.executable}; install the package"
        )
    return {**os.environ, "PATH": path}


def _wait(
    command: list[str], ends: float, stop: Stop, environment: dict[str, str], said: IO[str] | None = None
) -> int | None:
    """Run a command until it ends, the time is over or a signal asks to stop; its status, None where it was stopped.

    said: file for its output.
    """
    if _over(ends, stop):
        return None
    process = subprocess.Popen(command, env=environment, stdout=said, start_new_session=True)
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


if __name__ == "__main__":  # python -m otbench.runs.slices RESULTS DATASET EXTRACTOR DEVICE WEIGHTS
    with stoppable():
        try:
            _extract(*sys.argv[1:])
        except OtbenchError as error:
            print(f"otbench: {error}", file=sys.stderr)
            sys.exit(error.status)
