"""A model of several stages: budgets shared, resume at and after a stage's end, certificates carried along."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from otbench.models.base import Config, Model, Stage
from otbench.models.inputs import Normal, Real
from otbench.training.trainer import Options, Trainer, key


class Stop(BaseException):
    """Stands for a kill."""


class Staged(Model):
    """Trains a layer, solves for a number, trains another layer with it: an AE-OT-GAN in miniature."""

    sampler = ("first", "second")
    cut: int | None = None

    def build(self):
        self.offset = None
        for name in self.sampler:
            self.network(name, lambda: nn.Linear(2, 2))
            self.adam(name, [name], 1e-2, 0.9)
        self.calls, self.solved = 0, 0

    def stages(self):
        inputs = {"real": Real((8,)), "z": Normal((8, 2))}
        return [
            Stage("one", self.one, inputs, share=1),
            Stage("between", solve=self.solve),
            Stage("two", self.two, inputs, cost=2, share=3),
        ]

    def _count(self):
        self.calls += 1
        if self.calls == self.cut:
            raise Stop

    def one(self, batch):
        self._count()
        loss = (self.networks["first"](batch["z"]) - batch["real"]).square().mean((1, 2))
        self.descend(first=loss)
        return {"loss": loss.detach()}

    def solve(self):
        self.solved += 1
        self.offset = torch.stack([p.mean() for p in self.networks["first"].state()["weight"]])
        return [{"offset": float(v)} for v in self.offset]

    def two(self, batch):
        self._count()
        loss = (self.networks["second"](batch["z"]) - self.offset[:, None, None]).square().mean((1, 2))
        self.descend(second=loss)
        return {"loss": loss.detach()}

    def training_state(self):
        return super().training_state() | {"offset": self.offset}

    def load_training_state(self, state):
        super().load_training_state(state)
        self.offset = state["offset"]


STEPS = 480


def trainer(data, saved=None, seeds=(0, 1)):
    return Trainer(Staged(Config(), data, list(seeds)), STEPS, [0.1, 0.5, 1.0], Options(checkpoint=0.0), saved)


def test_stages_share_the_budget_by_share_and_cost(data):
    plan = trainer(data).plan()
    assert [(s.name, n) for s, n in plan] == [("one", 120), ("between", 0), ("two", 180)]


@pytest.mark.parametrize("cut", [60, 119, 120, 121, 122, 200, 299])
def test_resume_at_any_stage_equals_no_interruption(cut, data, tmp_path):
    whole = trainer(data).run()
    first = trainer(data, tmp_path / "c.pt")
    first.model.cut = cut
    with pytest.raises(Stop):
        first.run()
    second = trainer(data, tmp_path / "c.pt")
    record = second.run()
    assert second.model.calls < 300 - cut + 60, "finished stages are not trained again"
    assert record.snapshots.keys() == whole.snapshots.keys()
    for cell, state in whole.snapshots.items():
        assert all(torch.equal(state[k], record.snapshots[cell][k]) for k in state), cell
    assert record.losses == whole.losses
    for cell, told in whole.cells.items():
        assert record.cells[cell]["certificate"] == told["certificate"], cell
    assert record.cells[key(0, 1.0)]["certificate"]["offset"] != 0


def test_marks_that_fall_into_one_step_are_all_kept(data):
    model = Staged(Config(), data, [0])
    record = Trainer(model, 8, [0.3, 0.6, 0.7, 0.9, 1.0], Options(), None).run()
    assert {float(c.split("/")[1]) for c in record.cells} == {0.3, 0.6, 0.7, 0.9, 1.0}


def test_a_map_that_misses_its_tolerance_is_a_failed_cell(data, monkeypatch):
    monkeypatch.setattr(Staged, "solve", lambda self: [{"map_tolerance_met": 0.0}, {"map_tolerance_met": 1.0}])
    monkeypatch.setattr(Staged, "two", Staged.one)
    record = trainer(data).run()
    assert record.cells[key(0, 1.0)]["status"] == "failed" and "tolerance" in record.cells[key(0, 1.0)]["message"]
    assert record.cells[key(1, 1.0)]["status"] == "ok" and key(0, 1.0) not in record.snapshots
