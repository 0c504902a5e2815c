"""Extensions of a matching to new source points other than OTVAE's: nearest, kernel, and AE-OT's rule with angles."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from otbench.errors import WorkFailed
from otbench.transport.angles import AngleRule

#: source points that are tried at once
BATCH = 4096


def nearest_image(source: np.ndarray, image: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The barycentric image of the nearest source point.

    Args:
        source: Source points (n, d).
        image: Barycentric images (n, e) of the source points.
        x: New points (q, d).

    Returns:
        Points (q, e), each one of the images.
    """
    return image[cKDTree(source).query(x)[1]]


def kernel_mean(source: np.ndarray, image: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """Means of the images with Gaussian weights exp(-|x - s|^2 / (2 h^2)).

    Args:
        source: Source points (n, d).
        image: Images (n, e) of the source points.
        x: New points (q, d).
        k: The bandwidth h is the median distance of a source point from the k-th nearest other one.

    Returns:
        Points (q, e) in the convex hull of the images.

    Source: Nadaraya and Watson's estimate of a regression.
    """
    order = min(k + 1, len(source))
    bandwidth = float(np.median(cKDTree(source).query(source, k=[order])[0]))
    squares = (x**2).sum(1)[:, None] + (source**2).sum(1) - 2 * x @ source.T
    exponent = -squares / (2 * max(bandwidth, 1e-12) ** 2)
    weight = np.exp(exponent - exponent.max(1, keepdims=True))
    return weight @ image / weight.sum(1, keepdims=True)


def half_way(source: np.ndarray, image: np.ndarray) -> AngleRule:
    """Angles of images seen from their mean, with the threshold that half of the nearest neighbours keep.

    Args:
        source: Source points (n, d).
        image: Images (n, e) of the source points.

    Returns:
        Rule whose threshold is the median angle between the images of a source point and of its nearest neighbour.
    """
    centre = image.mean(0)
    radius = float(np.sqrt(((image - centre) ** 2).sum(1).mean()))
    # far away, so that the angles of the planes' normals are those of the directions
    frame = AngleRule(np.pi, 1e3 / radius if radius > 0 else 1.0, centre)
    if len(source) < 2:
        return frame
    near = cKDTree(source).query(source, k=2)[1][:, 1]
    threshold = float(np.median(frame.angles(image, np.arange(len(source)), near)))
    return AngleRule(threshold, frame.scale, centre)


def rejecting(
    source: np.ndarray, image: np.ndarray, count: int, angle: AngleRule, draw: np.random.Generator
) -> np.ndarray:
    """AE-OT's rule on a matching: images of near source points are mixed where their angle is small.

    Of a new point from N(0, I), the d + 1 nearest source points; the nearest stays, the others where the angle of their
    image to its image is at most the threshold; the point is drawn anew where none stays. Weights are proportional to
    the inverse of the distance.

    Args:
        source: Source points (n, d).
        image: Images (n, e) of the source points.
        count: Number of points.
        angle: Angle rule of the images.
        draw: Generator of the new points.

    Returns:
        Points (count, e).

    Raises:
        WorkFailed: Where hardly any point passes the threshold.

    Source: An et al. 2020 (ICLR), algorithm 2, with source points in place of centroids of cells.
    """
    tree, k = cKDTree(source), min(source.shape[1] + 1, len(source))
    found: list[np.ndarray] = []
    rounds = passed = 0
    while passed < count:
        distance, near = tree.query(draw.standard_normal((BATCH, source.shape[1])), k=k)
        distance, near = distance.reshape(BATCH, k), near.reshape(BATCH, k)
        keep = angle.angles(image, near, near[:, :1]) <= angle.threshold
        keep[:, 0] = True
        fine = keep[:, 1:].any(1) if k > 1 else np.ones(BATCH, bool)
        weight = np.where(keep[fine], 1 / np.maximum(distance[fine], 1e-300), 0)
        weight /= weight.sum(1, keepdims=True)
        found.append((weight[:, :, None] * image[near[fine]]).sum(1))
        rounds, passed = rounds + 1, passed + len(found[-1])
        if rounds >= 5 and passed < 1e-3 * rounds * BATCH:
            raise WorkFailed(
                f"matching: only {passed} of {rounds * BATCH} source points pass the angle threshold of "
                f"{angle.threshold:.3g} rad; raise it"
            )
    return np.concatenate(found)[:count]
