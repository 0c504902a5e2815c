"""Faster arithmetic: what it sets, where it is refused, and that metrics move by no more than seeds differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from otbench.data import load
from otbench.data.base import DataSet
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.metrics.measure import measure
from otbench.models import configure, find
from otbench.training.draw import draw
from otbench.training.fit import fit
from otbench.training.trainer import Options, Trainer
from otbench.utils.devices import configure_torch

SEEDS = list(range(8))
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


def separated(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether all values of one training lie beyond all of the other.

    Of two times eight seeds of one law, whatever it is, they do so with probability 2 / C(16, 8) = 1.6e-4: four metrics
    give a false alarm with probability 6e-4 at most.
    """
    return bool(one.max() < other.min() or other.max() < one.min())


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
        assert not separated(full[name], fast[name]), name
    assert any(separated(full[name], less[name]) for name in METRICS), "eight seeds do see a training that is worse"


#: half a unit in the last place of bfloat16
ROUNDING = 2**-9


def first_step(data: DataSet, training: Options) -> tuple[list[float], dict[str, torch.Tensor], list[torch.Tensor]]:
    """The losses of a GAN's first step, the gradient of each network in one row, and what the weights became."""
    model = find("gan")(configure("gan", SMALL), data, [0], training.device)
    record = Trainer(model, 1, [1.0], training, None).run()
    tensors = {name: network.parameters() for name, network in model.networks.items()}
    gradients = {name: torch.cat([p.grad.flatten() for p in own]) for name, own in tensors.items()}
    return [row[4] for row in record.losses], gradients, [p.detach() for own in tensors.values() for p in own]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
def test_mixed_precision_rounds_a_step_and_keeps_its_weights_in_full(ring, device):
    losses, gradients, _ = first_step(ring, Options(device=device))
    rounded, mixed, weights = first_step(ring, Options(device=device, precision="bfloat16"))
    # the logits, the losses of the points and their means are rounded
    assert rounded == pytest.approx(losses, rel=4 * ROUNDING)
    for name, gradient in gradients.items():
        assert mixed[name].dtype == torch.float32 and not torch.equal(mixed[name], gradient)
        # at the start real and generated points cancel, which leaves a tenth of the gradient to rounding
        assert torch.cosine_similarity(mixed[name], gradient, dim=0) > 0.9, name
    assert all(w.dtype == torch.float32 for w in weights)
    assert any(not torch.equal(w, w.bfloat16().float()) for w in weights), "they are not rounded"


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
