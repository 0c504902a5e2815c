"""The heavy parts of the metrics through torch, on a GPU: what the CPU's functions hand over where one is asked for.

Each function stands for one of the CPU's, takes and gives NumPy arrays, and computes in float64 as that does, so that
the scores agree to rounding and share a protocol. In up to 16 columns distances are the same to the bit, and so ties
are too. In more they come from scalar products, here and on the CPU, and points at equal distances may fall to either
side of a ball. Distances are compared as squares.

PRD's clusterings go through torch on a CPU too: `otbench.metrics.clustering`.

A device is `cuda`, or any that torch names; `torch:cpu` is torch on the CPU, for tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from otbench.errors import OtbenchError

ON_CPU = "torch:cpu"
FEW = 16
"""Most columns in which distances come from differences, as on the CPU."""
ELEMENTS = 2**26
"""Most entries of a distance matrix held at a time: 512 MiB, of which some four are needed."""


def place(device: str) -> torch.device:
    """Torch device of a name.

    Args:
        device: `cuda`, any other name of torch's, or one after `torch:`.

    Returns:
        The device.

    Raises:
        OtbenchError: Where there is no such device here.
    """
    try:
        target = torch.device(device.removeprefix("torch:"))
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise OtbenchError(f"metrics: expected a device that torch can use here, got '{device}' ({reason})") from error
    return target


def _moved(device: str, *arrays: np.ndarray) -> list[Tensor]:
    target = place(device)
    return [torch.as_tensor(np.ascontiguousarray(array)).to(target).double() for array in arrays]


def squares(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances of rows, computed as `otbench.metrics.neighbours.distances` does.

    Args:
        first: Rows (n, d) float64.
        second: Rows (m, d) float64.

    Returns:
        Squared distances (n, m).
    """
    if first.shape[1] > FEW:
        norms = (first**2).sum(dim=1)[:, None] + (second**2).sum(dim=1)
        return norms.addmm_(first, second.T, alpha=-2).clamp_(min=0)
    squared = torch.zeros(len(first), len(second), dtype=first.dtype, device=first.device)
    for a, b in zip(first.T, second.T, strict=True):  # column by column, as scipy adds them up: the same bits
        squared += (a[:, None] - b).square_()
    return squared


def _blocks(first: Tensor, second: Tensor) -> Iterator[tuple[slice, Tensor]]:
    step = max(1, ELEMENTS // len(second))
    for start in range(0, len(first), step):
        rows = slice(start, min(start + step, len(first)))
        yield rows, squares(first[rows], second)


def radii(points: Tensor, ks: tuple[int, ...]) -> list[Tensor]:
    """Squared distance of each point to its k-th nearest other point.

    Args:
        points: Points (n, d) float64.
        ks: Values of k, from 1.

    Returns:
        Squared distances (n,), for each k.
    """
    squared = points.new_empty(len(ks), len(points))
    for rows, block in _blocks(points, points):
        block[torch.arange(len(block)), torch.arange(rows.start, rows.stop)] = 0
        # position k counts the point itself, at position 0
        squared[:, rows] = block.topk(max(ks) + 1, dim=1, largest=False).values[:, list(ks)].T
    return list(squared)


def neighbours(
    real: np.ndarray, generated: np.ndarray, closed: int, opened: int, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Membership of each point in the balls of the other side, the parts of `neighbours.Neighbours`.

    Args:
        real: Real points (n, d), centred.
        generated: Generated points (m, d), about the same centre.
        closed: Neighbour that the closed balls reach to.
        opened: Neighbour that the open balls reach to.
        device: Device to compute on.

    Returns:
        `generated_in_real` (m,) bool, `real_in_generated` (n,) bool and `real_hits` (n,) int64.
    """
    x, y = _moved(device, real, generated)
    closed_real, open_real = radii(x, (closed, opened))
    (closed_generated,) = radii(y, (closed,))
    generated_in_real = torch.zeros(len(y), dtype=torch.bool, device=x.device)
    real_in_generated = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    hits = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for rows, block in _blocks(x, y):
        generated_in_real |= (block <= closed_real[rows, None]).any(dim=0)
        real_in_generated[rows] = (block <= closed_generated).any(dim=1)
        hits[rows] = (block < open_real[rows, None]).sum(dim=1)
    return generated_in_real.cpu().numpy(), real_in_generated.cpu().numpy(), hits.cpu().numpy()


def nearest(train: np.ndarray, samples: np.ndarray, device: str) -> np.ndarray:
    """Distance of each sample to the nearest training sample.

    Args:
        train: Features (n, d) of training samples, centred.
        samples: Features (m, d), about the same centre.
        device: Device to compute on.

    Returns:
        Distances (m,) float64.
    """
    x, y = _moved(device, train, samples)
    squared = y.new_empty(len(y))
    for rows, block in _blocks(y, x):
        squared[rows] = block.amin(dim=1)
    return np.sqrt(squared.cpu().numpy())


def moments(features: np.ndarray, device: str) -> dict[str, np.ndarray]:
    """Mean and covariance of features.

    Args:
        features: Features (n, d).
        device: Device to compute on.

    Returns:
        `mu` (d,) and `sigma` (d, d), the covariance with n - 1, float64.
    """
    (x,) = _moved(device, features)
    mu = x.mean(dim=0)
    x = x - mu
    return {"mu": mu.cpu().numpy(), "sigma": (x.T @ x / (len(x) - 1)).cpu().numpy()}


def root_trace(real: np.ndarray, generated: np.ndarray, device: str) -> float:
    """tr((S_r S_g)^1/2) of two covariances.

    Args:
        real: Covariance S_r (d, d).
        generated: Covariance S_g (d, d).
        device: Device to compute on.

    Returns:
        Trace, from 0 up.
    """
    s, t = _moved(device, real, generated)
    values, vectors = torch.linalg.eigh(s)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return float(torch.linalg.eigvalsh(root @ t @ root).clamp(min=0).sqrt().sum())


def mmds(
    real: np.ndarray, generated: np.ndarray, rows_real: np.ndarray, rows_generated: np.ndarray, device: str
) -> np.ndarray:
    """`kernel.mmd` of each of s pairs of subsets.

    Args:
        real: Real features (n, d).
        generated: Generated features (m, d).
        rows_real: Rows of each real subset, (s, size).
        rows_generated: Rows of each generated subset, (s, size).
        device: Device to compute on.

    Returns:
        Estimates (s,) float64.
    """
    x, y = _moved(device, real, generated)
    size, estimates = rows_real.shape[1], []
    step = max(1, ELEMENTS // (4 * size * max(size, x.shape[1])))
    for start in range(0, len(rows_real), step):
        a = x[torch.as_tensor(rows_real[start : start + step], device=x.device)]
        b = y[torch.as_tensor(rows_generated[start : start + step], device=x.device)]
        within = 0.0
        for side in (a, b):
            k = _kernel(side, side)
            trace = k.diagonal(dim1=1, dim2=2).sum(dim=1)
            within = within + (k.sum(dim=(1, 2)) - trace) / (size * (size - 1))
        estimates.append(within - 2 * _kernel(a, b).mean(dim=(1, 2)))
    return torch.cat(estimates).cpu().numpy()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = (x @ y.mT / x.shape[-1]).add_(1)
    return base * base * base
