"""Which models are tied with the best one: a test a pair, corrected for their number.

The best model is chosen from the same values, so tests of it against each other one are not a plain family. What the
bracket promises is a property of its members: the model that is truly the best is left out of it in at most 5 % of
cases (as Hsu's comparisons with the best promise, 1981), by simulation in at most 3 %. It does not promise that of
equal models none is left out: of 30 equal ones with 10 seeds, one or more is in 20 % of cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVEL = 0.05
EXACT = 12
PERMUTATION, WELCH, EXACT_VALUES, NONE = "permutation", "welch", "exact", "none"


@dataclass(frozen=True)
class Family:
    """The best of several models against each other one.

    best: its row. p, adjusted: (k,) two-sided, raw and after Holm, NaN for the best and where there is no test.
    tests: (k,) which test gave each p. pairs: (k,) paired values. differences: (k,) mean minus the best one's.
    level: of the family.
    """

    best: int
    p: np.ndarray
    adjusted: np.ndarray
    tests: tuple[str, ...]
    pairs: np.ndarray
    differences: np.ndarray
    level: float = LEVEL

    @property
    def size(self) -> int:
        """Number of tests that were made."""
        return int(np.isfinite(self.p).sum())

    @property
    def tied(self) -> list[int]:
        """The rows not told apart from the best; without a test, those with the same mean."""
        found = []
        for row, test in enumerate(self.tests):
            same = self.differences[row] == 0 if test == NONE else self.adjusted[row] > self.level
            if row != self.best and same:
                found.append(row)
        return found

    @property
    def short(self) -> str:
        """The test's name; empty where there was none."""
        return said(self.tests, [0] * len(self.tests)).partition(" (")[0].partition("; ")[0]

    @property
    def said(self) -> str:
        """The test in words, and why it is this one."""
        return said(self.tests, [int(pairs) for pairs in self.pairs])


def said(tests: Sequence[str], pairs: Sequence[int]) -> str:
    """Tests in words: which, that they are corrected, and why it is Welch's where it is; empty where there was none."""
    few = [number for test, number in zip(tests, pairs, strict=True) if test == WELCH]
    paired = PERMUTATION in tests
    if not few:
        return (
            "paired permutation test, Holm"
            if paired
            else ("exact values, compared as they are" if EXACT_VALUES in tests else "")
        )
    least, most = min(few), max(few)
    if most < 2:
        why = "the values are not paired by seed"
    else:
        number = f"{least}" if least == most else f"{least} to {most}"
        why = f"{number} seeds are too few for a permutation test so corrected"
    if paired:
        return f"paired permutation test, Holm; Welch's t test where {why}"
    return f"Welch's t test, Holm ({why})"


def against_best(values: np.ndarray, best: int, paired: bool = True, level: float = LEVEL) -> Family:
    """Test the model in row `best` against every other one. values: (k, seeds), NaN where a model has no value.

    A pair is tested by the paired permutation test (exact sign flips) over the seeds that both have where it can
    reach the corrected level at all: with n pairs its least p is 2 / 2^n, and Holm's strictest step asks for level /
    (k - 1). Else by Welch's t test. Two exact results, or an infinite mean, differ where the means do.
    """
    values = np.asarray(values, dtype=float)
    held = ~np.isnan(values)
    count = held.sum(axis=1)
    means = np.array([row[kept].mean() if kept.any() else math.nan for row, kept in zip(values, held, strict=True)])
    pairs = (held & held[best]).sum(axis=1) if paired else np.zeros(len(values), int)
    testable = (count > 1) & (count[best] > 1)
    testable[best] = False
    family = max(1, int(testable.sum()))
    p, tests = np.full(len(values), math.nan), [NONE] * len(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        welch = _welch(values, held, best)
        differences = np.where(means == means[best], 0.0, means - means[best])
    for row in np.flatnonzero(testable):
        tests[row], p[row] = _pair(values, held, row, best, pairs[row], family, level, welch[row], differences[row])
    return Family(best, p, holm(p), tuple(tests), pairs, differences, level)


def _pair(
    values: np.ndarray,
    held: np.ndarray,
    row: int,
    best: int,
    pairs: int,
    family: int,
    level: float,
    welch: float,
    difference: float,
) -> tuple[str, float]:
    """The test of one pair, and its p."""
    if math.isnan(welch):  # no spread at all, or an infinite value
        return EXACT_VALUES, float(difference == 0)
    if pairs and reachable(pairs, family, level):
        both = held[row] & held[best]
        return PERMUTATION, sign_flip(values[row, both] - values[best, both])
    return WELCH, welch


def reachable(pairs: int, family: int, level: float = LEVEL) -> bool:
    """Whether the sign-flip test of `pairs` pairs can pass Holm's strictest step among `family` tests."""
    return 2.0 ** (1 - pairs) <= level / family


def _welch(values: np.ndarray, held: np.ndarray, best: int) -> np.ndarray:
    """Two-sided p (k,) of Welch's t test (1947) of every row against `best`, with Satterthwaite's degrees of freedom;
    NaN where neither row has any spread or a value is not finite.
    """
    from scipy.special import stdtr

    n = held.sum(axis=1)
    mean = np.where(held, values, 0).sum(axis=1) / n
    spread = np.where(held, (values - mean[:, None]) ** 2, 0).sum(axis=1) / (n - 1) / n
    spread = np.where(spread <= (1e-14 * mean) ** 2, 0.0, spread)  # rounding of equal values is no spread
    both = spread + spread[best]
    freedom = both**2 / (spread**2 / (n - 1) + spread[best] ** 2 / (n[best] - 1))
    return 2 * stdtr(freedom, -np.abs(mean - mean[best]) / np.sqrt(both))


def sign_flip(differences: np.ndarray, flips: int = 9999) -> float:
    """Two-sided p of the paired permutation test of a zero mean difference (n,): the share of sign flips whose mean is
    as far from zero. Exact up to 12 pairs; above, over `flips` fixed random flips and the one that was seen.
    """
    differences = np.asarray(differences, dtype=float)
    signs = _signs(len(differences), flips)
    seen, found = abs(differences.sum()), np.abs(signs @ differences)
    hits = int((found >= seen - 1e-12 * np.abs(differences).sum()).sum())
    return hits / len(signs) if len(differences) <= EXACT else (hits + 1) / (len(signs) + 1)


@lru_cache(maxsize=64)
def _signs(n: int, flips: int) -> np.ndarray:
    """Signs (flips, n): all of them up to 12 pairs, else a fixed random choice."""
    if n <= EXACT:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return 1.0 - 2.0 * np.random.default_rng(n).integers(0, 2, size=(flips, n))


def holm(p: np.ndarray) -> np.ndarray:
    """p adjusted by Holm's step-down method (1979); NaN stays NaN and counts as no test.

    The same figures as statsmodels' `multipletests`, which is too slow for the thousands of families of a report.
    """
    p = np.asarray(p, dtype=float)
    found = np.full(p.shape, math.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)) if len(order) else p[order]
    found[order] = np.minimum(steps, 1.0)
    return found
