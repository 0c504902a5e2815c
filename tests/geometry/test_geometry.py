"""Metrics, lengths and geodesics against surfaces whose answers are known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.geometry import (
    LatentGraph,
    RBFPrecision,
    acceleration,
    curve_length,
    energy,
    fit_precision,
    geodesic_bvp,
    geodesic_energy,
    geodesic_graph,
    grid,
    jacobian,
    latent_graph,
    magnification,
    metric_derivative,
    pullback,
    refined,
    stochastic_pullback,
    straight,
)

RADIUS = 2.0


def sphere(z: torch.Tensor) -> torch.Tensor:
    """Polar angle and longitude to a sphere of radius 2."""
    theta, phi = z[:, 0], z[:, 1]
    return RADIUS * torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=1)


SPHERE = partial(pullback, sphere)
START, END = torch.tensor([0.9, 0.2], dtype=torch.float64), torch.tensor([1.1, 2.0], dtype=torch.float64)


def great_circle(a: torch.Tensor, b: torch.Tensor) -> float:
    points = sphere(torch.stack([a, b])) / RADIUS
    return RADIUS * float(torch.acos((points[0] * points[1]).sum()))


def spherical_graph(points: int = 41) -> LatentGraph:
    return latent_graph(SPHERE, grid(np.array([0.3, -0.3]), np.array([1.6, 2.5]), points), 24)


def test_metric_of_the_sphere():
    z = torch.tensor([[0.4, 1.0], [1.2, -2.0]], dtype=torch.float64)
    metric = SPHERE(z)
    known = torch.diag_embed(torch.stack([torch.ones(2, dtype=torch.float64), z[:, 0].sin() ** 2], 1)) * RADIUS**2
    torch.testing.assert_close(metric, known)
    torch.testing.assert_close(magnification(SPHERE, z), RADIUS**2 * z[:, 0].sin())
    value, derivative = metric_derivative(SPHERE, z)
    torch.testing.assert_close(value, known)
    wanted = torch.zeros(2, 2, 2, 2, dtype=torch.float64)
    wanted[:, 1, 1, 0] = RADIUS**2 * (2 * z[:, 0]).sin()
    torch.testing.assert_close(derivative, wanted)


def test_geodesic_equation_of_the_sphere():
    """theta'' = sin cos phi'^2, phi'' = -2 cot theta' phi'."""
    z = torch.tensor([[0.7, 0.1]], dtype=torch.float64)
    v = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    theta, (a, b) = 0.7, (0.3, -1.2)
    known = [np.sin(theta) * np.cos(theta) * b**2, -2 / np.tan(theta) * a * b]
    np.testing.assert_allclose(acceleration(SPHERE, z, v)[0], known)


@pytest.mark.parametrize("solver", [geodesic_bvp, geodesic_energy])
def test_great_circles(solver):
    found = solver(SPHERE, START, END)
    assert found.converged
    assert found.length == pytest.approx(great_circle(START, END), rel=2e-4)
    on = sphere(torch.from_numpy(found.curve)).numpy()
    ends = on[[0, -1]]
    normal = np.cross(*ends) / np.linalg.norm(np.cross(*ends))
    assert np.abs(on @ normal).max() < 0.01  # in the plane of the great circle
    assert float(curve_length(SPHERE, straight(START, END, 200))) > 1.03 * found.length
    np.testing.assert_allclose(found.curve[[0, -1]], torch.stack([START, END]), atol=1e-9)


def test_great_circle_through_a_graph_and_solvers_started_from_it():
    graph = spherical_graph()
    known = great_circle(START, END)
    rough = geodesic_graph(SPHERE, graph, START, END, smooth=False)
    assert known <= rough.length < 1.03 * known
    smooth = geodesic_graph(SPHERE, graph, START, END)
    assert known * 0.9999 <= smooth.length < rough.length + 1e-3
    for solver in (geodesic_bvp, geodesic_energy):
        assert solver(SPHERE, START, END, guess=smooth.curve).length == pytest.approx(known, rel=2e-4)
    middle = len(graph.nodes) // 2
    near = np.flatnonzero(np.abs(graph.nodes - graph.nodes[middle]).max(axis=1) < 0.6)
    near = near[near != middle]  # of these the great circles stay in the box
    away = graph.distances(np.array([middle]), near)[0]
    at = torch.from_numpy(graph.nodes)
    exact = np.array([great_circle(at[middle], at[node]) for node in near])
    assert len(near) > 300 and (away >= exact * 0.9999).all() and (away <= exact * 1.05).all()


def test_an_affine_decoder_has_a_constant_metric_and_straight_geodesics():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(5, 2, dtype=torch.float64, generator=generator)
    metric = partial(pullback, lambda z: z @ matrix.T + 3)
    z = torch.randn(4, 2, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(metric(z), (matrix.T @ matrix).expand(4, 2, 2))
    known = float((matrix @ (z[0] - z[1])).norm())
    for solver in (geodesic_bvp, geodesic_energy):
        found = solver(metric, z[0], z[1])
        assert found.length == pytest.approx(known, rel=1e-9)
        np.testing.assert_allclose(found.curve, straight(z[0], z[1], len(found.curve) - 1), atol=1e-6)


def test_energy_bounds_the_squared_length_and_equals_it_at_constant_speed():
    t = torch.linspace(0, 1, 80, dtype=torch.float64)[:, None]
    curve = START + t**2 * (END - START)
    length, cost = curve_length(SPHERE, curve), energy(SPHERE, curve)
    assert cost > 1.2 * length**2
    even = refined(SPHERE, curve, 200)
    assert float(energy(SPHERE, even) / curve_length(SPHERE, even) ** 2) == pytest.approx(1, abs=1e-4)


def test_metric_of_a_known_deviation():
    """mu = (x, y), sigma = (exp x, y^2): M = diag(1 + exp 2x, 1 + 4 y^2)."""
    z = torch.tensor([[0.3, -0.8], [1.0, 2.0]], dtype=torch.float64)
    of = stochastic_pullback(lambda p: p, lambda p: torch.stack([p[:, 0].exp(), p[:, 1] ** 2], 1), z)
    known = torch.diag_embed(torch.stack([1 + (2 * z[:, 0]).exp(), 1 + 4 * z[:, 1] ** 2], 1))
    torch.testing.assert_close(of, known)


def test_expected_metric_is_the_mean_over_draws_of_the_noise():
    mean, deviation = sphere, lambda p: torch.stack([p[:, 0] * p[:, 1], p[:, 0].cos(), p[:, 1] ** 2], 1)
    z, generator = START[None], torch.Generator().manual_seed(1)
    noise = torch.randn(20_000, 3, dtype=torch.float64, generator=generator)
    draws = jacobian(mean, z)[0] + noise[:, :, None] * jacobian(deviation, z)[0]
    drawn = (draws.mT @ draws).mean(0)
    torch.testing.assert_close(stochastic_pullback(mean, deviation, z)[0], drawn, rtol=0.03, atol=0.03)


def test_a_geodesic_goes_round_where_the_deviation_grows():
    """A ring of codes: away from it sigma is large, so the way between two of its points follows it."""
    angle = np.linspace(0, 1.5 * np.pi, 300)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    network = fit_precision(ring, np.full((300, 2), np.log(0.01)), centres=24, steps=50)
    metric = partial(stochastic_pullback, lambda z: z, network.deviation)
    start, end = torch.from_numpy(ring[0]), torch.from_numpy(ring[-1])
    graph = latent_graph(metric, grid(np.array([-1.4, -1.4]), np.array([1.4, 1.4]), 41), 24)
    rough = geodesic_graph(metric, graph, start, end)
    found = geodesic_energy(metric, start, end, guess=rough.curve)
    assert found.length <= rough.length
    assert np.abs(np.linalg.norm(found.curve, axis=1) - 1).max() < 0.25
    assert float(curve_length(metric, straight(start, end, 100))) > 1.2 * found.length


def test_precision_network_follows_the_variance_and_grows_away_from_the_codes():
    generator = np.random.default_rng(0)
    codes = generator.standard_normal((400, 2))
    wanted = np.stack([np.full(400, np.log(0.04)), np.log(0.01) + 0.5 * codes[:, 0]], 1)
    network = fit_precision(codes, wanted, centres=30, steps=200)
    near = -network(torch.from_numpy(codes)).log().numpy()
    assert np.sqrt(np.mean((near - wanted) ** 2)) < 0.5
    far = network.deviation(torch.tensor([[30.0, 0.0]], dtype=torch.float64))
    np.testing.assert_allclose(far, 1000 * np.exp(wanted / 2).mean(), rtol=1e-6)
    one = RBFPrecision(torch.zeros(1, 2), torch.ones(1), torch.tensor([[3.0]]), 0.5)
    np.testing.assert_allclose(one(torch.tensor([[1.0, 0.0]]))[0, 0].detach(), 3 * np.exp(-1) + 0.5, rtol=1e-6)


def test_a_boundary_problem_that_fails_gives_the_line_back():
    """From pole to pole, through the pole of the chart, where the metric has no inverse."""
    start = torch.tensor([0.0, 0.0], dtype=torch.float64)
    found = geodesic_bvp(SPHERE, start, END, limit=40)
    assert not found.converged and found.note
    np.testing.assert_allclose(found.curve[[0, -1]], torch.stack([start, END]))


def test_errors_say_what_was_expected():
    with pytest.raises(OtbenchError, match=r"shape \(n, d\), got \(2,\)"):
        jacobian(sphere, START)
    with pytest.raises(OtbenchError, match="two points of shape"):
        geodesic_bvp(SPHERE, START, END[:1])
    with pytest.raises(OtbenchError, match="finite"):
        geodesic_energy(SPHERE, START, END * torch.nan)
    with pytest.raises(OtbenchError, match="two points or more"):
        curve_length(SPHERE, START[None])
    with pytest.raises(OtbenchError, match="more nodes"):
        latent_graph(SPHERE, np.zeros((3, 2)), 5)
    with pytest.raises(OtbenchError, match="as many codes"):
        fit_precision(np.zeros((3, 2)), np.zeros((3, 1)), centres=5)
    apart = latent_graph(SPHERE, np.array([[0.5, 0.0], [0.6, 0.0], [0.5, 2.0], [0.6, 2.0]]), 1)
    with pytest.raises(OtbenchError, match="no path"):
        apart.path(0, 3)
