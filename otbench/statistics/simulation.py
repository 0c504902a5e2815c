"""How often the comparison with the best and the verdict on a budget err, and what they find: the tables of
docs/statistics.md, from fixed seeds.

    python -m otbench.statistics.simulation            # prints the tables; a few minutes

Values are normal on the scale of the comparison. Every figure has its own random numbers, seeded by its settings, so
that it comes out the same alone as in the table.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np

from otbench.statistics.best import LEVEL, adjusted
from otbench.statistics.holm import holm
from otbench.statistics.moderation import Moderated, moderate
from otbench.statistics.settled import LEAST, changes, half_width

RUNS = 2000
SEEDS, MODELS = (2, 3, 5, 10), (6, 31)
RATIOS, VARIATIONS = (1.1, 1.5, 2.0), (0.05, 0.1, 0.25)
DEVIATIONS: dict[str, Callable[[int], np.ndarray]] = {
    "all the same": lambda k: np.ones(k),
    "variance 4 times as large in half of the models": lambda k: np.where(np.arange(k) % 2, 2.0, 1.0),
    "variance 100 times as large in one model": lambda k: np.where(np.arange(k) == 0, 10.0, 1.0),
    "standard deviations log-normal, factor e": lambda k: np.exp(np.random.default_rng(1).normal(size=k)),
}
"""What the models' standard deviations may be -> their values, of k models."""
SETTLED_SEEDS = (2, 3, 5)
METHODS = ("this comparison", "one pooled variance", "Welch's tests, Holm")


def worse(values: np.ndarray, method: str = METHODS[0]) -> np.ndarray:
    """Models that are called worse than the best, the one with the least mean.

    Args:
        values: Values (runs, k, seeds).
        method: One of METHODS.

    Returns:
        (runs, k) bool.
    """
    runs, k, n = values.shape
    means, variance = values.mean(-1), values.var(-1, ddof=1)
    best = means.argmin(-1)
    apart = means - np.take_along_axis(means, best[:, None], -1)
    if method == METHODS[2]:
        return _welch(apart, variance, n, best)
    if method == METHODS[1]:
        pooled = np.broadcast_to(variance.mean(-1, keepdims=True), variance.shape)
        moderated = Moderated(pooled, np.full((runs, k), float(k * (n - 1))), np.full((runs, 1), math.inf))
    else:
        moderated = moderate(variance, n - 1)
    p, _ = adjusted(apart, moderated, np.full(k, float(n)), best)
    return np.nan_to_num(p, nan=1.0) <= LEVEL


def _welch(apart: np.ndarray, variance: np.ndarray, n: int, best: np.ndarray) -> np.ndarray:
    """Welch's tests against the best with Holm's correction: what the comparison is set beside."""
    from scipy.special import stdtr

    best_variance = np.take_along_axis(variance, best[:, None], -1)
    freedom = (n - 1) * (variance + best_variance) ** 2 / (variance**2 + best_variance**2)
    p = 2 * stdtr(freedom, -apart / np.sqrt((variance + best_variance) / n))
    np.put_along_axis(p, best[:, None], math.nan, -1)
    return np.array([np.nan_to_num(holm(row), nan=1.0) <= LEVEL for row in p])


def _draw(means: np.ndarray, deviations: np.ndarray, seeds: int, runs: int, name: str) -> np.ndarray:
    """Values (runs, k, seeds); `name` says which random numbers."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return means[:, None] + deviations[:, None] * rng.normal(size=(runs, len(means), seeds))


def false_positives(spread: str, method: str, models: int, seeds: int, runs: int = RUNS) -> float:
    """Share of runs in which any of several equally good models is called worse than the best.

    Args:
        spread: The models' standard deviations, a key of DEVIATIONS.
        method: One of METHODS.
        models: Number of models.
        seeds: Number of values per model.
        runs: Number of simulated comparisons.

    Returns:
        Share in [0, 1].
    """
    values = _draw(np.zeros(models), DEVIATIONS[spread](models), seeds, runs, f"{spread}/{models}/{seeds}")
    return float(worse(values, method).any(-1).mean())


def power(variation: float, ratio: float, models: int, seeds: int, method: str = METHODS[0], runs: int = RUNS) -> float:
    """Share of the others that are called worse, where all of them are `ratio` times the best one.

    Args:
        variation: Standard deviation of the logarithm, about the coefficient of variation.
        ratio: True ratio of every other model to the best.
        models: Number of models.
        seeds: Number of values per model.
        method: One of METHODS.
        runs: Number of simulated comparisons.

    Returns:
        Share in [0, 1].
    """
    means = np.full(models, math.log(ratio))
    means[0] = 0.0
    values = _draw(means, np.full(models, variation), seeds, runs, f"{variation}/{ratio}/{models}/{seeds}")
    return float(worse(values, method)[:, 1:].mean())


def moving(change: float, deviations: np.ndarray, seeds: int, least: float, name: str, runs: int = RUNS) -> float:
    """Share of rows whose change is called one, where every row changes by as much.

    Args:
        change: True change of every row on the scale; 0 for rows that have settled.
        deviations: Standard deviations of the models' values over seeds (k,), the same at both snapshots.
        seeds: Number of seeds.
        least: Smallest change that matters.
        name: What the random numbers are seeded by.
        runs: Number of simulated data sets.

    Returns:
        Share in [0, 1]: of rows called still learning or worsening; of those still learning where `change` is not 0.
    """
    apart = _draw(np.full(len(deviations), change), math.sqrt(2) * deviations, seeds, runs, name)
    bound = np.maximum(half_width(apart.var(-1, ddof=1), seeds), least)
    means = apart.mean(-1)
    return float((means > bound).mean() if change else (np.abs(means) > bound).mean())


def above(gain: float, variation: float, models: int, seeds: int, runs: int = 200) -> float:
    """Share of rows that count as better than a control, where all of them are by as much.

    Args:
        gain: True gain over the control on the scale.
        variation: Standard deviation of the models' and the control's values over seeds.
        models: Number of models.
        seeds: Number of seeds.
        runs: Number of simulated data sets.

    Returns:
        Share in [0, 1].
    """
    ends = _draw(np.full(models, gain), np.full(models, variation), seeds, runs, f"above/{gain}/{models}/{seeds}")
    control = _draw(np.zeros(1), np.full(1, variation), seeds, runs, f"control/{gain}/{models}/{seeds}")[:, 0]
    counted = 0
    for values, other in zip(ends, control, strict=True):
        rows = {str(at): dict(enumerate(map(float, row))) for at, row in enumerate(values)}
        counted += sum(
            not one.below for one in changes(rows, rows, {"noise": list(other)}, "higher", "identity").values()
        )
    return counted / (runs * models)


def settled_rows(runs: int = RUNS) -> dict[tuple[str, str], list[str]]:
    """How often a change is called one: where there is none, whatever its size, and where there is one.

    Args:
        runs: Number of simulated data sets.

    Returns:
        (standard deviations, ratio) -> share in per cent, for 6 models and 2, 3 and 5 seeds.
    """
    rows = {
        (spread, "1"): [percent(moving(0.0, deviations(6), n, 0.0, f"{spread}/{n}", runs)) for n in SETTLED_SEEDS]
        for spread, deviations in DEVIATIONS.items()
    }
    for variation in VARIATIONS:
        for ratio in (1.25, 1.5, 2.0):
            rows[f"{variation:.0%} of each", f"{ratio:g}"] = [
                percent(moving(math.log(ratio), np.full(6, variation), n, LEAST, f"{variation}/{ratio}/{n}", runs))
                for n in SETTLED_SEEDS
            ]
    return rows


def percent(share: float) -> str:
    """Format a share as the tables print it.

    Args:
        share: Share in [0, 1].

    Returns:
        Per cent with one decimal.
    """
    return f"{100 * share:.1f}"


def error_rows(runs: int = RUNS) -> dict[tuple[str, str], list[str]]:
    """False positives for every number of models and of seeds.

    Args:
        runs: Number of simulated comparisons.

    Returns:
        (deviations, method) -> false positives in per cent.
    """
    return {
        (spread, method): [percent(false_positives(spread, method, k, n, runs)) for k in MODELS for n in SEEDS]
        for spread in DEVIATIONS
        for method in METHODS
    }


def power_rows(runs: int = RUNS) -> dict[tuple[str, str], list[str]]:
    """Power for every number of models and of seeds, and last Welch's with 3 seeds among the most models.

    Args:
        runs: Number of simulated comparisons.

    Returns:
        (coefficient of variation, ratio) -> power in per cent.
    """
    rows = {}
    for variation in VARIATIONS:
        for ratio in RATIOS:
            cells = [percent(power(variation, ratio, k, n, runs=runs)) for k in MODELS for n in SEEDS]
            welch = percent(power(variation, ratio, MODELS[-1], 3, METHODS[2], runs))
            rows[f"{variation:.0%}", f"{ratio:g}"] = [*cells, welch]
    return rows


def table(heads: tuple[str, ...], rows: dict[tuple[str, str], list[str]]) -> str:
    """Format rows as a table in Markdown.

    Args:
        heads: Heads of the columns.
        rows: The first two cells of a row -> the others.

    Returns:
        The table, its lines without a last line break.
    """
    lines = [f"| {' | '.join(heads)} |", "|:---|:---|" + "---:|" * (len(heads) - 2)]
    lines += [f"| {' | '.join([*names, *cells])} |" for names, cells in rows.items()]
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    counts = tuple(f"{k} models, {n} seeds" for k in MODELS for n in SEEDS)
    print(table(("Standard deviations", "Method", *counts), error_rows()))
    print()
    print(table(("Variation", "Ratio", *counts, "Welch, Holm: 31 models, 3 seeds"), power_rows()))
    print()
    print(table(("Standard deviations", "Ratio", *(f"{n} seeds" for n in SETTLED_SEEDS)), settled_rows()))


if __name__ == "__main__":
    main()
