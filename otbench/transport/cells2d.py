"""Exact Laguerre cells in the plane.

The cell of target point y_i under heights h is W_i = {x in Omega : <x, y_i> + h_i >= <x, y_j> + h_j for all j}, Omega a
convex polygon (Aurenhammer 1987). Neighbours come from the lower hull of the lifted points (y_i, -h_i); every facet is
then its line clipped by Omega and by the third points of its hull triangles, and areas and moments are sums over facets
(Green). A cell whose boundary does not close, which happens where the hull is degenerate to rounding, is computed again
by cutting planes without any hull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from otbench.errors import OtbenchError

# Largest gap in a cell's boundary, in units of the diameter of Omega, before the cell is computed again.
OPEN = 1e-12


@dataclass(frozen=True)
class Cells:
    """Laguerre cells of n points, clipped to a convex polygon.

    areas (n,), in units of x squared, zero for an empty cell; first (n, 2) and second (n, 3), integrals of x and of
    (x0^2, x0 x1, x1^2);
    pairs (E, 2) neighbouring cells, i < j; facets (E, 2, 2) the two ends of each shared facet; lengths (E,);
    segments: (owner (S,), start (S, 2), end (S, 2)), every cell's boundary, counter-clockwise.
    """

    areas: np.ndarray
    first: np.ndarray
    second: np.ndarray
    pairs: np.ndarray
    facets: np.ndarray
    lengths: np.ndarray
    segments: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def sizes(self) -> np.ndarray:
        """Areas (n,), under the name that cells of any dimension have."""
        return self.areas

    @property
    def centroids(self) -> np.ndarray:
        """Centres of mass (n, 2); NaN where a cell is empty."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.areas[:, None] > 0, self.first / self.areas[:, None], np.nan)

    def polygons(self) -> list[np.ndarray]:
        """The cells' corners, counter-clockwise.

        Returns:
            Corners (k, 2) of each cell; (0, 2) for an empty cell.
        """
        owner, start, end = self.segments
        centre = np.nan_to_num(self.centroids)[owner]
        middle = (start + end) / 2 - centre
        order = np.lexsort((np.arctan2(middle[:, 1], middle[:, 0]), owner))
        cuts = np.searchsorted(owner[order], np.arange(1, len(self.areas)))
        return np.split(start[order], cuts)


def laguerre(target: np.ndarray, heights: np.ndarray, polygon: np.ndarray) -> Cells:
    """Laguerre cells in a convex polygon.

    Args:
        target: Target points (n, 2); of exactly equal points with equal heights the first owns the cell.
        heights: Heights (n,), in units of <x, y>.
        polygon: Corners (V, 2) of Omega, convex and counter-clockwise.

    Returns:
        Cells of the n points, clipped to the polygon.

    Raises:
        OtbenchError: Where the input is not finite.
    """
    target, heights, polygon = (np.asarray(v, float) for v in (target, heights, polygon))
    if not (np.isfinite(target).all() and np.isfinite(heights).all()):
        raise OtbenchError("cells: the target points and heights must be finite")
    # To x and y of about unit size at the origin: rounding then has one scale.
    middle, centre = (target.max(0) + target.min(0)) / 2, polygon.mean(0)
    spread = float(np.max(np.ptp(target, axis=0))) or 1.0
    size = float(np.max(np.ptp(polygon, axis=0)))
    y, omega = (target - middle) / spread, (polygon - centre) / size
    h = (heights + (target - middle) @ centre) / (spread * size)
    pairs, ends = _facets(y, h, omega)
    segments = _boundary(y, h, omega, pairs, ends)
    areas, first, second, gap = _moments(len(y), segments)
    bad = np.flatnonzero(gap > OPEN)
    if len(bad):
        pairs, ends, segments = _repair(y, h, omega, bad, pairs, ends, segments)
        areas, first, second, gap = _moments(len(y), segments)
    return _unscaled(areas, first, second, pairs, ends, segments, size, centre)


def _unscaled(areas, first, second, pairs, ends, segments, size: float, centre: np.ndarray) -> Cells:
    """Back from unit coordinates to x = size x' + centre."""
    c0, c1 = centre
    second = size**2 * second + np.stack(
        [2 * size * c0 * first[:, 0], size * (c0 * first[:, 1] + c1 * first[:, 0]), 2 * size * c1 * first[:, 1]], axis=1
    )
    second = size**2 * (second + areas[:, None] * np.array([c0 * c0, c0 * c1, c1 * c1]))
    first = size**2 * (size * first + areas[:, None] * centre)
    owner, start, end = segments
    ends = ends * size + centre
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    return Cells(
        areas * size**2, first, second, pairs, ends, lengths, (owner, start * size + centre, end * size + centre)
    )


def _hull_triples(
    y: np.ndarray, h: np.ndarray, omega: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edges of the lower hull of (y, -h): one row (i, j, third point) for every edge of every triangle, i < j.

    Three helper points far out, whose cells miss Omega, make the hull solid whatever the target is (collinear, coplanar
    once lifted, one or two points) and close it, so that no facet is a ray. Returns i, j, k and the (n + 3) points'
    coordinates and heights.
    """
    n = len(y)
    angle = np.pi / 2 + 2 * np.pi / 3 * np.arange(3)
    helpers = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    radius = np.linalg.norm(omega, axis=1).max()
    low = h.max() - radius * (np.linalg.norm(y, axis=1).max() + 3) - 0.5
    points = np.concatenate([y, helpers])
    raised = np.concatenate([h, np.full(3, low)])
    try:
        hull = ConvexHull(np.column_stack([points, -raised]), qhull_options="Qt")
    except QhullError as error:
        raise OtbenchError(f"cells: the hull of the lifted points failed ({str(error).splitlines()[0]})") from error
    triangles = hull.simplices[hull.equations[:, 2] < 0]
    i, j, k = (np.concatenate([triangles[:, c] for c in order]) for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)))
    real = (i < n) & (j < n)
    i, j, k = i[real], j[real], k[real]
    return np.minimum(i, j), np.maximum(i, j), k, np.column_stack([points, raised])


def _facets(y: np.ndarray, h: np.ndarray, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring pairs (E, 2), i < j, and ends of their facets (E, 2, 2), counter-clockwise as seen from i."""
    i, j, k, lifted = _hull_triples(y, h, omega)
    key = i.astype(np.int64) * len(y) + j
    order = np.argsort(key, kind="stable")
    i, j, k, key = i[order], j[order], k[order], key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    step = y[j] - y[i]
    length = np.linalg.norm(step, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = step / length[:, None]
        foot = normal * ((h[i] - h[j]) / length)[:, None]
        tangent = np.stack([-normal[:, 1], normal[:, 0]], axis=1)
        slope = (tangent * (lifted[k, :2] - y[i])).sum(1)
        room = h[i] - lifted[k, 2] - (foot * (lifted[k, :2] - y[i])).sum(1)
        bound = room / slope
    tiny = np.abs(slope) < 1e-15
    upper = np.where(slope > 0, bound, np.inf)
    lower = np.where(slope < 0, bound, -np.inf)
    upper[tiny], lower[tiny] = np.where(room[tiny] < 0, -np.inf, np.inf), -np.inf
    upper = np.minimum.reduceat(upper, starts) if len(starts) else upper
    lower = np.maximum.reduceat(lower, starts) if len(starts) else lower
    i, j, foot, tangent = i[starts], j[starts], foot[starts], tangent[starts]
    lower, upper = _clip(foot, tangent, lower, upper, omega)
    keep = (upper > lower) & (length[starts] > 0)
    ends = foot[keep, None, :] + np.stack([lower[keep], upper[keep]], axis=1)[:, :, None] * tangent[keep, None, :]
    return np.stack([i[keep], j[keep]], axis=1), ends


def _clip(foot, tangent, lower, upper, omega) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of t where foot + t tangent lies in omega (Cyrus and Beck)."""
    normal, offset = _sides(omega)
    slope = tangent @ normal.T
    room = offset - foot @ normal.T
    parallel = np.abs(slope) < 1e-15
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = room / slope
    high = np.where(parallel, np.where(room < 0, -np.inf, np.inf), np.where(slope > 0, bound, np.inf))
    low = np.where(~parallel & (slope < 0), bound, -np.inf)
    return np.maximum(lower, low.max(1)), np.minimum(upper, high.min(1))


def _sides(omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward unit normals (V, 2) and offsets (V,) of the sides of a counter-clockwise polygon."""
    edge = np.roll(omega, -1, axis=0) - omega
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1)[:, None]
    return normal, (normal * omega).sum(1)


def _boundary(y, h, omega, pairs, ends) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every cell's boundary: facets from both sides, then the pieces of the boundary of omega between facet ends."""
    owner = [pairs[:, 0], pairs[:, 1]]
    start, end = [ends[:, 0], ends[:, 1]], [ends[:, 1], ends[:, 0]]
    normal, offset = _sides(omega)
    points, cells = ends.reshape(-1, 2), np.repeat(pairs, 2, axis=0)
    distance = np.abs(points @ normal.T - offset)
    touching = distance < 1e-12
    corner = np.argmax(omega @ y.T + h, axis=1)
    candidates = np.unique(np.concatenate([cells[touching.any(1)].ravel(), corner]))
    for s in range(len(omega)):
        a, b = omega[s], omega[(s + 1) % len(omega)]
        share = ((points[touching[:, s]] - a) @ (b - a)) / ((b - a) @ (b - a))
        cuts = np.unique(np.concatenate([[0.0], np.clip(share, 0, 1), [1.0]]))
        middle = a + ((cuts[1:] + cuts[:-1]) / 2)[:, None] * (b - a)
        owner.append(candidates[_argmax(middle, y[candidates], h[candidates])])
        stops = a + cuts[:, None] * (b - a)
        start.append(stops[:-1])
        end.append(stops[1:])
    return np.concatenate(owner), np.concatenate(start), np.concatenate(end)


def _argmax(x: np.ndarray, y: np.ndarray, h: np.ndarray, block: int = 256) -> np.ndarray:
    return np.concatenate([np.argmax(x[r : r + block] @ y.T + h, axis=1) for r in range(0, len(x), block)])


def _moments(n: int, segments) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Areas, first and second moments of the cells, and the length by which each boundary fails to close (n,)."""
    owner, start, end = segments

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(owner, weights=values, minlength=n)

    count = np.maximum(total(np.ones(len(owner))), 1)
    about = np.stack([total(start[:, 0] + end[:, 0]), total(start[:, 1] + end[:, 1])], axis=1) / (2 * count[:, None])
    p, q = start - about[owner], end - about[owner]
    cross = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    areas = np.maximum(total(cross) / 2, 0)
    local = np.stack([total(cross * (p[:, c] + q[:, c])) / 6 for c in (0, 1)], axis=1)
    square = [
        total(cross * (2 * p[:, a] * p[:, b] + 2 * q[:, a] * q[:, b] + p[:, a] * q[:, b] + p[:, b] * q[:, a])) / 24
        for a, b in ((0, 0), (0, 1), (1, 1))
    ]
    first = local + areas[:, None] * about
    second = np.stack(
        [
            s + about[:, a] * local[:, b] + about[:, b] * local[:, a] + areas * about[:, a] * about[:, b]
            for s, (a, b) in zip(square, ((0, 0), (0, 1), (1, 1)), strict=True)
        ],
        axis=1,
    )
    gap = np.hypot(total(end[:, 0] - start[:, 0]), total(end[:, 1] - start[:, 1]))
    return areas, first, second, gap


def _repair(y, h, omega, bad, pairs, ends, segments):
    """Replace the facets and boundaries of the cells `bad` by those that cutting planes give."""
    is_bad = np.zeros(len(y), bool)
    is_bad[bad] = True
    new_pairs, new_ends, owners, starts, stops = [], [], [], [], []
    for i in bad:
        corners, across = cut_cell(i, y, h, omega)
        following = np.roll(corners, -1, axis=0)
        owners.append(np.full(len(corners), i))
        starts.append(corners)
        stops.append(following)
        for j, a, b in zip(across, corners, following, strict=True):
            if j >= 0 and (i < j or not is_bad[j]):
                new_pairs.append((i, j) if i < j else (j, i))
                new_ends.append((a, b) if i < j else (b, a))
    keep = ~is_bad[pairs].any(1)
    intact = ~is_bad[segments[0]]
    pairs = np.concatenate([pairs[keep], np.array(new_pairs, dtype=pairs.dtype).reshape(-1, 2)])
    ends = np.concatenate([ends[keep], np.array(new_ends, float).reshape(-1, 2, 2)])
    added = (np.concatenate(owners), np.concatenate(starts), np.concatenate(stops))
    segments = tuple(np.concatenate([old[intact], new]) for old, new in zip(segments, added, strict=True))
    return pairs, ends, segments


def cut_cell(
    i: int, y: np.ndarray, h: np.ndarray, omega: np.ndarray, slack: float = 1e-14
) -> tuple[np.ndarray, np.ndarray]:
    """One cell by cutting planes: cut omega by the strongest rival at its corners until no corner has one.

    Independent of any hull.

    Args:
        i: Index of the cell's point; of equal points with equal heights the first keeps the cell.
        y: Target points (n, 2).
        h: Heights (n,), in units of <x, y>.
        omega: Corners (V, 2) of the polygon, convex and counter-clockwise.
        slack: Largest lead of a rival at a corner that counts as none, in units of <x, y>.

    Returns:
        Corners (k, 2), counter-clockwise, and for the side that leaves each corner the neighbour's index (k,), or -1
        for a
        side of omega; both empty for an empty cell.
    """
    corners, across = omega, np.full(len(omega), -1)
    equal = (y == y[i]).all(1) & (h >= h[i])
    if equal[:i].any() or (h[equal] > h[i]).any():
        return np.empty((0, 2)), np.empty(0, int)
    used = {i}
    while len(corners) >= 3:
        lead = corners @ (y - y[i]).T + (h - h[i])
        lead[:, list(used)] = -np.inf
        c, j = np.unravel_index(np.argmax(lead), lead.shape)
        if lead[c, j] <= slack:
            return corners, across
        used.add(int(j))
        corners, across = _halve(corners, across, corners @ (y[j] - y[i]) + (h[j] - h[i]), int(j))
    return np.empty((0, 2)), np.empty(0, int)


def _halve(corners, across, value, j) -> tuple[np.ndarray, np.ndarray]:
    """Keep the part of a convex polygon where the linear function with these corner values is not positive."""
    vertices, sides = [], []
    for c in range(len(corners)):
        d = (c + 1) % len(corners)
        if value[c] <= 0:
            vertices.append(corners[c])
            sides.append(across[c])
        if (value[c] <= 0) != (value[d] <= 0):
            vertices.append(corners[c] + (corners[d] - corners[c]) * (value[c] / (value[c] - value[d])))
            # Leaving the half-plane, the new side runs along the cut; coming back, along the old side.
            sides.append(j if value[c] <= 0 else across[c])
    return np.array(vertices).reshape(-1, 2), np.array(sides, int)
