"""On a GPU: captured steps, groups, resume and divergence give what plain steps of one replica give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open

from otbench.models import configure, find
from otbench.training.draw import draw
from otbench.training.feed import Feed
from otbench.training.fit import fit
from otbench.training.trainer import Options, Trainer, key

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

NAMES = ["gan", "pacgan2", "ali", "veegan", "wgan", "wgan-gp", "md-gan", "unrolled-gan"]
SMALL = {"width": 16, "maxout": 8, "kernels": 8, "batch": 32, "unrolled": 2, "critic_steps": 2}
STEPS = 60  # more than a chunk, and enough for warm-up, capture and replays
# a penalty on slopes jumps where a unit switches: rounding grows tenfold every few steps
FEWER = {"wgan-gp": 12}
CAPTURED, PLAIN = Options(device="cuda", capture=True), Options(device="cuda")


def options(name):
    return {k: v for k, v in SMALL.items() if k in find(name).Config.model_fields}


def made(name, data, seeds):
    return find(name)(configure(name, options(name)), data, list(seeds), "cuda")


def budget(name, data, steps):
    """The budget that gives this many steps, whatever a step costs."""
    return steps * made(name, data, [0]).stages()[0].cost


def trained(name, data, seeds, training):
    model = made(name, data, seeds)
    return model, Trainer(model, budget(name, data, FEWER.get(name, STEPS)), [1.0], training, None).run()


def off(ours, theirs, start):
    """How far trained tensors are apart, as a share of the way from the start; each {name: tensor} of one replica."""
    names = [k for k in start if "running" not in k]
    apart = sum((ours[k].cpu() - theirs[k].cpu()).abs().sum() for k in names)
    return float(apart / sum((theirs[k].cpu() - start[k].cpu()).abs().sum() for k in names))


def states(model, position=0):
    """All networks' tensors of one replica."""
    every = {f"{n}.{k}": v[position] for n, r in model.networks.items() for k, v in r.state().items()}
    return {k: v.clone() for k, v in every.items()}


def weights(folder):
    with safe_open(folder / "weights.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


class Stop(BaseException):
    """Stands for a kill; raised where data are drawn, because a replayed step runs no Python."""


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_captured_steps_are_the_plain_ones(name, seeds, data):
    (plain, first), (captured, second) = (trained(name, data, seeds, how) for how in (PLAIN, CAPTURED))
    start = made(name, data, seeds)
    for k in range(len(seeds)):
        assert off(states(captured, k), states(plain, k), states(start, k)) < 0.1
    for network, optimiser in plain.optimisers.items():
        taken = {int(s["step"]) for s in optimiser.state.values()}
        assert taken == {int(s["step"]) for s in captured.optimisers[network].state.values()}, "as many updates"
    assert len(first.losses) == len(second.losses)
    for one, other in zip(first.losses, second.losses, strict=True):
        assert one[:4] == other[:4] and one[4] == pytest.approx(other[4], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("training", [PLAIN, CAPTURED], ids=["plain", "captured"])
@pytest.mark.parametrize("name", NAMES)
def test_a_seed_means_the_same_alone_and_in_a_group(name, training, data):
    group, _ = trained(name, data, [0, 1, 2], training)
    alone, _ = trained(name, data, [1], training)
    start = made(name, data, [1])
    assert off(states(group, 1), states(alone), states(start)) < 0.1
    assert off(states(group, 0), states(alone), states(start)) > 0.5, "another replica is another"


@pytest.mark.parametrize("name", [n for n in NAMES if n not in FEWER])
def test_captured_training_resumes(name, data, tmp_path, monkeypatch):
    call = dict(seeds=[0, 5], steps=budget(name, data, 170), snapshots=[0.5], options=options(name))
    call["training"] = Options(device="cuda", together=2, capture=True, checkpoint=0.0)
    fit(name, data, out=tmp_path / "whole", **call)
    plain, chunks = Feed.chunk, [0]

    def chunk(self):
        chunks[0] += 1
        if chunks[0] == 3:
            raise Stop
        return plain(self)

    monkeypatch.setattr(Feed, "chunk", chunk)
    with pytest.raises(Stop):
        fit(name, data, out=tmp_path / "cut", **call)
    assert not (tmp_path / "cut" / "fit.json").exists()
    fit(name, data, out=tmp_path / "cut", **call)
    assert chunks[0] == 3 + 2, "two of the four chunks were done before"
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys() and len({k.split("/")[1] for k in whole}) == 2
    for seed in (0, 5):
        # the weights at half the training stand for the start: what came after them is half resumed
        early, late, resumed = (
            {k.split("/")[2]: v for k, v in values.items() if k.startswith(f"{seed}/{snapshot}/")}
            for values, snapshot in ((whole, "0.5"), (whole, "1"), (cut, "1"))
        )
        assert off(resumed, late, early) < 0.05


@pytest.mark.parametrize("training", [PLAIN, CAPTURED], ids=["plain", "captured"])
@pytest.mark.parametrize("seeds", [[0, 1, 2], [0, 1]])
def test_a_replica_that_diverges_leaves_the_others_alone(seeds, training, data, monkeypatch):
    def run(group):
        model = made("gan", data, group)
        return Trainer(model, 250, [0.1, 0.5, 1.0], training, None).run()

    alone = run([0])
    plain, chunks = Feed.chunk, [0]

    def chunk(self):
        values = plain(self)
        chunks[0] += 1
        if chunks[0] == 3 and 1 in self.seeds:
            values["z"][20:, self.seeds.index(1)] = float("nan")
        return values

    monkeypatch.setattr(Feed, "chunk", chunk)
    record = run(seeds)
    status = {cell: told["status"] for cell, told in record.cells.items()}
    assert status[key(1, 0.1)] == "ok" and status[key(1, 0.5)] == status[key(1, 1.0)] == "diverged"
    assert all(status[key(s, f)] == "ok" for s in seeds if s != 1 for f in (0.1, 0.5, 1.0))
    assert max(row[1] for row in record.losses if row[2] == 1) == 150
    early, late, own = alone.snapshots[key(0, 0.1)], alone.snapshots[key(0, 1.0)], record.snapshots[key(0, 1.0)]
    assert off(own, late, early) < 0.1


@pytest.mark.parametrize("name", ["gan", "wgan-gp"])
def test_a_fit_made_on_a_gpu_draws_the_same_on_either_device(name, data, tmp_path):
    fit(name, data, [0, 1], tmp_path / "fit", steps=budget(name, data, STEPS), options=options(name), training=CAPTURED)
    samples = {}
    for device in ("cuda", "cpu"):
        draw(tmp_path / "fit", data, 200, tmp_path / f"{device}.npz", device)
        with np.load(tmp_path / f"{device}.npz") as file:
            samples[device] = file["samples"]
    assert samples["cpu"].shape == (400, 2) and np.isfinite(samples["cpu"]).all()
    scale = np.abs(samples["cpu"]).mean()
    assert np.abs(samples["cuda"] - samples["cpu"]).max() < 1e-3 * scale


def test_ae_ot_draws_the_same_on_either_device(data, tmp_path):
    call = dict(seeds=[0, 1], options={"targets": 64})
    fit("ae-ot", data, out=tmp_path / "fit", training=PLAIN, **call)
    for device in ("cuda", "cpu"):
        draw(tmp_path / "fit", data, 100, tmp_path / f"{device}.npz", device)
    with np.load(tmp_path / "cuda.npz") as one, np.load(tmp_path / "cpu.npz") as other:
        assert one["samples"].shape == (200, 2) and np.abs(one["samples"] - other["samples"]).max() < 1e-6


@pytest.mark.parametrize("name", ["gan", "wgan-gp"])
def test_a_deterministic_fit_gives_the_same_bits_and_says_how(name, data, tmp_path):
    training = Options(device="cuda", together=2, deterministic=True)
    chosen = options(name)
    for where in ("first", "second"):
        summary = fit(name, data, [0, 1], tmp_path / where, steps=100, options=chosen, training=training)
    assert summary["flags"]["deterministic_algorithms"] and summary["flags"]["cublas_workspace"] == ":4096:8"
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.equal(first[k], second[k]) for k in first)
