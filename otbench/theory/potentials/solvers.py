"""Kantorovich's and Brenier's problems on point clouds as linear programmes, and how heights are judged exactly.

The cost is c(x, y) = |x - y|^2 / 2 throughout, as in the AE-OT paper (Theorem 3.10), so that W2^2 is twice the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from otbench.errors import WorkFailed
from otbench.transport.cells2d import Cells, cut_cell, laguerre
from otbench.transport.map import TransportMap
from otbench.transport.sources import named
from otbench.transport.stochastic import GAIN


@dataclass(frozen=True)
class Solved:
    """A solved discrete problem: points x (m, d) with mass (m,) to y (n, d) with weights (n,).

    phi (m,), psi (n,): Kantorovich potentials with phi_k + psi_i <= c(x_k, y_i). plan (m, n), None where the solver
    gives none. cost: the value that the solver reports.
    """

    x: np.ndarray
    y: np.ndarray
    phi: np.ndarray
    psi: np.ndarray
    plan: np.ndarray | Any
    cost: float

    @property
    def heights(self) -> np.ndarray:
        """Brenier's heights h_i = psi_i - |y_i|^2 / 2 (n,)."""
        return self.psi - (self.y**2).sum(1) / 2


def costs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """c(x, y) = |x - y|^2 / 2 between all pairs.

    Args:
        x: Points (m, d).
        y: Points (n, d).

    Returns:
        Costs (m, n).
    """
    return ((x[:, None] - y[None]) ** 2).sum(2) / 2


def pixels(side: int) -> np.ndarray:
    """Centres of the pixels of the square [-1/2, 1/2]^2.

    Args:
        side: Pixels along each side.

    Returns:
        Points (side^2, 2), the first coordinate slowest.
    """
    ticks = (np.arange(side) + 0.5) / side - 0.5
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=2).reshape(-1, 2)


def kantorovich(x: np.ndarray, mass: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Solved:
    """Kantorovich's problem and its dual by POT's network simplex.

    Args:
        x: Source points (m, d).
        mass: Their masses (m,).
        y: Target points (n, d).
        weights: Their masses (n,), of the same sum.

    Returns:
        Potentials, plan and cost.

    Raises:
        WorkFailed: Where the simplex does not end.
    """
    from otbench.metrics.wasserstein import import_ot

    plan, log = import_ot().emd(mass, weights, costs(x, y), numItermax=20_000_000, log=True)
    if log["warning"] is not None:
        raise WorkFailed(f"potentials: POT found no optimal plan for {plan.shape} points ({log['warning']})")
    return Solved(x, y, log["u"], log["v"], plan, float(log["cost"]))


def brenier(x: np.ndarray, mass: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Solved:
    """Brenier's heights of a discrete problem: the convex energy of Theorem 4.2 with sums for integrals.

    min over u, h of <mass, u> - <weights, h> with u_k >= <x_k, y_i> + h_i, which HiGHS (scipy) solves as a linear
    programme that knows nothing of a plan or of a cost.

    Args:
        x: Source points (m, d).
        mass: Their masses (m,).
        y: Target points (n, d).
        weights: Their masses (n,), of the same sum.

    Returns:
        Potentials and cost; the plan is None.

    Raises:
        WorkFailed: Where no optimum is found.
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, hstack, kron

    m, n = len(x), len(y)
    ones = [np.ones((n, 1)), np.ones((m, 1))]
    rows = hstack([-kron(eye_array(m), ones[0]), kron(ones[1], eye_array(n))], format="csr")
    fixed = [(None, None)] * m + [(0, 0)] + [(None, None)] * (n - 1)
    optimum = linprog(
        np.concatenate([mass, -weights]), A_ub=rows, b_ub=-(x @ y.T).ravel(), bounds=fixed, method="highs"
    )
    if optimum.status != 0:
        raise WorkFailed(f"potentials: no optimal heights for {m} and {n} points ({optimum.message})")
    u, h = optimum.x[:m], optimum.x[m:]
    second = (mass @ (x**2).sum(1) + weights @ (y**2).sum(1)) / 2
    return Solved(x, y, (x**2).sum(1) / 2 - u, h + (y**2).sum(1) / 2, None, float(second - optimum.fun))


def quasi_newton(target: np.ndarray, weights: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, int]:
    """Heights that minimise the exact energy of Theorem 4.2 with its exact gradient w - nu (Eq. 26), by scipy's L-BFGS.

    Args:
        target: Target points (n, 2).
        weights: Their masses (n,), summing to 1.
        start: Heights (n,) under which every cell has mass.

    Returns:
        Heights (n,), and how often energy and gradient were computed.
    """
    from scipy.optimize import minimize

    law = named("cube", target.shape[1])

    def energy(h: np.ndarray) -> tuple[float, np.ndarray]:
        transport = TransportMap(target, h, weights, law)
        return transport.dual(), transport.masses() - weights

    optimum = minimize(energy, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 0, "gtol": 1e-10})
    return optimum.x, int(optimum.nfev)


def violation(cost: np.ndarray, phi: np.ndarray, psi: np.ndarray) -> float:
    """Largest phi_k + psi_i - c_ki: how far the potentials are from feasible.

    Args:
        cost: Costs (m, n).
        phi: Potential on the source points (m,).
        psi: Potential on the target points (n,).

    Returns:
        Largest excess, at most rounding where the potentials are feasible.
    """
    return float((phi[:, None] + psi[None] - cost).max())


def slack(cost: np.ndarray, phi: np.ndarray, psi: np.ndarray, plan: np.ndarray) -> tuple[float, float]:
    """Largest c - phi - psi on the plan's support, and its mean under the plan: both zero at an optimal pair.

    Args:
        cost: Costs (m, n).
        phi: Potential on the source points (m,).
        psi: Potential on the target points (n,).
        plan: Plan (m, n).

    Returns:
        Largest absolute value on the support, and mean.
    """
    gap, support = cost - phi[:, None] - psi[None], plan > 0
    return float(np.abs(gap[support]).max()), float((plan * gap).sum())


def judged(transport: TransportMap, reference: TransportMap, points: np.ndarray) -> dict[str, float]:
    """Comparison of a map in the plane with a reference, by exact cells but for the potentials.

    Args:
        transport: Map to judge.
        reference: Map onto the same targets that is taken as the truth.
        points: Points (m, 2) at which the potentials are compared.

    Returns:
        `cost`: E c(x, T(x)) of the map as it is; `dual`: Kantorovich's dual value of its potentials; `mass_error`,
        `mass_total`: largest relative and total error of the masses; `moved`: share of the square whose target differs;
        `potential`: largest difference of the potentials up to a constant.
    """
    certificate = transport.certificate()
    mass, weights = transport.masses(), transport.weights
    apart = transport.brenier(points) - reference.brenier(points)
    return {
        "cost": certificate["map_cost"] / 2,
        "dual": certificate["map_w2"] ** 2 / 2,
        "mass_error": float(certificate["map_max_cell_error"]),
        "mass_total": float(np.abs(mass - weights).sum() / 2),
        "moved": differing(transport, reference),
        "potential": float(np.ptp(apart) / 2),
    }


def differing(one: TransportMap, other: TransportMap) -> float:
    """Share of the source whose cells have different indices: half the sum of the areas of the symmetric differences.

    Args:
        one: Map from a polygon of the plane.
        other: Map from the same polygon, its targets in the same order.

    Returns:
        Share in [0, 1], exact by convex clipping.
    """
    total, common = one.cells.areas.sum(), 0.0
    for i, corners in enumerate(one.cells.polygons()):
        if len(corners) >= 3:
            common += area(cut_cell(i, other.target, other.heights, corners)[0])
    return float(max(0.0, 1 - common / total))


def area(corners: np.ndarray) -> float:
    """Area of a counter-clockwise polygon.

    Args:
        corners: Corners (k, 2).

    Returns:
        Area, zero where the polygon is empty.
    """
    if len(corners) < 3:
        return 0.0
    p, q = corners - corners[0], np.roll(corners, -1, axis=0) - corners[0]
    return float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / 2)


def euler(cells: Cells) -> tuple[int, int, int]:
    """Vertices, edges and faces of a power diagram clipped to its polygon, without the outside: V - E + F = 1.

    Args:
        cells: Cells of the diagram.

    Returns:
        V, E and F.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    owner, start, end = cells.segments
    ends = np.concatenate([start, end])
    # Ends of neighbouring segments agree up to rounding only.
    near = cKDTree(ends).query_pairs(1e-9, output_type="ndarray")
    graph = coo_array((np.ones(len(near)), near.T), shape=(len(ends), len(ends)))
    vertices = connected_components(graph, directed=False)[0]
    return int(vertices), len(owner) - len(cells.pairs), len(np.unique(owner))


def hessian(target: np.ndarray, cells: Cells) -> np.ndarray:
    """Derivatives dw_i / dh_j of the masses: -length of the shared facet / (|y_i - y_j| area) off the diagonal.

    The diagonal is minus the sum of its row.

    Args:
        target: Target points (n, 2).
        cells: Their cells.

    Returns:
        Derivatives (n, n).

    Source: AE-OT paper, Eq. 27, with the sign that its second formula lacks.
    """
    matrix = np.zeros((len(target), len(target)))
    i, j = cells.pairs.T
    value = cells.lengths / (np.linalg.norm(target[i] - target[j], axis=1) * cells.areas.sum())
    matrix[i, j] = matrix[j, i] = -value
    return matrix - np.diag(matrix.sum(1))


def differences(target: np.ndarray, heights: np.ndarray, polygon: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives dw_i / dh_j of the masses by central differences of exact masses.

    Args:
        target: Target points (n, 2).
        heights: Heights (n,).
        polygon: Corners of the source's polygon (k, 2).
        step: Change of a height.

    Returns:
        Derivatives (n, n).
    """
    columns = []
    for j in range(len(target)):
        moved = [laguerre(target, heights + sign * step * (np.arange(len(target)) == j), polygon) for sign in (1, -1)]
        shares = [cells.areas / cells.areas.sum() for cells in moved]
        columns.append((shares[0] - shares[1]) / (2 * step))
    return np.stack(columns, axis=1)


def ascent_rate(transport: TransportMap, side: int = 201) -> float:
    """Power of the number of points with which the stochastic ascent's slowest error falls, to first order.

    With e = H (h - h*) / nu the step h <- h - s g e / (points seen) makes a mode of diag(nu)^-1 H with eigenvalue l
    fall like points^(-g s l); s is the mean gap between the two highest planes, g the gain.

    Args:
        transport: Exact map from the square [-1/2, 1/2]^2.
        side: Pixels along each side of the square, on whose centres the gap is averaged.

    Returns:
        The power g s l.
    """
    scores = np.sort(pixels(side) @ transport.target.T + transport.heights, axis=1)
    matrix = hessian(transport.target, transport.cells) / np.sqrt(np.outer(transport.weights, transport.weights))
    return float(GAIN * (scores[:, -1] - scores[:, -2]).mean() * np.linalg.eigvalsh(matrix)[1])


def measured_rate(record: list[tuple[float, int, np.ndarray]], transport: TransportMap, span: float = 100) -> float:
    """Power of the number of points with which the run's error fell, in the distance from the exact heights.

    The distance is in the norm that the weights give.

    Args:
        record: Seconds, points seen and heights (n,) along the run.
        transport: Exact map.
        span: Factor of points at the run's end over which the power is taken.

    Returns:
        The power; NaN where the record is too short.
    """

    def distance(heights: np.ndarray) -> float:
        apart = heights - transport.heights
        return float(np.sqrt(transport.weights @ (apart - transport.weights @ apart) ** 2))

    points = np.array([seen for _, seen, _ in record])
    first = int(np.argmax(points >= points[-1] / span))
    if points[first] == points[-1]:
        return float("nan")
    fall = np.log(distance(record[first][2]) / distance(record[-1][2]))
    return float(fall / np.log(points[-1] / points[first]))
