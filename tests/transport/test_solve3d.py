"""Exact transport in space (through sdot, where it works) against closed forms, sampling and scipy's polyhedra; and
what is said where sdot is missing.
"""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection

from otbench.errors import OtbenchError
from otbench.transport import ball, box, cells3d, load, solve

needs_sdot = pytest.mark.skipif(not cells3d.available(), reason="sdot does not work here (Python 3.12, jax, compiler)")
LATTICE = np.stack(np.meshgrid(np.arange(3.0), 2 * np.arange(4.0), np.arange(5.0), indexing="ij"), axis=-1)


def lattice_breaks(heights):
    """Places of the facets along each axis, from heights (3, 4, 5)."""
    return [-np.diff(heights, axis=0), -np.diff(heights, axis=1) / 2, -np.diff(heights, axis=2)]


@needs_sdot
def test_a_lattice_is_cut_into_boxes():
    """Weights that are products: every break is a quantile of its axis, also where eight cells meet."""
    mass = [np.array([0.2, 0.5, 0.3]), np.array([0.1, 0.2, 0.3, 0.4]), np.full(5, 0.2)]
    weights = mass[0][:, None, None] * mass[1][:, None] * mass[2]
    found = solve(LATTICE.reshape(-1, 3), weights.ravel())
    for axis, breaks in enumerate(lattice_breaks(found.heights.reshape(3, 4, 5))):
        along = np.moveaxis(breaks, axis, -1)
        truth = np.cumsum(mass[axis])[:-1] - 0.5
        assert along == pytest.approx(np.broadcast_to(truth, along.shape), abs=1e-9)
    numbers = found.certificate()
    assert numbers["map_exact"] == 1
    assert numbers["map_tolerance_met"] == 1
    assert numbers["map_max_cell_error"] <= 1e-9
    assert found.info["method"] == "newton-3d (sdot)"
    # W2^2 axis by axis: int (x - y)^2 over each interval.
    truth = 0.0
    for m, y in zip(mass, (np.arange(3), 2 * np.arange(4), np.arange(5)), strict=True):
        ends = np.concatenate([[0], np.cumsum(m)]) - 0.5
        truth += (((ends[1:] - y) ** 3 - (ends[:-1] - y) ** 3) / 3).sum()
    assert numbers["map_cost"] == pytest.approx(truth, rel=1e-10)
    assert numbers["map_w2"] ** 2 == pytest.approx(truth, rel=1e-10)


@needs_sdot
def test_a_translation_of_the_source_is_found():
    """Eight corners of a cube in equal parts: octants, wherever the box stands, and centroids in their middles."""
    corners = np.array([[i, j, k] for i in (0.0, 1) for j in (0.0, 1) for k in (0.0, 1)])
    found = solve(corners, source=box([10, 20, 30], [11, 22, 33]))
    middles = np.array([10, 20, 30]) + np.array([1, 2, 3]) * (0.25 + 0.5 * corners)
    assert found.centroids() == pytest.approx(middles, abs=1e-8)
    assert found.certificate()["map_cost"] == pytest.approx(
        ((middles - corners) ** 2).sum(1).mean() + (1 + 4 + 9) / 4 / 12, rel=1e-10
    )
    assert found.cells.facet_areas.sum() == pytest.approx(2 * 3 + 1 * 3 + 1 * 2, rel=1e-8)


@needs_sdot
@pytest.mark.parametrize("kind", ["random", "clustered", "on a plane", "on a line", "far"])
def test_masses_by_other_means(kind):
    """To 1e-9 by the certificate; five standard deviations by fresh points; and 20 cells by scipy's polyhedra."""
    random = np.random.default_rng(0)
    y = {
        "random": random.standard_normal((120, 3)),
        "clustered": random.integers(2, size=(120, 3)) + 0.02 * random.standard_normal((120, 3)),
        "on a plane": random.random((120, 2)) @ [[1, 0, 1], [0, 1, 2]],
        "on a line": np.outer(random.random(120), [1, 2, -1]),
        "far": random.random((120, 3)) + 50,
    }[kind]
    nu = random.random(120) + 0.2
    found = solve(y, nu)
    numbers = found.certificate()
    assert numbers["map_max_cell_error"] <= 1e-9
    assert 0 <= numbers["map_dual_gap"] < 1e-8
    x = found.source.sample(200_000, np.random.default_rng(1))
    share = np.bincount(np.argmax(x @ y.T + found.heights, axis=1), minlength=120) / len(x)
    assert np.abs(share - found.weights).max() < 5 * np.sqrt(found.weights.max() / len(x))
    for i in range(20):
        assert volume(i, y - y.mean(0), found.heights) == pytest.approx(found.weights[i], rel=1e-6)


def volume(i, y, h):
    """Volume of a cell in the centred cube: half-spaces <x, y_j - y_i> <= h_i - h_j and |x_c| <= 1/2."""
    other = np.arange(len(y)) != i
    sides = np.concatenate(
        [
            np.column_stack([y[other] - y[i], h[other] - h[i]]),
            np.column_stack([np.eye(3), np.full(3, -0.5)]),
            np.column_stack([-np.eye(3), np.full(3, -0.5)]),
        ]
    )
    # A point well inside: Chebyshev's centre.
    norms = np.linalg.norm(sides[:, :3], axis=1)
    found = linprog([0, 0, 0, -1], A_ub=np.column_stack([sides[:, :3], norms]), b_ub=-sides[:, 3], bounds=(None, None))
    return ConvexHull(HalfspaceIntersection(sides, found.x[:3]).intersections).volume


@needs_sdot
def test_quantiles_on_a_line():
    random = np.random.default_rng(3)
    y, nu = np.sort(random.standard_normal(100)), random.random(100) + 0.1
    found = solve(np.column_stack([y, np.zeros(100), np.zeros(100)]), nu)
    assert -np.diff(found.heights) / np.diff(y) == pytest.approx(np.cumsum(nu / nu.sum())[:-1] - 0.5, abs=1e-9)


@needs_sdot
def test_duplicates_warm_start_and_files(tmp_path):
    y = np.random.default_rng(4).standard_normal((40, 3))
    found = solve(np.concatenate([y, y[:5]]))
    assert found.masses()[[0, 40]] == pytest.approx([1 / 45, 1 / 45], rel=1e-8)
    again = solve(found.target, start=found)
    assert again.info["steps"] <= 1
    assert again.heights == pytest.approx(found.heights, abs=1e-9)
    found.save(tmp_path / "map.npz")
    assert load(tmp_path / "map.npz").certificate() == found.certificate()


@needs_sdot
def test_a_missed_tolerance_is_said():
    found = solve(np.random.default_rng(5).standard_normal((60, 3)), tolerance=1e-30)
    assert found.info["reason"] in ("rounding", "steps")
    assert found.certificate()["map_tolerance_met"] == 0


@needs_sdot
def test_one_point_in_space():
    found = solve([[1.0, 2, 3]])
    assert found.certificate()["map_max_cell_error"] == 0
    assert found.wasserstein() ** 2 == pytest.approx(14 + 0.25)


def test_exact_without_sdot_names_the_package(monkeypatch):
    monkeypatch.setattr(cells3d, "available", lambda: False)
    y = np.random.default_rng(6).standard_normal((20, 3))
    with pytest.raises(OtbenchError, match="the package sdot"):
        solve(y, method="exact")
    with pytest.raises(OtbenchError, match="plane, or on a box of space"):
        solve(y, source=ball(3), method="exact")


def test_without_sdot_space_is_stochastic(monkeypatch):
    monkeypatch.setattr(cells3d, "available", lambda: False)
    found = solve(np.random.default_rng(6).standard_normal((20, 3)), tolerance=0.1)
    assert found.info["method"] == "stochastic"
    assert found.certificate(points=50_000)["map_exact"] == 0
