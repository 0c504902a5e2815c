"""What the GANs of the study of Lucic et al. 2018 share: updates of the discriminator, then one of the generator."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import Adversarial, AdversarialConfig
from otbench.models.inputs import Input, Real, Uniform


class AlternatingConfig(AdversarialConfig):
    """The study's default values; see the models for what differs."""

    #: updates of the discriminator for one of the generator
    critic_steps: int = Field(1, ge=1)


class Alternating(Adversarial):
    """A GAN of the study: a step is `critic_steps` updates of the discriminator and one of the generator.

    Each of the discriminator's has its own batch; the generator follows on the noise of the last one, unless it is to
    have `own_noise`. A model says what the two descend, in `discriminate` and `generate`.
    """

    Config = AlternatingConfig
    own_noise: ClassVar[bool] = False

    def discriminate(self, batch: dict[str, Tensor], generated: Tensor) -> Losses:
        """Losses (R,) of an update: `discriminator` is descended, others are told of; generated is detached."""
        raise AssertionError(f"{type(self).__name__} defines no loss of the discriminator")

    def generate(self, generated: Tensor) -> Tensor:
        """What the generator descends, (R,), of its images (R, B, c, h, w)."""
        raise AssertionError(f"{type(self).__name__} defines no loss of the generator")

    def inputs(self, shape: tuple[int, int]) -> dict[str, Input]:
        """What a step takes, by name: shapes begin with (critic_steps, batch), that of `own_noise` with (batch,)."""
        latent = self.config.latent
        last = {"last": Uniform((shape[1], latent), -1.0, 1.0)} if self.own_noise else {}
        return {"real": Real(shape), "z": Uniform((*shape, latent), -1.0, 1.0), **last}

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        return [Stage("adversarial", self.step, self.inputs((c.critic_steps, c.batch)), cost=c.critic_steps)]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """`critic_steps` updates of the discriminator, then one of the generator."""
        last = self.config.critic_steps - 1
        for k in range(last + 1):
            own = {name: values[:, k] for name, values in batch.items() if name != "last"}
            # the last images serve the generator's update too: it does not change in between
            with torch.set_grad_enabled(k == last and not self.own_noise):
                generated = self.generator(own["z"])
            losses = self.discriminate(own, generated.detach())
            self.descend(discriminator=losses["discriminator"])
        if self.own_noise:
            generated = self.generator(batch["last"])
        losses = {**losses, "generator": self.generate(generated)}
        self.descend(generator=losses["generator"])
        return {name: value.detach() for name, value in losses.items()}
