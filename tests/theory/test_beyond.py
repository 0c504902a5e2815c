"""Maps beyond the piecewise one against closed forms, limits and POT."""

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import beyond, compute, configure
from otbench.theory.beyond import networks
from otbench.theory.beyond.problems import problem, square_root
from otbench.theory.shared import maps
from otbench.transport import plan
from otbench.utils.rng import generator

TINY = {"points": 30, "seeds": 1, "steps": 3, "width": 8, "batch": 16, "dimension": 3, "regularisations": [0.1]}


@pytest.fixture(scope="module")
def points():
    draw = np.random.default_rng(0)
    return draw.standard_normal((60, 2)), draw.standard_normal((60, 2)) @ np.array([[1.5, 0.5], [0.5, 0.8]]) + 1


@pytest.mark.parametrize("d", [2, 8])
def test_the_closed_form_is_bures(d):
    import ot

    root, mean = square_root(d)
    a, b = ot.gaussian.bures_wasserstein_mapping(np.zeros(d), mean, np.eye(d), root @ root)
    assert np.allclose(a, root, atol=1e-9) and np.allclose(b, mean)
    task = problem("gaussian" if d == 2 else "gaussian-8", 3000, 8, seed=3)
    assert np.allclose(np.cov(task.train.T), root @ root, atol=0.2)
    perfect = beyond._as_map(task, task.optimal, task.train, task.optimal(task.train))
    assert perfect["uvp"] == pytest.approx(0, abs=1e-20)
    x = task.source.sample(4000, np.random.default_rng(0))
    constant = beyond._as_map(task, lambda z: np.tile(mean, (len(z), 1)), x, np.tile(mean, (len(x), 1)))
    assert constant["uvp"] == pytest.approx(100, abs=1) and constant["jump"] == 0


def test_entropic_limits(points):
    x, y = points
    assert np.allclose(maps.entropic(x, y, 1e4)(x), y.mean(0), atol=1e-3)
    exact = plan(x, y)
    assert np.abs(maps.entropic(x, y, 1e-4, 1e-7)(x) - exact.image()).mean() < 0.03
    told = beyond._limits(0)
    assert told["limit_mean"] < 0.01 and told["limit_plan"] < 0.05


def test_entropic_map_is_the_plans_barycentre(points):
    import ot

    x, y = points
    cost = ot.dist(x, y)
    uniform = np.full(60, 1 / 60)
    found = ot.bregman.sinkhorn_log(uniform, uniform, cost, 0.1 * cost.mean(), stopThr=1e-11, numItermax=5000)
    assert np.allclose(maps.entropic(x, y, 0.1, 1e-9)(x), found @ y * 60, atol=1e-6)


def test_a_translation_is_found_by_every_map_of_the_plan(points):
    x, _ = points
    exact = plan(x, x + 3)
    for at in (maps.nearest(exact), maps.interpolated(exact), maps.entropic(x, x + 3, 1e-3)):
        assert np.allclose(at(x), x + 3, atol=0.05)
    # away from the source points, interpolation keeps the shift, the nearest image does not
    away = x + 0.3
    assert np.allclose(maps.interpolated(exact)(away), away + 3, atol=1e-6)
    assert np.abs(maps.nearest(exact)(away) - away - 3).mean() > 0.05


def test_convex_network_is_monotone():
    net = networks.Convex(3, 16, generator(0, "test"))
    x, y = torch.randn(2, 200, 3, generator=generator(1, "test"))
    assert (((net(x) - net(y)) * (x - y)).sum(1) > 0).all()
    jacobian = torch.autograd.functional.jacobian(lambda z: net(z[None])[0], x[0])
    assert torch.allclose(jacobian, jacobian.T, atol=1e-6)  # it is a gradient


@pytest.mark.parametrize("name", ["regression", "convex", "flow", "coupled"])
def test_networks_learn_a_shift(name, points):
    x = torch.as_tensor(points[0], dtype=torch.float32)
    size = (2, 32, 300, 1e-2, 0)

    def batches():
        return x, x + 3

    if name in ("flow", "coupled"):
        at = networks.flow(batches, *size, coupled=name == "coupled")
    else:
        at = getattr(networks, name)(batches, *size)
    assert np.abs(at(points[0]) - points[0] - 3).mean() < 0.3


def test_semi_discrete_copies_and_the_study_repeats():
    found, again = compute("beyond", TINY), compute("beyond", TINY)
    f = found.facts
    assert f["ring/semi-discrete/copies"] == f["ring/memoriser/copies"] == 1
    assert f["ring/real/copies"] == 0 and f["digits/flow/copies"] == 0
    for name, value in f.items():
        if "seconds" not in name and not isinstance(value, str):
            assert value == again.facts[name], name
    assert all(np.array_equal(found.arrays[name], again.arrays[name]) for name in found.arrays)


def test_wrong_options_are_refused():
    with pytest.raises(OtbenchError, match="points"):
        configure("beyond", {"points": 3})
    with pytest.raises(OtbenchError, match="must be positive"):
        compute("beyond", TINY | {"regularisations": [0.1, 0.0]})
