"""Continuous-time models as maps from noise to points, how far they stretch, and what stretching forbids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from otbench.data.base import DataSet
from otbench.models.flows import ContinuousModel
from otbench.models.points.ddpm import DDPM
from otbench.models.points.flow_matching import FM, OTCFM, RectifiedFlow
from otbench.training.trainer import Options, Trainer
from otbench.utils.rng import generator

#: the models by the names they are registered by, in the order of the tables
MODELS: dict[str, type[ContinuousModel]] = {"fm": FM, "ot-cfm": OTCFM, "rectified-flow": RectifiedFlow, "ddpm": DDPM}
#: distance between the points whose images give a stretching
STEP = 1e-3
#: rounds in which the points that are stretched most are looked at more closely, and their distances there
ROUNDS = (0.1, 0.03, 0.01, 0.003)
#: points that are looked at more closely, and others around each
LEADERS, AROUND = 12, 16

Map = Callable[[Tensor], Tensor]


def trained(name: str, data: DataSet, seeds: list[int], steps: int, options: dict[str, float]) -> ContinuousModel:
    """A continuous-time model after its training.

    Args:
        name: One of MODELS.
        data: Points in the plane.
        seeds: Seeds of the replicas.
        steps: Budget; rectified flow gets twice as much, for two flows.
        options: Options of the model; those that it has not are left out.

    Returns:
        The model, all replicas.
    """
    kind = MODELS[name]
    config = kind.Config(**{key: value for key, value in options.items() if key in kind.Config.model_fields})
    model = kind(config, data, seeds)
    Trainer(model, steps * (2 if name == "rectified-flow" else 1), [1.0], Options(), None).run(f"{data.name}, {name}")
    return model


def at(model: ContinuousModel, evaluations: int) -> Map:
    """The map of a model from noise to points with a number of evaluations.

    Args:
        model: A trained model.
        evaluations: How often its network is evaluated.

    Returns:
        Map from points (R, n, 2) to points (R, n, 2).
    """

    def made(x: Tensor) -> Tensor:
        before = model.config
        model.config = before.model_copy(update={"evaluations": evaluations})
        try:
            return model.restored(model.at_the_end(model.field(), x, []))
        finally:
            model.config = before

    return made


def stretching(made: Map, x: Tensor, seed: int) -> Tensor:
    """Largest stretching that is found: a lower bound of the map's Lipschitz constant.

    The spectral norm of the difference quotients at every point, then, a few times, around those with the largest.

    Args:
        made: Map from points (R, n, 2) to points (R, n, 2).
        x: Points (R, n, 2).
        seed: Seed of the points around the leaders.

    Returns:
        Values (R,).
    """
    stream = generator(seed, "tearing/stretching")
    largest = x.new_zeros(len(x))
    for distance in (*ROUNDS, 0.0):
        norms = _norms(made, x)
        value, rows = norms.topk(min(LEADERS, norms.shape[1]), 1)
        largest = torch.maximum(largest, value[:, 0])
        leaders = torch.stack([points[row] for points, row in zip(x, rows, strict=True)])
        about = distance * torch.randn((*leaders.shape[:2], AROUND, 2), generator=stream)
        x = torch.cat([leaders, (leaders[:, :, None] + about).flatten(1, 2)], 1)
    return largest


def _norms(made: Map, x: Tensor) -> Tensor:
    """Spectral norms (R, n) of the central difference quotients."""
    sides = [x + sign * STEP / 2 * axis for axis in torch.eye(2) for sign in (1, -1)]
    a, b, c, d = made(torch.cat(sides, 1)).chunk(4, 1)
    return torch.linalg.matrix_norm(torch.stack([a - b, c - d], -1).double() / STEP, 2).float()


def least(inside: float, gap: float, lipschitz: float) -> float:
    """Least mass that a map of N(0, I) leaves outside two sets.

    The points that go to one set and those that go to the other are at least gap / L apart. Of all sets of Gaussian
    mass a, half-spaces have the least mass within a distance r: Phi(Phi^-1(a) + r). So the other set gets at most
    Phi(-Phi^-1(a) - gap / L). For equal shares the least mass outside is 2 Phi(gap / 2 L) - 1.

    Args:
        inside: Mass a that goes to the first set.
        gap: Distance between the two sets.
        lipschitz: Lipschitz constant L of the map.

    Returns:
        Mass in [0, 1].

    Source: Borell 1975, Sudakov and Tsirelson 1974 (the isoperimetric inequality of the Gaussian law).
    """
    if not 0 < inside < 1:
        return 0.0
    return float(max(0.0, 1 - inside - ndtr(-ndtri(inside) - gap / max(lipschitz, 1e-12))))


def half(mode: np.ndarray, good: np.ndarray, modes: int) -> float:
    """Share of points that lie in the first half of the modes.

    Args:
        mode: Nearest mode (n,) of every point.
        good: Whether a point lies in its mode (n,).
        modes: Number of modes.

    Returns:
        Share in [0, 1].
    """
    return float((good & (mode < modes // 2)).mean())
