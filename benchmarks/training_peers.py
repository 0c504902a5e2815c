"""Plain PyTorch loops: the cases of `benchmarks/training.py` as somebody would write them, one seed at a time.

They have the networks of the models themselves and take the same steps (a test holds them to that), but know nothing of
replicas, chunks of batches, captured steps or fused optimisers: a batch is a draw of random rows, a step calls
`backward()` and `step()` of Adam as PyTorch makes it, and every loss is read with `item()`. The data lie on the device,
which is kinder than a `DataLoader`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.models.base import Model

Batch = dict[str, Tensor]


class Plain(ABC):
    """A loop over one seed: `step` draws a batch and takes one step with it; returns the losses as numbers.

    model: of one seed, whose modules the loop trains; data: training rows on the device.
    """

    def __init__(self, model: Model, data: Tensor) -> None:
        self.config, self.data, self.device = model.config, data, model.device
        # in PyTorch's own order of memory, whatever the suite has chosen
        plain = torch.contiguous_format
        self.nets: dict[str, nn.Module] = {
            name: r.module.to(memory_format=plain).train() for name, r in model.networks.items()
        }
        self.build()

    def adam(self, *names: str) -> torch.optim.Adam:
        """Adam as PyTorch makes it, over these networks."""
        tensors = [p for name in names for p in self.nets[name].parameters()]
        return torch.optim.Adam(tensors, lr=self.config.rate, betas=(self.config.beta1, 0.999))

    def rows(self, *shape: int) -> Tensor:
        """Random rows of the data, images as floats in [0, 1]."""
        chosen = self.data[torch.randint(len(self.data), shape, device=self.device)]
        return chosen.float() / 255 if chosen.dtype == torch.uint8 else chosen

    def noise(self, *shape: int) -> Tensor:
        """Uniform noise on [-1, 1]."""
        return torch.rand(*shape, device=self.device) * 2 - 1

    @abstractmethod
    def build(self) -> None:
        """Make the optimisers."""

    @abstractmethod
    def batch(self) -> Batch:
        """What one step takes."""

    @abstractmethod
    def update(self, batch: Batch) -> list[float]:
        """One step; its losses."""

    def step(self) -> list[float]:
        """One step on a batch of its own."""
        return self.update(self.batch())


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step along a loss."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


class Adversarial(Plain):
    """A generator and a discriminator, each with an optimiser of its own."""

    def build(self) -> None:
        """Adam on each network."""
        self.d_opt, self.g_opt = self.adam("discriminator"), self.adam("generator")


class GANLoop(Adversarial):
    """GAN and PacGAN in the plane: both networks step with gradients taken before either has moved."""

    def batch(self) -> Batch:
        """Packs of real points (m, B, d) and noise (m, B, d)."""
        m, b = self.config.packing, self.config.batch
        return {"real": self.rows(m, b), "z": torch.randn(m, b, self.config.noise, device=self.device)}

    def update(self, batch: Batch) -> list[float]:
        """The generator's gradient first: it leaves others in the discriminator, which are then cleared."""
        generator, discriminator = self.nets["generator"], self.nets["discriminator"]
        fake = generator(batch["z"])
        g_loss = F.softplus(-discriminator(packed(fake))).mean()
        self.g_opt.zero_grad()
        g_loss.backward()
        real_loss = F.softplus(-discriminator(packed(batch["real"]))).mean()
        d_loss = real_loss + F.softplus(discriminator(packed(fake.detach()))).mean()
        descend(self.d_opt, d_loss)
        self.g_opt.step()
        return [d_loss.item(), g_loss.item()]


def packed(points: Tensor) -> Tensor:
    """(m, B, d) -> (B, m d)."""
    return points.transpose(0, 1).flatten(1)


class NSGANLoop(Adversarial):
    """The non-saturating GAN of images: the discriminator steps, then the generator on the same noise."""

    def batch(self) -> Batch:
        """Real images (B, c, h, w) and noise (B, latent)."""
        return {"real": self.rows(self.config.batch), "z": self.noise(self.config.batch, self.config.latent)}

    def update(self, batch: Batch) -> list[float]:
        """One update of each network."""
        generator, discriminator = self.nets["generator"], self.nets["discriminator"]
        fake = generator(batch["z"])
        d_loss = F.softplus(-discriminator(batch["real"])).mean() + F.softplus(discriminator(fake.detach())).mean()
        descend(self.d_opt, d_loss)
        g_loss = F.softplus(-discriminator(fake)).mean()
        descend(self.g_opt, g_loss)
        return [d_loss.item(), g_loss.item()]


class WGANGPLoop(NSGANLoop):
    """WGAN-GP of images: several updates of the critic, each on a batch of its own, then one of the generator."""

    def batch(self) -> Batch:
        """Real images (k, B, c, h, w), noise (k, B, latent) and places (k, B) of k updates; noise for the last."""
        k, b, latent = self.config.critic_steps, self.config.batch, self.config.latent
        where = torch.rand(k, b, device=self.device)
        return {"real": self.rows(k, b), "z": self.noise(k, b, latent), "where": where, "last": self.noise(b, latent)}

    def update(self, batch: Batch) -> list[float]:
        """The critic's updates and the generator's."""
        generator, critic, told = self.nets["generator"], self.nets["discriminator"], []
        for real, z, where in zip(batch["real"], batch["z"], batch["where"], strict=True):
            with torch.no_grad():
                fake = generator(z)
            distance = critic(real).mean() - critic(fake).mean()
            d_loss = self.config.penalty * self.penalty(real, fake, where) - distance
            descend(self.d_opt, d_loss)
            told.append(d_loss.item())
        g_loss = -critic(generator(batch["last"])).mean()
        descend(self.g_opt, g_loss)
        return [*told, g_loss.item()]

    def penalty(self, real: Tensor, fake: Tensor, where: Tensor) -> Tensor:
        """Mean of (|grad f| - 1)^2 at one point of the segment between each pair."""
        share = where.view(-1, 1, 1, 1)
        x = (real + share * (fake - real)).requires_grad_()
        slope = torch.autograd.grad(self.nets["discriminator"](x).sum(), x, create_graph=True)[0]
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()


class VAELoop(Plain):
    """The variational autoencoder: Bernoulli likelihood summed over pixels, and the divergence from N(0, I)."""

    def build(self) -> None:
        """Adam over both networks."""
        self.opt = self.adam("encoder", "decoder")

    def batch(self) -> Batch:
        """Images (B, c, h, w) and noise (B, latent)."""
        shape = (self.config.batch, self.config.latent)
        return {"real": self.rows(self.config.batch), "eps": torch.randn(*shape, device=self.device)}

    def update(self, batch: Batch) -> list[float]:
        """One update of both networks."""
        x = batch["real"]
        mean, raw = self.nets["encoder"](x).chunk(2, dim=1)
        std = 1e-6 + F.softplus(raw)
        logits = self.nets["decoder"](mean + std * batch["eps"])
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        divergence = 0.5 * (mean**2 + std**2 - 2 * std.log() - 1).sum(1).mean()
        loss = reconstruction + divergence
        descend(self.opt, loss)
        return [reconstruction.item(), divergence.item()]


class AELoop(Plain):
    """The autoencoder of AE-OT, by its mean squared error."""

    def build(self) -> None:
        """Adam over both networks."""
        self.opt = self.adam("encoder", "decoder")

    def batch(self) -> Batch:
        """Images (B, c, h, w)."""
        return {"real": self.rows(self.config.batch)}

    def codes(self, images: Tensor) -> Tensor:
        """What the decoder is given."""
        return self.nets["encoder"](images)

    def update(self, batch: Batch) -> list[float]:
        """One update."""
        loss = F.mse_loss(self.nets["decoder"](self.codes(batch["real"])), batch["real"])
        descend(self.opt, loss)
        return [loss.item()]


class DecoderLoop(AELoop):
    """The decoder alone, behind the frozen encoder."""

    def build(self) -> None:
        """Adam over the decoder."""
        self.nets["encoder"].eval()
        self.opt = self.adam("decoder")

    def codes(self, images: Tensor) -> Tensor:
        """Codes in inference mode."""
        with torch.no_grad():
            return self.nets["encoder"](images)


#: the loop of every case and stage of `benchmarks/training.py`
LOOPS: dict[tuple[str, str], Callable[[Model, Tensor], Plain]] = {
    ("gan", "adversarial"): GANLoop,
    ("pacgan2", "adversarial"): GANLoop,
    ("ns-gan", "adversarial"): NSGANLoop,
    ("wgan-gp", "adversarial"): WGANGPLoop,
    ("vae", "autoencoder"): VAELoop,
    ("ae-ot", "autoencoder"): AELoop,
    ("ae-ot", "decoder"): DecoderLoop,
}
