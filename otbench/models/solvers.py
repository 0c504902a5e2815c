"""How AE-OT's map is solved: options that its models in the plane and of images share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from otbench.models.base import Config
from otbench.transport import TransportMap
from otbench.transport.envelope import distinct
from otbench.transport.monte_carlo import solve_monte_carlo
from otbench.transport.solve import checked
from otbench.transport.sources import named


class SolverConfig(Config):
    """The suite's solver by default; the papers' own as options (`otbench.transport.monte_carlo`).

    What Algorithm 1 leaves open has the values of the authors' code: 10,000 points at the start, s = 30, an end at a
    gradient norm of 2e-3 or after 20,000 steps. Its largest N is Lei et al.'s 100 a target (2020, 6.1).
    """

    #: suite: exact cells in the plane, else stochastic steps; paper: Algorithm 1 of An et al. 2020; pyomt: its code
    solver: Literal["suite", "paper", "pyomt"] = "suite"
    #: Adam's rate of the papers' solvers, in units of the heights; None: the code's (1e-4 in the plane at the scale of
    #: its own data, 5e-2 for images' codes)
    solver_rate: float | None = Field(None, gt=0)
    #: points of their first steps
    solver_points: int = Field(10_000, ge=1)
    #: steps without a fall after which they double that number
    solver_patience: int = Field(30, ge=1)
    #: their largest number of steps
    solver_steps: int = Field(20_000, ge=1)


def solved_as_papers(config: SolverConfig, target: np.ndarray, rate: float, seed: int, device: str) -> TransportMap:
    """The map onto equally heavy targets by a solver of the papers; source uniform on the centred unit cube.

    Args:
        config: Which solver, and its values.
        target: Target points (n, d); equal ones are solved as one and share its cell.
        rate: Adam's rate where the config has none.
        seed: Seed of the source points.
        device: Type of the device that solves.

    Returns:
        Map with heights and info; no tolerance, as the papers' solvers promise none.
    """
    y, weights = checked(target)
    law, (first, group) = named("cube", y.shape[1]), distinct(y)
    variant: Any = config.solver
    heights, info = solve_monte_carlo(
        y[first],
        np.bincount(group, weights=weights),
        law,
        variant,
        rate=config.solver_rate or rate,
        points=config.solver_points,
        patience=config.solver_patience,
        max_steps=config.solver_steps,
        seed=seed,
        device=device,
    )
    heights = heights[group]
    return TransportMap(y, heights - weights @ heights, weights, law, info)


def numbers_of(solution: TransportMap) -> dict[str, float]:
    """What a papers' solver did, for the certificate.

    Args:
        solution: Map that it solved.

    Returns:
        Its steps, points of all steps, points of the last step, and the gradient's norm there.
    """
    names = {"steps": "map_steps", "points": "map_solver_points", "points_a_step": "map_points_a_step"}
    names["norm"] = "map_gradient_norm"
    return {name: float(solution.info[key]) for key, name in names.items()}
