"""`otbench data` on images: what it writes and prints, and how it refuses."""

import json

import numpy as np
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.data import load
from otbench.data.images import mnist
from otbench.errors import OtbenchError
from tests.data.formats import idx, packed, picture
from tests.data.test_mnist_files import ARRAYS, SMALL


def call(*words):
    return CliRunner().invoke(app, ["data", *map(str, words)])


def test_digits_need_no_files(tmp_path):
    done = call("digits", "--out", tmp_path / "d.npz", "--json")
    told = json.loads(done.output)
    assert told["train"] == [797, 1, 16, 16] and told["validation"] == [500, 1, 16, 16] and told["classes"] == 10
    assert load(str(tmp_path / "d.npz")).digest() == told["digest"] == load("digits").digest()


def test_a_folder_gets_the_name_that_is_given(tmp_path):
    for number in range(20):
        picture(tmp_path / "pics" / f"{number}.png", np.full((9, 9), number, np.uint8))
    done = call(f"folder:{tmp_path / 'pics'}@16", "--name", "cats", "--out", tmp_path / "d.npz")
    assert done.exit_code == 0 and done.output.startswith("cats: train (16, 1, 16, 16), test (2, 1, 16, 16)")
    assert load(str(tmp_path / "d.npz")).name == "cats"


def test_root_and_unverified_reach_the_files(tmp_path, monkeypatch):
    monkeypatch.setitem(mnist.SETS, "mnist", SMALL)
    (tmp_path / "here" / "mnist").mkdir(parents=True)
    for name, values in ARRAYS.items():
        (tmp_path / "here" / "mnist" / f"{name}.gz").write_bytes(packed(idx(values ^ ("t10k-images" in name))))
    words = ["mnist", "--root", tmp_path / "here", "--out", tmp_path / "d.npz"]
    done = call(*words)
    assert isinstance(done.exception, OtbenchError) and "let it in with --unverified" in str(done.exception)
    assert not (tmp_path / "d.npz").exists()
    assert call(*words, "--unverified").exit_code == 0
    assert "unverified: t10k-images-idx3-ubyte.gz differs" in load(str(tmp_path / "d.npz")).source
    (tmp_path / "d.npz").unlink()
    monkeypatch.setenv("OTBENCH_DATA", str(tmp_path / "here"))
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "1")
    done = call("mnist", "--out", tmp_path / "d.npz", "--json")
    assert "unverified" in json.loads(done.output)["source"]
