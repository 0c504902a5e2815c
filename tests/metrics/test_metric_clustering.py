"""Clusterings side by side against scikit-learn's, known clusters, degenerate rows, and on a GPU where one is."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_digits

from otbench.metrics import clustering, prd

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=GPU)])
def device(request):
    return request.param


def clustered(rows: np.ndarray, clusters: int = 20, seed: int = 0, device: str = "cpu", runs: int = 10):
    return clustering.cluster(torch.tensor(rows, device=device), clusters, runs, 10, 100, 50, seed)


def inertias(rows: np.ndarray, found: clustering.Clusterings) -> np.ndarray:
    return np.array([(cdist(rows, one).min(axis=1) ** 2).sum() for one in found.centres.cpu().numpy()])


def corners(n: int, counts: list[int], seed: int) -> np.ndarray:
    places = 100 * np.array([[0, 0], [0, 1], [1, 0], [1, 1], [3, 3]])
    return np.repeat(places, counts, axis=0) + np.random.default_rng(seed).normal(size=(n, 2))


def test_inertia_is_that_of_scikit_learn(device):
    rows = load_digits().data / 16
    rows = rows - rows.mean(axis=0)
    theirs = [
        MiniBatchKMeans(20, n_init=10, batch_size=100, random_state=seed).fit(rows).inertia_ for seed in range(10)
    ]
    ours = inertias(rows, clustered(rows, device=device))
    assert ours.mean() == pytest.approx(np.mean(theirs), rel=0.02)
    assert ours.std() < 2.5 * np.std(theirs)
    # and far below that of seeds which are any rows
    any_rows = np.random.default_rng(0).permutation(len(rows))[:20]
    assert ours.max() < 0.85 * (cdist(rows, rows[any_rows]).min(axis=1) ** 2).sum()


def test_separated_clusters_are_found_exactly(device):
    sides = corners(500, [100] * 5, 0), corners(500, [20, 180, 50, 150, 100], 1)
    for p, q in zip(*prd.histograms(*sides, 0, clusters=5, device=device), strict=True):
        assert p.tolist() == [0.2] * 5
        assert sorted(q) == [0.04, 0.1, 0.2, 0.3, 0.36]


def test_centres_without_rows_are_put_elsewhere(device):
    """60 rows of weight and thousands on one spot: most centres start out with next to nothing."""
    rows = np.concatenate([np.zeros((3000, 2)), 5 + np.random.default_rng(0).normal(size=(60, 2))])
    theirs = [
        MiniBatchKMeans(20, n_init=10, batch_size=100, random_state=seed).fit(rows).inertia_ for seed in range(10)
    ]
    ours = inertias(rows, clustered(rows, device=device))
    assert ours.mean() < 1.1 * np.mean(theirs)


def test_a_centre_with_next_to_nothing_takes_a_row_and_the_least_weight_of_the_others():
    sums = torch.tensor([[100.0], [40.0], [0.5], [8.0]])
    found = clustering.Clusterings(sums.double(), torch.tensor([200.0, 40.0, 1.0, 8.0]).double(), 1)
    found.reassign(torch.tensor([[5.0], [6.0], [7.0], [9.0]]).double())
    assert found.counts.tolist() == [200, 40, 8, 8]
    assert found.centres.flatten().tolist() == [0.5, 1, 7, 1]


def test_a_centre_is_the_mean_of_its_rows():
    found = clustering.Clusterings(torch.tensor([[0.0], [10.0], [0.0], [4.0]]).double(), torch.ones(4).double(), 2)
    found.update(torch.tensor([[3.0], [1.0], [8.0]]).double())
    assert found.counts.tolist() == [3, 2, 2, 3]
    assert found.centres.flatten().tolist() == pytest.approx([4 / 3, 9, 0.5, 5])


def test_equal_centres_are_one_cluster_and_blocks_change_nothing(monkeypatch):
    rows = np.repeat(np.random.default_rng(0).normal(size=(3, 17)), 40, axis=0)
    for entries in (clustering.ENTRIES, 7 * 200):
        monkeypatch.setattr(clustering, "ENTRIES", entries)
        counts = clustered(rows).histograms(torch.tensor(rows))
        assert all(sorted(one[one > 0].tolist()) == [40, 40, 40] for one in counts)


def test_rows_are_not_drawn_twice_by_k_means_plus_plus():
    points = torch.tensor([[0.0], [1.0], [100.0], [101.0], [1000.0]]).double()
    uniform = torch.tensor(np.random.default_rng(0).random((5, 8, 3)))
    squares = (points - points.T) ** 2
    seeds, error = clustering.plus_plus(squares, torch.zeros(8, 1, dtype=torch.int64), uniform)
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in seeds.tolist()) and error.tolist() == [0] * 8
    seeds, error = clustering.plus_plus(squares, torch.zeros(8, 1, dtype=torch.int64), uniform[:3])
    expected = squares[seeds].amin(dim=1).sum(dim=1)
    assert error.tolist() == expected.tolist() and set(error.tolist()) == {2.0}


def test_a_seed_gives_the_same_bits():
    rows = np.random.default_rng(0).normal(size=(900, 5))
    first, again, other = (clustered(rows, seed=seed).sums for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
