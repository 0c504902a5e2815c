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
    """Draw m samples (m, d) float64 of the extended map; m=None keeps whatever `points` source points give, as the
    published codes do.

    rule:
    paper: Algorithm 2 of the AE-OT paper. Of a source point x, the d + 1 cells with the nearest centroids c_k; the
    nearest always stays, the
      others where their planes' angle to it is at most the threshold; x is drawn anew where none stays; the sample is
      sum_k l_k y_k, l_k proportional to 1 / |x - c_k|.
    pyomt: pyOMT's demo1. The two highest planes (i, j) at each of `points` source points, angle < threshold; distinct
    ordered pairs; one sample
      w y_i + (1 - w) y_j a pair, w ~ U(0, 1). With m, the pairs are gone through in random order as often as needed,
      with a fresh w each time.
    pyomt-mass: the same without removing repeated pairs, so that a mode keeps its mass.
    pyomt-image: pyOMT's demo2. Pairs (highest, k-th highest), k = 2..20, angle <= threshold, sorted by index, one pair
    a distinct smaller
      index; samples y_a / 4 + 3 y_b / 4. The training codes that demo2 appends are not returned.
    dirichlet: OTVAE's rule: the two cells with the nearest centroids, Dirichlet(1, 1) weights; no angle and no
    rejection.

    threshold: rad, on the paper's own angles (they depend on the target's scale), or an AngleRule; None chooses one by
    `angle_threshold`.
    generator: a numpy or torch Generator, which moves on, or a seed. details: return also {"kept": share of x kept,
    "threshold", "pairs"}.
    Raises OtbenchError for an unknown rule, and WorkFailed where (almost) no source point passes the threshold.
    """
    if rule not in RULES:
        raise OtbenchError(f"extend: rule must be one of {', '.join(RULES)}, got {rule!r}")
    if m is not None and m < 1 or points < 1:
        raise OtbenchError(f"extend: expected at least one sample, got m={m}, points={points}")
    draw = numpy_generator(generator)
    angle = _rule(transport, rule, threshold)
    if rule in ("pyomt", "pyomt-image"):
        samples, told = _from_pairs(transport, m, rule, angle, draw, points)
    else:
        samples, told = _pointwise(transport, m, rule, angle, draw, points)
    told["threshold"] = angle.threshold
    return (samples, told) if details else samples


def numpy_generator(generator: Any) -> np.random.Generator:
    """A numpy generator: itself, one seeded by the next draw of a torch generator, or one of a seed (None: seed 0)."""
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
    """Rules under which every source point gives at most one sample: batches of x until m are kept."""
    step = {"paper": _paper, "pyomt-mass": _pairwise, "dirichlet": _dirichlet}[rule]
    centroids = None if rule == "pyomt-mass" else cell_centroids(transport)
    kept, tried, batches = 0, 0, []
    while tried < points if m is None else kept < m:
        x = transport.source.sample(BATCH if m is not None else min(BATCH, points - tried), draw)
        batches.append(step(transport, x, angle, draw, centroids))
        tried, kept = tried + len(x), kept + len(batches[-1])
        if tried >= 20 * BATCH and kept < 1e-4 * tried:
            raise WorkFailed(
                f"extend: only {kept} of {tried} source points pass the angle threshold of "
                f"{angle.threshold:.3g} rad; raise it"
            )
    samples = np.concatenate(batches)
    return (samples if m is None else samples[:m]), {"kept": kept / tried}


def cell_centroids(transport: TransportMap) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the distinct targets whose cells have mass, and those cells' centroids."""
    first, _ = transport.groups
    centroids = transport.centroids()[first]
    found = np.isfinite(centroids).all(1)
    return first[found], centroids[found]


def _nearest(x: np.ndarray, centroids: np.ndarray, k: int) -> np.ndarray:
    """Indices (m, k) of the k nearest centroids, nearest first."""
    import torch

    from otbench.transport.kernel import best_of

    middle = centroids.mean(0)
    c = torch.as_tensor(centroids - middle)
    # |x - c|^2 is least where <x, c> - |c|^2 / 2 is highest.
    return best_of(torch.as_tensor(x - middle), c, -(c * c).sum(1) / 2, k)[1].numpy()


def _paper(transport, x, angle: AngleRule, draw, known) -> np.ndarray:
    return extended_at(transport, x, angle, known)[0]


def extended_at(transport: TransportMap, x: np.ndarray, angle: AngleRule, known=None) -> tuple[np.ndarray, np.ndarray]:
    """The rule `paper` of `extend` at given source points x (m, d): samples (k, d) of those that pass, and which do.

    The second value is a mask (m,). What one point gives does not depend on the others. known: what
    `cell_centroids` gives, where it is at hand.
    """
    cells, centroids = known or cell_centroids(transport)
    near = _nearest(x, centroids, transport.dimension + 1)
    index = cells[near]
    keep = angle.angles(transport.target, index, index[:, :1]) <= angle.threshold
    keep[:, 0] = True
    # With one target there is nothing to interpolate and nothing to reject.
    fine = keep[:, 1:].any(1) if index.shape[1] > 1 else np.ones(len(x), bool)
    distance = np.linalg.norm(x[fine, None, :] - centroids[near[fine]], axis=2)
    weight = np.where(keep[fine], 1 / np.maximum(distance, 1e-300), 0)
    weight /= weight.sum(1, keepdims=True)
    return (weight[:, :, None] * transport.target[index[fine]]).sum(1), fine


def _dirichlet(transport, x, angle: AngleRule, draw, known) -> np.ndarray:
    cells, centroids = known
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


def _pairwise(transport, x, angle: AngleRule, draw, known) -> np.ndarray:
    return _mixed(transport, _allowed_pairs(transport, x, angle), draw)


def _from_pairs(transport, m, rule, angle: AngleRule, draw, points) -> tuple[np.ndarray, dict]:
    """pyOMT's own rules: one set of distinct pairs, found first."""
    x = transport.source.sample(points, draw)
    if rule == "pyomt":
        every = _allowed_pairs(transport, x, angle)
        pairs, kept = np.unique(every, axis=0), len(every) / points
    else:
        pairs, kept = _image_pairs(transport, x, angle, draw)
    if len(pairs) == 0:
        raise WorkFailed(f"extend: no pair of cells passes the angle threshold of {angle.threshold:.3g} rad; raise it")
    if m is not None:
        rounds = [draw.permutation(len(pairs)) for _ in range(-(-m // len(pairs)))]
        pairs_used = pairs[np.concatenate(rounds)[:m]]
    else:
        pairs_used = pairs
    told = {"kept": kept, "pairs": len(pairs)}
    if rule == "pyomt":
        return _mixed(transport, pairs_used, draw), told
    return 0.25 * transport.target[pairs_used[:, 0]] + 0.75 * transport.target[pairs_used[:, 1]], told


def _image_pairs(transport, x, angle: AngleRule, draw, k: int = 20) -> tuple[np.ndarray, float]:
    ranks = highest_at(transport, x, k)
    pairs = np.stack([np.repeat(ranks[:, :1], ranks.shape[1] - 1, axis=1), ranks[:, 1:]], axis=2).reshape(-1, 2)
    fine = angle.angles(transport.target, pairs[:, 0], pairs[:, 1]) <= angle.threshold
    pairs = np.sort(pairs[fine], axis=1)
    _, one = np.unique(pairs[:, 0], return_index=True)
    return draw.permutation(pairs[one]), float(fine.mean()) if len(fine) else 0.0
