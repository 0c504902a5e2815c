"""Holm's correction for several tests."""

from __future__ import annotations

import math

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p by Holm's step-down method (1979).

    The same figures as statsmodels' `multipletests`, which is too slow for the thousands of families of a report.

    Args:
        p: p values of one family (k,); NaN counts as no test.

    Returns:
        Adjusted p (k,), at most 1; NaN stays NaN.
    """
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, math.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)) if len(order) else p[order]
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
