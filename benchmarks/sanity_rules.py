"""What the sanity checks ask of a metric: criteria on its values over the steps of a series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS = 9
"""Steps of a series."""
CLOSE = 0.05
"""How far from 0 or 1 a value may be, as in the authors' code."""

Draw = np.random.Generator
Pair = tuple[np.ndarray, np.ndarray]
Rule = Callable[[np.ndarray, np.ndarray], bool]
"""From the steps and the values of a metric to whether it passes."""


@dataclass(frozen=True)
class Check:
    """One series of a check: its title, the steps, the law of both samples, and what is asked of each kind of metric.

    same: the step at which the laws are the same; None where there is none.
    """

    title: str
    case: str
    steps: np.ndarray
    law: Callable[[Draw, float], Pair]
    fidelity: dict[str, Rule]
    diversity: dict[str, Rule]
    same: float | None = None


def at(end: str, value: float) -> Rule:
    """The value at the first, middle or last step is close to a number."""
    place = {"first": 0, "middle": STEPS // 2, "last": -1}[end]
    return lambda steps, values: abs(values[place] - value) <= CLOSE


def at_step(step: float, value: float) -> Rule:
    """The value at a step is close to a number."""
    return lambda steps, values: abs(values[np.abs(steps - step).argmin()] - value) <= CLOSE


def bell(steps: np.ndarray, values: np.ndarray) -> bool:
    """High in the middle, low at both ends."""
    middle, ends = values[len(values) // 2], values[[0, -1]]
    return bool((middle - ends >= 0.2).all() and values.max() - middle <= 0.1 and (ends - values.min() <= 0.1).any())


def falls(steps: np.ndarray, values: np.ndarray) -> bool:
    """High at the first step, low at the last."""
    first, last = values[0], values[-1]
    return bool(first - last >= 0.2 and values.max() - first <= 0.1 and last - values.min() <= 0.1)


def rises(steps: np.ndarray, values: np.ndarray) -> bool:
    """Low at the first step, high at the last."""
    return falls(steps, values[::-1])


def falls_early(quantile: float) -> Rule:
    """As `falls`, and lower by 0.1 at a step before the last."""
    return lambda steps, values: falls(steps, values) and values[0] - values[round(quantile * (len(values) - 1))] >= 0.1


def flat(steps: np.ndarray, values: np.ndarray) -> bool:
    """The same at all steps."""
    return bool(np.ptp(values) <= CLOSE)


def settles(steps: np.ndarray, values: np.ndarray) -> bool:
    """The same from the middle on."""
    return flat(steps, values[len(values) // 2 :])


def either(one: Rule, other: Rule) -> Rule:
    """One of two shapes: the paper lets a diversity metric be of the low or of the high kind."""
    return lambda steps, values: one(steps, values) or other(steps, values)


def least_where_same(same: float) -> Rule:
    """Of a distance: no smaller anywhere than where the laws are the same, but for rounding and noise of 5 %."""
    return lambda steps, values: values[np.abs(steps - same).argmin()] <= values.min() + 0.05 * np.ptp(values)


def grows(same: float) -> Rule:
    """Of a distance: larger at every end that is not the same law, by a fifth of its range."""

    def rule(steps: np.ndarray, values: np.ndarray) -> bool:
        place = np.abs(steps - same).argmin()
        ends = [values[end] for end in (0, len(values) - 1) if end != place]
        return bool(min(ends) - values[place] >= 0.2 * np.ptp(values) > 0)

    return rule
