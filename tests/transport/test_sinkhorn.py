"""Entropic transport in batches against POT, and the entropic map against its definition."""

from __future__ import annotations

import numpy as np
import ot
import pytest
import torch

from otbench.errors import WorkFailed
from otbench.transport.matching import half_way, kernel_mean, nearest_image, rejecting
from otbench.transport.sinkhorn import (
    divergence,
    entropic_map,
    plan,
    potentials,
    settled,
    squared_distances,
    transport_cost,
)


def clouds(n=30, m=20, d=3, replicas=2):
    torch.manual_seed(0)
    x = torch.randn(replicas, n, d, dtype=torch.float64)
    return x, 0.5 * torch.randn(replicas, m, d, dtype=torch.float64) + 1


def test_plans_of_several_replicas_are_pots():
    x, y = clouds()
    cost = squared_distances(x, y)
    eps = 0.1 * cost.mean((1, 2))
    f, g = potentials(cost, eps, 500)
    found = plan(cost, f, g, eps)
    for r in range(2):
        c = ot.dist(x[r].numpy(), y[r].numpy())
        assert cost[r].numpy() == pytest.approx(c, abs=1e-12)
        expected = ot.bregman.sinkhorn(np.full(30, 1 / 30), np.full(20, 1 / 20), c, float(eps[r]), stopThr=1e-13)
        assert found[r].numpy() == pytest.approx(expected, abs=1e-9)
        spent = transport_cost(cost, eps, 500)[r].item()
        assert spent == pytest.approx((expected * c).sum(), rel=1e-8)


def test_the_divergence_is_pots_and_zero_at_equal_samples():
    x, y = clouds()
    found = divergence(x, y, 0.1, 500)
    for r in range(2):
        reg = 0.1 * ot.dist(x[r].numpy(), y[r].numpy()).mean()
        expected = ot.bregman.empirical_sinkhorn_divergence(x[r].numpy(), y[r].numpy(), reg, stopThr=1e-13)
        assert found[r].item() == pytest.approx(float(np.ravel(expected)[0]), rel=1e-6)
    assert (found > 0).all() and not divergence(x, x, 0.1, 7).any()
    same = torch.ones(1, 4, 2)
    assert divergence(same, same, 0.1, 3).tolist() == [0], "all points are one"


def test_the_divergences_slope_equals_differences():
    x, y = clouds(8, 6, 2, 1)
    x.requires_grad_()
    # the share is of the mean cost, which the derivative holds: differences need it held too
    eps = 0.2 * squared_distances(x, y).mean().detach()

    def value(points):
        parts = [
            transport_cost(squared_distances(a, b), eps.reshape(1), 20) for a, b in ((points, y), (points, points))
        ]
        return parts[0] - parts[1] / 2

    (slope,) = torch.autograd.grad(divergence(x, y, 0.2, 20).sum(), x)
    for k in range(3):
        shift = torch.zeros_like(x)
        shift[0, k, k % 2] = 1e-5
        with torch.no_grad():
            expected = (value(x + shift) - value(x - shift)).item() / 2e-5
        assert slope[0, k, k % 2].item() == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_a_small_regularisation_settles_near_the_exact_plan():
    (x,), (y,) = clouds(40, 40, 2, 1)
    cost = squared_distances(x[None], y[None])[0]
    eps = 0.002 * float(cost.mean())
    f, g, error = settled(cost, eps, 1e-4)
    coupling = ((f[:, None] + g - cost) / eps).exp() / 1600
    assert error <= 1e-4 and coupling.sum(0).numpy() == pytest.approx(np.full(40, 1 / 40), abs=1e-12)
    exact = ot.emd2(np.full(40, 1 / 40), np.full(40, 1 / 40), cost.numpy())
    assert exact <= (coupling * cost).sum().item() < 1.02 * exact
    with pytest.raises(WorkFailed, match="raise it"):
        settled(cost * float("nan"), 1.0, 1e-4)


def test_the_entropic_map_is_the_barycentric_projection_at_the_source_points():
    (x,), (y,) = clouds(50, 40, 2, 1)
    cost = squared_distances(x[None], y[None])[0]
    eps = 0.05 * float(cost.mean())
    _, g, _ = settled(cost, eps, 1e-10)
    coupling = ot.bregman.sinkhorn(np.full(50, 1 / 50), np.full(40, 1 / 40), cost.numpy(), eps, stopThr=1e-13)
    expected = coupling @ y.numpy() / coupling.sum(1, keepdims=True)
    assert entropic_map(x, y, g, eps).numpy() == pytest.approx(expected, abs=1e-6)
    # a shifted source point has the weights that its formula says
    z = x[:1] + 0.3
    weight = np.exp((g.numpy() - ((z.numpy() - y.numpy()) ** 2).sum(1)) / eps)
    assert entropic_map(z, y, g, eps)[0].numpy() == pytest.approx(weight @ y.numpy() / weight.sum(), abs=1e-9)


# ------------------------------------------------------------------ extensions of a matching


def test_nearest_and_kernel_means_of_a_line():
    source, image = np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [10.0], [20.0]])
    assert nearest_image(source, image, np.array([[0.4], [1.9], [9.0]]))[:, 0].tolist() == [0, 10, 20]
    # distances to the nearest other point: 1, 1, 2, median 1
    weight = np.exp(-(np.array([0.5, 0.5, 2.5]) ** 2) / 2)
    assert kernel_mean(source, image, np.array([[0.5]]), 1)[0, 0] == pytest.approx(weight @ image[:, 0] / weight.sum())
    assert kernel_mean(source, image, np.array([[-99.0]]), 1)[0, 0] == pytest.approx(0)


def test_the_rule_with_angles_mixes_within_groups_alone():
    draw = np.random.default_rng(0)
    source = draw.standard_normal((400, 2))
    side = np.sign(source[:, :1])
    image = np.concatenate([10 * side, source[:, 1:]], 1)
    angle = half_way(source, image)
    assert 0 < angle.threshold < 1
    made = rejecting(source, image, 3000, angle, np.random.default_rng(1))
    assert made.shape == (3000, 2) and np.abs(np.abs(made[:, 0]) - 10).max() < 1e-9, "no code between the sides"
    inside = np.abs(made[:, None] - image[None]).sum(2).min(1)
    assert (inside > 1e-6).mean() > 0.9, "mixtures, not the images themselves"
    with pytest.raises(WorkFailed, match="raise it"):
        rejecting(source[:50], image[:50], 10, type(angle)(1e-12, angle.scale, angle.centre), draw)
