"""Angles between supporting planes, and a scale-free choice of the threshold above which a facet counts as singular.

The plane <x, y_i> + h_i has the normal (y_i, -1); the AE-OT paper and code keep an interpolation where the normals'
angle is at most a threshold. That angle depends on the units and the origin of the target: modes that stand 2 apart are
0.165 rad apart in PacGAN's grid and the same picture drawn 2.8 times smaller gives 0.297 rad, while within the central
mode angles reach 0.3 rad. So the choice made here measures angles of the target centred and scaled to a root mean
square radius of 1/4, where an angle is nearly a distance, and sets the threshold from the gap between the distances
within modes and between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

if TYPE_CHECKING:
    from otbench.transport.map import TransportMap

RADIUS = 0.25
# Smallest ratio between neighbouring edges of the spanning tree that counts as a gap between modes.
GAP = 2.5
# A gap is looked for only among the longest edges: there are not more modes than this share of the points.
SHARE = 0.25
LIMIT = 3000


@dataclass(frozen=True)
class AngleRule:
    """Two planes belong together where the angle of the normals (scale (y - centre), -1) is at most threshold (rad).

    scale 1 and centre None are the angles of the paper. modes: how many groups the gap separates, 1 where there is
    none.
    """

    threshold: float
    scale: float = 1.0
    centre: np.ndarray | None = None
    modes: int = 1

    def normals(self, target: np.ndarray) -> np.ndarray:
        """Unit normals of the planes <x, y_i> + h_i, in the scaled frame.

        Args:
            target: Target points y_i (n, d).

        Returns:
            Normals (n, d + 1), of length one.
        """
        moved = self.scale * (target if self.centre is None else target - self.centre)
        normal = np.concatenate([moved, np.full((len(moved), 1), -1.0)], axis=1)
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def angles(self, target: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Angles between the planes of pairs of target points.

        Args:
            target: Target points (n, d).
            i: Indices of the first points, of any shape.
            j: Indices of the second points, of a shape that broadcasts with that of `i`.

        Returns:
            Angles, rad, of the indices' common shape.
        """
        normal = self.normals(target)
        # The chord keeps the digits of small angles, which arccos of the cosine loses.
        chord = np.linalg.norm(normal[i] - normal[j], axis=-1)
        return 2 * np.arcsin(np.minimum(1.0, chord / 2))


def angles(transport: TransportMap, pairs: np.ndarray, rule: AngleRule | None = None) -> np.ndarray:
    """Angles between the supporting planes of pairs of cells.

    Args:
        transport: Map whose targets' planes are measured.
        pairs: Indices of cells (E, 2).
        rule: Centre and scale of the frame; default: as in the paper (no scaling).

    Returns:
        Angles (E,), rad.
    """
    return (rule or AngleRule(np.inf)).angles(transport.target, pairs[:, 0], pairs[:, 1])


def angle_threshold(transport: TransportMap, normalise: bool = True, seed: int = 0) -> AngleRule:
    """Choose the angle threshold from the target alone, the same for the same picture at any scale and place.

    The minimum spanning tree of the (normalised) angles between all targets has one long edge for every mode but one.
    Where two successive sorted edges a < b differ by a factor of at least 2.5 among the longest quarter, the components
    left without the long edges are modes: no two targets of different modes are closer than b, so the threshold lies
    half-way from the widest facet within a mode to b (just under b where such a facet is wider). Where there is no gap,
    the data are one piece, and the threshold is the longest edge: the least angle that leaves them connected.

    Args:
        transport: Map whose targets are grouped.
        normalise: Whether angles are measured on the target centred and scaled; False measures the paper's angles (for
            a threshold to set beside theirs).
        seed: Seed of the subsample of targets that is used beyond 3,000 of them.

    Returns:
        Threshold (rad), the frame in which it holds, and the number of modes.
    """
    first, _ = transport.groups
    target = transport.target[first]
    rule = _frame(target, transport.weights, transport.groups[1]) if normalise else AngleRule(np.inf)
    if len(target) < 2:
        return rule
    used = np.arange(len(target))
    if len(target) > LIMIT:
        used = np.sort(np.random.default_rng(seed).choice(len(target), LIMIT, replace=False))
    normal = rule.normals(target[used])
    tree, edges = _tree(normal)
    a, b = _gap(edges)
    if b is None:
        return _with(rule, float(edges[-1]), 1)
    tree.data[tree.data >= b] = 0
    tree.eliminate_zeros()
    modes, label = connected_components(tree, directed=False)
    within = _widest_within(transport, rule, label, used, first)
    return _with(rule, (within + b) / 2 if within < b else b * (1 - 1e-9), int(modes))


def _with(rule: AngleRule, threshold: float, modes: int) -> AngleRule:
    return AngleRule(float(threshold), rule.scale, rule.centre, modes)


def _frame(target: np.ndarray, weights: np.ndarray, group: np.ndarray) -> AngleRule:
    mass = np.bincount(group, weights=weights)
    centre = mass @ target
    radius = np.sqrt(mass @ ((target - centre) ** 2).sum(1))
    return AngleRule(np.inf, RADIUS / radius if radius > 0 else 1.0, centre)


def _tree(normal: np.ndarray):
    """Minimum spanning tree of all angles between unit normals (n, d + 1), and its sorted edges."""
    square = np.maximum(0, 2 - 2 * normal @ normal.T)
    close = np.argwhere(np.triu(square < 1e-6, 1))
    square[close[:, 0], close[:, 1]] = ((normal[close[:, 0]] - normal[close[:, 1]]) ** 2).sum(1)
    square = np.triu(square, 1)
    angle = 2 * np.arcsin(np.minimum(1.0, np.sqrt(square) / 2))
    # A zero entry would be no edge at all.
    tree = minimum_spanning_tree(np.where(np.triu(np.ones_like(angle), 1) > 0, np.maximum(angle, 1e-15), 0))
    return tree, np.sort(tree.data)


def _gap(edges: np.ndarray) -> tuple[float, float | None]:
    """The successive edges (a, b) with the largest ratio b / a among the longest; b None where no ratio reaches GAP."""
    longest = edges[-max(2, int(np.ceil(SHARE * len(edges)))) :]
    if len(longest) < 2:
        return float(edges[-1]), None
    ratio = longest[1:] / longest[:-1]
    k = int(np.argmax(ratio))
    return float(longest[k]), (float(longest[k + 1]) if ratio[k] >= GAP else None)


def _widest_within(transport, rule: AngleRule, label: np.ndarray, used: np.ndarray, first: np.ndarray) -> float:
    """Widest angle of a facet between two cells of one mode, among the targets that were used."""
    pairs = transport.neighbours()
    place = np.full(len(transport.target), -1)
    place[first[used]] = np.arange(len(used))
    pairs = pairs[(place[pairs] >= 0).all(1)]
    pairs = pairs[label[place[pairs[:, 0]]] == label[place[pairs[:, 1]]]]
    return float(angles(transport, pairs, rule).max()) if len(pairs) else 0.0
