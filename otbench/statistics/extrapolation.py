"""The bias of a distance in the number of samples, and the distance at infinitely many."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Limit:
    """value(n) = limit + slope / n.

    error: standard error of the limit, over groups where there are two or more, else the regression's; NaN where
    neither is known. groups: how many lines it is the mean of.
    """

    limit: float
    slope: float
    error: float
    groups: int

    def at(self, n: np.ndarray) -> np.ndarray:
        """The line at n samples; infinity gives the limit."""
        return self.limit + self.slope / np.asarray(n, dtype=float)


def extrapolate(n: np.ndarray, values: np.ndarray, groups: np.ndarray | None = None) -> Limit | None:
    """Least squares of values (m,) on 1 / n (m,), a line for every group (a seed), averaged; None below two numbers n.

    Chong and Forsyth 2020, "Effectively unbiased FID and Inception score", section 3: the bias of either score is
    linear in 1 / n to leading order. It is not where n is not large beside the number of features.
    """
    from scipy.stats import linregress

    inverse, values = 1 / np.asarray(n, dtype=float), np.asarray(values, dtype=float)
    names = np.zeros(len(values), int) if groups is None else np.asarray(groups)
    lines = []
    for name in dict.fromkeys(names.tolist()):
        own = (names == name) & np.isfinite(values)
        if len(np.unique(inverse[own])) > 1:
            lines.append(linregress(inverse[own], values[own]))
    if not lines:
        return None
    limits = np.array([line.intercept for line in lines])
    slope = float(np.mean([line.slope for line in lines]))
    if len(lines) > 1:
        return Limit(float(limits.mean()), slope, float(limits.std(ddof=1) / math.sqrt(len(lines))), len(lines))
    error = float(lines[0].intercept_stderr) if (np.isfinite(values)).sum() > 2 else math.nan
    return Limit(float(limits[0]), slope, error, 1)
