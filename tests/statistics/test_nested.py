"""The split of variance against statsmodels and on simulated values whose split is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from otbench.statistics.nested import PARTS, mean_squares, split


def simulated(rng: np.random.Generator, shape: tuple[int, int, int], sds: tuple[float, ...]) -> np.ndarray:
    """Values (S, D, M) with known standard deviations of seed, draw, subset and residual."""
    seeds, draws, subsets = shape
    parts = rng.normal(0, sds[0], (seeds, 1, 1)), rng.normal(0, sds[1], (seeds, draws, 1))
    return 5 + parts[0] + parts[1] + rng.normal(0, sds[2], (1, 1, subsets)) + rng.normal(0, sds[3], shape)


def test_mean_squares_against_statsmodels() -> None:
    values = simulated(np.random.default_rng(0), (4, 3, 5), (1, 0.5, 0.7, 0.3))
    index = np.indices(values.shape).reshape(3, -1)
    table = pd.DataFrame(dict(zip(("s", "d", "m"), index, strict=True)) | {"y": values.ravel()})
    peer = anova_lm(ols("y ~ C(s) + C(s):C(d) + C(m)", table).fit())
    found, freedom = mean_squares(values)
    for part, row in {"seed": "C(s)", "draw": "C(s):C(d)", "subset": "C(m)", "residual": "Residual"}.items():
        assert found[part] == pytest.approx(peer["mean_sq"][row])
        assert freedom[part] == peer["df"][row]


def test_estimates_are_unbiased() -> None:
    rng, sds = np.random.default_rng(1), (1.0, 0.6, 0.8, 0.5)
    found = []
    for _ in range(3000):
        squares, _ = mean_squares(simulated(rng, (5, 3, 4), sds))
        draw = (squares["draw"] - squares["residual"]) / 4
        found.append(((squares["seed"] - squares["draw"]) / 12, draw, (squares["subset"] - squares["residual"]) / 15))
    assert np.mean(found, axis=0) == pytest.approx([1.0, 0.36, 0.64], rel=0.05)


def test_a_known_split_is_found() -> None:
    found = split(simulated(np.random.default_rng(2), (150, 10, 60), (1.0, 0.5, 0.8, 0.3)))
    expected = np.array([1.0, 0.25, 0.64, 0.09])
    assert [found.components[part] for part in PARTS] == pytest.approx(expected, rel=0.3)
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.shares["draw"] == pytest.approx(0.25 / expected.sum(), abs=0.04)
    assert found.negative == () and found.within == {}


def test_each_part_alone_by_hand() -> None:
    step = np.array([0.0, 1.0, 2.0])  # variance 1
    assert split(np.broadcast_to(step[:, None, None], (3, 2, 4))).components == pytest.approx(
        {"seed": 1.0, "draw": 0.0, "subset": 0.0, "residual": 0.0}
    )
    assert split(np.broadcast_to(step, (4, 2, 3))).components == pytest.approx(
        {"seed": 0.0, "draw": 0.0, "subset": 1.0, "residual": 0.0}
    )


def test_negative_estimates_are_set_to_zero_and_said() -> None:
    draws = np.broadcast_to(np.array([0.0, 1.0])[None, :, None], (3, 2, 2))  # seeds agree better than draws allow
    found = split(draws)
    assert found.negative == ("seed",) and found.components["seed"] == 0.0
    assert found.components["draw"] == pytest.approx(0.5)


def test_parts_that_the_design_cannot_tell() -> None:
    rng = np.random.default_rng(3)
    single = split(rng.normal(size=(4, 1, 3)))
    assert math.isnan(single.components["draw"]) and single.within == {"draw": "seed"}
    plain = split(np.array([1.0, 2.0, 4.0]).reshape(3, 1, 1))
    assert plain.components["seed"] == pytest.approx(np.var([1, 2, 4], ddof=1))
    assert plain.within == {"draw": "seed", "residual": "seed"}
    one = split(rng.normal(size=(1, 4, 1)))
    assert math.isnan(one.components["seed"]) and one.within == {"residual": "draw"}


def test_nothing_varies() -> None:
    found = split(np.full((2, 2, 2), 0.3))
    assert found.total == 0 and math.isnan(found.shares["seed"])


def test_values_must_be_finite_and_whole() -> None:
    with pytest.raises(ValueError, match="finite"):
        split(np.full((2, 2, 2), math.nan))


def test_rounding_is_no_variance() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        mean = draw.normal()
        found = split(mean + 1e-15 * draw.normal(size=(3, 3, 3)))
        assert found.total == 0 and not found.negative and all(math.isnan(share) for share in found.shares.values())
        assert found.mean == pytest.approx(mean)
    assert split(0.452 + 1e-6 * np.random.default_rng(0).normal(size=(3, 3, 3))).total > 0
