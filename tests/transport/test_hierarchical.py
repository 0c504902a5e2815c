"""Transport to clusters' centres, then within their cells: every target its mass, at a cost above the optimal one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.transport import solve
from otbench.transport.hierarchical import WithinCells, clustered, solve_hierarchical
from otbench.transport.sources import named

CUBE = named("cube", 3)
Y = np.random.default_rng(1).standard_normal((120, 3)) + 3 * np.random.default_rng(2).integers(0, 2, (120, 1))


@pytest.fixture(scope="module")
def whole():
    return solve_hierarchical(Y, CUBE, 8, tolerance=0.1, seed=0, device="cpu")


def test_every_target_gets_its_mass_and_the_cost_is_above_the_optimal_one(whole):
    told = whole.certificate
    best = solve(Y, source=CUBE, tolerance=0.05, method="stochastic").certificate()
    assert told["map_mean_cell_error"] <= 0.1 == told["map_tolerance"] and told["map_tolerance_met"] == 1
    assert told["map_empty_cells"] == 0 and told["map_clusters"] == 8
    assert 1.0005 * best["map_cost"] < told["map_cost"] < 1.2 * best["map_cost"]


def test_points_go_to_the_best_target_of_their_own_cluster():
    hierarchy = clustered(Y, CUBE, 5, 0.05, 0, "cpu")
    draws = WithinCells(Y, CUBE, "cpu", 0, hierarchy)
    h = torch.linspace(-0.2, 0.2, len(Y), dtype=torch.float64)
    x = CUBE.sample(500, np.random.default_rng(3))
    sent = draws.sent(torch.as_tensor(x - CUBE.mean, dtype=torch.float32), h).numpy()
    first = hierarchy.first
    cluster = (x @ first.target.T + first.heights).argmax(1)
    for point, k, found in zip(x, cluster, sent, strict=True):
        rows = hierarchy.members[k]
        assert found == rows[(point @ (Y[rows] - Y.mean(0)).T + h.numpy()[rows]).argmax()]
    assert np.sort(np.concatenate(hierarchy.members)).tolist() == list(range(len(Y)))
    for k, rows in enumerate(hierarchy.members):
        assert first.target[k] == pytest.approx(Y[rows].mean(0)) and first.weights[k] == pytest.approx(len(rows) / 120)


def test_one_cluster_is_transport_itself():
    found = solve_hierarchical(Y, CUBE, 1, tolerance=0.1, seed=0, device="cpu")
    best = solve(Y, source=CUBE, tolerance=0.05, method="stochastic")
    assert found.certificate["map_cost"] == pytest.approx(best.certificate()["map_cost"], rel=0.01)
    assert found.heights == pytest.approx(best.heights - best.heights.mean(), abs=0.06)
    assert found.centroids == pytest.approx(best.centroids(200_000), abs=0.06)


def test_no_more_clusters_than_targets():
    with pytest.raises(OtbenchError, match="expected 1 to 120 clusters"):
        solve_hierarchical(Y, CUBE, 121)
