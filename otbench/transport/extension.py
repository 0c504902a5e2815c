"""New samples from a semi-discrete map: piecewise-linear extension, with rejection across the map's singular set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.errors import OtbenchError, WorkFailed
from otbench.transport.angles import AngleRule, angle_threshold
from otbench.transport.sampling import highest_at

if TYPE_CHECKING:
    from otbench.transport.map import TransportMap

RULES = ("paper", "pyomt", "pyomt-mass", "pyomt-image", "dirichlet")
BATCH = 8192


def extend(
    transport: TransportMap,
    m: int | None = None,
    rule: str = "paper",
    threshold: float | AngleRule | None = None,
    generator: Any = None,
    points: int = 10_000,
    details: bool = False,
) -> Any:
    """Draw samples of the extended map, by one of five rules.

    The rules:
      paper: Algorithm 2 of the AE-OT paper. Of a source point x, the d + 1 cells with the nearest centroids c_k; the
        nearest always stays, the others where their planes' angle to it is at most the threshold; x is drawn anew where
        none stays; the sample is sum_k l_k y_k, l_k proportional to 1 / |x - c_k|.
      pyomt: pyOMT's demo1. The two highest planes (i, j) at each of `points` source points, angle < threshold; distinct
        ordered pairs; one sample w y_i + (1 - w) y_j a pair, w ~ U(0, 1). With m, the pairs are gone through in random
        order as often as needed, with a fresh w each time.
      pyomt-mass: the same without removing repeated pairs, so that a mode keeps its mass.
      pyomt-image: pyOMT's demo2. Pairs (highest, k-th highest), k = 2..20, angle <= threshold, sorted by index, one
        pair a distinct smaller index; samples y_a / 4 + 3 y_b / 4. The training codes that demo2 appends are left out.
      dirichlet: OTVAE's rule: the two cells with the nearest centroids, Dirichlet(1, 1) weights; no angle and no
        rejection.

    Args:
        transport: Map to extend.
        m: Number of samples; None keeps whatever `points` source points give, as the published codes do.
        rule: paper, pyomt, pyomt-mass, pyomt-image or dirichlet.
        threshold: Largest angle, rad, on the paper's own angles (they depend on the target's scale), or an AngleRule;
            None chooses one by `angle_threshold`.
        generator: A numpy or torch Generator, which moves on, or a seed.
        points: Number of source points of pyomt and pyomt-image, and of the other rules where m is None.
        details: Whether to return also {"kept": share of x kept, "threshold", "pairs"}.

    Returns:
        Samples (m, d) float64; with `details` the samples and the details.

    Raises:
        OtbenchError: Where the rule is unknown, or m, points or threshold is not positive.
        WorkFailed: Where (almost) no source point passes the threshold.
    """
    if rule not in RULES:
        raise OtbenchError(f"extend: rule must be one of {', '.join(RULES)}, got {rule!r}")
    if m is not None and m < 1 or points < 1:
        raise OtbenchError(f"extend: expected at least one sample, got m={m}, points={points}")
    draw = numpy_generator(generator)
    angle = _rule(transport, rule, threshold)
    if rule in ("pyomt", "pyomt-image"):
        samples, numbers = _from_pairs(transport, m, rule, angle, draw, points)
    else:
        samples, numbers = _pointwise(transport, m, rule, angle, draw, points)
    numbers["threshold"] = angle.threshold
    return (samples, numbers) if details else samples


def numpy_generator(generator: Any) -> np.random.Generator:
    """A numpy generator made of what callers give.

    Args:
        generator: A numpy Generator, a torch Generator or a seed; None is seed 0.

    Returns:
        The numpy Generator itself, one seeded by the next draw of the torch Generator, or one of the seed.

    Raises:
        OtbenchError: Where it is none of these.
    """
    if isinstance(generator, np.random.Generator):
        return generator
    if generator is None or isinstance(generator, (int, np.integer, np.random.SeedSequence)):
        return np.random.default_rng(0 if generator is None else generator)
    import torch

    if not isinstance(generator, torch.Generator):
        raise OtbenchError(f"generator: expected a numpy or torch Generator or a seed, got {type(generator).__name__}")
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator, device=generator.device)))


def _rule(transport: TransportMap, rule: str, threshold: float | AngleRule | None) -> AngleRule:
    if rule == "dirichlet":
        return AngleRule(np.inf)
    if threshold is None:
        return angle_threshold(transport)
    if isinstance(threshold, AngleRule):
        return threshold
    if not threshold > 0:
        raise OtbenchError(f"extend: expected a positive angle threshold in radians, got {threshold}")
    return AngleRule(float(threshold))


def _pointwise(transport, m, rule, angle: AngleRule, draw, points) -> tuple[np.ndarray, dict]:
    """Rules under which every source point gives at most one sample: batches of x until m samples are there."""
    step = {"paper": _paper, "pyomt-mass": _pairwise, "dirichlet": _dirichlet}[rule]
    centroids = None if rule == "pyomt-mass" else cell_centroids(transport)
    count, tried, batches = 0, 0, []
    while tried < points if m is None else count < m:
        x = transport.source.sample(BATCH if m is not None else min(BATCH, points - tried), draw)
        batches.append(step(transport, x, angle, draw, centroids))
        tried, count = tried + len(x), count + len(batches[-1])
        if tried >= 20 * BATCH and count < 1e-4 * tried:
            raise WorkFailed(
                f"extend: only {count} of {tried} source points pass the angle threshold of "
                f"{angle.threshold:.3g} rad; raise it"
            )
    samples = np.concatenate(batches)
    return (samples if m is None else samples[:m]), {"kept": count / tried}


def cell_centroids(transport: TransportMap) -> tuple[np.ndarray, np.ndarray]:
    """The distinct targets whose cells have mass, and those cells' centroids.

    Args:
        transport: Map whose cells are taken.

    Returns:
        Indices (k,) of the targets and centroids (k, d).
    """
    first, _ = transport.groups
    centroids = transport.centroids()[first]
    full = np.isfinite(centroids).all(1)
    return first[full], centroids[full]


def _nearest(x: np.ndarray, centroids: np.ndarray, k: int) -> np.ndarray:
    """Indices (m, k) of the k nearest centroids, nearest first."""
    import torch

    from otbench.transport.kernel import best_of

    middle = centroids.mean(0)
    c = torch.as_tensor(centroids - middle)
    # |x - c|^2 is least where <x, c> - |c|^2 / 2 is highest.
    return best_of(torch.as_tensor(x - middle), c, -(c * c).sum(1) / 2, k)[1].numpy()


def _paper(transport, x, angle: AngleRule, draw, full_cells) -> np.ndarray:
    return extended_at(transport, x, angle, full_cells)[0]


def extended_at(transport: TransportMap, x: np.ndarray, angle: AngleRule, known=None) -> tuple[np.ndarray, np.ndarray]:
    """The rule `paper` of `extend` at given source points; what one point gives does not depend on the others.

    Args:
        transport: Map to extend.
        x: Source points (m, d).
        angle: Angle rule, with its threshold.
        known: What `cell_centroids` gives, where it is at hand; computed by default.

    Returns:
        Samples (k, d) of the points that pass, and a mask (m,) of these.
    """
    cells, centroids = known or cell_centroids(transport)
    near = _nearest(x, centroids, transport.dimension + 1)
    index = cells[near]
    keep = angle.angles(transport.target, index, index[:, :1]) <= angle.threshold
    keep[:, 0] = True
    # With one target there is nothing to interpolate and nothing to reject.
    fine = np.any(keep[:, 1:], axis=1) if index.shape[1] > 1 else np.ones(len(x), bool)
    distance = np.linalg.norm(x[fine, None, :] - centroids[near[fine]], axis=2)
    weight = np.where(keep[fine], 1 / np.maximum(distance, 1e-300), 0)
    weight /= weight.sum(1, keepdims=True)
    return (weight[:, :, None] * transport.target[index[fine]]).sum(1), fine


def _dirichlet(transport, x, angle: AngleRule, draw, full_cells) -> np.ndarray:
    cells, centroids = full_cells
    index = cells[_nearest(x, centroids, 2)]
    weight = draw.dirichlet(np.ones(index.shape[1]), size=len(x))
    return (weight[:, :, None] * transport.target[index]).sum(1)


def _allowed_pairs(transport, x, angle: AngleRule, strict: bool = True) -> np.ndarray:
    pairs = highest_at(transport, x, 2)
    if pairs.shape[1] < 2:
        return np.repeat(pairs, 2, axis=1)
    theta = angle.angles(transport.target, pairs[:, 0], pairs[:, 1])
    return pairs[theta < angle.threshold if strict else theta <= angle.threshold]


def _mixed(transport, pairs: np.ndarray, draw) -> np.ndarray:
    share = draw.random((len(pairs), 1))
    return share * transport.target[pairs[:, 0]] + (1 - share) * transport.target[pairs[:, 1]]


def _pairwise(transport, x, angle: AngleRule, draw, full_cells) -> np.ndarray:
    return _mixed(transport, _allowed_pairs(transport, x, angle), draw)


def _from_pairs(transport, m, rule, angle: AngleRule, draw, points) -> tuple[np.ndarray, dict]:
    """pyOMT's own rules: one set of distinct pairs, found first."""
    x = transport.source.sample(points, draw)
    if rule == "pyomt":
        every = _allowed_pairs(transport, x, angle)
        pairs, share = np.unique(every, axis=0), len(every) / points
    else:
        pairs, share = _image_pairs(transport, x, angle, draw)
    if len(pairs) == 0:
        raise WorkFailed(f"extend: no pair of cells passes the angle threshold of {angle.threshold:.3g} rad; raise it")
    if m is not None:
        rounds = [draw.permutation(len(pairs)) for _ in range(-(-m // len(pairs)))]
        pairs_used = pairs[np.concatenate(rounds)[:m]]
    else:
        pairs_used = pairs
    numbers = {"kept": share, "pairs": len(pairs)}
    if rule == "pyomt":
        return _mixed(transport, pairs_used, draw), numbers
    return 0.25 * transport.target[pairs_used[:, 0]] + 0.75 * transport.target[pairs_used[:, 1]], numbers


def _image_pairs(transport, x, angle: AngleRule, draw, k: int = 20) -> tuple[np.ndarray, float]:
    ranks = highest_at(transport, x, k)
    pairs = np.stack([np.repeat(ranks[:, :1], ranks.shape[1] - 1, axis=1), ranks[:, 1:]], axis=2).reshape(-1, 2)
    fine = angle.angles(transport.target, pairs[:, 0], pairs[:, 1]) <= angle.threshold
    pairs = np.sort(pairs[fine], axis=1)
    _, first = np.unique(pairs[:, 0], return_index=True)
    return draw.permutation(pairs[first]), float(fine.mean()) if len(fine) else 0.0
