"""Models against the best one: by hand, against scipy, and its error rates and power on simulated seeds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from otbench.statistics.best import AgainstBest, adjusted, against_best
from otbench.statistics.intervals import wilson
from otbench.statistics.moderation import Moderated, moderate
from otbench.statistics.power import seeds_to_resolve
from otbench.statistics.simulation import DEVIATIONS, METHODS, false_positives, power

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng


def seeds_of(mean: float, error: float, rng: np.random.Generator, n: int = 3) -> np.ndarray:
    """Values of exactly this mean and standard error."""
    values = rng.normal(size=n)
    return mean + error * math.sqrt(n) * (values - values.mean()) / values.std(ddof=1)


def among_31(best: np.ndarray, poor: np.ndarray, low: float, high: float, error: float) -> dict[str, np.ndarray]:
    """The two among 29 models whose means are spread evenly on a logarithmic axis, with a relative error."""
    rng = RNG(0)
    others = {f"m{at}": seeds_of(mean, error * mean, rng) for at, mean in enumerate(np.geomspace(low, high, 29))}
    return {"best": best, "poor": poor} | others


def checked(found: AgainstBest | None) -> AgainstBest:
    assert found is not None
    return found


def test_distances_far_apart_are_told_apart_at_three_seeds() -> None:
    rng = RNG(1)
    values = among_31(seeds_of(0.885, 0.056, rng), seeds_of(24.9, 1.9, rng), 0.95, 40.0, 0.07)
    found = checked(against_best(values, "lower", "log"))
    assert found.best == "best" and "poor" in found.worse and found.models["poor"].p < 1e-6
    assert found.models["poor"].effect == pytest.approx(24.9 / 0.885, rel=0.02)
    assert "m0" in found.undecided  # 0.95 is not
    assert stats.ttest_ind(values["poor"], values["best"], equal_var=False).pvalue * 30 > 0.05  # what Welch's test said


def test_eleven_modes_are_told_apart_from_all_25() -> None:
    values = {f"full{at}": (25.0,) * 3 for at in range(10)} | {"half": (8.0, 11.0, 15.0)}
    rng = RNG(2)
    values |= {f"m{at}": tuple(np.minimum(25, np.round(rng.normal(22, 1.2, 3)))) for at in range(20)}
    found = checked(against_best(values, "higher"))
    assert found.models["half"].estimate == pytest.approx(34 / 3) and "half" in found.worse
    assert found.models["half"].difference == pytest.approx(34 / 3 - 25)
    assert {f"full{at}" for at in range(1, 10)} <= set(found.undecided)
    assert stats.ttest_ind(values["half"], values["full0"], equal_var=False).pvalue * 30 > 0.05


def test_equal_variances_give_tukey_s_test() -> None:
    """Of models with the same sample variance, the least p is that of all pairs: the worst against the best."""
    values = {name: np.array([-1.0, 0.0, 1.0]) + mean for name, mean in (("a", 0), ("b", 1.1), ("c", 2.6))}
    found = checked(against_best(values, "lower"))
    expected = stats.tukey_hsd(*values.values()).pvalue
    assert found.models["c"].p == pytest.approx(expected[0, 2], rel=1e-3)
    # b is compared as the second of three: less strict than Tukey's, never below its plain t test
    plain = stats.t.sf(1.1 / math.sqrt(2 / 3), 6)
    assert plain < found.models["b"].p and found.models["b"].p > found.models["c"].p
    assert checked(against_best({"a": values["a"], "c": values["c"]}, "lower")).models["c"].p == pytest.approx(
        stats.ttest_ind(values["a"], values["c"]).pvalue, rel=1e-3
    )


def test_no_model_is_worse_where_a_worse_one_is_not() -> None:
    moderated = Moderated(np.array([[1.0, 1.0, 400.0]]), np.full((1, 3), 20.0), np.full((1, 1), math.inf))
    p, place = adjusted(np.array([[0.0, 6.0, 8.0]]), moderated, np.full(3, 3.0), np.array([0]))
    assert list(place[0]) == [1, 3, 2]  # by t, b is the worst: it is tested first and on its own
    assert p[0, 1] < 0.01 and p[0, 2] > 0.5 and math.isnan(p[0, 0])


def test_the_scale_is_that_of_the_ratio_and_the_direction_is_heeded() -> None:
    values = {"a": (1.0, 1.2, 1.1), "b": (3.0, 3.4, 3.2)}
    lower, higher = (checked(against_best(values, one, "log")) for one in ("lower", "higher"))
    assert (lower.best, higher.best) == ("a", "b")
    assert lower.models["b"].effect == pytest.approx(1 / higher.models["a"].effect) and lower.models["b"].effect > 2.8
    assert lower.models["b"].p == pytest.approx(higher.models["a"].p)
    thousandfold = {name: tuple(1000 * np.array(one)) for name, one in values.items()}
    assert checked(against_best(thousandfold, "lower", "log")).models["b"].p == pytest.approx(lower.models["b"].p)
    assert checked(against_best(values | {"c": (0.0, 4.0, 4.0)}, "lower", "log")).scale == "identity"


def test_intervals_are_moderated_and_within_the_metric_s_range() -> None:
    found = checked(against_best({"a": (0.97, 1.0, 0.99), "b": (0.5, 0.6, 0.7)}, "higher", "logit", samples=1000))
    assert found.models["a"].interval.low == pytest.approx(0.80, abs=0.01) and found.models["a"].interval.high == 1.0
    assert found.models["b"].interval.low == pytest.approx(0.35, abs=0.01)
    equal = checked(against_best({"a": (1.0, 2.0, 3.0), "b": (5.0, 6.0, 7.0)}, "lower")).models["a"].interval
    assert equal.high == pytest.approx(2 + stats.t.ppf(0.975, 4) / math.sqrt(3), rel=1e-3)  # both variances are 1


def test_one_seed_has_the_interval_of_its_samples_and_no_test() -> None:
    found = checked(against_best({"a": (0.9,), "b": (0.8,), "c": (0.9,)}, "higher", "logit", 500, binomial=True))
    assert found.tested == [] and found.undecided == ["c"] and found.worse == []
    assert found.models["b"].interval == wilson(0.8, 500) and math.isnan(found.models["b"].p)
    plain = checked(against_best({"a": (0.9,), "b": (0.8,)}, "higher", "logit", 500))
    assert not plain.models["b"].interval.known


def test_values_without_spread_and_without_end() -> None:
    exact = checked(against_best({"a": (25.0,) * 3, "b": (25.0,) * 3, "c": (24.0,) * 3}, "higher"))
    assert exact.undecided == ["b"] and exact.worse == ["c"]
    values = {"a": (1.0, 1.1, 0.9), "all": (math.inf,) * 3, "some": (math.inf, 1.0, 1.0), "nan": (math.nan, 1.0)}
    found = checked(against_best(values, "lower", "log"))
    assert found.worse == ["all"] and "nan" not in found.models
    assert math.isnan(found.models["some"].p) and found.undecided == []
    assert against_best({"a": ()}, "lower") is None


def test_seeds_needed_follow_from_the_same_model() -> None:
    values = {"a": (1.0, 1.2, 1.1, 0.9), "b": (1.1, 1.3, 1.2, 1.0), "c": (9.0, 9.9, 8.0, 9.2)}
    found = checked(against_best(values, "lower", "log"))
    logs = {name: np.log(one) for name, one in values.items()}
    moderated = moderate(np.array([one.var(ddof=1) for one in logs.values()]), 3.0)
    expected = seeds_to_resolve(
        logs["b"].mean() - logs["a"].mean(), tuple(np.sqrt(moderated.variance[:2])), models=3, place=2,
        prior=float(moderated.prior[0]),
    )  # fmt: skip
    assert found.models["b"].seeds == expected and 10 < expected < 100
    assert found.worse == ["c"] and math.isnan(found.models["c"].seeds)


@pytest.mark.parametrize("models", [6, 31])
@pytest.mark.parametrize(("seeds", "bound"), [(2, 0.07), (3, 0.06), (5, 0.06), (10, 0.06)])
def test_the_level_is_held_where_variances_agree(models: int, seeds: int, bound: float) -> None:
    assert false_positives("all the same", METHODS[0], models, seeds, runs=600) <= bound


@pytest.mark.parametrize("models", [6, 31])
@pytest.mark.parametrize(("seeds", "bound"), [(2, 0.16), (3, 0.10), (5, 0.08), (10, 0.07)])
def test_the_level_where_variances_differ(models: int, seeds: int, bound: float) -> None:
    for spread in list(DEVIATIONS)[1:]:
        assert false_positives(spread, METHODS[0], models, seeds, runs=600) <= bound
    assert false_positives(list(DEVIATIONS)[2], METHODS[1], models, seeds, runs=600) > 0.12  # plain pooling does not


def test_some_equal_models_among_worse_ones_are_kept() -> None:
    """The bound holds whichever models are best: here four of twelve, the others a little or much worse."""
    rng = RNG(3)
    for shift in (1.5, 6.0):
        means = np.array([0.0] * 4 + [shift] * 8)
        values = means[:, None] + rng.normal(size=(800, 12, 3))
        variance = moderate(values.var(-1, ddof=1), 2.0)
        average = values.mean(-1)
        best = average.argmin(-1)
        p, _ = adjusted(average - average.min(-1, keepdims=True), variance, np.full(12, 3.0), best)
        assert np.mean((p[:, :4] <= 0.05).any(-1)) <= 0.065


@pytest.mark.parametrize(
    ("variation", "ratio", "models", "seeds", "least"),
    [(0.05, 1.5, 31, 2, 0.85), (0.1, 2.0, 31, 3, 0.97), (0.1, 1.5, 6, 3, 0.82), (0.1, 1.5, 31, 5, 0.95),
     (0.25, 2.0, 31, 10, 0.95), (0.05, 1.1, 6, 10, 0.85)],
)  # fmt: skip
def test_power(variation: float, ratio: float, models: int, seeds: int, least: float) -> None:
    assert power(variation, ratio, models, seeds, runs=200) >= least


def test_power_is_several_times_that_of_welch_s_tests_at_three_seeds() -> None:
    ours, welch = (power(0.1, 1.5, 31, 3, method, runs=300) for method in (METHODS[0], METHODS[2]))
    assert ours > 3.5 * welch > 0.35


def test_seeds_of_the_reference_share_nothing() -> None:
    """The correlation of two models' values over seeds of the same number, mean over pairs, metric by metric."""
    table = pd.read_parquet(ROOT / "results/reference/metrics.parquet")
    table = table[(table["snapshot"] == table["snapshot"].max()) & (table["status"] == "ok")]
    table = table[~table["metric"].str.startswith("map_") & (table["model"] != "real")]
    found = []
    for _, rows in table.groupby(["dataset", "metric"]):
        values = rows.pivot_table(index="model", columns="seed", values="value", aggfunc="first").to_numpy(float)
        values = values[np.isfinite(values).all(1)]
        values = values[values.std(1) > 0]
        if len(values) > 3:
            pairs = np.corrcoef(values)[np.triu_indices(len(values), 1)]
            found.append(pairs.mean())
    assert len(found) == 26
    assert abs(np.mean(found)) < 0.05 and np.max(found) < 0.25
