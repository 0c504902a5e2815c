"""The papers' own solvers: Monte-Carlo counts of cells, and Adam on the heights.

`paper` is Algorithm 1 of An et al. 2020 (AE-OT) as its slides print it: every step draws N fresh points of the source,
counts them by cells, makes the gradient w - nu mean-free and takes a step of Adam with betas 0.9 and 0.5; N is doubled
when the energy has not fallen for s steps. `pyomt` is the authors' code (pyOMT), which differs: the same Sobol points
in every step, of which a doubling adds as many again, Adam's betas 0.9 and 0.999 without correction of its start, and a
doubling when the gradient's norm has not fallen for more than s steps. Neither text says when the solver has converged;
both stop here as the code does, at a gradient norm of 2e-3, or at the largest number of steps. The suite's own solvers
are `newton2d` and `stochastic`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from otbench.errors import OtbenchError
from otbench.transport.kernel import best
from otbench.transport.sources import Source

Variant = Literal["paper", "pyomt"]
#: points drawn at once: more would only fill memory
CHUNK = 65_536
#: Adam's epsilon, in PyTorch and in pyOMT
EPSILON = 1e-8


@dataclass
class Adam:
    """Adam on one vector; corrected: whether the start of the moments at zero is corrected for (Kingma and Ba 2014)."""

    rate: float
    beta1: float
    beta2: float
    corrected: bool
    moments: tuple[Any, Any] = (0.0, 0.0)
    steps: int = 0

    def step(self, gradient: torch.Tensor) -> torch.Tensor:
        """What is to be subtracted from the vector.

        Args:
            gradient: Gradient (n,).

        Returns:
            Step (n,).
        """
        first, second = self.moments
        first = self.beta1 * first + (1 - self.beta1) * gradient
        second = self.beta2 * second + (1 - self.beta2) * gradient**2
        self.moments, self.steps = (first, second), self.steps + 1
        if self.corrected:
            first = first / (1 - self.beta1**self.steps)
            second = second / (1 - self.beta2**self.steps)
        return self.rate * first / (second.sqrt() + EPSILON)


@dataclass
class Plateau:
    """Whether a value has not fallen below its least for `patience` steps; then it begins anew."""

    patience: int
    #: whether a value equal to the least counts as a fall
    equal: bool = False
    least: float = math.inf
    waited: int = 0

    def reached(self, value: float) -> bool:
        """Take up the next value.

        Args:
            value: Energy or norm of a step.

        Returns:
            Whether the plateau is reached with it.
        """
        if value < self.least or (self.equal and value == self.least):
            self.least, self.waited = value, 0
            return False
        self.waited += 1
        if self.waited < self.patience:
            return False
        self.least, self.waited = math.inf, 0
        return True


@dataclass
class Counts:
    """Source points and the cells that they fall into, fresh in every step or the first N of one Sobol sequence."""

    target: torch.Tensor
    law: Source
    seed: int
    fixed: bool
    stream: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        """The stream of fresh points; a Sobol sequence is the same for every seed, as in the authors' code."""
        self.stream = torch.Generator(device=self.target.device).manual_seed(self.seed)
        self.kept: list[torch.Tensor] = []
        self.engine = torch.quasirandom.SobolEngine(self.law.dimension) if self.fixed else None

    def of(self, heights: torch.Tensor, points: int) -> tuple[torch.Tensor, float]:
        """Counts by cells, and the mean of the potential.

        Args:
            heights: Heights (n,).
            points: Number N of points.

        Returns:
            Share of the points in each cell (n,), float64, and the mean of max_i <x, y_i> + h_i.
        """
        counts = torch.zeros(len(heights), dtype=torch.int64, device=heights.device)
        total, done, low = 0.0, 0, heights.float()
        while done < points:
            x = self._chunk(done // CHUNK, min(CHUNK, points - done))
            value, index = best(x, self.target, low)
            counts += torch.bincount(index, minlength=len(heights))
            total += float(value.double().sum())
            done += len(x)
        return counts.double() / points, total / points

    def _chunk(self, number: int, size: int) -> torch.Tensor:
        """Points (size, d) of a chunk; those of a Sobol sequence are kept: a chunk always begins with the same ones."""
        if self.engine is None:
            return self.law.sample_torch(size, self.stream)
        if number == len(self.kept):
            unit = self.engine.draw(CHUNK, dtype=torch.float64)
            low, high = torch.as_tensor(self.law.low), torch.as_tensor(self.law.high)
            self.kept.append((low + (high - low) * unit).float().to(self.target.device))
        return self.kept[number][:size]


def solve_monte_carlo(
    target: np.ndarray,
    weights: np.ndarray,
    law: Source,
    variant: Variant = "paper",
    rate: float = 5e-2,
    points: int = 10_000,
    patience: int = 30,
    norm: float = 2e-3,
    max_steps: int = 20_000,
    most: int | None = None,
    seed: int = 0,
    device: str | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Heights by the papers' own algorithm (An et al. 2020, Algorithm 1; pyOMT).

    Args:
        target: Target points (n, d), all different.
        weights: Wished masses (n,), summing to 1.
        law: Source of the map; `pyomt` needs a box.
        variant: `paper` or `pyomt`.
        rate: Adam's rate, in units of the heights; not in the texts. The code has 5e-2 for images' codes and 1e-4 for
            points in the plane.
        points: Number N of points of the first steps; 10,000 in the code's plane, 20,000 for images.
        patience: Steps s without a fall after which N is doubled; 30 in the code.
        norm: Norm of the gradient at which the solver stops.
        max_steps: Largest number of steps; 20,000 in the code.
        most: Largest N; None: 100 a target, Lei et al.'s number (2020, 6.1), but not fewer than `points`.
        seed: Seed of the points; a Sobol sequence needs none.
        device: Device of the solver; default: the GPU where there is one.

    Returns:
        Heights (n,) and what happened: steps, points of all steps together (`points`) and of the last
        (`points_a_step`), the gradient's norm, seconds and the reason of the end: `norm` or `steps`.

    Raises:
        OtbenchError: Where the variant is unknown, or needs a box and has none.
    """
    if variant not in ("paper", "pyomt"):
        raise OtbenchError(f"solve: expected variant paper or pyomt, got {variant!r}")
    code = variant == "pyomt"
    if code and law.kind != "box":
        raise OtbenchError(f"solve: pyOMT's Sobol points need a box as source, got {law.kind}")
    began = time.perf_counter()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    # <x, y - m> + h has the same argmax as <x, y> + h + <x, m>; smaller numbers lose less in single precision
    middle = (target.max(0) + target.min(0)) / 2
    counts = Counts(torch.as_tensor(target - middle, dtype=torch.float32, device=device), law, seed, code)
    nu = torch.as_tensor(weights, dtype=torch.float64, device=device)
    h = torch.zeros(len(target), dtype=torch.float64, device=device)
    adam = Adam(rate, 0.9, 0.999 if code else 0.5, corrected=not code)
    plateau = Plateau(patience + 1 if code else patience, equal=code)
    size, limit = points, max(points, 100 * len(target) if most is None else most)
    used, reason, length, step = 0, "steps", math.inf, 0
    while step < max_steps:
        share, mean = counts.of(h, size)
        gradient = share - nu
        used, step, length = used + size, step + 1, float(gradient.norm())
        if length < norm:
            reason = "norm"
            break
        watched = length if code else mean - float(nu @ h)
        h = h - adam.step(gradient - gradient.mean())
        h = h - h.mean()
        if plateau.reached(watched):
            size = min(2 * size, limit)
    info = {"method": variant, "device": str(device), "steps": step, "points": used, "points_a_step": size}
    info |= {"norm": length, "seconds": time.perf_counter() - began, "reason": reason}
    return h.cpu().numpy(), info
