"""The singular set of a map: facets across which it jumps from one mode to another, where the Brenier potential has
a ridge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otbench.transport.angles import AngleRule, angle_threshold, angles

if TYPE_CHECKING:
    from otbench.transport.map import TransportMap


@dataclass(frozen=True)
class SingularSet:
    """Neighbouring cells whose planes meet at more than the threshold.

    pairs (E, 2), i < j; angles (E,) rad, measured as `rule` says; facets (E, 2, 2): the ends of each shared facet, None
    outside the plane;
    jumps (E,): |y_i - y_j|.
    """

    pairs: np.ndarray
    angles: np.ndarray
    jumps: np.ndarray
    facets: np.ndarray | None
    rule: AngleRule

    @property
    def length(self) -> float:
        """Total length of the facets, in units of x; NaN outside the plane."""
        return (
            float("nan")
            if self.facets is None
            else float(np.linalg.norm(self.facets[:, 1] - self.facets[:, 0], axis=1).sum())
        )


def singular_set(
    transport: TransportMap, threshold: float | AngleRule | None = None, points: int = 100_000, seed: int = 1
) -> SingularSet:
    """Pairs of neighbouring cells whose planes meet at more than the angle threshold.

    Exact in the plane. Elsewhere neighbours are the two highest planes at fresh source points, so short facets are
    missed.

    Args:
        transport: Map whose facets are judged.
        threshold: Angle, rad, on the paper's angles, or an AngleRule; None chooses one by `angle_threshold`.
        points: Number of source points where cells are not exact.
        seed: Seed of the source points.

    Returns:
        The pairs above the threshold, with their angles, jumps and facets.
    """
    if threshold is None:
        rule = angle_threshold(transport)
    else:
        rule = threshold if isinstance(threshold, AngleRule) else AngleRule(float(threshold))
    facets = None
    if transport.exact:
        first, _ = transport.groups
        pairs, facets = first[transport.cells.pairs], transport.cells.facets
    else:
        pairs = transport.neighbours(points, seed)
    theta = angles(transport, pairs, rule)
    above = theta > rule.threshold
    jumps = np.linalg.norm(transport.target[pairs[above, 0]] - transport.target[pairs[above, 1]], axis=1)
    return SingularSet(pairs[above], theta[above], jumps, None if facets is None else facets[above], rule)
