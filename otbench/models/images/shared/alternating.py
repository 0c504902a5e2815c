"""What the GANs of Lucic et al. (2018) share: updates of the discriminator, then one of the generator."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import Adversarial, AdversarialConfig
from otbench.models.inputs import Input, Real, Uniform


class AlternatingConfig(AdversarialConfig):
    """Default values of Lucic et al.; see the models for what differs."""

    #: updates of the discriminator for one of the generator
    critic_steps: int = Field(1, ge=1)


class Alternating(Adversarial):
    """A GAN of Lucic et al.: a step is `critic_steps` updates of the discriminator and one of the generator.

    Each of the discriminator's has its own batch; the generator follows on the noise of the last one, unless it is to
    have `own_noise`. A model says what the two descend, in `discriminate` and `generate`.
    """

    Config = AlternatingConfig
    config: AlternatingConfig
    own_noise: ClassVar[bool] = False

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """Losses of an update of the discriminator.

        Args:
            batch: Inputs of one update by name, (R, B, ...), `real` among them.
            generated: Generated images (R, B, c, h, w), detached.

        Returns:
            Losses (R,): `discriminator` is descended, others are only recorded.
        """
        raise AssertionError(f"{type(self).__name__} defines no loss of the discriminator")

    def generate(self, generated: Tensor) -> Tensor:
        """The generator's loss.

        Args:
            generated: Its images (R, B, c, h, w).

        Returns:
            Loss (R,).
        """
        raise AssertionError(f"{type(self).__name__} defines no loss of the generator")

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """The inputs of a step.

        Args:
            shape: (critic_steps, batch).

        Returns:
            Inputs by name: shapes begin with (critic_steps, batch), that of `last`, for `own_noise`, with (batch,).
        """
        latent = self.config.latent
        last = {"last": Uniform((shape[1], latent), -1.0, 1.0)} if self.own_noise else {}
        return {"real": Real(shape), "z": Uniform((*shape, latent), -1.0, 1.0), **last}

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        return [Stage("adversarial", self.step, self.inputs((c.critic_steps, c.batch)), cost=c.critic_steps)]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """`critic_steps` updates of the discriminator, then one of the generator.

        Args:
            batch: Inputs by name, each (R, critic_steps, B, ...), and with `own_noise` the generator's noise `last`
                (R, n, latent).

        Returns:
            Losses (R,) of the last update of each network, detached.
        """
        last = self.config.critic_steps - 1
        for k in range(last + 1):
            inputs = {name: values[:, k] for name, values in batch.items() if name != "last"}
            # the last images serve the generator's update too: it does not change in between
            with torch.set_grad_enabled(k == last and not self.own_noise):
                generated = self.generator(inputs["z"])
            losses = self.discriminate(inputs, generated.detach())
            self.descend(discriminator=losses["discriminator"])
        if self.own_noise:
            generated = self.generator(batch["last"])
        losses = {**losses, "generator": self.generate(generated)}
        self.descend(generator=losses["generator"])
        return {name: value.detach() for name, value in losses.items()}
