"""The study of a latent plane: distances and triples whose answers are known, and a small run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.geometry import pullback
from otbench.theory import compute
from otbench.theory.latent_geometry import distances as far
from otbench.theory.latent_geometry import paths as near
from otbench.theory.latent_geometry.vae import Recipe, Vae, train

TINY = {
    "seeds": 2,
    "train": 60,
    "test": 20,
    "hidden": 6,
    "epochs": 2,
    "centres": 4,
    "precision_steps": 5,
    "resolution": 10,
    "neighbours": 12,
    "map": 8,
    "pairs": 1,
    "tolerance": 0.1,
    "nodes": 30,
    "iterations": 5,
    "neighbour_counts": [1, 3],
}


@pytest.fixture
def images() -> DataSet:
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 256, size=(3, 1, 5, 5))
    labels = {"train": np.arange(80) % 3, "test": np.arange(30) % 3}
    made = {split: patterns[of] // 2 + generator.integers(0, 120, (len(of), 1, 5, 5)) for split, of in labels.items()}
    made = {split: of.astype(np.uint8) for split, of in made.items()}
    return DataSet("toys", made["train"], made["test"], labels=labels, classes=("0", "1", "2"), title="toys")


def plane(codes: np.ndarray, held: np.ndarray) -> SimpleNamespace:
    """A decoder that is an isometry up to the factor 2, in place of a trained one."""
    return SimpleNamespace(codes=codes, test_codes=held, images=lambda z: 2 * z @ np.eye(2, 5))


def test_under_an_isometry_all_distances_agree():
    generator = np.random.default_rng(1)
    trained = plane(generator.uniform(size=(40, 2)), generator.uniform(size=(12, 2)))
    twice = lambda z: pullback(lambda p: 2 * p, z)
    joined = far.graphs(trained, {"deterministic": twice}, 30, 24)
    found = far.distances(trained, joined, trained.codes, trained.test_codes)
    np.testing.assert_allclose(found["decoded"], 2 * found["latent"], atol=1e-12)
    apart = found["latent"] > 0
    ratio = found["deterministic"][apart] / (2 * found["latent"][apart])
    assert ratio.min() > 1 - 1e-9 and ratio.max() < 1.04


def test_a_triple_is_right_where_the_two_of_one_class_are_nearer():
    labels = np.array([0, 0, 1])
    # A = 0 and B = 1 are 3 apart; C is 2 from A and 4 from B
    between = np.array([[0.0, 3.0, 2.0], [3.0, 0.0, 4.0], [2.0, 4.0, 0.0]])
    np.testing.assert_array_equal(far.pairs_of(labels, 0), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(far.right(between, labels, 0, 1), [[True], [False]])
    assert far.right_over_classes(between, labels) == 0.5
    others = {name: np.where(labels[:, None] == labels, 0.5, 1.0) for name in far.DISTANCES}
    assert far.example(others | {"latent": between, "decoded": between}, labels, (0, 1)) == (1, 0, 2)
    assert far.example(others, labels, (0, 1)) is None
    with pytest.raises(OtbenchError, match="fewer than two"):
        far.right(between, labels, 1, 0)


def test_neighbours_by_a_matrix_of_distances():
    to_train = np.array([[0.1, 0.2, 0.9], [0.9, 0.8, 0.1]])
    assert far.accuracy(to_train, np.array([0, 0, 1]), np.array([0, 1]), 1) == 1.0
    assert far.accuracy(to_train, np.array([0, 0, 1]), np.array([0, 1]), 3) == 0.5


def test_paths_on_a_plane_are_straight_in_every_way():
    generator = np.random.default_rng(2)
    trained = plane(generator.uniform(size=(30, 2)), generator.uniform(size=(10, 2)))
    metrics = {"deterministic": lambda z: pullback(lambda p: 2 * p, z)}
    pairs = near.chosen(np.arange(10) % 2, trained.test_codes, 3, generator)
    assert pairs.shape == (3, 2)
    solved = near.paths(trained, metrics, far.graphs(trained, metrics, 12, 24), pairs, near.Solvers(1e-3, 200, 200))
    known = 2 * np.linalg.norm(np.diff(trained.test_codes[pairs], axis=1)[:, 0], axis=1)
    for way in ("straight", "energy", "bvp", "bvp_straight"):
        np.testing.assert_allclose(solved.lengths[way], known, rtol=1e-6)
    assert (solved.lengths["graph"] >= known * (1 - 1e-9)).all()
    assert (solved.lengths["speed"] < 1e-6).all()
    np.testing.assert_allclose(solved.curves["deterministic"], solved.curves["straight"], atol=1e-5)
    assert near.emptiness(trained.codes[None], trained.codes) == 0


def test_the_loss_is_the_evidence_bound():
    """Against the densities of torch.distributions, up to the constant of the normal law."""
    from torch.distributions import Normal, kl_divergence

    vae = Vae(7, 5, 0.1, torch.Generator().manual_seed(0)).double()
    draws = torch.Generator().manual_seed(1)
    x, noise = torch.rand(4, 7, generator=draws).double(), torch.randn(4, 2, generator=draws).double()
    mean, log_variance = vae.encode(x)
    code = Normal(mean, (log_variance / 2).exp())
    z = mean + noise * code.scale
    law = Normal(vae.mean(z), (vae.log_variance(z) / 2).exp())
    prior = Normal(torch.zeros(2).double(), torch.ones(2).double())
    known = -law.log_prob(x).sum(1) - 7 / 2 * np.log(2 * np.pi) + 0.3 * kl_divergence(code, prior).sum(1)
    torch.testing.assert_close(vae.loss(x, noise, 0.3), known.mean())
    assert (law.scale > 0.1).all()


def test_training_brings_the_images_back():
    generator = np.random.default_rng(3)
    way = generator.uniform(size=(200, 1))
    images = np.concatenate([way, 1 - way, np.full((200, 1), 0.3)], 1)
    trained = train(images[:150], images[150:], Recipe(16, 80, 16, 0.1, 8, 20), 0, "cpu")
    assert trained.reconstruction < 0.2 * images.var(axis=0).mean()


def test_a_small_run_is_complete_and_the_same_again(images):
    first, again = (compute("latent-geometry", TINY, images, seed=3) for _ in range(2))
    assert first.facts.keys() == again.facts.keys()
    np.testing.assert_equal(first.facts, again.facts)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    assert len(first.tables["distances"]) == 2 * len(far.DISTANCES) and len(first.tables["paths"]) == 2
    lengths = first.tables["paths"]
    assert (lengths["energy"] <= lengths["straight"] * 1.001).all()
    assert first.facts["triples"] == 2 * 7 * 6 * 7
    assert first.facts["straight_over_geodesic_stochastic"] >= 0.999


def test_errors(images):
    with pytest.raises(OtbenchError, match="needs a data set"):
        compute("latent-geometry", TINY)
    with pytest.raises(OtbenchError, match="has no class '7', it has 0, 1, 2"):
        compute("latent-geometry", TINY | {"classes": ["0", "7"]}, images)
    with pytest.raises(OtbenchError, match="two different"):
        compute("latent-geometry", TINY | {"classes": ["1", "1"]}, images)
    with pytest.raises(OtbenchError, match="neighbour_counts must be 1 to 60"):
        compute("latent-geometry", TINY | {"neighbour_counts": [61]}, images)
    bare = DataSet("bare", images.train, images.test)
    with pytest.raises(OtbenchError, match="bare has no labels"):
        compute("latent-geometry", TINY, bare)
    with pytest.raises(OtbenchError, match="option 'seeds'"):
        compute("latent-geometry", {"seeds": 0}, images)
