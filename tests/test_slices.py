"""A run in slices: that its tables are those of a run in one piece, bit for bit."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from otbench import parcel, slices
from otbench.cli import app
from otbench.config import Run
from otbench.data import load, save
from otbench.errors import OtbenchError
from otbench.features.store import make_features, open_features
from tests.cluster.test_slurm import tables
from tests.test_parcel import STUDY, inside
from tests.test_workflow import copy, jobs, small, snakemake


def test_words_of_the_config_are_read_as_snakemake_reads_them():
    from snakemake.cli import parse_config

    texts = ["1", "1.5", "True", "false", "", "[0,1]", "{a: null}", "cuda", "a: b: c", "1e3", "x=y"]
    assert [slices._value(text) for text in texts] == [parse_config([f"key={text}"])["key"] for text in texts]


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


def test_features_of_real_images_that_did_not_travel_are_made_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = {"datasets": ["digits"], "models": ["noise"], "steps": 1, "samples": 20}
    run = Run(run="small", seeds=[0], studies={"images": images}, results=str(tmp_path), device="cpu")
    data, folder = load("digits"), run.folder / "features" / "digits"
    save(data, run.folder / "data" / "digits.npz")
    make_features(data, folder, ["classifier"], steps=2)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "classifier.npz").unlink()
    slices._make_features(run)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    open_features(folder, data)


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
    parcel.unpack(third, packed)
    command = [*words_of_snakemake(), "own.yaml", "--config", "lean=True"]
    assert slices._make_data(third, command, float("inf"), slices.Stop()) == 0
    # larger data sets are told apart by their age alone
    dry = ["-n", "--max-checksum-file-size", "0", "--configfile", "own.yaml", "--config", "lean=True"]
    counted = jobs(snakemake(tmp_path / "third", *dry))
    assert set(counted) - {"total"} == {"gather", "render", "verdict", "all"}, "nothing that was finished is made again"


def words_of_snakemake() -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--configfile"]
