"""Transport in space against what is known: an affine map, volumes, the area of a disk, and straight paths."""

import numpy as np
import pytest

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.folding import interpolated, solids
from otbench.theory.folding.ridge import ridge
from otbench.theory.shared.quantise import quantise, uniform_in
from otbench.transport import TransportMap, ball, solve

TINY = {"solids": ["torus", "ellipsoid"], "points": 60, "samples": 4000, "particles": 40, "tolerance": 0.3}


def test_the_ellipsoid_is_reached_at_the_known_distance():
    target = solids.solid("ellipsoid", 400, np.random.default_rng(0))
    found = solve(target.points, target.weights, "ball", 0.05)
    closed = np.sqrt(((1 - solids.AXES) ** 2).sum() / 5 + (solids.SHIFT**2).sum())
    assert abs(found.wasserstein(200_000) - closed) < target.error / 2


def test_a_translated_and_scaled_ball_is_reached_at_the_known_distance():
    random = np.random.default_rng(0)
    dense = ball(3).sample(16_000, random) * 0.5 + np.array([1.0, 0, 0])
    target = quantise(dense, 400, solids.VOLUME / 8)
    found = solve(target.points, target.weights, "ball", 0.05)
    assert found.wasserstein(200_000) == pytest.approx(np.sqrt(1 + 0.25 * 3 / 5), abs=target.error / 4)


def test_volumes_of_solids():
    """The torus 2 pi^2 R r^2, the ellipsoid as the ball; three arms have three planes of symmetry."""
    random = np.random.default_rng(0)
    reach = np.full(3, 3.3)
    _, size = uniform_in(lambda x: solids.implicit("torus", x) < 0, -reach, reach, 40_000, random)
    assert size == pytest.approx(2 * np.pi**2 * solids.RING, rel=0.02)
    _, size = uniform_in(lambda x: solids.implicit("ellipsoid", x) < 0, -reach, reach, 40_000, random)
    assert size == pytest.approx(solids.VOLUME, rel=0.02)
    x = random.normal(size=(100, 3))
    turn = 2 * np.pi / 3
    turned = np.stack([x[:, 0] * np.cos(turn) - x[:, 2] * np.sin(turn), x[:, 1],
                       x[:, 0] * np.sin(turn) + x[:, 2] * np.cos(turn)], axis=1)  # fmt: skip
    assert solids.implicit("star", turned) == pytest.approx(solids.implicit("star", x))


def test_quantised_points_keep_mass_and_mean_and_state_their_distance():
    dense = np.random.default_rng(0).random((4000, 3))
    found = quantise(dense, 50, 1.0)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights @ found.points == pytest.approx(dense.mean(0), abs=0.01)
    # 50 cubes instead of Voronoi cells would give sqrt(3 / 12) of their side.
    assert 0.8 < found.error / (0.5 * 50 ** (-1 / 3)) < 1.0
    assert found.spacing == pytest.approx(50 ** (-1 / 3))


def test_the_ridge_between_two_points_is_a_disk():
    """Two points of equal height cut the ball in its middle: one facet of area pi, all of it on the plane."""
    two = np.array([[-1.0, 0, 0], [1, 0, 0]])
    found = ridge(TransportMap(two, np.zeros(2), np.full(2, 0.5), ball(3)), 1.0, solids.VOLUME, 0.02, 300_000, 0)
    assert (found.pairs, found.facets) == (1, 1)
    assert found.area == pytest.approx(np.pi, rel=0.03)
    assert np.abs(found.points[:, 0]).max() < 1e-12
    assert np.linalg.norm(found.points, axis=1).max() <= 1
    assert found.jumps_of_pairs == pytest.approx([2])
    assert found.touching == 1
    none = ridge(TransportMap(two, np.zeros(2), np.full(2, 0.5), ball(3)), 2.5, solids.VOLUME, 0.02, 1000, 0)
    assert (none.pairs, none.area, none.touching) == (0, 0, 0)


def test_w2_grows_with_time_along_an_optimal_map_and_less_along_another():
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(60, 3)), random.random(60) + 0.5
    rows = interpolated("ball", x, x @ np.diag([2.0, 0.5, 1]) + 1, weights, (0.0, 0.3, 1.0))
    for row in rows:
        assert row["w2"] == pytest.approx(row["straight"], rel=1e-9, abs=1e-7)
        assert row["stretch"] >= row["bound"] - 1e-12
    turned = interpolated("ball", x, -x, weights, (1.0,))[0]
    assert turned["w2"] < 0.8 * turned["straight"]
    assert interpolated("ball", x, -x, weights, (0.5,))[0]["stretch"] < 1e-9


def test_meshes_are_read_and_checked(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("rtree")
    shape = trimesh.creation.icosphere(subdivisions=1)
    shape.export(tmp_path / "ball.stl")
    found = solids.solid("mesh", 50, np.random.default_rng(0), str(tmp_path / "ball.stl"))
    # As large as the ball, so its points' second moment is close to the ball's.
    assert found.weights @ (found.points**2).sum(1) == pytest.approx(3 / 5 - found.error**2, rel=0.1)
    inside, _, _ = solids.mesh_inside(str(tmp_path / "ball.stl"))
    assert inside(np.array([[0.0, 0, 0], [0.99, 0.99, 0.99]])).tolist() == [True, False]
    trimesh.Trimesh(shape.vertices, shape.faces[1:]).export(tmp_path / "open.stl")
    with pytest.raises(OtbenchError, match="not watertight"):
        solids.mesh_inside(str(tmp_path / "open.stl"))
    with pytest.raises(OtbenchError, match="no file"):
        solids.mesh_inside(str(tmp_path / "none.stl"))
    (tmp_path / "text.xyzzy").write_text("no mesh")
    with pytest.raises(OtbenchError, match="no mesh"):
        solids.mesh_inside(str(tmp_path / "text.xyzzy"))


def test_a_mesh_without_trimesh_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    with pytest.raises(OtbenchError, match="trimesh and rtree"):
        solids.mesh_inside("solid.stl")


def test_a_tiny_run_is_complete_and_reproducible():
    first, second = (compute("folding", TINY, seed=3) for _ in range(2))
    assert first.facts == second.facts
    assert all(np.array_equal(first.arrays[key], second.arrays[key]) for key in first.arrays)
    assert first.facts["geodesic_error"] < 1e-9
    assert first.facts["stretch_holds"]
    assert len(first.tables["geodesic"]) == 2 * 5
    assert first.facts["ellipsoid_singular"] == 0


@pytest.mark.parametrize("wrong", [{"solids": []}, {"times": [0, 2]}, {"points": 3}, {"solids": ["cube"]}, {"hue": 1}])
def test_wrong_options_are_told(wrong):
    with pytest.raises(OtbenchError, match="folding"):
        configure("folding", wrong)
