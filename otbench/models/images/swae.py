"""The sliced Wasserstein autoencoder (Kolouri et al. 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses
from otbench.models.images.wae import WAE, WAEConfig
from otbench.models.inputs import Input, Normal


class SWAEConfig(WAEConfig):
    """Batch, directions and weight of the paper's code for MNIST; code sizes, networks and rates of WAE.

    The paper's prior on MNIST is a ring, a disc or a square in the plane; codes are as long as WAE's here and the prior
    is N(0, I), so that rows of autoencoders differ in what they ask of the codes.
    """

    batch: int = Field(500, ge=2)
    jitter: float = Field(0.0, ge=0)
    pretraining: int = Field(0, ge=0)
    #: random directions of a batch
    directions: int = Field(50, ge=1)


class SWAE(WAE):
    """Descends |x - G(E(x))|_1 + the cross-entropy, both averaged over pixels, + penalty * SW2^2(codes, N(0, I)).

    SW2^2 is the mean over random directions of the mean squared difference of sorted projections (equation 13). The
    paper's code has both errors of the image; Adam with WAE's falling rates stands for its RMSProp.
    """

    names = {"swae": {}}
    title = "SWAE"
    paper = "Kolouri et al. 2018, equation 13, algorithm 1 and code; networks of Tolstikhin et al. 2018"
    Config = SWAEConfig
    faces = {"latent": 64, "rate": 1e-3, "schedule": "smooth", "penalty": 10.0, "pretraining_batch": 256}
    digits = {"latent": 8, "rate": 1e-3, "schedule": "steps", "penalty": 10.0, "pretraining_batch": 1000}

    def inputs(self, batch: int) -> dict[str, Input]:
        """With the directions, not yet of length 1."""
        return super().inputs(batch) | {"directions": Normal((self.config.directions, self.config.latent))}

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of both networks.

        Args:
            batch: Inputs of `WAE.inputs`, each (R, B, ...), and `directions` (R, L, latent).

        Returns:
            Losses (R,), detached: `cost` and `penalty`.
        """
        codes = self.codes(batch)
        images, real = self.decoder(codes), batch["real"]
        # the images are probabilities; at 0 and 1 the logarithm is cut off, as binary_cross_entropy cuts it
        entropy = F.binary_cross_entropy(images.clamp(0, 1), real, reduction="none")
        cost = (entropy + (images - real).abs()).mean((1, 2, 3, 4))
        penalty = sliced(codes, batch["prior"], batch["directions"])
        self.descend(autoencoder=cost + self.config.penalty * penalty)
        return {"cost": cost.detach(), "penalty": penalty.detach()}


def sliced(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """The sliced squared W2 distance of two sets of as many points.

    Args:
        x: Points (R, n, d).
        y: Points (R, n, d).
        directions: Directions (R, L, d) of any length but 0.

    Returns:
        Means (R,) over the directions of the squared W2 distance on the line.

    Source: Kolouri et al. 2018, equation 13.
    """
    unit = F.normalize(directions, dim=-1).transpose(1, 2)
    gaps = torch.sort(x @ unit, dim=1).values - torch.sort(y @ unit, dim=1).values
    return gaps.square().mean((1, 2))
