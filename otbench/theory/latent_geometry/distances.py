"""Distances between many codes: which is right about the 0, 0, 1 example, and which names the class of a neighbour."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from otbench.errors import OtbenchError
from otbench.geometry import LatentGraph, Metric, grid, latent_graph
from otbench.theory.latent_geometry.vae import Trained

#: between codes: straight in the latent plane, between decoded images, along geodesics; and between the images
DISTANCES = {
    "latent": "Euclidean, latent plane",
    "decoded": "Euclidean, decoded images",
    "deterministic": "geodesic, deterministic metric",
    "stochastic": "geodesic, stochastic metric",
    "image": "Euclidean, images themselves",
}
#: part of the codes' range by which the grid goes beyond it
MARGIN = 0.08


def box(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the part of the latent plane that is looked at: all codes and a margin.

    Args:
        trained: Autoencoder with its codes.

    Returns:
        Lowest and highest corner, each (2,).
    """
    codes = np.concatenate([trained.codes, trained.test_codes])
    low, high = codes.min(axis=0), codes.max(axis=0)
    margin = MARGIN * (high - low).max()
    return low - margin, high + margin


def graphs(trained: Trained, metrics: dict[str, Metric], resolution: int, neighbours: int) -> dict[str, LatentGraph]:
    """Graph of every metric on grid nodes, training codes and test codes.

    Args:
        trained: Autoencoder with its codes.
        metrics: Metrics by name.
        resolution: Nodes along each side of the grid.
        neighbours: Nearest neighbours that a node is joined to.

    Returns:
        Graphs by the metric's name; grid nodes come first, then training codes, then test codes.
    """
    spaced = grid(*box(trained), resolution)
    nodes = np.concatenate([spaced, trained.codes, trained.test_codes])
    return {name: latent_graph(metric, nodes, neighbours, len(spaced)) for name, metric in metrics.items()}


def distances(
    trained: Trained, joined: dict[str, LatentGraph], train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    """Distances from the test codes to the training and test codes, by every kind of DISTANCES.

    Args:
        trained: Autoencoder with its codes.
        joined: Graphs by the metric's name, from `graphs`.
        train: Training images (n_train, pixels), grey values in [0, 1].
        test: Test images (n_test, pixels), grey values in [0, 1].

    Returns:
        Distances (n_test, n_train + n_test) by name; geodesic ones are shortest paths through the graphs.
    """
    codes = np.concatenate([trained.codes, trained.test_codes])
    decoded = trained.images(codes)
    n = len(trained.test_codes)
    by_name = {
        "latent": cdist(trained.test_codes, codes),
        "decoded": cdist(decoded[-n:], decoded),
        "image": cdist(test, np.concatenate([train, test])),
    }
    for name, graph in joined.items():
        nodes = np.arange(len(graph.nodes) - len(codes), len(graph.nodes))
        by_name[name] = graph.distances(nodes[-n:], nodes)
    return by_name


def right(between: np.ndarray, labels: np.ndarray, same: int, other: int) -> np.ndarray:
    """Whether d(A, B) < d(B, C), for every ordered pair A, B of one class and every C of another.

    Args:
        between: Distances (n, n) between the test codes.
        labels: Classes (n,).
        same: Class of A and B.
        other: Class of C.

    Returns:
        Booleans (pairs, others); a pair is (A, B), A not B, in the order of `pairs_of`.

    Raises:
        OtbenchError: Where the first class has fewer than two members or the other none.
    """
    a, b = pairs_of(labels, same)
    others = np.flatnonzero(labels == other)
    if len(a) == 0 or len(others) == 0:
        raise OtbenchError("latent geometry: the test images hold fewer than two of one class, or none of the other")
    return between[a, b][:, None] < between[b][:, others]


def pairs_of(labels: np.ndarray, same: int) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of members of a class.

    Args:
        labels: Classes (n,).
        same: Class of both.

    Returns:
        Places of the first and of the second of each pair, each (pairs,).
    """
    members = np.flatnonzero(labels == same)
    a, b = (axis.ravel() for axis in np.meshgrid(members, members, indexing="ij"))
    return a[a != b], b[a != b]


def right_over_classes(between: np.ndarray, labels: np.ndarray) -> float:
    """Share of triples with d(A, B) < d(B, C), A and B of one class, C of another.

    Args:
        between: Distances (n, n) between the test codes.
        labels: Classes (n,).

    Returns:
        Mean over the classes of A.
    """
    parts = []
    for same in np.unique(labels):
        a, b = pairs_of(labels, same)
        others = np.flatnonzero(labels != same)
        if len(a) and len(others):
            parts.append((between[a, b][:, None] < between[b][:, others]).mean())
    return float(np.mean(parts))


def accuracy(to_train: np.ndarray, train_labels: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Accuracy of k-nearest-neighbour classification by a distance.

    Args:
        to_train: Distances (n, n_train) to the training codes.
        train_labels: Classes of the training codes (n_train,).
        labels: True classes (n,).
        k: Number of neighbours that vote.

    Returns:
        Share of the rows that are classified rightly.
    """
    from sklearn.neighbors import KNeighborsClassifier

    votes = KNeighborsClassifier(k, metric="precomputed", algorithm="brute")
    votes.fit(np.zeros((len(train_labels), len(train_labels))), train_labels)
    return float(votes.score(to_train, labels))


def example(found: dict[str, np.ndarray], labels: np.ndarray, classes: tuple[int, int]) -> tuple[int, int, int] | None:
    """Triple A, B, C on which both Euclidean distances of codes are wrong and both geodesic ones are right.

    Of all such triples it is the one that the latent Euclidean distance ranks worst. Where there is none, the
    stochastic geodesic and the latent distance alone count.

    Args:
        found: Distances (n, n) between the test codes, by name.
        labels: Classes (n,).
        classes: Class of A and B, and class of C.

    Returns:
        Places of A, B and C; None where no triple meets either condition.
    """
    a, b = pairs_of(labels, classes[0])
    others = np.flatnonzero(labels == classes[1])
    good = {name: right(between, labels, *classes) for name, between in found.items()}
    strict = good["stochastic"] & good["deterministic"] & ~good["latent"] & ~good["decoded"]
    candidates = strict if strict.any() else good["stochastic"] & ~good["latent"]
    if not candidates.any():
        return None
    between = found["latent"]
    margin = np.where(candidates, between[a, b][:, None] / np.maximum(between[b][:, others], 1e-12), -np.inf)
    pair, other = np.unravel_index(int(margin.argmax()), margin.shape)
    return int(a[pair]), int(b[pair]), int(others[other])
