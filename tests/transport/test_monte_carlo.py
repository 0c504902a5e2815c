"""The papers' own solvers: steps against a computation of our own, convergence to a solution in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.transport.monte_carlo import Plateau, solve_monte_carlo
from otbench.transport.sources import named

CUBE = named("cube", 2)
Y = np.random.default_rng(0).standard_normal((6, 2))
NU = np.full(6, 1 / 6)


def by_hand(points, steps, rate, betas, corrected):
    """Heights after some steps of Adam on shares among the given points, one set a step."""
    h, m, v = (np.zeros(len(Y)) for _ in range(3))
    for t in range(1, steps + 1):
        x = points[t - 1]
        g = np.bincount((x @ Y.T + h).argmax(1), minlength=len(Y)) / len(x) - NU
        g = g - g.mean()
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
        first, second = (m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)) if corrected else (m, v)
        h = h - rate * first / (np.sqrt(second) + 1e-8)
        h = h - h.mean()
    return h


def test_the_papers_steps_are_adams_on_fresh_points():
    stream = torch.Generator().manual_seed(3)
    fresh = [CUBE.sample_torch(500, stream).double().numpy() for _ in range(4)]
    found, info = solve_monte_carlo(Y, NU, CUBE, "paper", rate=0.01, points=500, norm=1e-9, max_steps=4, seed=3)
    assert found == pytest.approx(by_hand(fresh, 4, 0.01, (0.9, 0.5), True), abs=1e-7)
    assert (info["steps"], info["points"], info["reason"]) == (4, 2000, "steps")


def test_the_codes_steps_have_one_sobol_set_and_no_correction():
    fixed = torch.quasirandom.SobolEngine(2).draw(512).double().numpy() - 0.5
    found, _ = solve_monte_carlo(Y, NU, CUBE, "pyomt", rate=0.01, points=512, norm=1e-9, max_steps=4)
    assert found == pytest.approx(by_hand([fixed] * 4, 4, 0.01, (0.9, 0.999), False), abs=1e-7)


@pytest.mark.parametrize("variant", ["paper", "pyomt"])
def test_it_finds_the_border_between_two_cells(variant):
    # <x, e> + h_0 = <x, -e> + h_1 at x_1 = (h_1 - h_0) / 2, and cell 0 has the mass 1/2 - (h_1 - h_0) / 2
    y, nu = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.3, 0.7])
    found, info = solve_monte_carlo(
        y, nu, CUBE, variant, rate=5e-3, points=2000, most=64_000, norm=4e-3, max_steps=2000
    )
    assert info["reason"] in ("norm", "steps")
    assert found[1] - found[0] == pytest.approx(0.4, abs=0.02)


def test_points_are_doubled_on_a_plateau_and_not_beyond_the_largest_number():
    words = {"rate": 1e-9, "points": 100, "patience": 2, "most": 400, "norm": 1e-9}
    _, info = solve_monte_carlo(Y, NU, CUBE, "paper", max_steps=60, **words)
    assert info["points_a_step"] == 400 and 100 * 60 < info["points"] < 400 * 60
    _, few = solve_monte_carlo(Y, NU, CUBE, "paper", max_steps=2, **words)
    assert (few["points"], few["points_a_step"]) == (200, 100)


def test_a_plateau_is_so_many_values_in_a_row_without_a_new_least():
    plateau = Plateau(2)
    assert [plateau.reached(value) for value in (3, 2, 2, 1, 1.5, 1, 5, 4)] == [False] * 5 + [True, False, False]
    equal = Plateau(2, equal=True)
    assert [equal.reached(value) for value in (3, 3, 3, 4, 5)] == [False] * 4 + [True]


def test_what_cannot_be_solved_so_is_said():
    with pytest.raises(OtbenchError, match="need a box"):
        solve_monte_carlo(Y, NU, named("gaussian", 2), "pyomt")
    with pytest.raises(OtbenchError, match="paper or pyomt"):
        solve_monte_carlo(Y, NU, CUBE, "newton")  # pyright: ignore[reportArgumentType]
