"""Average ranks over blocks, Friedman's test and Nemenyi's critical difference (Demsar 2006, section 3.2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Ranks:
    """Models ranked in every whole block.

    average: (k,) rank 1 is the best, ties share their mean rank. p: of Friedman's test, NaN below three models or two
    blocks. critical: the difference of average ranks above which two models differ. blocks: how many were whole;
    left_out: how many lacked a value.
    """

    average: np.ndarray
    p: float
    critical: float
    blocks: int
    left_out: int

    @property
    def alike(self) -> np.ndarray:
        """(k, k) bool, whether the average ranks of two models differ by no more than the critical difference."""
        return np.abs(self.average[:, None] - self.average) <= self.critical


def rank(values: np.ndarray, direction: str = "lower", level: float = 0.05) -> Ranks:
    """Rank k models over blocks.

    Args:
        values: Values (blocks, k); a block with a NaN is left out.
        direction: The better side, `lower` or `higher`.
        level: Level of the critical difference.

    Returns:
        Average ranks, Friedman's p and the critical difference.
    """
    from scipy.stats import friedmanchisquare, rankdata

    values = np.asarray(values, dtype=float)
    complete = values[~np.isnan(values).any(axis=1)]
    blocks, k = complete.shape
    if not blocks or k < 2:
        return Ranks(np.full(k, math.nan), math.nan, math.nan, blocks, len(values) - blocks)
    ranks = rankdata(complete if direction == "lower" else -complete, axis=1)
    varied = blocks > 1 and k > 2 and (np.ptp(ranks, axis=1) > 0).any()
    p = float(friedmanchisquare(*ranks.T).pvalue) if varied else math.nan
    return Ranks(ranks.mean(axis=0), p, critical_difference(k, blocks, level), blocks, len(values) - blocks)


def critical_difference(k: int, blocks: int, level: float = 0.05) -> float:
    """Nemenyi's critical difference q sqrt(k (k + 1) / (6 N)), q the studentised range over sqrt(2).

    Args:
        k: Number of models.
        blocks: Number N of blocks.
        level: Level of the comparison of all pairs.

    Returns:
        Difference of average ranks above which two models differ.
    """
    return nemenyi_q(k, level) * math.sqrt(k * (k + 1) / (6 * blocks))


@lru_cache(maxsize=256)
def nemenyi_q(k: int, level: float = 0.05) -> float:
    """Studentised range's quantile for k models and infinite degrees of freedom, over sqrt(2).

    Args:
        k: Number of models.
        level: Probability beyond the quantile.

    Returns:
        Quantile over sqrt(2).
    """
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - level, k, np.inf)) / math.sqrt(2)
