"""The scale on which a metric's values are compared: where the spread over seeds does not grow with the value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCALES = ("log", "logit", "identity")
EFFECTS = {"log": "ratio", "logit": "odds ratio", "identity": "difference"}
"""What a difference on the scale is once it is transformed back."""


def usable(values: Sequence[float] | np.ndarray, scale: str, samples: int | None = None) -> str:
    """The scale, or `identity` where a value does not allow it: at or below 0 under a logarithm, outside 0 to 1 under a
    logit, or exactly 0 or 1 without a number of samples. Values that are not finite do not count.
    """
    if scale not in SCALES:
        raise ValueError(f"scale: expected one of {', '.join(SCALES)}, got {scale!r}")
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if scale == "log":
        return scale if np.all(finite > 0) else "identity"
    if scale == "logit":
        inside = (finite >= 0) & (finite <= 1) if samples else (finite > 0) & (finite < 1)
        return scale if np.all(inside) else "identity"
    return scale


def forward(values: Sequence[float] | np.ndarray, scale: str, samples: int | None = None) -> np.ndarray:
    """The values on the scale.

    A share x of n samples has the empirical logit log((n x + 1/2) / (n - n x + 1/2)), finite at 0 and 1 (Cox 1970,
    "Analysis of binary data", section 3.2).
    """
    x = np.asarray(values, float)
    if scale == "identity":
        return x
    if scale == "log":
        return np.log(x)
    if samples:
        return np.log((samples * x + 0.5) / (samples * (1 - x) + 0.5))
    return np.log(x / (1 - x))


def back(values: Sequence[float] | np.ndarray | float, scale: str, samples: int | None = None) -> np.ndarray:
    """From the scale to the metric's own values; shares stay within 0 to 1."""
    y = np.asarray(values, float)
    if scale == "identity":
        return y
    if scale == "log":
        return np.exp(y)
    from scipy.special import expit

    share = expit(y)
    return np.clip(((samples + 1) * share - 0.5) / samples, 0.0, 1.0) if samples else share


def effect(difference: float, scale: str) -> float:
    """A difference on the scale as a ratio, an odds ratio or a difference."""
    return float(difference if scale == "identity" else np.exp(difference))
