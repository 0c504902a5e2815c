"""Guests: somebody's samples in a run, beside its models, as files and in its tables."""

from __future__ import annotations

import shlex

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.config.run import Run
from otbench.data import load
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.runs import stale
from otbench.runs.cells import planned
from otbench.runs.check import checked
from otbench.runs.gather import gather
from otbench.scoring.admit import admit
from otbench.utils.files import write_json

N = 60


def run_in(folder, **change) -> Run:
    study = {"datasets": ["ring-pyomt"], "models": ["real", "noise"], "steps": 4, "samples": N} | change
    return checked({"run": "small", "results": str(folder), "seeds": [0], "studies": {"mode-collapse": study}})


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Two files of perfect samples of the ring, in two forms."""
    folder, truth = tmp_path_factory.mktemp("samples"), load("ring-pyomt").truth
    for number, name in enumerate(("one.npy", "two.npz")):
        points = truth.sample(N + 5, np.random.default_rng(number))
        np.save(folder / name, points) if name.endswith("npy") else np.savez(folder / name, samples=points)
    return [str(folder / "one.npy"), str(folder / "two.npz")]


def call(*words) -> None:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.exception or done.output


def test_a_guest_stands_in_the_gathered_table_like_a_model(tmp_path, samples):
    run = run_in(tmp_path, guests={"mine": samples}, rulers=["sliced_w2"])
    assert run.guests == [("ring-pyomt", "mine")] and ("ring-pyomt", "mine") not in run.pairs
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    data = run.folder / "data/ring-pyomt.npz"
    call("data", "ring-pyomt", "--out", data)
    for pair in run.pairs:
        for line in planned(run, *pair).values():
            call(*shlex.split(line)[1:])
    out = run.folder / "samples/ring-pyomt/mine.npz"
    call("admit", "mine", "--samples", samples[0], "--samples", samples[1], "--data", data, "--n", N, "--out", out)
    call(*shlex.split(planned(run, "ring-pyomt", "mine")["measure"])[1:])
    summary = gather(run)
    table = pd.read_csv(run.folder / "metrics.csv")
    mine, real = table[table.model == "mine"], table[table.model == "real"]
    assert set(mine.seed) == {0, 1} and (mine.status == "ok").all() and set(mine.snapshot) == {1.0}
    assert "sliced_w2" in set(mine.metric) and set(mine.protocol) <= set(real.protocol)
    assert mine[mine.metric == "high_quality"].value.min() > 0.9
    assert summary["models"]["mine"]["family"] == "guest" and ["ring-pyomt", "mine", 1] in summary["expected"]
    assert stale.stale_files(run, {}) == {} and stale.seeds_measured(run, "ring-pyomt", "mine") == {0, 1}
    other = run_in(tmp_path, guests={"mine": samples[:1]}, rulers=["sliced_w2"])
    assert "taken in with guest" in " ".join(stale.stale_files(other, {}).values())
    without = run_in(tmp_path, guests={"mine": samples})
    assert all("rulers" in reason for reason in stale.stale_files(without, {}).values())
    with np.load(run.folder / "scatter.npz") as arrays:
        assert any(name == "ring-pyomt/mine" for name in arrays.files)


def test_a_guest_that_was_not_taken_in_is_missing(tmp_path, samples):
    run = run_in(tmp_path, guests={"mine": {"ring-pyomt": samples}})
    call("data", "ring-pyomt", "--out", run.folder / "data/ring-pyomt.npz")
    gather(run)
    table = pd.read_csv(run.folder / "metrics.csv")
    assert (table[table.model == "mine"].status == "missing").all() and set(table[table.model == "mine"].seed) == {0, 1}


def test_a_config_without_guests_has_the_digest_that_it_had(tmp_path):
    run = run_in(tmp_path)
    values = run.model_dump(mode="json")
    for key in stale.LATER:
        del values["studies"]["mode-collapse"][key]
    assert stale._config_digest(values) == stale.config_digest(run)
    assert stale.config_digest(run_in(tmp_path, rulers=["vendi"])) != stale.config_digest(run)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"guests": {"gan": "x.npy"}}, "'gan' is the name of a model"),
        ({"guests": {"mine": {"grid": "x.npy"}}}, "unknown data set 'grid'"),
        ({"guests": {"mine": "x.npy"}, "datasets": ["ring", "grid"]}, "the study has the data sets ring, grid"),
        ({"guests": {"mine": []}}, "guests"),
        ({"rulers": ["ruler"]}, "no metric is called 'ruler'"),
        ({"features": ["vgg"]}, "unknown network: 'vgg'"),
        ({"weights": {"vgg": "x"}}, "unknown network 'vgg'"),
    ],
)
def test_a_wrong_config_gets_a_sentence(tmp_path, change, sentence):
    with pytest.raises(OtbenchError, match=sentence):
        run_in(tmp_path, **change)


def test_pictures_are_brought_to_the_data_sets_shape(tmp_path):
    digits = load("digits")
    (tmp_path / "mine").mkdir()
    for number in range(25):
        big = digits.test[number, 0].repeat(4, axis=0).repeat(4, axis=1)
        Image.fromarray(np.pad(big, ((0, 0), (10, 10)))).convert("RGB").save(tmp_path / "mine" / f"{number:02d}.png")
    admit("mine", digits, [str(tmp_path / "mine")], 20, tmp_path / "s.npz")
    file = read_samples(tmp_path / "s.npz").check(digits)
    assert file.samples.shape == (20, *digits.shape) and file.info["model"] == "mine"
    assert np.abs(file.samples.astype(int) - digits.test[:20]).mean() < 8, "the square was cut out and shrunk again"


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((10, 2)), "it holds 10 samples, expected at least 20"),
        (np.zeros((20, 3)), r"samples have shape \(3,\), expected \(2,\)"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path, array, sentence):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(OtbenchError, match=sentence):
        admit("mine", load("ring-pyomt"), [str(tmp_path / "x.npy")], 20, tmp_path / "s.npz")
    assert not (tmp_path / "s.npz").exists()
