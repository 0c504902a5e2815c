"""What makes WGAN-QC that model: exact potentials, the regression onto them, the critic's slope, the average."""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

from otbench.models import find
from otbench.models.images.wgan_qc import costs, potentials
from otbench.training.trainer import Options, Trainer
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, loud, slopes, taken

SMALL = {"width": 2, "batch": 6, "repeat": 1}


def made(data, seeds=(0,), **more):
    return build("wgan-qc", data, seeds, **{**SMALL, **more})


# ------------------------------------------------------------------ the linear programme


def dual(cost):
    """Constraints and objective of max mean(u) - mean(v) with u_i - v_j <= cost_ij, for linprog's minimum."""
    n = len(cost)
    rows = np.zeros((n * n, 2 * n))
    for i in range(n):
        for j in range(n):
            rows[i * n + j, i], rows[i * n + j, n + j] = 1, -1
    return rows, cost.ravel(), np.concatenate([-np.ones(n), np.ones(n)]) / n


def random_cost(n, seed):
    draw = np.random.default_rng(seed)
    x, y = draw.normal(size=(n, 3)), draw.normal(size=(n, 3)) + 0.5
    return 0.5 * ((x[:, None] - y[None]) ** 2).sum(-1)


@pytest.mark.parametrize("which", ["central", "simplex"])
@pytest.mark.parametrize(("n", "seed"), [(1, 0), (2, 1), (9, 2), (16, 3)])
def test_potentials_solve_the_dual_linear_programme(n, seed, which):
    cost = random_cost(n, seed)
    rows, bounds, objective = dual(cost)
    exact = linprog(objective, A_ub=rows, b_ub=bounds, bounds=(None, None))
    u, v, match = potentials(cost, which)
    assert u.mean() - v.mean() == pytest.approx(-exact.fun, abs=1e-9)
    assert (u[:, None] - v[None] <= cost + 1e-9).all(), "feasible"
    assert u.mean() + v.mean() == pytest.approx(0, abs=1e-12)
    # the primal plan, from the constraints' multipliers: mass 1 / n where the match is
    plan = -exact.ineqlin.marginals.reshape(n, n)
    assert sorted(match) == list(range(n))
    assert plan[match, np.arange(n)] == pytest.approx(np.full(n, 1 / n), abs=1e-9)
    assert u[match] - v == pytest.approx(cost[match, np.arange(n)], abs=1e-9), "and tight there"


def test_central_potentials_are_the_mean_of_the_extreme_ones():
    n, cost = 5, random_cost(5, 4)
    rows, bounds, objective = dual(cost)
    best = linprog(objective, A_ub=rows, b_ub=bounds, bounds=(None, None)).fun
    # the furthest that v_j can lie above v_k, over all optimal potentials
    reach = np.zeros((n, n))
    for k in range(n):
        for j in range(n):
            direction = np.zeros(2 * n)
            direction[n + j] -= 1
            direction[n + k] += 1
            equal = {"A_eq": objective[None], "b_eq": [best]}
            reach[k, j] = -linprog(direction, A_ub=rows, b_ub=bounds, bounds=(None, None), **equal).fun
    v = (reach.mean(0) - reach.mean(1)) / 2
    _, found, _ = potentials(cost)
    assert found - found.mean() == pytest.approx(v - v.mean(), abs=1e-6)
    assert reach.max() > 0.1, "there was something to choose from"


def test_central_potentials_move_with_the_cost():
    cost = random_cost(32, 5)
    u, v, match = potentials(cost)
    for seed in range(5):
        noise = 1e-6 * np.random.default_rng(seed).uniform(-1, 1, cost.shape)
        other = potentials(cost + noise)
        assert np.array_equal(match, other[2])
        assert max(np.abs(u - other[0]).max(), np.abs(v - other[1]).max()) < 1e-4
    doubled = np.repeat(cost[:4, :8], 2, 0)
    u, v, match = potentials(doubled)
    assert (u[:, None] - v[None] <= doubled + 1e-9).all() and sorted(match) == list(range(8)), "equal images too"


def test_a_replica_that_diverges_is_not_solved_for(pictures):
    model = made(pictures, (0, 1))
    fake = torch.rand(2, 6, 1, 16, 16)
    fake[0, 2, 0, 3, 3] = float("nan")
    u, v, _ = model.solve(1 / 256, torch.rand(2, 6, 1, 16, 16), fake)
    assert u[0].isnan().all() and v[0].isnan().all() and u[1].isfinite().all() and v[1].isfinite().all()


def test_costs_are_k_over_two_times_squared_distances():
    x, y = torch.rand(3, 1, 4, 4), torch.rand(5, 1, 4, 4)
    for i, row in enumerate(costs(x, y, 0.3)):
        assert row.tolist() == pytest.approx([0.15 * ((x[i] - b) ** 2).sum().item() for b in y], rel=1e-6)


# ------------------------------------------------------------------ the losses


@pytest.mark.parametrize("more", [{}, {"scale": 0.02, "gamma": 0.7, "potentials": "simplex"}])
def test_the_critic_descends_regression_and_regularisation(more, pictures):
    model = loud(made(pictures, rate=0.01, **more))
    (batch,) = batches(model)
    k, gamma = more.get("scale", 1 / 256), more.get("gamma", 0.1)
    g, f = (copy.deepcopy(model.networks[n].module) for n in ("generator", "discriminator"))
    # as in the paper, on [-1, 1]
    real, fake = 2 * batch["real"][0] - 1, (2 * g(batch["z"][0]) - 1).detach().requires_grad_()
    score = lambda x: f((x + 1) / 2)
    u, v, match = potentials(costs(real, fake, k), model.config.potentials)
    regression = 0.5 * (score(real).mean() - u.mean()) ** 2
    regression = regression + 0.5 * ((score(fake) - torch.from_numpy(v).float()) ** 2).mean()
    slope = torch.autograd.grad(score(fake).sum(), fake, create_graph=True)[0]
    terms = []
    for j in range(6):
        away = (real[match[j]] - fake[j].detach()).norm()
        terms.append((slope[j].norm() / (2 * k**0.5) - k**0.5 / 2 * away) ** 2)
    regularisation = 0.5 * torch.stack(terms).mean()
    to_critic = slopes(regression + 4 * k**0.5 * gamma * regularisation, f)
    losses = model.step(batch)
    assert losses["distance"].item() == pytest.approx(u.mean() - v.mean(), rel=1e-4)
    assert losses["regression"].item() == pytest.approx(regression.item(), rel=1e-4)
    assert losses["regularisation"].item() == pytest.approx(regularisation.item(), rel=1e-4)
    close(taken(model, "discriminator"), to_critic)
    # the generator follows the critic as it is now, on the same noise
    after = -copy.deepcopy(model.discriminator.module)(g(batch["z"][0])).mean()
    assert losses["generator"].item() == pytest.approx(after.item(), rel=1e-4, abs=1e-6)
    close(taken(model, "generator"), slopes(after, g))


class Linear(nn.Module):
    """<w, x> on images in [-1, 1], whose slope is |w| everywhere."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x):
        return ((2 * x - 1) * self.w).sum((1, 2, 3))


def test_the_regularisation_asks_for_the_slope_of_an_optimal_potential(pictures):
    model = made(pictures)
    w = torch.randn(1, 16, 16)
    model.discriminator.module = Linear(w)
    k = 1 / 256
    fake = torch.rand(1, 4, 1, 16, 16)
    zeros = torch.zeros(1, 4)
    # the real images lie where K |x - y| on [-1, 1] is the slope, and then twice as far
    step = w / w.norm() * (w.norm() / k) / 2
    errors = [model.errors(k, fake, fake, zeros, zeros, fake + s * step)["regularisation"].item() for s in (1, 2)]
    assert errors[0] == pytest.approx(0, abs=1e-4 * w.norm().item() ** 2 / k)
    assert errors[1] == pytest.approx(0.5 * (w.norm().item() / (2 * k**0.5)) ** 2, rel=1e-3)


def test_matched_images_are_the_rows_of_the_plan(pictures):
    model = made(pictures, (0, 1))
    fake = torch.rand(2, 6, 1, 16, 16)
    orders = [torch.randperm(6), torch.randperm(6)]
    real = torch.stack([(fake[r][orders[r]] + 0.01 * torch.rand(6, 1, 16, 16)) for r in range(2)])
    u, v, matched = model.solve(1 / 256, real, fake)
    assert u.shape == v.shape == (2, 6) and (matched - fake).abs().max() <= 0.0101
    for r in range(2):
        alone = potentials(costs(2 * real[r], 2 * fake[r], 1 / 256))
        assert u[r].tolist() == pytest.approx(alone[0], abs=1e-7) and v[r].tolist() == pytest.approx(alone[1], abs=1e-7)


# ------------------------------------------------------------------ the rest


def test_the_average_is_a_copy_until_the_end_nears_and_takes_running_statistics_along(pictures):
    model = made(pictures, rate=0.01, decay=0.9, late=0.5)
    (stage,) = model.stages()
    expected = None
    for t, batch in enumerate(batches(model, 6)):
        stage.schedule(t / 6)
        stage.step(batch)
        now = {name: value.clone() for name, value in model.generator.state().items()}
        expected = now if t < 3 else {name: 0.9 * expected[name] + 0.1 * value for name, value in now.items()}
        for name, value in model.average.state().items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)
    moved = [name for name, value in model.average.state().items() if not torch.equal(value, now[name])]
    assert any("running_mean" in name for name in moved) and any("weight" in name for name in moved)
    z = torch.randn((9, 6), generator=generator(0, "samples"))
    expected = copy.deepcopy(model.average.module).eval()(z)
    assert torch.allclose(model.draw(9, [generator(0, "samples")])[0], expected, atol=1e-6)
    assert set(model.parameters()) == {"generator", "discriminator"}


def test_values_are_the_authors(pictures):
    model = find("wgan-qc", "images")
    config = model.Config()
    assert (config.latent, config.batch, config.width, config.gamma, config.residual) == (128, 64, 64, 0.1, 0.1)
    assert config.late * model.paper_budget("celeba") == pytest.approx(55_000) and config.decay == 0.999
    for optimiser in made(pictures).optimisers.values():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"])) == (1e-4, (0.5, 0.999))


def test_its_steps_are_never_captured(pictures):
    model = made(pictures)
    assert not model.capturable and find("ns-gan", "images").capturable
    trainer = Trainer(model, 1, [1.0], Options(capture=True), None)
    # without a GPU a captured step raises; this one is run as it is
    assert trainer._stepper(model.stages()[0]).__name__ == "plain"
