"""Primal and dual of transport between Gaussians: every iterate's objective, and the answer, in closed form.

Data y ~ N(a, S); the generator g(z) = A z + m takes z ~ N(0, I) to N(m, A A^T); cost |x - y|^2. The encoder is
q(z | y) = N(B y + b, C C^T), the critic's potential a quadratic. Nothing is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from otbench.metrics.wasserstein import import_ot
from otbench.utils.progress import Bar

Values = dict[str, Tensor]


@dataclass(frozen=True)
class Problem:
    """a, m: (d,); A, S: (d, d), float64; det A > 0, so that rotations alone reach the best feasible encoder."""

    a: Tensor
    S: Tensor
    m: Tensor
    A: Tensor

    @property
    def d(self) -> int:
        """Dimension of data and latent space."""
        return len(self.a)

    @property
    def made(self) -> Tensor:
        """Covariance of what is generated."""
        return self.A @ self.A.T

    def w2_squared(self) -> float:
        """W2^2 of data and generated, by POT's closed form (Bures).

        Returns:
            W2^2.
        """
        measure = import_ot().gaussian.bures_wasserstein_distance
        return float(measure(self.a.numpy(), self.m.numpy(), self.S.numpy(), self.made.numpy())) ** 2

    def independent(self) -> float:
        """Cost of the coupling that ignores y: |a - m|^2 + tr S + tr A A^T.

        Returns:
            E|x - y|^2.
        """
        return float((self.a - self.m).square().sum() + torch.trace(self.S) + torch.trace(self.made))

    def vae(self, weight: float) -> float:
        """Least of E c + weight E KL(q(. | y) | prior) over all encoders, not only Gaussian ones.

        -weight E_y log E_z exp(-c / weight) by Gibbs' variational principle; with T = A A^T + (weight / 2) I it is
        weight / 2 (log det(2 T / weight) + tr T^-1 (S + (a - m)(a - m)^T)).

        Args:
            weight: Weight of the KL, positive.

        Returns:
            Least value.
        """
        total = self.made + weight / 2 * torch.eye(self.d, dtype=torch.float64)
        apart = self.S + torch.outer(self.a - self.m, self.a - self.m)
        inside = torch.logdet(2 * total / weight) + torch.trace(torch.linalg.solve(total, apart))
        return float(weight / 2 * inside)


def problem(d: int, stream: torch.Generator) -> Problem:
    """Random problem: standard deviations between 0.4 and 1.6, means some 0.5 from 0.

    Args:
        d: Dimension of data and latent space.
        stream: Random stream.

    Returns:
        Problem, float64.
    """

    def turned() -> Tensor:
        turn = torch.linalg.qr(torch.randn(d, d, generator=stream, dtype=torch.float64))[0]
        turn[:, 0] *= torch.sign(torch.linalg.det(turn))
        return turn

    def spread() -> Tensor:
        return torch.diag(0.4 + 1.2 * torch.rand(d, generator=stream, dtype=torch.float64))

    root = turned() @ spread()
    means = 0.5 * torch.randn(2, d, generator=stream, dtype=torch.float64)
    return Problem(means[0], root @ root.T, means[1], turned() @ spread() @ turned())


def cost(p: Problem, B: Tensor, b: Tensor, C: Tensor) -> Tensor:
    """E|y - g(z)|^2 over data and encoder: a reconstruction's mean squared error summed over coordinates.

    Args:
        p: Problem.
        B: Matrices of the encoders' means (R, d, d).
        b: Offsets of the encoders' means (R, d).
        C: Square roots of the encoders' covariances (R, d, d).

    Returns:
        Costs (R,).
    """
    left = torch.eye(p.d, dtype=B.dtype) - p.A @ B
    centre = p.a - p.m - (p.A @ (B @ p.a + b)[..., None])[..., 0]
    return centre.square().sum(-1) + _trace(left @ p.S @ left.mT) + (p.A @ C).square().sum((-2, -1))


def coded(p: Problem, B: Tensor, b: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
    """Moments of all codes together: the plan's first marginal.

    Args:
        p: Problem.
        B: Matrices of the encoders' means (R, d, d).
        b: Offsets of the encoders' means (R, d).
        C: Square roots of the encoders' covariances (R, d, d).

    Returns:
        Mean (R, d) and covariance (R, d, d).
    """
    return B @ p.a + b, B @ p.S @ B.mT + C @ C.mT


def kl_of_all(p: Problem, B: Tensor, b: Tensor, C: Tensor) -> Tensor:
    """KL of the distribution of all codes from the prior: the relaxed constraint's D.

    Args:
        p: Problem.
        B: Matrices of the encoders' means (R, d, d).
        b: Offsets of the encoders' means (R, d).
        C: Square roots of the encoders' covariances (R, d, d).

    Returns:
        KL (R,), in nats.
    """
    mean, covariance = coded(p, B, b, C)
    return (mean.square().sum(-1) + _trace(covariance) - p.d - torch.logdet(covariance)) / 2


def kl_of_each(p: Problem, B: Tensor, b: Tensor, C: Tensor) -> Tensor:
    """Mean over the data of the KL of q(. | y) from the prior: the VAE's penalty.

    Args:
        p: Problem.
        B: Matrices of the encoders' means (R, d, d).
        b: Offsets of the encoders' means (R, d).
        C: Square roots of the encoders' covariances (R, d, d).

    Returns:
        KL (R,), in nats.
    """
    mean, covariance = coded(p, B, b, C)
    return (mean.square().sum(-1) + _trace(covariance) - p.d - 2 * torch.linalg.slogdet(C)[1]) / 2


def repaired(p: Problem, B: Tensor, b: Tensor, C: Tensor) -> Tensor:
    """Upper bound of W2^2 from any encoder: (sqrt(cost) + W2(g of all codes, g of the prior))^2.

    By the triangle inequality, the cost being at least W2^2 of data and decoded codes.

    Args:
        p: Problem.
        B: Matrices of the encoders' means (R, d, d).
        b: Offsets of the encoders' means (R, d).
        C: Square roots of the encoders' covariances (R, d, d).

    Returns:
        Bounds (R,).
    """
    measure = import_ot().gaussian.bures_wasserstein_distance
    mean, covariance = (value.detach().numpy() for value in coded(p, B, b, C))
    A, m, made = p.A.numpy(), p.m.numpy(), p.made.numpy()
    off = [measure(A @ u + m, m, A @ v @ A.T, made) for u, v in zip(mean, covariance, strict=True)]
    return (cost(p, B, b, C).detach().sqrt() + torch.tensor(np.array(off, dtype=float))).square()


def whitening(p: Problem) -> Tensor:
    """Inverse square root of the data's covariance.

    Args:
        p: Problem.

    Returns:
        S^(-1/2) (d, d).
    """
    values, vectors = torch.linalg.eigh(p.S)
    return vectors @ torch.diag(values.rsqrt()) @ vectors.T


def feasible(p: Problem, replicas: int, steps: int, rate: float, stream: torch.Generator) -> np.ndarray:
    """Primal objective along descent over encoders that meet the constraint.

    B = O S^(-1/2) with O a rotation (exponential of a skew matrix) and b = -B a: codes are N(0, I) at every step.

    Args:
        p: Problem.
        replicas: Number of starts R.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        stream: Random stream of the starts.

    Returns:
        Values (steps + 1, R), bounds from above.
    """
    whiten = whitening(p)
    K = _start(stream, replicas, p.d, p.d)
    C = torch.zeros(replicas, p.d, p.d, dtype=torch.float64)

    def objective() -> Values:
        B = torch.linalg.matrix_exp(K - K.mT) @ whiten
        return {"loss": cost(p, B, -(B @ p.a), C)}

    return descend("encoder that meets the constraint", [K], objective, steps, rate)["loss"]


def penalised(
    p: Problem, weights: Tensor, each: bool, steps: int, rate: float, stream: torch.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Relaxed primal, cost + weight x KL, along descent.

    Starts meet the constraint, but for a little noise: a whitening of the data, turned at random, or for the VAE the
    encoder that ignores them. A rotation of all codes is a parameter of its own: it leaves the penalty as it is, and
    descent would be slow along that valley where the weight is large.

    Args:
        p: Problem.
        weights: Weights of the KL (R,), one a replica.
        each: Whether the KL is the VAE's, of q(. | y) for every y, else that of all codes together.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        stream: Random stream of the starts.

    Returns:
        Series (steps + 1, R) by name: loss, cost, kl; and the repaired bound at the end (R,).
    """
    K = _start(stream, len(weights), p.d, p.d)
    signal, noise = (0.0, 1.0) if each else (1.0, 0.1)
    B = (signal * whitening(p)).repeat(len(weights), 1, 1).requires_grad_()
    b = (-signal * whitening(p) @ p.a).repeat(len(weights), 1).requires_grad_()
    C = (noise * torch.eye(p.d, dtype=torch.float64)).repeat(len(weights), 1, 1).requires_grad_()
    penalty = kl_of_each if each else kl_of_all

    def turned() -> tuple[Tensor, Tensor, Tensor]:
        turn = torch.linalg.matrix_exp(K - K.mT)
        return turn @ B, (turn @ b[..., None])[..., 0], turn @ C

    def objective() -> Values:
        now = turned()
        error, off = cost(p, *now), penalty(p, *now)
        return {"loss": error + weights * off, "cost": error, "kl": off}

    series = descend("VAE" if each else "encoder with a penalty", [K, B, b, C], objective, steps, rate)
    return series, repaired(p, *turned()).numpy()


def dual(p: Problem, replicas: int, steps: int, rate: float, stream: torch.Generator) -> np.ndarray:
    """Dual objective along ascent over quadratic potentials.

    h(x) = |x|^2 - x^T P x - 2 q^T x with P positive definite has the c-transform h^c(y) = inf_x |x - y|^2 - h(x) =
    |y|^2 - (y - q)^T P^-1 (y - q), so the pair is feasible at every step.

    Args:
        p: Problem.
        replicas: Number of starts R.
        steps: Steps of Adam.
        rate: Learning rate at the start; it falls to 0 along a cosine.
        stream: Random stream of the starts.

    Returns:
        Values (steps + 1, R), bounds from below.
    """
    M, q = _start(stream, replicas, p.d, p.d, size=0.25), _start(stream, replicas, p.d)
    seconds = [torch.trace(c) + v.square().sum() for c, v in ((p.made, p.m), (p.S, p.a))]

    def objective() -> Values:
        P = torch.linalg.matrix_exp(M + M.mT)
        on_made = _trace(P @ p.made) + ((P @ p.m) * p.m).sum(-1) + 2 * (q * p.m).sum(-1)
        inverse, off = torch.linalg.inv(P), p.a - q
        on_data = _trace(inverse @ p.S) + ((inverse @ off[..., None])[..., 0] * off).sum(-1)
        return {"loss": on_made + on_data - sum(seconds)}

    return -descend("quadratic critic", [M, q], objective, steps, rate)["loss"]


def descend(
    title: str, tensors: list[Tensor], objective: Callable[[], Values], steps: int, rate: float
) -> dict[str, np.ndarray]:
    """Descent by Adam with a learning rate that falls to 0 along a cosine.

    Args:
        title: Title for the progress bar.
        tensors: Parameters, changed in place.
        objective: Gives the values (R,) by name; `loss` is minimised, replica by replica.
        steps: Number of steps.
        rate: Learning rate at the start.

    Returns:
        Series (steps + 1, R) by name: what `objective` gives before every step and after the last.
    """
    optimiser = torch.optim.Adam(tensors, lr=rate)
    series: dict[str, list[np.ndarray]] = {}
    with Bar(f"primal-dual, {title}", steps) as bar:
        for step in range(steps + 1):
            terms = objective()
            for name, value in terms.items():
                series.setdefault(name, []).append(value.detach().numpy().copy())
            if step < steps:
                for group in optimiser.param_groups:
                    group["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
                optimiser.zero_grad(set_to_none=True)
                terms["loss"].sum().backward()
                optimiser.step()
            bar.update(step, f"loss {terms['loss'].mean().item():.4g}")
    return {name: np.stack(values) for name, values in series.items()}


def _start(stream: torch.Generator, *shape: int, size: float = 0.5) -> Tensor:
    return (size * torch.randn(*shape, generator=stream, dtype=torch.float64)).requires_grad_()


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)
