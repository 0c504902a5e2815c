"""What generators that descend a Sinkhorn divergence share, whatever the data (Genevay et al. 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from otbench.models.base import Losses, Model, Stage
from otbench.models.inputs import Input, Real
from otbench.nets.replicas import Replicas
from otbench.transport.sinkhorn import divergence


class SinkhornDescent(Model):
    """A generator descends the divergence of its batch; with a learned cost, a critic ascends it.

    A kind of data says what noise is (`noise_of`) and what of a batch is compared (`compared`).
    """

    title = "Sinkhorn GAN"
    paper = "Genevay et al. 2018, equations 8 and 9, algorithms 1 and 2, and code"
    family = "adversarial"
    #: 70 epochs of 55,000 images in batches of 300, the code's for MNIST
    paper_steps = 12_833
    #: any Config with the options of the divergence, of the critic and of Adam
    config: Any
    generator: Replicas

    def noise_of(self, batches: int) -> Input:
        """The noise of a step.

        Args:
            batches: Number of batches.

        Returns:
            Input (R, batches, B, noise).
        """
        raise AssertionError(f"{type(self).__name__} has no noise")

    def compared(self, x: Tensor) -> Tensor:
        """What the cost compares of a batch.

        Args:
            x: Data (R, B, ...).

        Returns:
            Vectors (R, B, d).
        """
        raise AssertionError(f"{type(self).__name__} compares nothing")

    def stages(self) -> list[Stage]:
        """One stage; a step: the critic's updates where there is one, and one of the generator."""
        c = self.config
        count = c.critic_steps if c.cost == "learned" else 0
        inputs: dict[str, Input] = {"real": Real((count + 1, c.batch)), "z": self.noise_of(count + 1)}
        return [Stage("generator", self.step, inputs, cost=max(1, count))]

    def loss(self, real: Tensor, generated: Tensor) -> Tensor:
        """The divergence of what is compared.

        Args:
            real: Data (R, B, ...).
            generated: Samples (R, B, ...).

        Returns:
            Divergences (R,).
        """
        target, made = self.compared(real), self.compared(generated)
        return divergence(made, target, self.config.regularisation, self.config.iterations)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """The critic's updates, each on its own batch, and one of the generator.

        Args:
            batch: Data `real` (R, k, B, ...) and noise `z` (R, k, B, noise), k one more than the critic's updates.

        Returns:
            Loss `divergence` (R,) of the generator's update, detached.
        """
        for k in range(batch["z"].shape[1] - 1):
            with torch.no_grad():
                generated = self.generator(batch["z"][:, k])
            self.descend(critic=-self.loss(batch["real"][:, k], generated))
        loss = self.loss(batch["real"][:, -1], self.generator(batch["z"][:, -1]))
        self.descend(generator=loss)
        return {"divergence": loss.detach()}
