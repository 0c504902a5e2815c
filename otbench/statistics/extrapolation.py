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
        """Line at n samples.

        Args:
            n: Numbers of samples; infinity gives the limit.

        Returns:
            Values of the line, of n's shape.
        """
        return self.limit + self.slope / np.asarray(n, dtype=float)


def extrapolate(n: np.ndarray, values: np.ndarray, groups: np.ndarray | None = None) -> Limit | None:
    """Least squares of values on 1 / n, a line for every group, averaged.

    The bias of FID and Inception score is linear in 1 / n to leading order. It is not where n is not large beside the
    number of features.

    Args:
        n: Number of samples (m,) behind each value.
        values: Values (m,); those that are not finite are left out.
        groups: Group (m,) of each value, such as its seed; None for one group.

    Returns:
        The mean line; None below two numbers n.

    Source: Chong and Forsyth 2020, "Effectively unbiased FID and Inception score", section 3.
    """
    from scipy.stats import linregress

    inverse, values = 1 / np.asarray(n, dtype=float), np.asarray(values, dtype=float)
    names = np.zeros(len(values), int) if groups is None else np.asarray(groups)
    lines = []
    for name in dict.fromkeys(names.tolist()):
        rows = (names == name) & np.isfinite(values)
        if len(np.unique(inverse[rows])) > 1:
            lines.append(linregress(inverse[rows], values[rows]))
    if not lines:
        return None
    limits = np.array([line.intercept for line in lines])
    slope = float(np.mean([line.slope for line in lines]))
    if len(lines) > 1:
        return Limit(float(limits.mean()), slope, float(limits.std(ddof=1) / math.sqrt(len(lines))), len(lines))
    error = float(lines[0].intercept_stderr) if (np.isfinite(values)).sum() > 2 else math.nan
    return Limit(float(limits[0]), slope, error, 1)
