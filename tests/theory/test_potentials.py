"""The two potentials: known costs, heights and counts, and that the methods meet."""

from __future__ import annotations

import numpy as np
import pytest

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.potentials import solvers
from otbench.theory.potentials.known import SHIFT, SIDE, grid_cost
from otbench.transport import TransportMap, solve
from otbench.transport.sources import box

TINY = {"targets": 6, "sides": [6, 24], "tolerance": 0.1, "discrete": 12}


@pytest.fixture(scope="module")
def found():
    return compute("potentials", TINY)


def random_map(n: int = 15, seed: int = 3) -> TransportMap:
    random = np.random.default_rng(seed)
    return solve(random.uniform(-1, 1, (n, 2)), 0.5 + random.random(n))


def test_the_closed_form_of_a_grid():
    """One target: E|x - t|^2 / 2 = (1/6 + |t|^2) / 2; many: half of the squared shift alone."""
    assert grid_cost(1, np.ones(2), SHIFT) == pytest.approx((1 / 6 + SHIFT @ SHIFT) / 2)
    assert grid_cost(10_000, np.ones(2), SHIFT) == pytest.approx(SHIFT @ SHIFT / 2, abs=1e-8)
    assert grid_cost(10_000, np.array([3.0, 1.0]), np.zeros(2)) == pytest.approx(4 / 12 / 2, abs=1e-8)


def test_known_answers_are_found(found):
    rows = found.tables["known"]
    exact = rows[rows.method != "ascent"]
    assert len(exact) == 8 and exact.error.max() < 1e-12
    assert found.facts["known_error_ascent"] < 0.02
    translation = rows[(rows.case == "translation") & (rows.method == "Newton")].found.iloc[0]
    assert translation == pytest.approx((SHIFT @ SHIFT + 1 / (6 * SIDE**2)) / 2, abs=1e-14)


def test_the_potentials_meet(found):
    f, pixels = found.facts, found.tables["pixels"]
    assert f["kantorovich_dual"] <= f["cost"] + 1e-12
    assert f["cost"] <= f["pixels_cost_pixels"] + 1e-12
    assert pixels.identity.iloc[-1] < 0.02 * f["potential_range"]
    assert pixels.identity.iloc[-1] < pixels.identity.iloc[0]
    assert pixels.violation.max() < 1e-9 and pixels.slack.max() < 1e-9
    # A plan at a vertex of the polytope splits at most n - 1 points.
    assert (pixels.split <= TINY["targets"] - 1).all()
    assert f["gradient_potential"] < 1e-6 and f["gradient_moved"] < 1e-5
    assert f["newton_mass_error"] < 1e-9 and f["newton_moved"] < 1e-12


def test_discrete_costs_agree_and_potentials_need_not(found):
    f = found.facts
    for name in ("discrete", "matching"):
        assert f[f"{name}_cost_gap"] < 1e-12
        assert max(f[f"{name}_violation"], f[f"{name}_crossed_slack"]) < 1e-9
    assert f["matching_split"] == 0
    assert f["matching_apart"] > 1e-3


def test_matching_is_the_assignment():
    from scipy.optimize import linear_sum_assignment

    random = np.random.default_rng(5)
    x, y = random.standard_normal((2, 20, 2))
    mass, cost = np.full(20, 1 / 20), solvers.costs(x, y)
    expected = cost[linear_sum_assignment(cost)].mean()
    assert solvers.kantorovich(x, mass, y, mass).cost == pytest.approx(expected, abs=1e-12)
    assert solvers.brenier(x, mass, y, mass).cost == pytest.approx(expected, abs=1e-12)


def test_euler_holds_and_counts_the_cells():
    assert solvers.euler(solve([[-0.3, 0.0], [0.4, 0.1]]).cells) == (6, 7, 2)
    v, e, f = solvers.euler(random_map().cells)
    assert (v - e + f, f) == (1, 15)


def test_hessian_agrees_with_differences_and_annihilates_constants():
    one = random_map()
    formula = solvers.hessian(one.target, one.cells)
    measured = solvers.differences(one.target, one.heights, one.source.polygon)
    assert np.abs(formula - measured).max() < 1e-6 * np.abs(measured).max()
    assert np.abs(formula.sum(1)).max() < 1e-12
    assert (np.diag(formula) > 0).all()


def test_the_share_that_moves_is_exact():
    """A facet between two targets stands at -1/2 + share, so that moving 0.1 of the mass moves 0.1 of the square."""
    target, law = np.array([[-0.5, 0.0], [0.5, 0.0]]), box([-0.5, -0.5], [0.5, 0.5])
    one, other = (TransportMap(target, np.array([h, 0.0]), np.full(2, 0.5), law) for h in (0.0, 0.1))
    assert solvers.differing(one, other) == pytest.approx(0.1, abs=1e-12)
    assert solvers.differing(one, one) == pytest.approx(0, abs=1e-12)


def test_the_rate_of_one_pair():
    """Two targets a apart on a line, mass one half each: H = (1 / a) [[1, -1], [-1, 1]], whose eigenvalue over the
    weights is 4 / a; the mean gap is a / 4; so the rate is the gain.
    """
    from otbench.transport.stochastic import GAIN

    one = solve([[-0.35, 0.0], [0.35, 0.0]])
    assert solvers.ascent_rate(one, side=200) == pytest.approx(GAIN, rel=1e-6)


def test_wrong_options_are_named():
    for options, word in (({"targets": 1}, "targets"), ({"sides": [10]}, "sides"), ({"pixels": 3}, "no such option")):
        with pytest.raises(OtbenchError, match=word):
            configure("potentials", options)


def test_the_same_seed_gives_the_same_bits(found, tmp_path):
    again = compute("potentials", TINY)
    assert again.facts == found.facts
    for name, value in found.arrays.items():
        assert np.array_equal(again.arrays[name], value)
    assert compute("potentials", TINY, seed=1).facts["cost"] != found.facts["cost"]
    found.write(tmp_path / "found.npz")
    assert (tmp_path / "found.npz").stat().st_size < 200_000
