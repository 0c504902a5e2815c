"""A run in slices: that its tables are those of a run in one piece, bit for bit."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.config.run import Run
from otbench.data import load, save
from otbench.data.samples import read_samples, write_samples
from otbench.errors import OtbenchError
from otbench.features.store import make_features
from otbench.metrics.reference import open_features
from otbench.runs import archive, slices
from otbench.runs.unpack import unpack
from otbench.utils import locks
from tests.cluster.test_slurm import tables
from tests.runs import test_archive
from tests.runs.test_archive import ROOM, STUDY, content_of, inside
from tests.workflow import copy, jobs, small, snakemake

#: the fixture of a run half done
made = test_archive.made


def test_words_of_the_config_are_read_as_snakemake_reads_them():
    texts = ["1", "1.5", "True", "false", "", "[0,1]", "{a: null}", "cuda", "a: b: c", "1e3", "x=y"]
    values = [1, 1.5, True, "false", None, ["0", "1"], {"a": "null"}, "cuda", "a: b: c", 1000.0, "x=y"]
    assert [slices._said([f"key={text}"])["key"] for text in texts] == values
    assert slices._said(["study={a: x}", "study={b: y}", "seed=1"]) == {"study": {"a": "x", "b": "y"}, "seed": 1}


def test_a_config_is_laid_over_the_default(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small(**STUDY)))
    run = slices.configured(tmp_path / "own.yaml", ["device=cpu", "seeds=[3]"])
    assert (run.lean, run.device, run.seeds, run.datasets) == (True, "cpu", [3], ["grid-pyomt"])
    with pytest.raises(OtbenchError, match="--config device: expected key=value"):
        slices.configured(tmp_path / "own.yaml", ["device"])
    with pytest.raises(OtbenchError, match="cannot read none.yaml: No such file"):
        slices.configured(Path("none.yaml"), [])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OtbenchError, match="there is no Snakefile with config/config.yaml in"):
        slices.configured(tmp_path / "own.yaml", [])


def test_a_config_that_is_no_text_is_refused_in_one_sentence(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    (tmp_path / "own.yaml").write_bytes(b"run: \xff")
    with pytest.raises(OtbenchError, match=r"own\.yaml is no text in UTF-8 \(byte 5\)$"):
        slices.configured(tmp_path / "own.yaml", [])


def test_a_config_leads_out_of_the_folder_only_where_the_command_line_says_so(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(small(**STUDY) | {"results": str(tmp_path)}))
    with pytest.raises(OtbenchError, match=f"key 'results': {tmp_path} is outside this folder; .* --config allow="):
        slices.configured(path, [])
    for words in ([f"allow={tmp_path}"], [f"results={tmp_path}"]):
        assert slices.configured(path, words).results == str(tmp_path)
    path.write_text(yaml.safe_dump(small(**STUDY) | {"results": str(tmp_path), "allow": [str(tmp_path)]}))
    with pytest.raises(OtbenchError, match="key 'allow': this is for the command line alone"):
        slices.configured(path, [])


# ---------------------------------------------------------------------- what did not travel whole

FOREVER = float("inf")


@pytest.fixture
def images(tmp_path, monkeypatch) -> Run:
    """A run whose images' features did not travel, but for the extractor."""
    monkeypatch.chdir(tmp_path)
    study = {"datasets": ["digits"], "models": ["noise"], "steps": 1, "samples": 20}
    run = Run(run="small", seeds=[0], studies={"images": study}, results=str(tmp_path), device="cpu")
    data, folder = load("digits"), run.folder / "features" / "digits"
    save(data, run.folder / "data" / "digits.npz")
    make_features(data, folder, ["classifier"], steps=2)
    (folder / "classifier.npz").rename(tmp_path / "before.npz")
    return run


def planned(run: Run, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let Snakemake's plan be to make these files."""
    monkeypatch.setattr(slices, "_coming", lambda command, ends, stop: (0, {run.folder / name for name in names}))


def test_features_of_real_images_that_did_not_travel_are_made_again(images, tmp_path, monkeypatch):
    folder = images.folder / "features" / "digits"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    table = images.folder / "metrics" / "digits" / "noise.csv"
    table.parent.mkdir(parents=True)
    table.write_text("seed\n0\n")
    planned(images, monkeypatch, "spread/digits/noise.csv")
    assert slices._make_ready(images, [], FOREVER, slices.Stop()) == 0
    assert (folder / "classifier.npz").read_bytes() == (tmp_path / "before.npz").read_bytes()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before
    open_features(folder, load("digits"))
    assert slices._lacking(images) == []


def test_features_are_made_where_a_job_to_come_opens_them(images):
    asked = {
        "metrics/digits/noise.csv": True,
        "spread/digits/noise.csv": True,
        "search/digits/noise-wide-0-2.csv": True,
        "samples/digits/noise.npz": False,
        "metrics/mnist/noise.csv": False,
    }
    assert slices._lacking(images) == [("digits", "classifier")]
    for name, wanted in asked.items():
        assert slices._opens_features(images, "digits", {images.folder / name}) == wanted, name
    anew = {images.folder / name for name in ("metrics/digits/noise.csv", "features/digits/features.json")}
    assert not slices._opens_features(images, "digits", anew), "the workflow makes them all anew"


def test_making_features_is_stopped_when_the_time_is_over(images, monkeypatch):
    planned(images, monkeypatch, "metrics/digits/noise.csv")
    monkeypatch.setattr(slices, "_extraction", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
    began = time.monotonic()
    assert slices._make_ready(images, [], began + 0.5, slices.Stop()) is None
    stop = slices.Stop()
    stop.asked = signal.SIGTERM
    assert slices._make_ready(images, [], FOREVER, stop) is None
    assert time.monotonic() - began < 20


def test_features_that_cannot_be_made_are_a_failure_of_the_slice(images, monkeypatch, capfd):
    planned(images, monkeypatch, "metrics/digits/noise.csv")
    (images.folder / "features/digits/classifier.safetensors").write_bytes(b"x")
    assert slices._make_ready(images, [], FOREVER, slices.Stop()) == 2
    said = capfd.readouterr().err
    assert said.startswith("otbench: ") and "classifier.safetensors" in said and said.count("\n") == 1


@pytest.mark.parametrize("name", ["metrics/grid-pyomt/real.csv", "metrics/grid-pyomt/gan.csv"])
def test_a_part_of_the_samples_is_deleted_where_it_would_be_measured_again(name, made, monkeypatch):
    path = made.folder / "samples/grid-pyomt/real.npz"
    path.write_bytes(archive._thinned(path))
    planned(made, monkeypatch, name)
    assert slices._make_ready(made, [], FOREVER, slices.Stop()) == 0
    assert path.exists() == ("gan" in name)


# ---------------------------------------------------------------------- one parcel, one run at a time


def test_a_parcel_is_not_replaced_by_a_slice_that_does_not_go_on_from_it(made, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    assert slices._earlier(made, out, None) is None
    assert slices._earlier(made, out, out) is None, "one command line serves for the first slice and for the later ones"
    said = archive.pack(made, out, **ROOM)
    assert slices._earlier(made, out, Path(os.path.relpath(out))) == said
    assert slices._earlier(made, other, out) == said
    for source in (None, other):
        with pytest.raises(OtbenchError, match=f"out holds what an earlier .* expected --from {out}, .* another fold"):
            slices._earlier(made, out, source)
    with pytest.raises(OtbenchError, match=f"--from {tmp_path}/none: there is no manifest.json; expected a folder"):
        slices._earlier(made, other, tmp_path / "none")


@pytest.fixture
def called(made, tmp_path, monkeypatch):
    """A call of `slice` on a run that is made already: it unpacks, waits for Snakemake that does nothing, and packs."""
    monkeypatch.setattr(slices, "configured", lambda config, words: made)
    monkeypatch.setattr(slices, "_wait", lambda *_: 0)
    monkeypatch.setattr(slices, "_environment", dict)
    return lambda source=None: slices.run(
        tmp_path / "own.yaml", 1, tmp_path / "out", source, cores=1, words=None, part_size=16, parts=7
    )


def test_a_mistyped_folder_costs_nothing_that_was_packed(called, tmp_path):
    called()
    before = content_of(tmp_path / "out")
    for source in (None, tmp_path / "none"):
        with pytest.raises(OtbenchError, match="out holds what an earlier slice of run small packed"):
            called(source)
    assert content_of(tmp_path / "out") == before
    assert called(tmp_path / "out")["complete"]


def test_a_signal_while_packing_lets_it_be_packed(called, tmp_path, monkeypatch):
    pack = archive.pack

    def asked_to_stop(*words):
        os.kill(os.getpid(), signal.SIGTERM)
        return pack(*words)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(archive, "pack", asked_to_stop)
    assert called() == json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert signal.getsignal(signal.SIGTERM) is before


@contextmanager
def taken(run: Run) -> Iterator[None]:
    """Another run goes on in the results folder meanwhile."""
    with open(locks._beside(run.folder), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def test_a_slice_beside_another_run_of_its_folder_is_refused_before_all_work(made, called, tmp_path, monkeypatch):
    with taken(made), monkeypatch.context() as patch:
        patch.setattr(slices, "_make_data", lambda *_: pytest.fail("work was begun"))
        with pytest.raises(OtbenchError, match="small is in use by another process; wait for it to end"):
            called()
    assert not (tmp_path / "out").exists()
    assert called()["complete"]
    with taken(made):
        pass  # the lock was let go


def test_a_run_that_comes_between_is_not_packed(made, called, tmp_path, monkeypatch):
    with ExitStack() as other:
        # the lock is free for Snakemake, which takes it itself
        monkeypatch.setattr(slices, "_wait", lambda *_: other.enter_context(taken(made)) or 1)
        with pytest.raises(OtbenchError, match="small is in use by"):
            called()
    assert not (tmp_path / "out").exists()


def test_the_folder_is_held_while_it_is_packed(made, called, monkeypatch):
    pack, held = archive.pack, []

    def look(*words):
        with open(locks._beside(made.folder), "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)
        return pack(*words)

    monkeypatch.setattr(archive, "pack", look)
    called()
    assert held == [True]


# ---------------------------------------------------------------------- a run in slices


@pytest.fixture(scope="module")
def plain(root, tmp_path_factory) -> Path:
    """The run in one piece, lean, with a job for each seed."""
    where = tmp_path_factory.mktemp("plain")
    copy(root, where)
    (where / "own.yaml").write_text(yaml.safe_dump(small(**STUDY) | {"lean": True, "seeds_per_job": 1}))
    done = snakemake(where, "results/small/metrics.csv", "--configfile", "own.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return where


def test_a_lean_run_deletes_weights_alone_and_has_nothing_left_to_do(plain):
    folder = plain / "results" / "small"
    assert not list(folder.rglob("*.safetensors"))
    for model in ("gan", "real"):
        for part in ("", "part-0", "part-1"):
            assert (folder / "fit/grid-pyomt" / model / part / "fit.json").exists()
            assert (folder / "fit/grid-pyomt" / model / part / "losses.csv").exists()
        assert (folder / "samples/grid-pyomt" / f"{model}.npz").exists()
    assert jobs(snakemake(plain, "-n", "results/small/metrics.csv", "--configfile", "own.yaml")) == {}
    (plain / "more.yaml").write_text(
        yaml.safe_dump(small(**STUDY | {"models": ["gan", "real", "noise"]}) | {"lean": True, "seeds_per_job": 1})
    )
    counted = jobs(snakemake(plain, "-n", "results/small/metrics.csv", "--configfile", "more.yaml"))
    assert {name: counted[name] for name in ("fit_part", "join", "draw", "measure")} == {
        "fit_part": 2,
        "join": 1,
        "draw": 1,
        "measure": 1,
    }, "of a model that is added nothing else is made again"


def place(sources: Path, where: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workflow to work in, its `otbench` first on the PATH; returns the folder of its results."""
    where.mkdir()
    copy(sources, where)
    (where / "own.yaml").write_text(yaml.safe_dump(small(**STUDY)))
    shim = where / "bin" / "otbench"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m otbench "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(where))
    monkeypatch.chdir(where)
    return where / "results" / "small"


def ran(where: Path) -> list[str]:
    """The rules that Snakemake ran in a folder, with their models."""
    text = "".join(path.read_text() for path in sorted((where / ".snakemake" / "log").glob("*.log")))
    found = re.findall(r"rule (\w+):\n((?: +.*\n)*)", text)
    models = [re.search(r"model=(\w+)", rest) for _, rest in found]
    return [f"{rule} {model[1]}" if model else rule for (rule, _), model in zip(found, models, strict=True)]


def test_a_run_in_two_slices_on_two_machines_has_the_tables_of_one_in_one_piece(plain, tmp_path, monkeypatch):
    packed, over = tmp_path / "packed", slices._over
    words = ["slice", "own.yaml", "--minutes", "5", "--out", str(packed), "--from", str(packed), "--cores", "1"]

    first = place(plain, tmp_path / "first", monkeypatch)
    halfway = lambda ends, stop: over(ends, stop) or any(first.glob("fit/grid-pyomt/gan/.resume-*/0.pt"))
    monkeypatch.setattr(slices, "_over", halfway)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3, done.output
    told = json.loads((packed / "manifest.json").read_text())
    assert not told["complete"] and told["cells"]["missing"] >= 2 and told["left_out"] == []
    assert "go on with: otbench slice own.yaml --minutes 5 --from" in done.output
    assert {Path(name).name for name in inside(packed) if ".resume-" in name} == {"0.pt", "1.pt"}
    assert "fit gan" in ran(tmp_path / "first") and "draw gan" not in ran(tmp_path / "first")
    shutil.rmtree(tmp_path / "first")

    monkeypatch.setattr(slices, "_over", over)
    second = place(plain, tmp_path / "second", monkeypatch)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and "4 of 4 cells are done" in done.output, done.output
    pd.testing.assert_frame_equal(tables(second)["metrics.csv"], tables(plain / "results" / "small")["metrics.csv"])
    table = pd.read_csv(second / "metrics.csv").query("metric == 'peak_memory' and value > 0")
    assert "gan" not in set(table["model"]), "training went on from the checkpoints: it knows no peak of all of it"
    assert not list(second.rglob("*.safetensors")) and (second / "complete").exists()

    place(plain, tmp_path / "third", monkeypatch)
    third = slices.configured(Path("own.yaml"), [])
    unpack(third, packed)
    command = [*words_of_snakemake(), "own.yaml", "--config", "lean=True"]
    assert slices._make_data(third, command, FOREVER, slices.Stop()) == 0
    locks.release(third.folder)
    # larger data sets are told apart by their age alone
    dry = ["-n", "--max-checksum-file-size", "0", "--configfile", "own.yaml", "--config", "lean=True"]
    counted = jobs(snakemake(tmp_path / "third", *dry))
    assert set(counted) - {"total"} == {"gather", "render", "verdict", "all"}, "nothing that was finished is made again"

    # samples of which a part travelled, and then another way of measuring
    samples = [third.folder / "samples" / "grid-pyomt" / f"{model}.npz" for model in ("gan", "real")]
    for path in samples:
        thin(path)
    assert archive.partial(third) == samples
    assert slices._make_ready(third, command, FOREVER, slices.Stop()) == 0 and all(map(Path.exists, samples))
    with open(tmp_path / "third" / "otbench" / "metrics" / "__init__.py", "a") as file:
        file.write("CHANGED = True\n")
    assert slices._make_ready(third, command, FOREVER, slices.Stop()) == 0 and not any(map(Path.exists, samples))
    counted = jobs(snakemake(tmp_path / "third", *dry))
    assert {name: counted[name] for name in ("fit", "draw", "measure")} == {"fit": 2, "draw": 2, "measure": 2}


def thin(path: Path) -> None:
    """Samples with the mark of those of which a part travelled, as old as they were."""
    file, then = read_samples(path), path.stat().st_mtime
    write_samples(path, file.samples[::2], file.seed[::2], file.snapshot[::2], file.info | {"thinned": "1"})
    os.utime(path, (then, then))


def words_of_snakemake() -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--configfile"]
