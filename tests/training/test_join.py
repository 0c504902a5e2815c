"""Fits of some seeds each, put together: the fit of all of them, bit for bit."""

from __future__ import annotations

import json
import shutil

import pytest

from otbench.data import load
from otbench.errors import OtbenchError
from otbench.training.fit import fit
from otbench.training.join import join


@pytest.fixture(scope="module")
def grid():
    return load("grid-pyomt")


@pytest.fixture(scope="module")
def parts(grid, tmp_path_factory):
    """A GAN's three seeds in one fit, `whole`, and in two, `0-2` and `1`."""
    folder = tmp_path_factory.mktemp("fits")
    for name, seeds in (("whole", [0, 2, 1]), ("0-2", [0, 2]), ("1", [1])):
        fit("gan", grid, seeds, folder / name, steps=60, snapshots=[0.5])
    return folder


def test_joined_parts_are_the_whole_fit(parts, tmp_path):
    join([parts / "0-2", parts / "1"], tmp_path)
    for name in ("weights.safetensors", "losses.csv"):
        assert (tmp_path / name).read_bytes() == (parts / "whole" / name).read_bytes()
    joined, whole = (json.loads((folder / "fit.json").read_text()) for folder in (tmp_path, parts / "whole"))
    times = {"started", "finished", "command", "cells"}
    assert {k: v for k, v in joined.items() if k not in times} == {k: v for k, v in whole.items() if k not in times}
    for one, other in zip(joined["cells"], whole["cells"], strict=True):
        assert [one[k] for k in ("seed", "snapshot", "status")] == [other[k] for k in ("seed", "snapshot", "status")]
    assert joined["command"].count("otbench fit gan") == 2


def test_parts_that_do_not_belong_together_are_refused(grid, parts, tmp_path):
    with pytest.raises(OtbenchError, match="seed 1 is in .* and in .*; expected it once"):
        join([parts / "whole", parts / "1"], tmp_path / "out")
    fit("gan", grid, [5], tmp_path / "longer", steps=70, snapshots=[0.5])
    with pytest.raises(OtbenchError, match="steps is 70 in .*longer and 60 in"):
        join([parts / "1", tmp_path / "longer"], tmp_path / "out")
    with pytest.raises(OtbenchError, match="cannot read"):
        join([parts / "1", tmp_path / "absent"], tmp_path / "out")
    with pytest.raises(OtbenchError, match="at least one folder"):
        join([], tmp_path / "out")
    shutil.copytree(parts / "1", tmp_path / "cut")
    weights = tmp_path / "cut" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(OtbenchError, match="cannot read the weights in .*cut"):
        join([tmp_path / "cut"], tmp_path / "out")
    (tmp_path / "cut" / "fit.json").write_text("{}")
    with pytest.raises(OtbenchError, match="lacks model, options"):
        join([tmp_path / "cut"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
