"""What every model must do, whoever wrote it."""

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.models import configure, find, models
from otbench.training.streams import generator
from otbench.training.trainer import Options, Trainer, key

NAMES = sorted(models())
# small networks, where the model has them: the contract does not depend on width
SMALL = {"width": 16, "maxout": 8, "targets": 64}
STEPS = 12


def small(name: str) -> dict:
    return {k: v for k, v in SMALL.items() if k in find(name).Config.model_fields}


def trained(name, data, seeds, together=None, steps=STEPS, saved=None):
    model = find(name)(configure(name, small(name)), data, list(seeds))
    return model, Trainer(model, steps, [0.5, 1.0] if model.paper_steps else [1.0], Options(), saved)


@pytest.mark.parametrize("name", NAMES)
def test_says_where_it_comes_from(name):
    model = find(name)
    assert model.title_of(name) and model.paper and model.family and model.kinds and model.__doc__
    assert model.Config().model_dump() is not None, "every option has a default"


@pytest.mark.parametrize("name", NAMES)
def test_refuses_an_unknown_option(name):
    with pytest.raises(OtbenchError, match=f"model {name}, option 'nonsense'"):
        configure(name, {"nonsense": 1})


@pytest.mark.parametrize("name", NAMES)
def test_trains_and_draws_points_that_are_its_own(name, data):
    model, trainer = trained(name, data, [3])
    record = trainer.run()
    assert record.cells[key(3, 1.0)]["status"] == "ok"
    again = find(name)(configure(name, small(name)), data, [3])
    again.load({k: v[None] for k, v in record.snapshots[key(3, 1.0)].items()})
    one = model.draw(50, [generator(3, "samples")])
    two = again.draw(50, [generator(3, "samples")])
    assert one.shape == (1, 50, 2) and one.dtype == torch.float32 and one.isfinite().all()
    assert torch.equal(one, two), "a model read back draws the same"
    other = again.draw(50, [generator(4, "samples")])
    assert not torch.equal(one, other), "another stream draws other samples"


@pytest.mark.parametrize("name", [n for n in NAMES if find(n).paper_steps])
def test_a_seed_means_the_same_alone_and_in_a_group(name, data):
    group, trainer = trained(name, data, [0, 1, 2])
    trainer.run()
    alone, trainer = trained(name, data, [1])
    trainer.run()
    for part, values in alone.state().items():
        there = group.state()[part][1]
        # Adam turns a gradient near zero into a step of full size, so rounding shows first in biases
        assert torch.allclose(values[0], there, rtol=2e-3, atol=1e-4), part
    streams = [generator(s, "samples") for s in (0, 1, 2)]
    x, y = group.draw(64, streams)[1], alone.draw(64, [generator(1, "samples")])[0]
    apart = (group.draw(64, streams)[0] - x).abs().mean()
    assert (x - y).abs().mean() < 0.01 * apart, "the same replica, where another is a hundred times further off"


@pytest.mark.parametrize("name", [n for n in NAMES if find(n).paper_steps])
def test_seeds_differ(name, data):
    group, trainer = trained(name, data, [0, 1])
    record = trainer.run()
    first, second = (record.snapshots[key(s, 1.0)] for s in (0, 1))
    assert any(not torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("name", [n for n in NAMES if find(n).paper_steps])
def test_every_network_learns(name, data):
    model = find(name)(configure(name, small(name)), data, [0])
    before = {n: {k: v.clone() for k, v in r.state().items()} for n, r in model.networks.items()}
    Trainer(model, STEPS, [1.0], Options(), None).run()
    for n, r in model.networks.items():
        after = r.state()
        trained_names = {k for k, _ in r.module.named_parameters()}
        moved = [k for k in trained_names if not torch.equal(before[n][k], after[k])]
        # a bias in front of a maximum may see no gradient in a dozen steps; everything else moves
        assert len(moved) >= len(trained_names) - 1, (n, trained_names - set(moved))


def test_an_unknown_model_is_named():
    with pytest.raises(OtbenchError, match="unknown model 'gann'; known are ae-ot"):
        find("gann")


def test_wrong_value_is_refused():
    with pytest.raises(OtbenchError, match="model gan, option 'batch'"):
        configure("gan", {"batch": "many"})


def test_no_two_models_share_a_name():
    assert len(NAMES) == len(set(NAMES)) and {"gan", "ae-ot", "real"} <= set(NAMES)
    assert all(isinstance(find(n).names, dict) and n in find(n).names for n in NAMES)
    assert np.all([n == n.lower() for n in NAMES])
