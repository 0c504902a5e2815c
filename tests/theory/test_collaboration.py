"""Eq. 33 against closed forms: a translation and an affine map are exact after one step."""

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.collaboration import critics
from otbench.theory.collaboration.problems import OFFSET, SHIFT, problem
from otbench.theory.collaboration.training import WAYS, compete
from otbench.transport import box, solve

TINY = {"points": 40, "seeds": 1, "steps": 3, "critic_steps": 4, "width": 8, "batch": 16}


@pytest.fixture(scope="module")
def points():
    draw = np.random.default_rng(0)
    return draw.uniform(-1, 1, (80, 2)), draw.standard_normal((60, 2)) @ np.array([[1.2, 0.3], [0.3, 0.6]]) + 1


def test_closed_form_steps(points):
    x, _ = points
    assert np.allclose(critics.stepped(critics.closed(problem("translation").optimal), x), x + SHIFT, atol=1e-12)
    affine = problem("affine")
    made = critics.stepped(critics.closed(affine.optimal), x)
    assert np.allclose(made, affine.optimal(x), atol=1e-12)
    # the matrix is symmetric positive definite, so the map is the gradient of a convex function: it is optimal
    a = affine.optimal(np.eye(2)) - OFFSET
    assert np.allclose(a, a.T) and np.linalg.eigvalsh(a).min() > 0


def test_semi_discrete_critic_is_the_map(points):
    x, y = points
    phi = critics.semidiscrete(y, box([-1.0, -1.0], [1.0, 1.0]))
    solved = solve(y, source=box([-1.0, -1.0], [1.0, 1.0]))
    assert np.allclose(critics.stepped(phi, x), solved(x), atol=1e-9)
    assert np.allclose(phi(torch.as_tensor(x)).numpy(), solved.kantorovich(x), atol=1e-9)


def test_discrete_critic_of_a_translation_is_the_matching(points):
    x, _ = points
    phi, value = critics.discrete(x, x + SHIFT)
    assert value == pytest.approx(SHIFT @ SHIFT / 2, rel=1e-9)
    assert float(phi(torch.as_tensor(x)).mean()) <= value + np.abs(SHIFT).sum() ** 2  # finite, in the cost's unit
    dual = critics.dual(phi, torch.as_tensor(x), torch.as_tensor(x + SHIFT))
    assert float(dual) == pytest.approx(value, abs=1e-8)  # strong duality
    phi = critics.closed(problem("translation").optimal)
    linear = critics.dual(
        critics.closed(problem("translation").optimal), torch.as_tensor(x), torch.as_tensor(x + SHIFT)
    )
    assert float(linear) == pytest.approx(value, abs=1e-9)


def test_entropic_step_is_the_barycentre_and_tends_to_the_mean(points):
    x, y = points
    assert np.allclose(critics.stepped(critics.entropic(x, y, 1e4), x), y.mean(0), atol=1e-3)
    import ot

    cost = ot.dist(x, y) / 2
    a, b = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    plan = ot.bregman.sinkhorn_log(a, b, cost, 0.1 * cost.mean(), stopThr=1e-10, numItermax=5000)
    made = critics.stepped(critics.entropic(x, y, 0.1), x)
    assert np.allclose(made, plan @ y / plan.sum(1)[:, None], atol=0.02)


def test_network_critic_starts_at_zero_and_stays_below_the_optimum(points):
    x, y = points
    best = critics.discrete(x, y)[1]
    found = list(critics.trained(x, y, [0, 200], 32, 3e-3, seed=0))
    assert np.allclose(critics.stepped(critics.trained(x, y, [0], 8, 1e-3, 0).__next__()[1], x), x)
    assert found[0][2] < found[1][2] <= best + 1e-6
    assert found[1][2] > 0.9 * best


@pytest.mark.parametrize("way", WAYS)
def test_trained_generators_start_as_the_identity_and_approach_a_shift(way, points):
    task = problem("translation")
    real = task.real(100, np.random.default_rng(1))
    steps = [0, 60]
    (_, pushed, _), *rest = [
        (step, at(points[0]), spent) for step, at, spent in compete(way, task.generated, real, steps, 16, 1e-2, 32, 0)
    ]
    assert np.allclose(pushed, points[0], atol=1e-6)
    before, after = (np.linalg.norm(made.mean(0) - real.mean(0)) for made in (pushed, rest[0][1]))
    assert after < 0.7 * before


def test_one_step_reaches_the_floor_and_w1_falls_short():
    found = compute("collaboration", TINY | {"points": 150})
    f = found.facts
    assert f["translation/closed"] < 1.6 * f["translation/floor"] < 0.3 * f["translation/none"]
    assert f["translation/w1"] == pytest.approx(np.sqrt(5) - 1, abs=0.15)
    again = compute("collaboration", TINY | {"points": 150})
    for name, value in f.items():
        if "seconds" not in name and "caught" not in name and not isinstance(value, str):
            assert value == pytest.approx(again.facts[name], abs=0, rel=0, nan_ok=True), name
    assert all(np.array_equal(found.arrays[name], again.arrays[name]) for name in found.arrays)


def test_wrong_options_are_refused():
    with pytest.raises(OtbenchError, match="points"):
        configure("collaboration", {"points": 3})
    with pytest.raises(OtbenchError, match="compete"):
        configure("collaboration", {"compete": "spiral"})
