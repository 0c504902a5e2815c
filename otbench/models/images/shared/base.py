"""What models of images share: the budgets of Lucic et al. (2018), and generation in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, Model, noise
from otbench.nets.infogan import Discriminator, Generator
from otbench.nets.replicas import Replicas

#: images that pass a network at once when drawing or encoding
CHUNK = 500


class ImageConfig(Config):
    """Sizes of Lucic et al. 2018 (section 5 and code)."""

    latent: int = Field(64, ge=1)
    batch: int = Field(64, ge=2)
    #: channels of the first convolution; the other layers are in proportion
    width: int = Field(64, ge=1)


class ImageModel(Model):
    """A model of images, trained on batches that come as floats in [0, 1], (R, B, c, h, w)."""

    kinds = ("images",)
    paper_steps: ClassVar[int] = 15_625
    Config = ImageConfig
    config: ImageConfig

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """Number of batches of Lucic et al. (2018, code): 20 epochs, 100 on CIFAR-10, 40 on CelebA.

        An epoch has 50,000 images, 162,000 on CelebA. A model with a budget of its own overrides this.
        """
        return {"cifar10": 78_125, "celeba": 101_250, "celeba-140": 101_250}.get(dataset, 15_625)


@contextmanager
def inference(*networks: Replicas) -> Iterator[None]:
    """Inside, the networks are in inference mode and nothing is differentiated; afterwards they are as they were.

    Args:
        *networks: Networks whose mode is set.

    Yields:
        Nothing.
    """
    before = [network.module.training for network in networks]
    for network in networks:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for network, mode in zip(networks, before, strict=True):
            network.train(mode)


def mapped(network: Replicas, inputs: Tensor, shared: bool = False) -> Tensor:
    """A network in inference mode, over CHUNK rows at a time.

    Args:
        network: Network to run.
        inputs: Inputs (R, n, ...), or (n, ...) where shared; uint8 images become floats in [0, 1].
        shared: Whether the inputs are the same for every replica.

    Returns:
        Outputs (R, n, ...).
    """
    with inference(network):
        parts = []
        for start in range(0, inputs.shape[0 if shared else 1], CHUNK):
            if shared:
                part = as_floats(inputs[start : start + CHUNK])
                part = part.unsqueeze(0).expand(network.size, *part.shape)
            else:
                part = as_floats(inputs[:, start : start + CHUNK])
            parts.append(network(part))
        return torch.cat(parts, 1)


def as_floats(images: Tensor) -> Tensor:
    """Images as floats.

    Args:
        images: Images of any shape, uint8 or floats in [0, 1].

    Returns:
        Images in [0, 1], of the same shape.
    """
    return images.to(torch.get_default_dtype()) / 255 if images.dtype == torch.uint8 else images


class Coding(ImageModel):
    """A model with networks `encoder` and `decoder`, whose code space can be looked at from outside."""

    family = "autoencoder"
    sampler = ("encoder", "decoder")

    def means(self, encoded: Tensor) -> Tensor:
        """The codes in what the encoder gives: all of it, or the mean of a posterior.

        Args:
            encoded: Outputs of the encoder (..., outputs).

        Returns:
            Codes (..., latent).
        """
        return encoded

    def encode(self, images: Tensor) -> Tensor:
        """Codes of images, in inference mode.

        Args:
            images: Images (n, c, h, w), floats in [0, 1] or uint8.

        Returns:
            Codes (R, n, latent).
        """
        return self.means(mapped(self.networks["encoder"], images.to(self.device), shared=True))

    def decode(self, codes: Tensor) -> Tensor:
        """Images of codes, in inference mode.

        Args:
            codes: Codes (R, n, latent).

        Returns:
            Images (R, n, c, h, w) in [0, 1].
        """
        return mapped(self.networks["decoder"], codes)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images decoded from their own codes.

        Args:
            images: Images (n, c, h, w), floats in [0, 1] or uint8.

        Returns:
            Images (R, n, c, h, w) in [0, 1].
        """
        return self.decode(self.encode(images))

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Codes from N(0, I), decoded; a model whose codes have another law overrides this."""
        return self.decode(noise((n, self.config.latent), streams, self.device))


class AdversarialConfig(ImageConfig):
    """What the GANs of Lucic et al. share: uniform noise, Adam with beta2 0.999, BatchNorm in the discriminator."""

    rate: float = Field(5e-5, gt=0)
    beta1: float = Field(0.0, ge=0, lt=1)
    #: batch normalisation in the discriminator
    normalised: bool = True


class Adversarial(ImageModel):
    """A GAN with the networks of Lucic et al.; its sampler feeds noise, uniform on [-1, 1]^latent, to `generator`."""

    family = "adversarial"
    Config = AdversarialConfig
    config: AdversarialConfig

    def build(self) -> None:
        """The generator and the discriminator of Lucic et al., Adam on each."""
        c, shape = self.config, self.data.shape
        self.generator = self.network("generator", lambda: Generator(shape, c.latent, c.width))
        self.discriminator = self.network("discriminator", lambda: Discriminator(shape, c.width, c.normalised))
        for name in ("generator", "discriminator"):
            self.adam(name, [name], c.rate, c.beta1)

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The generator in inference mode on fresh noise."""
        return mapped(self.generator, uniform((n, self.config.latent), streams, self.device))


def uniform(shape: tuple[int, ...], streams: list[torch.Generator], device: torch.device) -> Tensor:
    """Noise, uniform on [-1, 1].

    Args:
        shape: Shape of one replica's noise.
        streams: Generators, one a replica.
        device: Where the noise goes; it is drawn where the generators are.

    Returns:
        Noise (R, *shape), replica k's from streams[k].
    """
    drawn = [torch.rand(shape, generator=g, device=g.device) for g in streams]
    return torch.stack(drawn).mul_(2).sub_(1).to(device)
