"""What the models of PacGAN's comparison in the plane share: networks, rates and the sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from pydantic import Field, model_validator

from otbench.models.base import Config, NoiseModel, noise
from otbench.nets.pacgan import Discriminator, Generator, Norm
from otbench.utils.rng import generator


class PlaneConfig(Config):
    """PacGAN's values for ring and grid (Lin et al. 2018; code of the paper, pacgan_task.py).

    beta1: the code says 0.8, and means it only with a Blocks from 2017-01-24 on (commit aa064519). Before, the beta1 of
    Blocks was the weight of the new gradient, so that 0.8 there is 0.2 here. ALI's code of 2016 has the same 0.8 and so
    0.2. PacGAN's (11/2017) asks for the development version, hence the default; which one its authors had is not
    recorded, and `beta1: 0.2` is the other reading.
    """

    noise: int = Field(2, ge=1)
    batch: int = Field(100, ge=2)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.8, ge=0, lt=1)
    #: units of each of the generator's four hidden layers
    width: int = Field(400, ge=1)
    #: maxout units of each of the discriminator's three hidden layers
    maxout: int = Field(200, ge=1)
    #: batch normalisation's epsilon and running statistics: `blocks`, PacGAN's framework, or `pytorch`
    norm: Norm = "blocks"
    #: batches of fresh noise that renew the running statistics before a snapshot; 0: those that training left
    refresh: int = Field(50, ge=0)


class SetupConfig(PlaneConfig):
    """PacGAN's values, or those of another source: an option `setup` chooses, other options go before its values."""

    #: the values that each `setup` but `pacgan` implies
    SETUPS: ClassVar[dict[str, dict[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, values: Any) -> Any:
        setup = values.get("setup") if isinstance(values, dict) else None
        return {**cls.SETUPS[setup], **values} if isinstance(setup, str) and setup in cls.SETUPS else values


class PlaneModel(NoiseModel):
    """A model with PacGAN's generator, trained with Adam for 400 epochs of 1,000 steps.

    Before a snapshot the generator's running statistics are renewed: `refresh` batches of noise pass in training mode
    through the weights as they are, each moving the statistics by batch normalisation's own rule. That is the
    evaluation of PacGAN's code (pacgan_task.py, create_main_loop) and of ALI's, which it follows: at an epoch's end,
    before points are drawn, 50 monitoring batches of 100 apply the update of the population statistics, so that these
    are new to 92 % (1 - 0.95^50). There the statistics stay so and training goes on with them; it uses those of its
    batches only, so here they are put back, and a snapshot does not depend on others that were taken. The weights
    that are saved are the sampler: drawing needs nothing more. GAN, PacGAN and ALI are evaluated so in that code. No
    source says how PacGAN's row of minibatch discrimination was; VEEGAN and the unrolled GAN come with networks that
    have no batch normalisation, and here, with this generator, are evaluated like the rest.
    """

    family = "adversarial"
    paper_steps = 400_000
    Config = PlaneConfig
    config: PlaneConfig

    def pacgan_generator(self) -> None:
        """Register PacGAN's generator as `generator`."""
        c, outputs = self.config, self.data.shape[0]
        self.generator = self.network("generator", lambda: Generator(c.noise, outputs, c.width, norm=c.norm))

    def pacgan_discriminator(self, inputs: int) -> None:
        """Register PacGAN's discriminator, with its optimiser, as `discriminator`.

        Args:
            inputs: Number of values that it sees at once.
        """
        c = self.config
        self.discriminator = self.network("discriminator", lambda: Discriminator(inputs, c.maxout))
        self.optimise("discriminator")

    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise that the generator gets in a step of one replica.

        Returns:
            The shape (B, noise), after the slots of a pack where a model has them.
        """
        return self.config.batch, self.config.noise

    def refresh_statistics(self) -> Callable[[], None]:
        """Renew the generator's running statistics with `config.refresh` batches; returns what puts the old ones back.

        The noise is the same at every snapshot of a seed.
        """
        network = self.networks["generator"]
        buffers = {name: network.tensor(name).clone() for name, _ in network.module.named_buffers()}
        if buffers and self.seeds:
            streams = [generator(seed, "refresh") for seed in self.seeds]
            network.train()
            with torch.no_grad():
                for _ in range(self.config.refresh):
                    network(noise(self.noise_shape(), streams, self.device))

        def undo() -> None:
            for name, values in buffers.items():
                network.tensor(name).copy_(values)

        return undo

    def optimise(self, name: str, *networks: str, rate: float | None = None) -> None:
        """Register an Adam optimiser with the config's beta1.

        Args:
            name: Name of the optimiser.
            *networks: Names of its networks; none: the network of its own name.
            rate: Learning rate; None: the config's.
        """
        self.adam(name, list(networks or [name]), rate or self.config.rate, self.config.beta1)
