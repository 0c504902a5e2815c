"""No matrix product of the solver is in TF32, whatever models are trained in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otbench.transport import kernel
from otbench.transport.draws import Draws
from otbench.transport.sources import box


@pytest.fixture
def coarse(monkeypatch):
    """TF32 allowed, as by `precision: tf32`, and each product's flag noted."""
    seen: list[bool] = []
    plain = torch.addmm

    def noted(*words, **named):
        seen.append(torch.backends.cuda.matmul.allow_tf32)
        return plain(*words, **named)

    monkeypatch.setattr(torch, "addmm", noted)
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: noted(torch.zeros(()), a, b))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    yield seen
    assert torch.backends.cuda.matmul.allow_tf32, "models go on as they were told"
    torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_of_the_kernel(coarse, kind):
    x = torch.eye(4, dtype=kind)
    assert kernel.best(x, x, torch.zeros(4, dtype=kind))[1].tolist() == [0, 1, 2, 3]
    assert kernel.best_of(x, x, torch.zeros(4, dtype=kind), 1)[1].ravel().tolist() == [0, 1, 2, 3]
    assert coarse and not any(coarse)


@pytest.mark.parametrize("sampling", ["plain", "product"])
def test_of_draws(coarse, sampling):
    target = np.random.default_rng(0).random((6, 4))
    draws = Draws(target, box([0] * 4, [1] * 4), "cpu", sampling, 0)
    h = torch.zeros(6, dtype=torch.float64)
    assert len(draws.best(h, 100)) >= 100 and draws.gap(h, 50) > 0
    assert draws.affine_start(np.full(6, 1 / 6)).shape == (6,)
    assert coarse and not any(coarse)
