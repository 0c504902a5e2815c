"""Bounds on a transport cost that is known: closed forms, marginals, and the order below <= W <= above throughout."""

import math

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.primal_dual import discrete, gaussian
from otbench.theory.shared.perceptrons import apply, perceptrons
from tests.conftest import smoke

TINY = smoke("primal-dual")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_translation_costs_its_length_squared():
    eye = torch.eye(2, dtype=torch.float64)
    shift = torch.tensor([3.0, 4.0], dtype=torch.float64)
    problem = gaussian.Problem(shift, eye, 0 * shift, eye)
    assert problem.w2_squared() == pytest.approx(25)
    assert gaussian.feasible(problem, 2, 150, 0.1, stream())[-1] == pytest.approx([25, 25])
    assert gaussian.dual(problem, 2, 300, 0.2, stream())[-1] == pytest.approx([25, 25], rel=1e-4)


def test_gelbrich_formula_agrees_with_the_monge_map():
    p = gaussian.problem(3, stream(5))
    root = torch.linalg.cholesky(p.S)
    values, vectors = torch.linalg.eigh(root.T @ p.made @ root)
    trace = float(values.clamp(min=0).sqrt().sum())  # tr (S^1/2 AA^T S^1/2)^1/2
    known = float((p.a - p.m).square().sum() + torch.trace(p.S) + torch.trace(p.made)) - 2 * trace
    assert p.w2_squared() == pytest.approx(known)


@pytest.mark.parametrize("seed", [0, 1])
def test_gaussian_bounds_hold_at_every_step_and_meet(seed):
    p = gaussian.problem(2 + seed, stream(seed))
    exact = p.w2_squared()
    above = gaussian.feasible(p, 2, 200, 0.05, stream(10 + seed))
    below = gaussian.dual(p, 2, 200, 0.05, stream(20 + seed))
    assert above.min() >= exact * (1 - 1e-9)
    assert below.max() <= exact * (1 + 1e-9)
    assert above[-1] == pytest.approx([exact] * 2, rel=1e-3)
    assert below[-1] == pytest.approx([exact] * 2, rel=1e-3)


def test_relaxed_primal_lies_below_and_repairs_to_a_bound_from_above():
    p = gaussian.problem(2, stream(1))
    exact, weights = p.w2_squared(), torch.tensor([0.1, 10.0, 1000.0], dtype=torch.float64)
    series, repaired = gaussian.penalised(p, weights, False, 500, 0.05, stream())
    assert (series["loss"][-1] <= exact * (1 + 1e-6)).all()
    assert (np.diff(series["loss"][-1]) > 0).all()
    assert series["loss"][-1, -1] == pytest.approx(exact, rel=0.02)
    assert (repaired >= exact * (1 - 1e-9)).all()


def test_vae_minimum_is_its_closed_form_and_ends_at_the_independent_plan():
    p = gaussian.problem(2, stream(1))
    weights = torch.tensor([0.3, 30.0], dtype=torch.float64)
    series, _ = gaussian.penalised(p, weights, True, 500, 0.05, stream())
    assert series["loss"][-1] == pytest.approx([p.vae(0.3), p.vae(30.0)], rel=1e-6)
    assert p.vae(1e7) == pytest.approx(p.independent(), rel=1e-4)


def test_costs_and_penalties_agree_with_samples():
    p = gaussian.problem(2, stream(3))
    B, b, C = (
        0.5 * torch.randn(1, *shape, generator=stream(4), dtype=torch.float64) for shape in ((2, 2), (2,), (2, 2))
    )
    draw = torch.randn(2, 200_000, 2, generator=stream(5), dtype=torch.float64)
    y = draw[0] @ torch.linalg.cholesky(p.S).T + p.a
    z = y @ B[0].T + b[0] + draw[1] @ C[0].T
    assert float((y - z @ p.A.T - p.m).square().sum(1).mean()) == pytest.approx(
        float(gaussian.cost(p, B, b, C)), rel=0.01
    )
    mean, covariance = gaussian.coded(p, B, b, C)
    normal = torch.distributions.MultivariateNormal
    prior = normal(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    known = torch.distributions.kl_divergence(normal(mean[0], covariance[0]), prior)
    assert float(gaussian.kl_of_all(p, B, b, C)) == pytest.approx(float(known))
    each = torch.distributions.kl_divergence(normal(y @ B[0].T + b[0], C[0] @ C[0].T), prior).mean()
    assert float(gaussian.kl_of_each(p, B, b, C)) == pytest.approx(float(each), rel=0.01)


def test_rounded_plans_have_both_marginals():
    plan = torch.rand(3, 6, 9, generator=stream(), dtype=torch.float64) ** 8
    plan[0, 2] = 0
    found = discrete.rounded(plan, 2)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(2), torch.full((3, 6), 1 / 6, dtype=torch.float64))
    torch.testing.assert_close(found.sum(1), torch.full((3, 9), 1 / 9, dtype=torch.float64))


@pytest.mark.parametrize("squared", [True, False])
def test_bounds_between_points_hold_at_every_step_and_meet(squared):
    p = discrete.points(16, squared, np.random.default_rng(1))
    exact = p.exact()
    plan = discrete.encoder(p, 10.0, 2, 300, 0.01, 32, stream(1))
    below = discrete.heights(p, 2, 400, 0.05, stream(2))
    critic, printed = discrete.critic(p, 2, 400, 0.01, 32, stream(3))
    assert plan["rounded"].min() >= exact * (1 - 1e-9)
    assert max(below.max(), critic.max()) <= exact * (1 + 1e-9)
    assert plan["rounded"][-1].max() <= 1.15 * exact
    assert below[-1].min() >= 0.99 * exact and critic[-1].min() >= 0.97 * exact
    assert printed > exact  # with max in the c-transform it is no bound from below


@pytest.mark.parametrize("pairs", [False, True])
def test_lipschitz_critic_bounds_w1_from_below(pairs):
    p = discrete.points(16, False, np.random.default_rng(1))
    series = discrete.lipschitz(p, pairs, 2, 200, 0.01, 16, stream())
    assert series.max() <= p.exact() * (1 + 1e-9)
    assert series[-1].min() >= 0.5 * p.exact()


def test_sorted_pairs_keep_every_value():
    x = torch.randn(2, 5, 8, generator=stream())
    found = discrete.sorted_pairs(x)
    assert (found[..., ::2] <= found[..., 1::2]).all()
    torch.testing.assert_close(found.square().sum(-1), x.square().sum(-1))


def test_perceptrons_side_by_side_are_each_their_own():
    layers = perceptrons(3, (2, 4, 1), stream(), torch.float64)
    x = torch.randn(3, 5, 2, generator=stream(1), dtype=torch.float64)
    (first, one), (second, two) = [(weight[1], bias[1]) for weight, bias in layers]
    torch.testing.assert_close(apply(layers, x)[1], torch.relu(x[1] @ first + one) @ second + two)


def test_tiny_run_is_reproducible_and_breaks_no_bound():
    first, second, other = (compute("primal-dual", TINY, seed=seed) for seed in (0, 0, 1))
    assert {name: value for name, value in first.facts.items() if value == value} == {
        name: value for name, value in second.facts.items() if value == value
    }
    assert first.facts["gaussian_exact"] != other.facts["gaussian_exact"]
    for name, value in first.arrays.items():
        np.testing.assert_array_equal(value, second.arrays[name])
    assert first.facts["broken"] == 0 and first.facts["slack"] > -1e-9
    table = first.tables["bounds"]
    assert set(table["side"]) == {"above", "below", "neither"}
    assert all(math.isnan(slack) for slack in table.loc[table["side"] == "neither", "slack"])


@pytest.mark.parametrize(("options", "said"), [({"width": 7}, "width"), ({"weights": [1.0]}, "weights")])
def test_wrong_options_are_refused_with_a_sentence(options, said):
    with pytest.raises(OtbenchError, match=said):
        configure("primal-dual", options)
