"""Transport problems whose answer is known in closed form, solved by the methods of the study of potentials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from otbench.theory.potentials.solvers import brenier, differences, euler, hessian, kantorovich, pixels
from otbench.transport import TransportMap, solve

SIDE, FINE = 5, 8  # targets a side of a grid, and pixels a side of each of its squares
SHIFT = np.array([0.3, -0.2])
STRETCH = np.array([2.0, 0.5])
#: symmetric and positive definite, turned against the axes
AFFINE = np.array([[1.5, 0.4], [0.4, 0.7]])


def grid_cost(side: int, stretch: np.ndarray, shift: np.ndarray) -> float:
    """Least E|x - y|^2 / 2 from the uniform square to the points diag(stretch) c + shift, c the pixel centres.

    The cells are the pixels: x = c + e gives (1 - a)^2 E c^2 + E e^2 + t^2 in each coordinate, with E c^2 = (1 -
    side^-2) / 12 and E e^2 = side^-2 / 12.

    Args:
        side: Pixels along each side.
        stretch: Factors of the coordinates (2,), positive.
        shift: Translation (2,).

    Returns:
        Cost.
    """
    centres, within = (1 - side**-2) / 12, side**-2 / 12
    return float((((1 - stretch) ** 2 * centres + within + shift**2) / 2).sum())


def known(main: TransportMap, points: int, seed: int) -> pd.DataFrame:
    """Known answers beside what the methods find.

    Args:
        main: Map of the study's problem, whose power diagram is counted.
        points: Points on each side of the affine problem.
        seed: Seed of the affine problem.

    Returns:
        A row for each answer: case, quantity, method, expected, found, error (the absolute difference).
    """
    rows = []

    def add(case: str, quantity: str, method: str, expected: float, found: float) -> None:
        rows.append((case, quantity, method, float(expected), float(found), abs(float(found) - float(expected))))

    for case, stretch, shift in (("translation", np.ones(2), SHIFT), ("stretch", STRETCH, np.zeros(2))):
        cost = grid_cost(SIDE, stretch, shift)
        target = pixels(SIDE) * stretch + shift
        add(case, "cost", "Newton", cost, solve(target).certificate()["map_cost"] / 2)
        fine = SIDE * FINE
        solved = kantorovich(pixels(fine), np.full(fine**2, fine**-2.0), target, np.full(len(target), 1 / len(target)))
        # No pixel is split here, so that what the pixels leave out is their own second moment.
        add(case, "cost", "Kantorovich", cost, solved.cost + fine**-2 / 12)
    _two(add)
    _affine(add, points, seed)
    v, e, f = euler(main.cells)
    add("power diagram", "V - E + F", "Newton", 1, v - e + f)
    return pd.DataFrame(rows, columns=["case", "quantity", "method", "expected", "found", "error"])


def _two(add) -> None:
    """Two targets on a horizontal line: the facet stands where the left cell has its weight."""
    target, share = np.array([[-0.4, 0.1], [0.7, 0.1]]), 0.3
    expected = (target[1, 0] - target[0, 0]) * (share - 0.5)
    for method, name in (("exact", "Newton"), ("stochastic", "ascent")):
        options: dict[str, Any] = {} if method == "exact" else {"tolerance": 0.01}
        heights = solve(target, [share, 1 - share], method=method, **options).heights
        add("two targets", "height difference", name, expected, heights[0] - heights[1])


def _affine(add, points: int, seed: int) -> None:
    """y = A x + t with A symmetric and positive definite is the gradient of a convex function, so optimal."""
    x = np.random.default_rng([seed, 2]).standard_normal((points, 2))
    y = x @ AFFINE + SHIFT
    cost, mass = ((x - y) ** 2).sum(1).mean() / 2, np.full(points, 1 / points)
    add("affine map", "cost", "Kantorovich", cost, kantorovich(x, mass, y, mass).cost)
    add("affine map", "cost", "heights", cost, brenier(x, mass, y, mass).cost)


def derivatives(main: TransportMap) -> dict[str, float | bool]:
    """Eq. 27 against central differences of exact masses.

    Args:
        main: Map on exact cells.

    Returns:
        `hessian_error`, the largest error in units of the largest entry, and `hessian_printed_sign`, whether the
        printed diagonal (the sum of the row, not minus it) has the sign of the true one.
    """
    formula = hessian(main.target, main.cells)
    measured = differences(main.target, main.heights, main.source.polygon)
    printed = formula.sum(1) - np.diag(formula)
    return {
        "hessian_error": float(np.abs(formula - measured).max() / np.abs(measured).max()),
        "hessian_printed_sign": bool((printed * np.diag(measured) > 0).all()),
    }
