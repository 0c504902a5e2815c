"""A model's own faults while it is drawn from: they fail its cell, and the others go on."""

from __future__ import annotations

import pytest
import torch

from otbench.data.samples import read_samples
from otbench.models.controls import Noise
from otbench.training.draw import draw
from otbench.training.fit import fit


def misdrawn(kind: str):
    """What a guest's model may return in place of n samples (1, n, 2); seed 1 alone does so."""
    plain = Noise.draw

    def faulty(self, n, streams):
        if self.seeds != [1]:
            return plain(self, n, streams)
        if kind == "raises":
            raise RuntimeError("no such layer")
        if kind == "nan":
            return plain(self, n, streams) * torch.nan
        if kind == "no tensor":
            return plain(self, n, streams).numpy()
        if kind == "flat":
            return plain(self, n, streams).flatten()
        return plain(self, n + {"fewer": -1, "more": 50}[kind], streams)

    return faulty


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("raises", "RuntimeError: no such layer"),
        ("fewer", "the model drew (1, 99, 2), expected (1, 100, 2)"),
        ("more", "the model drew (1, 150, 2), expected (1, 100, 2)"),
        ("flat", "the model drew (200,), expected (1, 100, 2)"),
        ("no tensor", "the model drew ndarray, expected (1, 100, 2)"),
        ("nan", "the samples were not finite"),
    ],
)
def test_a_fault_of_one_seed_fails_its_cell_alone(kind, message, data, monkeypatch, tmp_path):
    fit("noise", data, [0, 1, 2], tmp_path / "fit")
    monkeypatch.setattr(Noise, "draw", misdrawn(kind))
    draw(tmp_path / "fit", data, 100, tmp_path / "s.npz")
    cells = {cell.seed: cell for cell in read_samples(tmp_path / "s.npz").cells()}
    assert {seed: cell.status for seed, cell in cells.items()} == {0: "ok", 1: "failed", 2: "ok"}
    assert cells[1].message == message and len(cells[1].samples) == 0 and len(cells[2].samples) == 100
