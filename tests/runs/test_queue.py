"""The queue of the reference results: worked through, stopped, killed, gone on with, packed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from otbench.config.queue import Queue, read_queue
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.runs import pack as packing
from otbench.runs.estimate import lines
from otbench.runs.queue import done
from otbench.utils.files import read_json, write_json
from tests.conftest import ROOT

TINY = {"study": "mode-collapse", "datasets": ["grid-pyomt"], "snapshots": [0.5, 1.0], "samples": 100}
PLAIN = TINY | {"models": ["real", "noise"], "seeds": [0, 1], "steps": 10}
TRAINED = TINY | {"models": ["gan"], "seeds": [0], "steps": 6000, "variant": "narrow"}
TRAINED |= {"set": {"width": 16, "maxout": 8}}


def write(folder: Path, *parts: dict) -> Path:
    """A queue file that works in the folder."""
    values = {"work": str(folder / "work"), "reference": str(folder / "reference"), "checkpoint": 0.05}
    path = folder / "queue.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values | {"parts": list(parts)}))
    return path


def command(path: Path, *words: str) -> subprocess.Popen:
    """The verb in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = (sys.executable, "-m", "otbench", "reference", "--queue", str(path), *words)
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def cell_of(path: Path, name: str) -> Path:
    """The folder of a cell."""
    queue = read_queue(path)
    return next(cell for cell in queue.cells if cell.name == name).folder(queue.work)


def values(folder: Path) -> pd.DataFrame:
    """The table of a cell without what it cost."""
    table = pd.read_csv(folder / "metrics.csv")
    return table[table["metric"] != "peak_memory"].drop(columns="seconds")


NAME = "grid-pyomt/gan@narrow/0"


def checkpoint(folder: Path) -> list[int]:
    """When the checkpoint of a cell was written; nothing where there is none."""
    return [path.stat().st_mtime_ns for path in folder.glob("fit/.resume-*/0.pt")]


def break_off(path: Path, number: int) -> int:
    """Send the queue a signal while it trains, after the first checkpoint; its exit status."""
    folder, until = cell_of(path, NAME), time.monotonic() + 300
    before = checkpoint(folder)
    process = command(path)
    while checkpoint(folder) == before:
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=120)
    assert not (folder / "cell.json").exists(), "it was stopped in the middle"
    return process.returncode


def test_a_queue_that_is_stopped_and_killed_comes_out_as_an_undisturbed_one(tmp_path):
    quiet, broken = (write(tmp_path / name, TRAINED) for name in ("quiet", "broken"))
    assert break_off(broken, signal.SIGTERM) == 128 + signal.SIGTERM
    assert break_off(broken, signal.SIGKILL) == -signal.SIGKILL
    for path in (broken, quiet):
        process = command(path)
        told, _ = process.communicate(timeout=500)
        assert process.returncode == 0, told
        assert f"{NAME}: done" in told
    one, other = (cell_of(path, NAME) for path in (quiet, broken))
    first, second = (load_file(folder / "fit" / "weights.safetensors") for folder in (one, other))
    assert first.keys() == second.keys() and len(first) > 4
    assert all(bool((first[name] == second[name]).all()) for name in first)
    np.testing.assert_array_equal(*(read_samples(folder / "samples.npz").samples for folder in (one, other)))
    pd.testing.assert_frame_equal(values(one), values(other))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A queue that is done: two controls with two seeds, and a variant of the GAN."""
    path = write(tmp_path_factory.mktemp("queue"), PLAIN, TRAINED | {"steps": 20})
    process = command(path, "--cores", "2")
    told, _ = process.communicate(timeout=500)
    assert process.returncode == 0, told
    assert told.startswith("0 of 5 cells are done")
    return path


def test_the_order_is_one_seed_of_every_row_then_the_next():
    queue = Queue(parts=[PLAIN, TRAINED | {"models": ["pacgan2", "gan"], "seeds": [3]}])
    assert [cell.name for cell in queue.cells] == [
        *("grid-pyomt/real/0", "grid-pyomt/noise/0", "grid-pyomt/real/1", "grid-pyomt/noise/1"),
        *("grid-pyomt/pacgan2@narrow/3", "grid-pyomt/gan@narrow/3"),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sets": {}}, "key 'parts.0.sets': there is no such key; keys are study, datasets, models, seeds"),
        ({"models": ["gans"]}, "unknown model 'gans'"),
        ({"datasets": ["mnist"]}, "unknown data set 'mnist'"),
        ({"set": {"width": 3}}, "need a name"),
        ({"seeds": [0, 0]}, "holds a value twice"),
    ],
)
def test_a_queue_that_is_wrong_is_refused_in_one_sentence(tmp_path, change, said):
    with pytest.raises(OtbenchError, match="queue.yaml") as error:
        read_queue(write(tmp_path, PLAIN | change))
    assert said in str(error.value)


def test_the_queue_of_the_project_is_sound(root):
    queue = read_queue(root / "config" / "queue.yaml")
    names = [cell.name for cell in queue.cells]
    assert names[:2] == ["grid/gan/0", "grid/pacgan2/0"] and names[6] == "ring/gan/0" and names[12] == "grid/gan/1"
    assert "mnist/ae-ot-gan/0" in names and names[-1] == "grid/gan@no-refresh/0"


def test_what_is_done_and_how_long_the_rest_takes(finished):
    queue = read_queue(finished)
    assert lines(queue, 1) == ["5 of 5 cells are done"]
    longer = queue.model_copy(deep=True)
    longer.parts[1].seeds.append(1)
    spent = done(queue, queue.cells[-1])["seconds"]
    found = lines(longer, 1)
    assert (
        found[0] == "5 of 6 cells are done"
        and found[1] == f"  next: grid-pyomt/gan@narrow/1, about {spent:.0f} seconds"
    )


def test_packing_writes_what_is_complete_and_keeps_variants_apart(finished):
    queue = read_queue(finished)
    process = command(finished, "--pack")
    told, _ = process.communicate(timeout=200)
    assert process.returncode == 0, told
    folder = queue.reference
    table = pd.read_parquet(folder / "metrics.parquet")
    assert set(table["model"]) == {"real", "noise"} and set(table["status"]) == {"ok"}
    for cell in queue.cells[:4]:
        packed = table[(table["model"] == cell.model) & (table["seed"] == cell.seed)]
        measured = pd.read_csv(cell.folder(queue.work) / "metrics.csv")
        assert sorted(packed["value"]) == sorted(measured["value"])
    variants = pd.read_parquet(folder / "variants.parquet")
    assert set(variants["model"]) == {"gan"} and set(variants["variant"]) == {"narrow"}
    made = read_json(folder / "run.json")["made"]
    assert set(made) == {cell.name for cell in queue.cells[:4]}
    points = np.load(folder / "scatter.npz")["grid-pyomt/noise"]
    samples = read_samples(queue.cells[1].folder(queue.work) / "samples.npz")
    np.testing.assert_array_equal(points, samples.samples[samples.snapshot == 1].astype(np.float32))


def test_a_row_of_another_making_gives_way_only_to_as_many_seeds(finished):
    queue = read_queue(finished)
    packing.pack(queue)
    path = queue.reference / "run.json"
    about = read_json(path)
    for one in about["made"].values():
        one["fit_version"] = "of another code"
    write_json(path, about)
    fewer = queue.model_copy(deep=True)
    fewer.parts[0].seeds.remove(1)
    fewer.parts[0].models.remove("noise")
    said = packing.pack(fewer)
    assert said[0] == "grid-pyomt/real: 2 seeds of another making stay, as the queue has 1"
    assert read_json(path)["made"] == about["made"]
    assert packing.pack(queue)[0] == "grid-pyomt/real: seed 0, 1"
    assert "of another code" not in {one["fit_version"] for one in read_json(path)["made"].values()}


def test_there_is_nothing_to_pack_before_a_cell_is_complete(tmp_path):
    with pytest.raises(OtbenchError, match="no cell of the queue is complete yet"):
        packing.pack(read_queue(write(tmp_path, PLAIN)))
    assert not (tmp_path / "reference").exists()
