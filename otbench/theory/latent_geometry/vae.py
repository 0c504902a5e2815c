"""The variational autoencoder whose latent plane the study measures: smooth, with two latent dimensions."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from otbench.geometry import Metric, RBFPrecision, fit_precision, pullback, stochastic_pullback
from otbench.utils.progress import Bar

#: part of the training over which the weight of the KL term rises from 0 to 1 (Arvanitidis et al. 2018)
RAMP = 0.33


class Perceptron(nn.Module):
    """Two hidden layers of tanh units: smooth, as the geodesic equation needs (a ReLU net's is nowhere curved)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = (inputs, hidden, hidden, outputs)
        layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        self.layers = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        return self.layers(x)


class Vae(nn.Module):
    """Encoder to 2 means and 2 log-variances; decoder's mean (sigmoid) and log-variance are networks of their own.

    floor: the deviation (of grey values in [0, 1]) that the decoder may not fall below: blank pixels would have none.
    """

    def __init__(self, pixels: int, hidden: int, floor: float, generator: torch.Generator) -> None:
        super().__init__()
        self.floor = 2 * math.log(floor)
        self.encoder = Perceptron(pixels, hidden, 4, generator)
        self.decoder = Perceptron(2, hidden, pixels, generator)
        self.spread = Perceptron(2, hidden, pixels, generator)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the codes.

        Args:
            x: Images (n, pixels), grey values in [0, 1].

        Returns:
            Mean and log-variance, each (n, 2).
        """
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def mean(self, z: Tensor) -> Tensor:
        """Mean image at codes.

        Args:
            z: Codes (n, 2).

        Returns:
            Images (n, pixels), grey values in [0, 1].
        """
        return self.decoder(z).sigmoid()

    def log_variance(self, z: Tensor) -> Tensor:
        """Log-variance of grey values at codes, above the floor.

        Args:
            z: Codes (n, 2).

        Returns:
            Log-variances (n, pixels).
        """
        return torch.logaddexp(self.spread(z), torch.tensor(self.floor, dtype=z.dtype, device=z.device))

    def loss(self, x: Tensor, noise: Tensor, weight: float) -> Tensor:
        """Negative evidence bound of images, its KL term weighted.

        Args:
            x: Images (n, pixels), grey values in [0, 1].
            noise: Standard normal noise (n, 2).
            weight: Weight of the KL term.

        Returns:
            Mean over the images ().
        """
        mean, log_variance = self.encode(x)
        z = mean + noise * (log_variance / 2).exp()
        spread = self.log_variance(z)
        likelihood = ((x - self.mean(z)).square() * (-spread).exp() + spread).sum(1) / 2
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        return (likelihood + weight * divergence).mean()


@dataclass(frozen=True)
class Trained:
    """A trained autoencoder in float64 on the CPU, its precision network, and the codes.

    codes, test_codes (n, 2): means of the encoder for training and test images. reconstruction: mean squared error of
    the test images' grey values in [0, 1].
    """

    vae: Vae
    precision: RBFPrecision
    codes: np.ndarray
    test_codes: np.ndarray
    reconstruction: float

    def metrics(self) -> dict[str, Metric]:
        """Deterministic and stochastic metric of the latent plane.

        Returns:
            Metrics by name, `deterministic` and `stochastic`: codes (n, 2) -> (n, 2, 2).
        """
        mean, deviation = self.vae.mean, self.precision.deviation
        return {
            "deterministic": lambda z: pullback(mean, z),
            "stochastic": lambda z: stochastic_pullback(mean, deviation, z),
        }

    def images(self, z: np.ndarray) -> np.ndarray:
        """Mean images at codes.

        Args:
            z: Codes (n, 2).

        Returns:
            Images (n, pixels) float64, grey values in [0, 1].
        """
        with torch.no_grad():
            return self.vae.mean(torch.from_numpy(np.asarray(z, dtype=np.float64))).numpy()


def flat(images: np.ndarray) -> np.ndarray:
    """Images as grey values.

    Args:
        images: Images (n, c, h, w) uint8.

    Returns:
        Grey values in [0, 1], (n, pixels) float64.
    """
    return images.reshape(len(images), -1).astype(np.float64) / 255


@dataclass(frozen=True)
class Recipe:
    """How the autoencoder is trained: units, passes, batch; least deviation; centres and steps of the precision."""

    hidden: int
    epochs: int
    batch: int
    floor: float
    centres: int
    steps: int


def train(train: np.ndarray, test: np.ndarray, recipe: Recipe, seed: int, device: str) -> Trained:
    """Autoencoder trained on images, with the precision network fitted to its variance at the codes.

    Adam 1e-3, weight decay 1e-7 and the ramp of the KL term are those of Arvanitidis et al. (2018).

    Args:
        train: Training images (n, pixels), grey values in [0, 1].
        test: Test images (m, pixels), grey values in [0, 1].
        recipe: How it is trained.
        seed: Seed of the initial weights, the order of the images and the noise.
        device: Where to train.

    Returns:
        Autoencoder in float64 on the CPU, with the codes of both sets.
    """
    draws = torch.Generator().manual_seed(seed)
    vae = Vae(train.shape[1], recipe.hidden, recipe.floor, draws).to(device)
    x = torch.from_numpy(train).float().to(device)
    search = torch.optim.Adam(vae.parameters(), lr=1e-3, weight_decay=1e-7, fused=True)
    with Bar(f"latent geometry, autoencoder, seed {seed}", recipe.epochs) as bar:
        for epoch in range(recipe.epochs):
            weight = min(1.0, (epoch + 1) / max(1.0, RAMP * recipe.epochs))
            for rows in torch.randperm(len(x), generator=draws).split(recipe.batch):
                noise = torch.randn(len(rows), 2, generator=draws).to(device)
                search.zero_grad()
                loss = vae.loss(x[rows.to(device)], noise, weight)
                loss.backward()
                search.step()
            bar.update(epoch + 1, f"loss {loss.item():.1f}")
    vae = copy.deepcopy(vae).double().cpu().eval().requires_grad_(False)
    with torch.no_grad():
        codes, test_codes = (vae.encode(torch.from_numpy(images))[0] for images in (train, test))
        spread = vae.log_variance(codes).numpy()
        error = float((vae.mean(test_codes) - torch.from_numpy(test)).square().mean())
    precision = fit_precision(codes.numpy(), spread, recipe.centres, recipe.steps, seed=seed)
    return Trained(vae, precision, codes.numpy(), test_codes.numpy(), error)
