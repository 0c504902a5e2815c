"""Faster arithmetic: what it sets, where it is refused, and that metrics move by no more than seeds differ."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from otbench.data import load
from otbench.data.base import DataSet
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.metrics.measure import measure
from otbench.training.draw import draw
from otbench.training.fit import fit
from otbench.training.trainer import Options
from otbench.utils.devices import configure_torch

SEEDS = list(range(6))
SMALL = {"width": 64, "maxout": 32, "batch": 64}
METRICS = ["high_quality", "w2", "prd_f8", "mode_mixture"]
STEPS = 400
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def ring() -> DataSet:
    return load("ring")


def scores(data: DataSet, folder: Path, training: Options, steps: int = STEPS) -> dict[str, np.ndarray]:
    """Every metric's values, one a seed, of a GAN trained under these options."""
    fit("gan", data, SEEDS, folder, steps=steps, options=SMALL, training=training)
    draw(folder, data, 1000, folder / "samples.npz")
    cells = read_samples(folder / "samples.npz").cells()
    found = [measure(data, cell.samples, metrics=METRICS) for cell in cells]
    return {score.metric: np.array([row[k].value for row in found]) for k, score in enumerate(found[0])}


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The difference of two means over seeds in standard errors (Welch)."""
    error = math.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    return abs(one.mean() - other.mean()) / error


@pytest.mark.parametrize(
    ("device", "precision"),
    [("cpu", "bfloat16"), pytest.param("cuda", "bfloat16", marks=GPU), pytest.param("cuda", "tf32", marks=GPU)],
)
def test_metrics_move_by_no_more_than_seeds_differ(ring, tmp_path, device, precision):
    full = scores(ring, tmp_path / "full", Options(device=device))
    fast = scores(ring, tmp_path / "fast", Options(device=device, precision=precision))
    less = scores(ring, tmp_path / "less", Options(device=device), STEPS // 4)
    assert set(full) == set(METRICS)
    for name in METRICS:
        assert not np.array_equal(full[name], fast[name]), "other arithmetic, other numbers"
        assert apart(full[name], fast[name]) < 2.5, name
    assert max(apart(full[name], less[name]) for name in METRICS) > 5, "six seeds do see a training that is worse"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is about machines without a GPU")
def test_tf32_without_a_gpu_gets_a_sentence(ring, tmp_path):
    with pytest.raises(OtbenchError, match="'tf32' is arithmetic of a GPU's matrix units, .* on a CPU; use float32"):
        fit("gan", ring, [0], tmp_path, steps=10, options=SMALL, training=Options(precision="tf32"))


@pytest.mark.parametrize(("precision", "faster"), [("float32", False), ("bfloat16", False), ("tf32", True)])
def test_the_precision_sets_what_a_gpu_multiplies_in(precision, faster, monkeypatch):
    flags = (torch.backends.cuda.matmul, "allow_tf32"), (torch.backends.cudnn, "allow_tf32")
    before = [getattr(*flag) for flag in flags]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    try:
        configure_torch("cuda:0", precision=precision)
        assert [getattr(*flag) for flag in flags] == [faster, faster]
    finally:
        for (where, name), value in zip(flags, before, strict=True):
            setattr(where, name, value)
