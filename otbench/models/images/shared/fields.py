"""What continuous-time models of images share: a small U-Net, images in [-1, 1], and the average of its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor, nn

from otbench.models.flows import ContinuousModel
from otbench.models.images.shared.average import follow
from otbench.models.images.shared.base import CHUNK, ImageModel
from otbench.nets.flows import AverageUNet, UNet
from otbench.nets.replicas import Replicas

#: decay of the exponential average of the weights (Ho et al. 2020, appendix B; Tong et al., code)
AVERAGE: Any = Field(0.9999, ge=0, lt=1)


class ImageField(ImageModel, ContinuousModel):
    """A continuous-time model of images.

    Samples come from the exponential average of the weights. It moves by max(1 - decay, 9 / (10 + steps)), as the
    running statistics of `nets.image_layers.BatchNorm` do: below some 90,000 steps a decay of 0.9999 would still see
    the initial weights.

    The papers' rate, batch and average; not their rate's warm-up, dropout, clipped gradients and mirrored images.
    """

    sampler = ("average",)
    rows = CHUNK
    #: any ContinuousConfig that has `average`
    config: Any
    #: the papers' budget on CIFAR-10; they have no other data set of these pages
    cifar_steps: ClassVar[int] = 400_000

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """The paper's on CIFAR-10, elsewhere that of Lucic et al. (2018)."""
        return cls.cifar_steps if dataset == "cifar10" else super().paper_budget(dataset)

    def architecture(self) -> Callable[[], nn.Module]:
        """The U-Net."""
        return lambda: UNet(self.data.shape, self.config.width)

    def build(self) -> None:
        """The network, with Adam, and its average."""
        super().build()
        self.average = self.network("average", lambda: AverageUNet(self.data.shape, self.config.width))
        follow(self.average, self.velocity)

    def field(self) -> Replicas:
        """The average of the weights."""
        return self.average

    def remember(self) -> None:
        """Move the average towards the network."""
        moves = self.average.tensor("moves")
        follow(self.average, self.velocity, (9 / (10 + moves)).clamp(min=1 - self.config.average))
        moves.add_(1)

    def unit(self, real: Tensor) -> Tensor:
        """Images in [-1, 1]."""
        return 2 * real - 1

    def restored(self, x: Tensor) -> Tensor:
        """Images in [0, 1], cut off there."""
        return ((x + 1) / 2).clamp(0, 1)
