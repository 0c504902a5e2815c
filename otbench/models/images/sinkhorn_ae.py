"""The Sinkhorn autoencoder (Patrini et al. 2019)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.wae import WAE, WAEConfig
from otbench.transport.sinkhorn import divergence


class SinkhornAEConfig(WAEConfig):
    """Networks, rates, batch and code sizes of WAE, whose place the paper takes; the penalty's weight is WAE's too.

    The paper's regularisation is absolute and depends on the size of the codes; here it is a share of the mean squared
    distance between codes and prior. Share, weight and number of iterations are choices of this package.
    """

    jitter: float = Field(0.0, ge=0)
    pretraining: int = Field(0, ge=0)
    #: regularisation as a share of the mean cost in the batch
    regularisation: float = Field(0.05, gt=0)
    iterations: int = Field(20, ge=1)


class SinkhornAE(WAE):
    """Descends 0.05 |x - G(E(x))|^2, summed over pixels, + penalty * S(codes, N(0, I)), S the Sinkhorn divergence.

    The encoder is deterministic, and derivatives of the penalty go through Sinkhorn's iterations.
    """

    names = {"sinkhorn-ae": {}}
    title = "Sinkhorn AE"
    paper = "Patrini et al. 2019, equation 5 and algorithm 1; networks and cost of Tolstikhin et al. 2018"
    Config = SinkhornAEConfig
    faces = {"latent": 64, "rate": 1e-3, "schedule": "smooth", "penalty": 100.0, "pretraining_batch": 256}
    digits = {"latent": 8, "rate": 1e-3, "schedule": "steps", "penalty": 10.0, "pretraining_batch": 1000}

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of both networks.

        Args:
            batch: Inputs of `WAE.inputs`, each (R, B, ...).

        Returns:
            Losses (R,), detached: `cost` and `penalty`.
        """
        c, codes = self.config, self.codes(batch)
        cost = self.cost(batch["real"], self.decoder(codes))
        penalty = divergence(codes, batch["prior"], c.regularisation, c.iterations)
        self.descend(autoencoder=cost + c.penalty * penalty)
        return {"cost": cost.detach(), "penalty": penalty.detach()}
