"""PacGAN's evaluation: running statistics renewed before a snapshot, which training does not notice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otbench.models import configure, find
from otbench.training.feed import Feed
from otbench.training.trainer import Options, Trainer, key
from otbench.utils.rng import generator

SMALL = {"width": 12, "maxout": 6, "kernels": 4, "dimensions": 3, "batch": 20, "unrolled": 1}
NAMES = ["gan", "pacgan3", "ali", "md-gan", "veegan", "unrolled-gan"]


def build(name, data, seeds=(0,), **options):
    values = {k: v for k, v in {**SMALL, **options}.items() if k in find(name).Config.model_fields}
    return find(name)(configure(name, values), data, list(seeds))


def run(name, data, marks=(0.5, 1.0), seeds=(0,), **options):
    model = build(name, data, seeds, **options)
    return model, Trainer(model, 40, list(marks), Options(), None).run()


def is_statistic(name):
    return "running" in name


def renewed(state, seed, norm, passes, slots):
    """Running means and variances of the hidden layers after `passes` batches of noise, in float64 by hand."""
    eps = {"blocks": 1e-4, "pytorch": 1e-5}[norm]
    state = {name: value.double().numpy() for name, value in state.items()}
    layers = sorted({int(name.split(".")[2]) for name in state if is_statistic(name)})
    mean = {k: state[f"generator.body.{k}.running_mean"].copy() for k in layers}
    spread = {k: state[f"generator.body.{k}.running_var"].copy() for k in layers}
    if norm == "blocks":
        spread = {k: np.sqrt(v + eps) for k, v in spread.items()}
    stream = generator(seed, "refresh")
    for _ in range(passes):
        x = torch.randn((slots, 20, 2), generator=stream).double().numpy()
        for k in layers:
            h = x @ state[f"generator.body.{k - 1}.weight"].T
            m, v = h.mean(1), h.var(1)
            mean[k] = 0.95 * mean[k] + 0.05 * m.mean(0)
            batch = np.sqrt(v + eps) if norm == "blocks" else v
            spread[k] = 0.95 * spread[k] + 0.05 * batch.mean(0)
            h = (h - m[:, None]) / np.sqrt(v + eps)[:, None]
            x = np.maximum(0, h * state[f"generator.body.{k}.weight"] + state[f"generator.body.{k}.bias"])
    if norm == "blocks":
        spread = {k: v**2 - eps for k, v in spread.items()}
    return mean, spread


@pytest.mark.parametrize("seeds", [(3,), (0, 3)])
@pytest.mark.parametrize(("name", "norm"), [("gan", "blocks"), ("pacgan3", "blocks"), ("pacgan3", "pytorch")])
def test_the_statistics_are_those_of_fifty_batches_of_fresh_noise(name, norm, seeds, data):
    model = build(name, data, seeds, norm=norm)
    assert model.config.refresh == 50
    with torch.no_grad():
        for network in model.networks.values():
            for p in network.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=generator(0, "louder"))[: len(p)])
    row = seeds.index(3)
    before = {k: v[row].clone() for k, v in model.state().items()}
    undo = model.refresh_statistics()
    after = {k: v[row].clone() for k, v in model.state().items()}
    mean, spread = renewed(before, 3, norm, 50, model.config.model_dump().get("packing", 1))
    for k in mean:
        assert after[f"generator.body.{k}.running_mean"].numpy() == pytest.approx(mean[k], rel=1e-3, abs=1e-4)
        assert after[f"generator.body.{k}.running_var"].numpy() == pytest.approx(spread[k], rel=1e-3, abs=1e-5)
    assert all(torch.equal(before[k], after[k]) for k in before if not is_statistic(k)), "weights stay"
    undo()
    assert all(torch.equal(before[k], v[row]) for k, v in model.state().items())


@pytest.mark.parametrize("name", NAMES)
def test_training_is_the_same_with_and_without(name, data):
    (_, on), (_, off) = run(name, data), run(name, data, refresh=0)
    assert on.losses == off.losses
    for mark in (0.5, 1.0):
        ours, theirs = on.snapshots[key(0, mark)], off.snapshots[key(0, mark)]
        assert any(is_statistic(k) for k in ours)
        for k in ours:
            assert torch.equal(ours[k], theirs[k]) != is_statistic(k), k


def test_switched_off_the_statistics_are_those_that_training_left(data):
    _, record = run("gan", data, refresh=0)
    model = build("gan", data)
    (stage,) = model.stages()
    chunk = Feed(stage.inputs, torch.from_numpy(data.train), [0], stage.name, model.device).chunk()
    for k in range(40):
        model.step({name: values[k] for name, values in chunk.items()})
    ours, theirs = record.snapshots[key(0, 1.0)], model.state()
    assert all(torch.equal(ours[k], theirs[k][0]) for k in ours)


def test_a_snapshot_does_not_depend_on_the_others(data):
    (_, many), (_, last) = run("pacgan3", data, (0.1, 0.5, 0.9, 1.0)), run("pacgan3", data, (1.0,))
    ours, theirs = many.snapshots[key(0, 1.0)], last.snapshots[key(0, 1.0)]
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_what_is_saved_is_the_sampler_whatever_is_drawn(data):
    model, record = run("gan", data)
    again = build("gan", data)
    again.load({k: v[None] for k, v in record.snapshots[key(0, 1.0)].items()})
    many = again.draw(300, [generator(0, "samples")])
    assert torch.equal(many, model.draw(300, [generator(0, "samples")]))
    few = again.draw(32, [generator(0, "samples")])
    torch.testing.assert_close(few, many[:, :32], rtol=0, atol=1e-6)
