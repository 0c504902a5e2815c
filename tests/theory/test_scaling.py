"""Scaling: the floor of a counted mass, memory that is known, maps and baselines whose scores are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.scaling import floor_table, slope
from otbench.theory.scaling.generation import _extended, scored, thinned
from otbench.theory.scaling.problem import Codes, floor, peak
from otbench.transport import TransportMap, solve
from otbench.transport.sources import named
from tests.conftest import smoke

TINY = smoke("scaling")


@pytest.fixture(scope="module")
def found():
    return compute("scaling", TINY)


@pytest.mark.parametrize("d", [2, 3])
def test_a_uniform_grid_needs_no_heights(d):
    """Targets at the centres of m^d cubes: with h = -|y|^2 / 2 (zero power weights) every mass is m^-d, and W2^2 is the
    second moment of a cube, d / (12 m^2).
    """
    m = 4
    ticks = (np.arange(m) + 0.5) / m - 0.5
    target = np.stack(np.meshgrid(*[ticks] * d, indexing="ij"), axis=-1).reshape(-1, d)
    n = len(target)
    one = TransportMap(target, -(target**2).sum(1) / 2, np.full(n, 1 / n), named("cube", d))
    assert np.abs(one.masses(200_000) * n - 1).mean() < (1e-12 if d == 2 else 1.5 * floor(n, 200_000))
    assert one.wasserstein(400_000) ** 2 == pytest.approx(d / (12 * m**2), rel=1e-9 if d == 2 else 0.05)


def test_the_two_corners_of_a_square_need_no_heights_at_all():
    corners = np.array([(a, b) for a in (-0.25, 0.25) for b in (-0.25, 0.25)])
    one = TransportMap(corners, np.zeros(4), np.full(4, 0.25), named("cube", 2))
    assert one.certificate()["map_max_cell_error"] < 1e-12


def test_the_floor_is_that_of_binomial_counts():
    n, points = 50, 5000
    counts = np.random.default_rng(0).multinomial(points, np.full(n, 1 / n), size=400)
    assert floor(n, points) == pytest.approx(np.abs(counts * n / points - 1).mean(), rel=0.02)
    assert floor(1, 10) == 0
    with pytest.raises(OtbenchError, match="at least one cell"):
        floor(10, 0)


def test_an_exact_map_shows_the_floor():
    table = floor_table(200, 5, seed=0, most=64)
    assert list(table.per.round(1)) == [4, 16, 64]
    assert np.abs(table.measured / table.expected - 1).max() < 0.2


def test_memory_is_counted_once_and_given_back():
    with peak() as held:
        a = torch.zeros(1000, 250)
        b = a.T
        b += 1
        del a, b
        torch.ones(1000, 100)
        one = np.zeros(125_000)
        del one
    assert held.tensors == 1_000_000
    assert 1_000_000 <= held.arrays < 1_200_000


def test_memory_of_a_product():
    with peak() as held:
        a = torch.zeros(100, 100)
        a = a @ a
    assert held.tensors == 80_000


def test_draws_have_the_moments_and_the_shares():
    codes = Codes.made(3, 4, 0)
    x = codes.draw(40_000, np.random.default_rng(0))
    mode, distance = codes.nearest(x)
    assert np.abs(np.bincount(mode) / len(x) - codes.weights).max() < 1e-3
    assert np.abs(np.cov(x.T) - codes.moments["sigma"]).max() < 5e-3
    assert np.abs(x.mean(0) - codes.moments["mu"]).max() < 5e-3
    assert (distance <= codes.radius).mean() == pytest.approx(0.99, abs=2e-3)


def test_thinning_keeps_the_shares():
    mode = np.repeat([2, 0, 1], [80, 160, 240])
    x = np.arange(480.0)[:, None]
    kept = thinned(x, mode, 30)
    assert np.array_equal(np.bincount(mode[kept[:, 0].astype(int)]), [10, 15, 5])


def test_scores_of_the_law_and_of_a_collapse():
    codes, random = Codes.made(4, 3, 0), np.random.default_rng(0)
    held, true = codes.draw(200, random), codes.draw(3200, random)
    good, bad = (scored(codes, held, x) for x in (true, np.tile(codes.centres[:1], (3200, 1))))
    assert good["reverse_kl"] < 1e-4 and bad["reverse_kl"] == pytest.approx(-np.log(codes.weights[0]))
    assert good["spread"] == pytest.approx(1, abs=0.05) and bad["spread"] == 0
    # One point for all: W2^2 is the mean squared distance of the held-out points to it.
    assert bad["w2"] ** 2 == pytest.approx(((held - codes.centres[0]) ** 2).sum(1).mean())
    assert good["w2"] < 0.3 and good["outside"] == pytest.approx(0.01, abs=0.01)


def test_extension_of_one_mode_stays_in_its_hull():
    target = np.random.default_rng(0).random((20, 2))
    from otbench.transport import AngleRule

    samples, kept = _extended(solve(target), AngleRule(np.inf), 100, np.random.default_rng(0))
    assert samples.shape == (100, 2) and kept == 1
    assert (samples >= target.min(0)).all() and (samples <= target.max(0)).all()


def test_slopes():
    x = pd.Series([1.0, 2.0, 4.0])
    assert slope(x, 3 * x**2) == pytest.approx(2)
    assert np.isnan(slope(pd.Series([1.0, 1.0]), pd.Series([1.0, 2.0])))


def test_memory_is_measured_where_it_is_asked_for():
    smaller = {"dimensions": [2], "memory": True}
    assert (compute("scaling", TINY | smaller).tables["resources"].mib > 0).all()


def test_a_tiny_run_holds_what_it_should(found):
    rows, told = found.tables["resources"], found.tables["summary"]
    assert len(rows) == 6 and len(told) == 2 + 5
    newton = rows[rows.method == "newton"]
    assert newton.error.max() < 1e-8 and (newton.points == 0).all()
    assert rows.mib.isna().all(), "memory is measured where it is asked for"
    assert told[told.label == "real"].reverse_kl.iloc[0] < told[told.source == "map"].reverse_kl.min() + 0.05
    best = told[told.source == "map"].error.min()
    assert told[told.label == "scrambled"].error.iloc[0] <= best == found.facts["best_error"]
    assert found.facts["worst_error"] >= found.facts["best_error"]


def test_all_but_the_seconds_is_the_seeds_alone(found):
    again = compute("scaling", TINY)
    for name, table in found.tables.items():
        kept = [column for column in table if column not in ("seconds", "mib")]
        pd.testing.assert_frame_equal(table[kept], again.tables[name][kept])


def test_wrong_options_are_named():
    for options, word in (({"levels": [0.1]}, "levels"), ({"targets": [5, 100]}, "targets"), ({"n": 3}, "no such")):
        with pytest.raises(OtbenchError, match=word):
            configure("scaling", options)
    with pytest.raises(OtbenchError, match="at least 60 targets"):
        compute("scaling", TINY | {"modes": 30})
