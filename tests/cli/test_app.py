"""The command line: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.cli.options import print_json
from otbench.data import load
from otbench.errors import OtbenchError
from otbench.registry import THEORIES
from tests.conftest import ROOT, otbench

FIT = ["fit", "gan", "--data", "ring-pyomt", "--out", "x"]
VERBS = (
    "data features fit join draw admit measure spread study search theory gather status report list score transport"
    " reproduce slice merge evaluations"
).split()


def call(*words: object):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb):
    done = call(verb, "--help")
    assert done.exit_code == 0 and f"otbench {verb}" in re.sub(r"\s+", " ", done.output)


def test_the_way_of_the_data_by_hand(tmp_path):
    d, f, s, m = tmp_path / "d.npz", tmp_path / "fit", tmp_path / "s.npz", tmp_path / "m.csv"
    assert call("data", "ring-pyomt", "--out", d).exit_code == 0
    options = json.dumps({"width": 16, "maxout": 8})
    words = ["fit", "gan", "--data", d, "--out", f, "--seeds", "0,2", "--steps", 60, "--snapshots", "0.5", "--json"]
    done = call(*words, "--options", options)
    assert done.exit_code == 0 and json.loads(done.stdout)["parameters"]["generator"] == 16 * 2 + 3 * 256 + 4 * 32 + 34
    assert call("draw", "--fit", f, "--data", d, "--n", 100, "--out", s).exit_code == 0
    done = call("measure", "--data", d, "--samples", s, "--out", m, "--json")
    assert done.exit_code == 0
    printed, table = pd.DataFrame(json.loads(done.output)), pd.read_csv(m)
    assert set(table["seed"]) == {0, 2} and set(table["snapshot"]) == {0.5, 1.0}
    last = table[table["snapshot"] == 1.0]
    merged = last.merge(printed, on=["seed", "metric"])
    assert len(merged) == len(last) and np.allclose(merged["value_x"], merged["value_y"].astype(float), equal_nan=True)


def test_anyones_samples_are_measured(tmp_path):
    data = load("grid")
    np.savez(tmp_path / "mine.npz", samples=data.truth.sample(2500, np.random.default_rng(5)))
    done = call("measure", "--dataset", "grid", "--samples", tmp_path / "mine.npz", "--out", tmp_path / "metrics.csv")
    assert done.exit_code == 0
    table = pd.read_csv(tmp_path / "metrics.csv").set_index("metric")["value"]
    assert table["modes"] == 25 and table["high_quality"] == pytest.approx(0.9889, abs=0.007)
    assert table["reverse_kl"] < 0.012 and table["coverage"] > 0.9


def test_score_prints_all_feature_metrics(tmp_path):
    draw = np.random.default_rng(0)
    real, shifted = draw.standard_normal((300, 8)), draw.standard_normal((300, 8))
    shifted[:, 0] += 3
    np.save(tmp_path / "r.npy", real)
    np.save(tmp_path / "g.npy", shifted)
    done = call("score", tmp_path / "r.npy", tmp_path / "g.npy")
    assert done.exit_code == 0
    scores = json.loads(done.stdout)
    assert {"fid", "kid", "prd_f8", "prd_f1_8", "precision", "recall", "density", "coverage"} <= set(scores)
    assert scores["fid"] == pytest.approx(9, rel=0.15), "the distance of the means squared, plus sampling error"


def test_list_shows_models_data_sets_metrics_and_the_theory():
    done = call("list", "--json")
    found = json.loads(done.output)
    names = {row["name"]: row for row in found["models"]}
    assert names["gan"]["parameters"] == {"generator": 484_802, "discriminator": 405_201}
    assert all(row["paper"] for row in found["models"])
    assert {"grid", "swissroll"} <= {row["name"] for row in found["datasets"]}
    assert {"modes", "w2", "fid"} <= {row["name"] for row in found["metrics"]}
    along = {row["name"]: row["along_training"] for row in found["metrics"]}
    assert along["modes"] == ["points", "images"] and along["w2"] == [] and along["fid"] == ["images"]
    assert "also before the end of training, of points and images" in call("list", "metrics").output
    assert "PacGAN" in call("list", "models").output
    studies = {row["name"]: row for row in found["theory"]}
    assert tuple(studies) == THEORIES and studies["folding"]["options"]["points"]["default"] == 1000
    assert "jump (0.3): " in call("list", "theory").output


def test_a_wrong_request_ends_with_one_sentence_and_status_2(tmp_path):
    done = otbench("fit", "gan", "--data", "gird", "--out", tmp_path / "f")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("otbench: unknown data set 'gird'") and done.stderr.count("\n") == 1
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "gam", "--data", "ring-pyomt", "--out", "x"], "unknown model 'gam'"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--seeds", "a"], "--seeds: expected numbers"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--seeds", "1,1"], "seeds"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--seeds", "-1"], "seeds"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--steps", "0"], "--steps: expected one whole number"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--snapshots", "2"], "snapshots"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--options", "{"], "--options: expected JSON"),
        (["fit", "gan", "--data", "ring-pyomt", "--out", "x", "--options", '{"rate": "fast"}'], "option 'rate'"),
        # faults 5, 6 and 29
        ([*FIT, "--time-limit", "nan"], "--time-limit: expected a number above 0"),
        ([*FIT, "--time-limit", "-1"], "--time-limit: expected a number above 0"),
        ([*FIT, "--options", '{"rate": 1e400}'], "--options holds inf, expected finite numbers"),
        ([*FIT, "--options", "[" * 100_000], "nested too deeply"),
        ([*FIT, "--seeds", str(10**20)], "fit: seeds: expected seeds from 0 to 9007199254740991"),
        ([*FIT, "--snapshots", "nan"], "--snapshots: expected numbers"),
        ([*FIT, "--snapshots", "0.9999999,0.5,0.5000001"], "are one snapshot in files"),
        ([*FIT, "--steps", "1" * 30], "--steps: expected one whole number above 0"),
        (["transport", "no.npy", "--tolerance", "inf"], "--tolerance: expected a number above 0 and up to 1"),
        (["transport", "no.npy", "--time-limit", "nan"], "--time-limit: expected a number above 0"),
        (["slice", "c.yaml", "--minutes", "inf", "--out", "p"], "--minutes: expected a number above 0"),
        (["slice", "c.yaml", "--minutes", "1", "--out", "p", "--part-size", "inf"], "--part-size: expected a number"),
        (["fit", "gan", "--data", "NO.NPZ", "--out", "x"], "data file NO.NPZ does not exist"),
        # fault 27
        (["report", "nowhere", "--reference", "no"], "--reference no: there is no metrics.parquet"),
        (["draw", "--fit", "nowhere", "--data", "ring-pyomt", "--out", "x.npz"], "cannot read nowhere/fit.json"),
        (["measure", "--data", "ring-pyomt", "--samples", "no.npz", "--out", "x.csv"], "no.npz"),
        (["gather", "nowhere"], "cannot read nowhere/config.json"),
        (["report", "nowhere", "--published", ROOT / "config" / "published.csv"], "nowhere"),
        (["score", "no.npy", "no.npy"], "no.npy"),
    ],
)
def test_wrong_requests_are_named(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(*words)
    assert isinstance(done.exception, OtbenchError) and said in str(done.exception)
    assert not list(Path(tmp_path).iterdir()), "nothing half-written"


def test_a_fit_into_a_file_is_refused(tmp_path):
    """Fault 29."""
    (tmp_path / "f").write_text("mine")
    done = call("fit", "gan", "--data", "ring-pyomt", "--out", tmp_path / "f", "--steps", 2)
    assert "is a file, expected a folder" in str(done.exception) and (tmp_path / "f").read_text() == "mine"


def test_json_has_no_number_that_is_none(capsys):
    """Fault 29: score printed NaN and Infinity."""
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": -float("inf")}})
    assert json.loads(capsys.readouterr().out) == {"a": "nan", "b": ["inf", 1.5], "c": {"d": "-inf"}}


def test_values_whose_powers_are_no_numbers_are_refused(tmp_path):
    """Fault 29: values of 1e200 crashed."""
    x = np.random.default_rng(0).normal(size=(40, 3))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x * 1e200)
    done = call("score", tmp_path / "x.npy", tmp_path / "y.npy")
    assert "generated: expected values of magnitude up to" in str(done.exception)


def test_a_complex_target_is_refused(tmp_path):
    """Fault 29: its imaginary part was lost."""
    np.save(tmp_path / "t.npy", np.ones((5, 2)) * 1j)
    done = call("transport", tmp_path / "t.npy")
    assert "target: expected real numbers, got complex128" in str(done.exception)


def test_transport_prints_its_answer_alone(tmp_path):
    """Fault 20: the progress bar was on standard output."""
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal(size=(8, 3)))
    done = otbench("transport", tmp_path / "t.npy", "--tolerance", "0.5")
    assert json.loads(done.stdout)["n"] == 8


def test_images_of_another_type_are_called_by_it(tmp_path):
    """Fault 29: int64 images were called float32."""
    np.save(tmp_path / "s.npy", np.zeros((30, 1, 8, 8), np.int64))
    done = call("measure", "--data", "digits", "--samples", tmp_path / "s.npy", "--out", tmp_path / "m.csv")
    assert "samples are images of int64, expected uint8" in str(done.exception)
