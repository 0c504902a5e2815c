"""The entropic map between a sample of Gaussian noise and a sample of the data (Pooladian and Niles-Weed 2021)."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, Stage
from otbench.models.points.shared.maps import ExplicitMap
from otbench.transport.sinkhorn import entropic_map, plan, settled, squared_distances
from otbench.utils.rng import generator

#: noise vectors that are mapped at once
CHUNK = 2000


class SinkhornBarycentricConfig(Config):
    """1,000 points of each side; the regularisation is a choice of this package.

    The paper's rule, eps of the order of n^(-1 / (d' + 4)) with d' the even number from d up, leaves the constant open
    and holds for smooth maps; between modes the optimal map jumps, and a large eps draws points into the gaps.
    """

    #: points of noise, and points of the data
    sources: int = Field(1000, ge=1)
    targets: int = Field(1000, ge=1)
    #: regularisation as a share of the mean squared distance between the two samples
    regularisation: float = Field(0.01, gt=0)
    #: error of the plan's first marginal (sum of absolute differences) at which Sinkhorn's iterations stop
    tolerance: float = Field(1e-3, gt=0)


class SinkhornBarycentric(ExplicitMap):
    """T(z) = sum_j w_j(z) x_j, w_j ~ exp((g_j - |z - x_j|^2) / eps), g the dual potential of the data's sample.

    Nothing is trained: the only stage solves the entropic transport, in float64. A sample is a mean of data points, so
    spread within modes shrinks as the regularisation grows.
    """

    names = {"sinkhorn-barycentric": {}}
    title = "Entropic map"
    paper = "Pooladian and Niles-Weed 2021, equations 5 and 6"
    sampler = ()
    Config = SinkhornBarycentricConfig
    config: SinkhornBarycentricConfig

    def build(self) -> None:
        """No network; potentials come from the only stage."""
        #: target (R, m, d), potential (R, m) and regularisation (R,), float64; empty until the stage
        self.solved: dict[str, Tensor] = {}

    def stages(self) -> list[Stage]:
        """Transport."""
        return [Stage("transport", solve=self.solve)]

    def solve(self) -> list[dict[str, float]]:
        """Solve for every replica, each with its own points of noise and data.

        Returns:
            Error of the first marginal, transport cost of the plan in the map's units and number of targets
            (`marginal_error`, `entropic_cost`, `targets`), one record a replica.
        """
        c, n = self.config, len(self.data.train)
        parts: list[dict[str, Tensor]] = []
        records: list[dict[str, float]] = []
        for seed in self.seeds:
            rows = torch.randperm(n, generator=generator(seed, "transport/targets"))[: c.targets]
            target = self.standard(torch.from_numpy(self.data.train[rows.numpy()]).double())
            shape = (c.sources, *self.data.shape)
            source = torch.randn(shape, generator=generator(seed, "transport/source"), dtype=torch.float64)
            cost = squared_distances(source[None], target[None])[0]
            eps = c.regularisation * float(cost.mean())
            first, second, error = settled(cost, eps, c.tolerance)
            coupling = plan(cost[None], first[None], second[None], cost.new_tensor([eps]))[0]
            parts.append({"target": target, "potential": second, "regularisation": cost.new_tensor(eps)})
            spent = float((coupling * cost).sum())
            records.append({"marginal_error": error, "entropic_cost": spent, "targets": float(len(target))})
        self.solved = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        return records

    def map(self, z: Tensor) -> Tensor:
        """The entropic map of every replica, in float64."""
        s = {name: value.to(z.device) for name, value in self.solved.items()}
        images = [
            torch.cat([entropic_map(part, y, g, float(eps)) for part in own.double().split(CHUNK)])
            for own, y, g, eps in zip(z, s["target"], s["potential"], s["regularisation"], strict=True)
        ]
        return torch.stack(images).to(z.dtype)

    def state(self) -> dict[str, Tensor]:
        """Targets (R, m, d) in the map's units, potentials (R, m) and regularisations (R,), float64."""
        return dict(self.solved)

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self.solved = {name: value.cpu() for name, value in state.items()}

    def training_state(self) -> dict[str, Any]:
        """The networks and optimisers there are, and the potentials once they are solved."""
        return super().training_state() | {"solved": self.solved}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from what `training_state` returned."""
        super().load_training_state(state)
        self.load(state["solved"])

    def parameters(self) -> dict[str, int]:
        """The potential is all that is solved for."""
        return {"potential": min(self.config.targets, len(self.data.train))}
