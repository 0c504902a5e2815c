"""Polar factorisation: a linear map's factors in closed form, and generators that start at the identity."""

import numpy as np
import pytest

from otbench.theory import compute
from otbench.theory.polar_factorisation import matrix
from otbench.theory.polar_factorisation.factors import disk, factors, nearest_orthogonal, polar, spread_out

TINY = {"points": 60, "real": 40, "seeds": 1, "steps": 2, "width": 8, "batch": 16}
Z = spread_out(500)


def test_points_of_the_disk_stand_for_equal_areas():
    radius = np.linalg.norm(Z, axis=1)
    assert disk().second_moment == pytest.approx(0.5, abs=1e-3)
    assert (Z.T @ Z / len(Z)) == pytest.approx(np.eye(2) / 4, abs=2e-3)
    assert np.mean(radius < 0.5) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_linear_map_has_the_factors_of_its_polar_decomposition(mirror):
    a = matrix() @ (np.diag([1.0, -1.0]) if mirror else np.eye(2))
    stretch, turn = polar(a)
    values, vectors = np.linalg.eigh(a @ a.T)
    assert stretch == pytest.approx(vectors @ np.diag(np.sqrt(values)) @ vectors.T)
    assert stretch @ turn == pytest.approx(a)
    found = factors(Z, Z @ a.T)
    numbers = found.numbers()
    assert np.sqrt(((found.rearranged - Z @ turn.T) ** 2).sum(1).mean()) < 0.03, "half a cell's width is 0.04"
    gap = stretch - np.eye(2)
    assert numbers["least"] == pytest.approx(np.trace(gap @ gap) / 4, rel=0.01)
    assert numbers["moved"] == pytest.approx(((a - np.eye(2)) ** 2).sum() / 4, rel=0.01)
    assert bool(numbers["mirrored"]) is mirror and numbers["left_over"] < 2e-3
    # E|Uz - z|^2 / 2 E|z|^2 = 1 - tr U / 2
    assert numbers["rearrangement"] == pytest.approx(1 - np.trace(turn) / 2, abs=0.01)
    assert numbers["reversed"] < 0.02 and numbers["folded"] == 0 and numbers["torn"] == 0


def test_an_optimal_map_is_all_transport_and_a_shuffled_one_is_not():
    image = Z + 0.5 * Z * (Z**2).sum(1, keepdims=True)  # the gradient of |z|^2 / 2 + |z|^4 / 8
    numbers = factors(Z, image).numbers()
    assert numbers["rearrangement"] < 2e-3 and numbers["alignment"] == pytest.approx(1, abs=5e-3)
    assert numbers["excess"] == pytest.approx(0, abs=5e-3)
    shuffled = factors(Z, image[np.random.default_rng(0).permutation(len(Z))]).numbers()
    assert shuffled["rearrangement"] == pytest.approx(1, abs=0.15) and shuffled["torn"] > 0.5
    assert shuffled["least"] == pytest.approx(numbers["least"], abs=1e-6), "the law is the same"


def test_a_fold_is_seen():
    image = np.stack([np.abs(Z[:, 0]), Z[:, 1]], 1)
    assert factors(Z, image + 1e-3 * Z).numbers()["folded"] == pytest.approx(0.5, abs=0.05)


def test_the_best_rotation_is_found():
    cosine, sine = np.cos(1.0), np.sin(1.0)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    found, mirrored = nearest_orthogonal(Z, 0.7 * Z @ turn.T)
    assert found == pytest.approx(turn) and not mirrored


def test_a_generator_that_starts_at_the_identity_rearranges_nothing():
    found = compute("polar-factorisation", TINY)
    rows = found.tables["each"].set_index(["way", "start", "step"])
    for way in ("gan", "wgan-gp"):
        assert rows.loc[(way, "identity", 0), "moved"] < 1e-12
        assert rows.loc[(way, "identity", 0), "rearrangement"] < 0.01 < rows.loc[(way, "fresh", 0), "rearrangement"]
        assert not rows.loc[(way, "identity", 2)].equals(rows.loc[(way, "identity", 0)])
    assert len(found.tables["factors"]) == 8 and found.arrays["gan/fresh/image"].shape == (60, 2)
