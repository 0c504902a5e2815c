"""Exact cells on the line, where every optimal map is the increasing one: quantiles of the source are all it takes.

The cells are intervals in the order of the targets. Between neighbours y_i < y_j the border b is where b y_i + h_i =
b y_j + h_j; the wished masses put it at the quantile F^-1(nu_1 + ... + nu_i) of the source (Santambrogio 2015, Optimal
transport for applied mathematicians, section 2.1).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from otbench.transport.sources import Source


@dataclass(frozen=True)
class Cells1d:
    """Intervals of n points: sizes (n,), their masses; first (n, 1), integrals of x over the source; pairs (E, 2)
    neighbouring cells, i < j.
    """

    sizes: np.ndarray
    first: np.ndarray
    pairs: np.ndarray
    facets: None = None

    @property
    def centroids(self) -> np.ndarray:
        """Centres of mass (n, 1); NaN where a cell is empty."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.sizes[:, None] > 0, self.first / self.sizes[:, None], np.nan)


def intervals(target: np.ndarray, heights: np.ndarray, law: Source) -> Cells1d:
    """Cells on the line, exact, under given heights.

    Args:
        target: Target points (n, 1), all different.
        heights: Heights (n,), in units of <x, y>.
        law: Source of one dimension.

    Returns:
        Intervals of the n points.
    """
    y = target[:, 0]
    highest, border = _envelope(y, heights)
    mass, moment = _integrals(law, np.concatenate([[-np.inf], border, [np.inf]]))
    sizes, first = np.zeros(len(y)), np.zeros((len(y), 1))
    sizes[highest], first[highest, 0] = mass, moment
    full = highest[mass > 0]
    return Cells1d(sizes, first, np.sort(np.stack([full[:-1], full[1:]], axis=1), axis=1))


def quantile_heights(target: np.ndarray, weights: np.ndarray, law: Source) -> tuple[np.ndarray, dict[str, Any]]:
    """Heights under which the cells have the wished masses, from the source's quantiles: no step is needed.

    Args:
        target: Target points (n, 1), all different.
        weights: Wished masses (n,), summing to 1.
        law: Source of one dimension.

    Returns:
        Heights (n,) and what happened: `error`, the largest relative cell error of the cells computed anew from the
        heights, is that of rounding alone; `rounding` bounds it: half a spacing e of doubles at a height moves a border
        by
        e / |y_i - y_j|.
    """
    began = time.perf_counter()
    order = np.argsort(target[:, 0])
    y, nu = target[order, 0], weights[order]
    below = np.cumsum(nu)[:-1]
    above = np.cumsum(nu[::-1])[::-1][1:]
    heights = np.empty(len(y))
    border = _quantiles(law, below, above)
    # Summed in extended precision where the machine has it, and rounded once.
    steps = np.concatenate([np.zeros(1, np.longdouble), -np.cumsum(border * np.diff(y.astype(np.longdouble)))])
    heights[order] = steps - nu @ steps
    error = float(np.max(np.abs(intervals(target, heights, law).sizes - weights) / weights))
    return heights, {
        "method": "quantiles", "error": error, "rounding": _rounding(law, y, nu, heights[order], border), "steps": 0,
        "seconds": time.perf_counter() - began, "reason": "tolerance",
    }  # fmt: skip


def _rounding(law: Source, y: np.ndarray, nu: np.ndarray, heights: np.ndarray, border: np.ndarray) -> float:
    """Largest relative cell error that rounding each height to the nearest double may cause; all in the order of y."""
    half = np.spacing(np.abs(heights)) / 2
    if law.kind == "gaussian":
        z = (border - law.centre[0]) / law.scale[0]
        density = np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * law.scale[0])
    else:
        density = 1 / (2 * _reach(law)[1])
    moved = np.concatenate([[0.0], density * (half[1:] + half[:-1]) / np.diff(y), [0.0]])
    return float(((moved[1:] + moved[:-1]) / nu).max())


def _envelope(y: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which lines x y_i + h_i are highest somewhere, from left to right (k,), and the borders between them (k - 1,)."""
    highest: list[int] = []
    border: list[float] = []
    for i in np.argsort(y):
        while highest:
            at = (h[highest[-1]] - h[i]) / (y[i] - y[highest[-1]])
            if not border or at > border[-1]:
                border.append(at)
                break
            highest.pop()
            border.pop()
        highest.append(i)
    return np.array(highest), np.array(border)


def _reach(law: Source) -> tuple[float, float]:
    """Centre and half width of a uniform source, a box or a ball of one dimension."""
    if law.kind == "box":
        return float(law.mean[0]), float(law.high[0] - law.low[0]) / 2
    return float(law.centre[0]), law.radius


def _quantiles(law: Source, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Where the source has the mass `below` (m,) to the left and `above` to the right; the smaller of them decides."""
    left = below < above
    if law.kind == "gaussian":
        at = np.where(left, ndtri(np.minimum(below, 0.5)), -ndtri(np.minimum(above, 0.5)))
        return law.centre[0] + law.scale[0] * at
    centre, half = _reach(law)
    return centre + half * np.where(left, 2 * below - 1, 1 - 2 * above)


def _integrals(law: Source, border: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mass and integral of x of the source between successive borders (k + 1,): two arrays (k,)."""
    if law.kind == "gaussian":
        z = (border - law.centre[0]) / law.scale[0]
        # Each difference in the tail where it loses no digits.
        mass = np.where(z[:-1] > 0, ndtr(-z[:-1]) - ndtr(-z[1:]), ndtr(z[1:]) - ndtr(z[:-1]))
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return mass, law.centre[0] * mass + law.scale[0] * (density[:-1] - density[1:])
    centre, half = _reach(law)
    z = np.clip((border - centre) / half, -1, 1)
    mass = np.diff(z) / 2
    return mass, mass * (centre + half * (z[:-1] + z[1:]) / 2)
