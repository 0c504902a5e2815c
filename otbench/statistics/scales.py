"""The scale on which a metric's values are compared: where the spread over seeds does not grow with the value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCALES = ("log", "logit", "identity")
EFFECTS = {"log": "ratio", "logit": "odds ratio", "identity": "difference"}
"""What a difference on the scale is once it is transformed back."""


def usable(values: Sequence[float] | np.ndarray, scale: str, samples: int | None = None) -> str:
    """Scale that values allow.

    Args:
        values: Values of the metric; those that are not finite do not count.
        scale: The metric's scale, one of SCALES.
        samples: Number of samples behind a share; None where it is not known.

    Returns:
        The scale, or `identity` where a value does not allow it: at or below 0 under a logarithm, outside 0 to 1 under
        a logit, or exactly 0 or 1 without a number of samples.

    Raises:
        ValueError: Where the scale is unknown.
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
    """Bring values to the scale.

    A share x of n samples has the empirical logit log((n x + 1/2) / (n - n x + 1/2)), finite at 0 and 1.

    Args:
        values: Values of the metric.
        scale: One of SCALES.
        samples: Number n of samples behind a share; None for the plain logit.

    Returns:
        Values on the scale, of the same shape.

    Source: Cox 1970, "Analysis of binary data", section 3.2.
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
    """Bring values from the scale back to the metric's own.

    Args:
        values: Values on the scale.
        scale: One of SCALES.
        samples: Number of samples behind a share, as for `forward`.

    Returns:
        Values of the metric, of the same shape; shares stay within 0 to 1.
    """
    y = np.asarray(values, float)
    if scale == "identity":
        return y
    if scale == "log":
        return np.exp(y)
    from scipy.special import expit

    share = expit(y)
    return np.clip(((samples + 1) * share - 0.5) / samples, 0.0, 1.0) if samples else share


def effect(difference: float, scale: str) -> float:
    """Effect of a difference on the scale.

    Args:
        difference: Difference on the scale.
        scale: One of SCALES.

    Returns:
        Ratio (`log`), odds ratio (`logit`) or difference (`identity`).
    """
    return float(difference if scale == "identity" else np.exp(difference))
