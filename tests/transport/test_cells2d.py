"""Laguerre cells in the plane against cells known by hand and against cutting planes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otbench.errors import OtbenchError
from otbench.transport.cells2d import cut_cell, laguerre

SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
HEXAGON = np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1)


def area_of(corners):
    following = np.roll(corners, -1, axis=0)
    return 0.5 * float((corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum())


def test_two_points_split_by_a_vertical_line():
    # u = max(0, x - 0.2): the line x = 0.2.
    cells = laguerre(np.array([[0.0, 0], [1, 0]]), np.array([0, -0.2]), SQUARE)
    assert cells.areas == pytest.approx([0.7, 0.3], abs=1e-14)
    assert cells.centroids == pytest.approx(np.array([[-0.15, 0], [0.35, 0]]), abs=1e-14)
    assert cells.pairs.tolist() == [[0, 1]]
    assert cells.lengths == pytest.approx([1.0])
    # Integrals of x^2, x y and y^2 over [-0.5, 0.2] x [-0.5, 0.5].
    assert cells.second[0] == pytest.approx([(0.2**3 + 0.5**3) / 3, 0, 0.7 / 12], abs=1e-14)


def test_three_points_by_hand():
    # Planes x, y and 0: the cell of 0 is the lower left quarter, the others meet on the diagonal.
    cells = laguerre(np.array([[1.0, 0], [0, 1], [0, 0]]), np.zeros(3), SQUARE)
    assert cells.areas == pytest.approx([0.375, 0.375, 0.25], abs=1e-14)
    found = {tuple(pair): length for pair, length in zip(cells.pairs.tolist(), cells.lengths, strict=True)}
    assert found == pytest.approx({(0, 1): np.sqrt(0.5), (0, 2): 0.5, (1, 2): 0.5})
    corner = cells.polygons()[2]
    assert sorted(map(tuple, np.round(corner, 12).tolist())) == [(-0.5, -0.5), (-0.5, 0.0), (0.0, -0.5), (0.0, 0.0)]


def test_four_corners_give_four_quarters():
    cells = laguerre(np.array([[1.0, 1], [-1, 1], [-1, -1], [1, -1]]), np.zeros(4), SQUARE)
    assert cells.areas == pytest.approx(np.full(4, 0.25), abs=1e-14)
    assert np.abs(cells.centroids) == pytest.approx(np.full((4, 2), 0.25), abs=1e-14)


def test_one_point_owns_everything():
    cells = laguerre(np.array([[3.0, 4]]), np.array([7.0]), HEXAGON)
    assert cells.areas == pytest.approx([1.5 * np.sqrt(3)])
    assert len(cells.pairs) == 0


def test_a_low_plane_has_an_empty_cell():
    cells = laguerre(np.array([[-1.0, 0], [0, 0], [1, 0]]), np.array([0, -1.0, 0]), SQUARE)
    assert cells.areas == pytest.approx([0.5, 0, 0.5], abs=1e-14)
    assert np.isnan(cells.centroids[1]).all()
    assert len(cells.polygons()[1]) == 0


def test_equal_points_belong_to_the_first():
    y = np.array([[0.0, 0], [1, 0], [0, 0]])
    cells = laguerre(y, np.array([0, -0.2, 0]), SQUARE)
    assert cells.areas[0] + cells.areas[2] == pytest.approx(0.7)
    assert cells.areas[1] == pytest.approx(0.3)


def layouts():
    random = np.random.default_rng(5)
    plane = np.stack(np.meshgrid(np.arange(6.0), np.arange(7.0)), axis=-1).reshape(-1, 2)
    angle = np.arange(40) * 2 * np.pi / 40
    return {
        "random": random.random((60, 2)),
        "grid": plane,
        "line": np.outer(np.linspace(-1, 1, 30), [1, 2]),
        "circle": np.stack([np.cos(angle), np.sin(angle)], axis=1),
        "clusters": random.integers(2, size=(60, 2)) + 1e-3 * random.standard_normal((60, 2)),
        "far": random.random((60, 2)) + 1000,
    }


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("bend", [0.0, 0.3, 2.0])
def test_cells_agree_with_cutting_planes(name, bend):
    """The hull's cells against cells cut one by one without a hull; heights that make hulls flat, cocircular and
    plain.
    """
    y = layouts()[name]
    y = y - y.mean(0) if name == "far" else y
    h = -bend * (y**2).sum(1) / 2 + (0 if bend != 2.0 else 0.01 * np.random.default_rng(1).standard_normal(len(y)))
    cells = laguerre(y, h, HEXAGON)
    by_hand = [cut_cell(i, y, h, HEXAGON)[0] for i in range(len(y))]
    assert cells.areas.sum() == pytest.approx(1.5 * np.sqrt(3), rel=1e-12)
    assert cells.areas == pytest.approx([area_of(c) if len(c) else 0.0 for c in by_hand], abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=12, unique=True),
    st.lists(st.integers(-4, 4), min_size=12, max_size=12),
)
def test_cells_of_lattice_points_with_lattice_heights(points, heights):
    """Every kind of degeneracy at once: cocircular, collinear, hidden and touching cells."""
    y, h = np.array(points, float), np.array(heights[: len(points)], float) / 4
    cells = laguerre(y, h, SQUARE)
    by_hand = [cut_cell(i, y, h, SQUARE)[0] for i in range(len(y))]
    assert cells.areas == pytest.approx([area_of(c) if len(c) else 0.0 for c in by_hand], abs=1e-10)


def test_moments_are_those_of_the_square():
    random = np.random.default_rng(0)
    corner = SQUARE + [3, -2]
    cells = laguerre(random.random((50, 2)), random.random(50) * 0.05, corner)
    assert cells.areas.sum() == pytest.approx(1, abs=1e-12)
    assert cells.first.sum(0) == pytest.approx([3, -2], abs=1e-12)
    assert cells.second.sum(0) == pytest.approx([9 + 1 / 12, -6, 4 + 1 / 12], abs=1e-11)


def test_nan_is_refused():
    with pytest.raises(OtbenchError, match="finite"):
        laguerre(np.array([[0, np.nan]]), np.zeros(1), SQUARE)
