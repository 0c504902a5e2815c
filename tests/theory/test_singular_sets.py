"""Singular sets against what is known: the middle line, the linear map, Euler's formula, bounds that are attained."""

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.singular_sets import networks, targets
from otbench.transport import box, solve

TINY = {"points": 60, "counts": [60], "widths": [4], "depths": [1], "seeds": 2, "steps": 5, "samples": 200}


def case(name, source="disk", n=100):
    return targets.solved(name, targets.source_of(source), n, 0.3, np.random.default_rng(0))


@pytest.mark.parametrize("source", ["disk", "square"])
def test_two_mirrored_clusters_jump_across_the_middle_line(source):
    found = case("clusters", source)
    assert found.lengths[found.singular].sum() == pytest.approx(2, abs=1e-9)
    assert np.abs(found.ridge[..., 0]).max() < 1e-9
    assert found.modes == 2
    assert found.rule_length == pytest.approx(2, abs=1e-9)


def test_a_convex_target_has_no_singular_facet_and_its_map_is_linear():
    found = case("ellipse", n=200)
    assert not found.singular.any()
    closed = sum((1 - a) ** 2 for a in targets.AXES) / 4
    # Cells of the target as round as hexagons: W2^2 grows by (sum of 1 / a - 1) error^2 through the sampling.
    expected = (sum(1 / a for a in targets.AXES) - 1) * found.target.error**2
    assert found.transport.wasserstein() ** 2 - closed == pytest.approx(expected, rel=0.1)
    away = found.transport.centroids() * np.array(targets.AXES) - found.transport.target
    assert np.sqrt((away**2).sum(1).mean()) < found.target.spacing / 4


def test_a_ring_jumps_at_its_middle_and_a_dumbbell_in_two_pieces():
    ring, dumbbell = case("annulus", n=300), case("dumbbell", n=300)
    assert ring.singular.any()
    assert np.linalg.norm(ring.ridge, axis=-1).max() < 0.2
    assert dumbbell.singular.any()
    assert (np.abs(dumbbell.ridge[..., 1]).max(1) > 0.4).all()
    assert targets.outside_share(dumbbell) > 0.7


@pytest.mark.parametrize("name", targets.TARGETS)
@pytest.mark.parametrize("source", ["disk", "square"])
def test_eulers_formula_on_the_power_diagram(name, source):
    found = case(name, source)
    vertices, edges, faces = targets.counts(found.transport)
    assert vertices - edges + faces == 1
    assert faces == len(found.target.points)
    sides = len(found.transport.source.polygon)
    assert edges >= len(found.pairs) + sides


def test_counts_where_four_cells_meet():
    grid = np.array([(i, j) for i in (-1.0, 0, 1) for j in (-1.0, 0, 1)])
    assert targets.counts(solve(grid, source=box([-1, -1], [1, 1]))) == (16, 24, 9)


def test_distance_to_segments():
    facets = np.array([[[0.0, 0], [1, 0]]])
    x = np.array([[0.5, 2.0], [-3, 4], [2, 0], [0.2, 0]])
    assert targets.distance_to(facets, x) == pytest.approx([2, 5, 1, 0])
    assert np.isinf(targets.distance_to(facets[:0], x)).all()


def test_the_bound_of_the_hole_is_attained_by_a_dilation():
    """x -> L x of the unit disk sends r^2 / L^2 of it into the disk of radius r."""
    assert networks.hole_bound(0.4, 3.0, 1, np.pi) == pytest.approx(0.4**2 / 9)
    assert networks.hole_bound(0.4, 3.0, 0, np.pi) == 0


def test_the_bound_of_the_strip_holds_for_a_dilation():
    """x -> L x of the square of side 2 sends a / L of it into the strip |x_1| < a; the bound has the same order."""
    for stretch in (1.0, 5, 50):
        share = 0.3 / stretch
        least = networks.gap_bound(0.3, stretch, ((1 - share) / 2,) * 2, 2 * np.sqrt(2))
        assert share / 4 < least <= share


def linear(matrix):
    """A network of one hidden layer that is x -> matrix x: relu(z) - relu(-z) = z."""
    first = torch.tensor(np.hstack([np.eye(2), -np.eye(2)]), dtype=torch.float32)[None]
    second = torch.tensor(np.vstack([matrix.T, -matrix.T]), dtype=torch.float32)[None]
    return [(first, torch.zeros(1, 1, 4)), (second, torch.zeros(1, 1, 2))]


def test_what_a_linear_network_does_is_measured():
    found = case("annulus")
    x = found.transport.source.sample(20_000, np.random.default_rng(1))
    numbers = networks.judge(found, linear(np.diag([2.0, 1.0])), x, 0.05)[0].numbers
    assert numbers["lipschitz"] == pytest.approx(2, rel=1e-5)
    assert numbers["product"] >= 2
    assert numbers["winds"] == 1
    # The preimage of the disk of radius 0.45 is an ellipse of half its area.
    assert numbers["gap"] == pytest.approx(0.45**2 / 2, rel=0.06)
    assert numbers["proven"] <= numbers["least"] <= numbers["gap"]
    mirrored = networks.judge(found, linear(np.diag([-1.0, 1.0])), x, 0.05)[0].numbers
    assert mirrored["winds"] == -1


def test_a_network_learns_and_never_leaves_the_gap_empty():
    found = case("clusters")
    x = found.transport.source.sample(4000, np.random.default_rng(1))
    layers = networks.train(found, 16, 1, [0, 1], networks.Schedule(200, 128, 0.02))
    for one in networks.judge(found, layers, x, 0.05):
        assert one.numbers["error"] < 0.1
        assert one.numbers["gap"] >= one.numbers["proven"] > 0
        assert one.numbers["near"] < one.numbers["anywhere"] / 2


def test_a_tiny_run_is_complete_and_reproducible():
    first, second = (compute("singular-sets", TINY, seed=3) for _ in range(2))
    assert first.facts == second.facts
    assert all(np.array_equal(first.arrays[key], second.arrays[key], equal_nan=True) for key in first.arrays)
    assert first.facts["euler_holds"]
    assert first.facts["clusters_length"] == pytest.approx(2)
    assert len(first.tables["each"]) == 4
    assert compute("singular-sets", TINY, seed=4).facts != first.facts


@pytest.mark.parametrize(
    "wrong", [{"counts": [5]}, {"widths": [0]}, {"source": "ball"}, {"tolerance": 0.5}, {"hue": 1}]
)
def test_wrong_options_are_told(wrong):
    with pytest.raises(OtbenchError, match="singular-sets"):
        configure("singular-sets", wrong)
