"""Flow matching on the codes of AE-OT's autoencoder, in place of the transport."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from otbench.models.flows import Solver, check_evaluations, integrate, straight
from otbench.models.images.autoencoder import AutoencoderConfig, Autoencoding
from otbench.models.images.shared.latent import Law
from otbench.nets.flows import PointField
from otbench.nets.replicas import seeded
from otbench.utils.rng import generator


class AEFMConfig(AutoencoderConfig):
    """The autoencoder of AE-OT; of the flow, Tong et al.'s network and rate for points, with wider layers."""

    evaluations: int = Field(100, ge=1)
    solver: Solver = "euler"
    #: steps of the flow's training, for every law that is fitted: at the end, and at snapshots before it
    flow_steps: int = Field(5000, ge=1)
    flow_batch: int = Field(256, ge=2)
    flow_rate: float = Field(1e-3, gt=0)
    flow_width: int = Field(256, ge=1)

    @model_validator(mode="after")
    def _pairs_of_evaluations(self) -> AEFMConfig:
        check_evaluations(self.solver, self.evaluations)
        return self


class AEFM(Autoencoding):
    """Codes that a flow moves from Gaussian noise to the training codes' law, decoded.

    The same autoencoder and codes as `ae-ot`, `ae-gaussian` and `ae-gmm`, with another law. The flow (independent
    pairs, straight paths) is trained once the encoder is frozen, on codes from whose mean and mean variance the unit is
    taken; its rate falls to zero along half a cosine.
    """

    names = {"ae-fm": {}}
    title = "AE + flow matching"
    paper = "Lipman et al. 2023 (ICLR), section 4, on the codes of Lei et al. 2020"
    family = "continuous-time"
    Config = AEFMConfig
    config: AEFMConfig

    def flow(self, latent: int, seed: int = 0) -> PointField:
        """A velocity field of codes at its initialisation.

        Args:
            latent: Dimension of the codes.
            seed: Seed of its weights.

        Returns:
            The network.
        """
        net = seeded(lambda: PointField(latent, self.config.flow_width), seed, "weights/law/flow").float()
        assert isinstance(net, PointField)
        return net

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """The codes' mean (d,) and scale (), and the trained weights of the flow."""
        c, data = self.config, torch.from_numpy(codes).float()
        mean = data.mean(0)
        scale = (data - mean).square().mean().sqrt().clamp(min=1e-12)
        data, net, stream = (data - mean) / scale, self.flow(data.shape[1], seed), generator(seed, "law/flow")
        optimiser = torch.optim.Adam(net.parameters(), c.flow_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, c.flow_steps)
        loss = torch.zeros(())
        for _ in range(c.flow_steps):
            x1 = data[torch.randint(len(data), (c.flow_batch,), generator=stream)]
            x0 = torch.randn(x1.shape, generator=stream, dtype=x1.dtype)
            t = torch.rand(len(x1), generator=stream, dtype=x1.dtype)
            x, v = straight(x0, x1, t)
            loss = (net(x, t) - v).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        law = {"mean": mean, "scale": scale} | {f"flow.{k}": v.detach() for k, v in net.state_dict().items()}
        return law, {"flow_l2": float(loss.detach())}

    def draw_codes(self, law: Law, n: int, stream: torch.Generator) -> Tensor:
        """n codes (n, d) at the end of the flow."""
        c, net = self.config, self.flow(len(law["mean"]))
        net.load_state_dict({k.removeprefix("flow."): v for k, v in law.items() if k.startswith("flow.")})
        x = torch.randn((n, len(law["mean"])), generator=stream, dtype=torch.float32)
        with torch.no_grad():
            made = integrate(lambda y, t: net(y[0], t[0])[None], x[None], c.evaluations, c.solver)[0]
        return law["mean"] + law["scale"] * made

    def parameters(self) -> dict[str, int]:
        """The autoencoder's values, and those of the flow."""
        return super().parameters() | {"flow": sum(p.numel() for p in self.flow(self.config.latent).parameters())}
