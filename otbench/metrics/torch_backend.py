"""The heavy parts of the metrics through torch, on a GPU: what the CPU's functions hand over where one is asked for.

Each function stands for one of the CPU's, takes and gives NumPy arrays, and computes in float64 as that does, so that
the scores agree to rounding and share a protocol. In up to 16 columns distances are the same to the bit, and so ties
are too. In more they come from scalar products, here and on the CPU, and points at equal distances may fall to either
side of a ball. Distances are compared as squares.

`histograms` is scikit-learn's MiniBatchKMeans (Sculley 2010) with all runs, and all starts of all runs, side by side.
It draws the random numbers of scikit-learn 1.9 in their order, and starts, updates, reassigns and stops by its rules,
so that it finds its clusters, as a rule to rounding. The one departure is the order in which numbers are added up, and
so what becomes of ties: two neighbours far from every centre, say, lower the error alike, whichever is made the next
centre. Of 330 clusterings of 240 to 8,000 rows 2 took another way for that, of 240 with 60 to 200 points 7; they are of
the same law, as are those by releases that draw mini-batches in another way.

A device is `cuda`, or any that torch names; `torch:cpu` is torch on the CPU, for tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from otbench.errors import OtbenchError

ON_CPU = "torch:cpu"
FEW = 16
"""Most columns in which distances come from differences, as on the CPU."""
ELEMENTS = 2**26
"""Most entries of a distance matrix held at a time: 512 MiB, of which some four are needed."""
MOST_EPOCHS, PATIENCE, LOW = 100, 10, 0.01
"""scikit-learn's max_iter, max_no_improvement and reassignment_ratio."""


def place(device: str) -> torch.device:
    """The device that is meant; raises OtbenchError where there is no such device here."""
    try:
        found = torch.device(device.removeprefix("torch:"))
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise OtbenchError(f"metrics: expected a device that torch can use here, got '{device}' ({reason})") from error
    return found


def _moved(device: str, *arrays: np.ndarray) -> list[Tensor]:
    found = place(device)
    return [torch.as_tensor(np.ascontiguousarray(array)).to(found).double() for array in arrays]


def squares(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances (n, m) of rows (n, d) and (m, d), computed as `otbench.metrics.neighbours.distances` does."""
    if first.shape[1] > FEW:
        norms = (first**2).sum(dim=1)[:, None] + (second**2).sum(dim=1)
        return norms.addmm_(first, second.T, alpha=-2).clamp_(min=0)
    found = torch.zeros(len(first), len(second), dtype=first.dtype, device=first.device)
    for a, b in zip(first.T, second.T, strict=True):  # column by column, as scipy adds them up: the same bits
        found += (a[:, None] - b).square_()
    return found


def _blocks(first: Tensor, second: Tensor) -> Iterator[tuple[slice, Tensor]]:
    step = max(1, ELEMENTS // len(second))
    for start in range(0, len(first), step):
        rows = slice(start, min(start + step, len(first)))
        yield rows, squares(first[rows], second)


def radii(points: Tensor, ks: tuple[int, ...]) -> list[Tensor]:
    """Squared distance (n,) of each point to its k-th nearest other point, for each k."""
    found = points.new_empty(len(ks), len(points))
    for rows, block in _blocks(points, points):
        block[torch.arange(len(block)), torch.arange(rows.start, rows.stop)] = 0
        # position k counts the point itself, at position 0
        found[:, rows] = block.topk(max(ks) + 1, dim=1, largest=False).values[:, list(ks)].T
    return list(found)


def neighbours(
    real: np.ndarray, generated: np.ndarray, closed: int, opened: int, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of centred real (n, d) and generated (m, d): in whose ball each lies, the parts of `neighbours.Neighbours`.

    closed, opened: to which neighbour the closed and the open balls reach.
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
    """Distance (m,) of each of centred samples (m, d) to the nearest of centred train (n, d)."""
    x, y = _moved(device, train, samples)
    found = y.new_empty(len(y))
    for rows, block in _blocks(y, x):
        found[rows] = block.amin(dim=1)
    return np.sqrt(found.cpu().numpy())


def moments(features: np.ndarray, device: str) -> dict[str, np.ndarray]:
    """Mean `mu` (d,) and covariance `sigma` (d, d), with n - 1, of features (n, d)."""
    (x,) = _moved(device, features)
    mu = x.mean(dim=0)
    x = x - mu
    return {"mu": mu.cpu().numpy(), "sigma": (x.T @ x / (len(x) - 1)).cpu().numpy()}


def root_trace(real: np.ndarray, generated: np.ndarray, device: str) -> float:
    """tr((S_r S_g)^1/2) of two covariances (d, d)."""
    s, t = _moved(device, real, generated)
    values, vectors = torch.linalg.eigh(s)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return float(torch.linalg.eigvalsh(root @ t @ root).clamp(min=0).sqrt().sum())


def mmds(
    real: np.ndarray, generated: np.ndarray, rows_real: np.ndarray, rows_generated: np.ndarray, device: str
) -> np.ndarray:
    """`kernel.mmd` (s,) of s subsets of size m: rows (s, m) of real (n, d) and of generated."""
    x, y = _moved(device, real, generated)
    size, found = rows_real.shape[1], []
    step = max(1, ELEMENTS // (4 * size * max(size, x.shape[1])))
    for start in range(0, len(rows_real), step):
        a = x[torch.as_tensor(rows_real[start : start + step], device=x.device)]
        b = y[torch.as_tensor(rows_generated[start : start + step], device=x.device)]
        within = 0.0
        for one in (a, b):
            k = _kernel(one, one)
            trace = k.diagonal(dim1=1, dim2=2).sum(dim=1)
            within = within + (k.sum(dim=(1, 2)) - trace) / (size * (size - 1))
        found.append(within - 2 * _kernel(a, b).mean(dim=(1, 2)))
    return torch.cat(found).cpu().numpy()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = (x @ y.mT / x.shape[-1]).add_(1)
    return base * base * base


def histograms(
    real: np.ndarray,
    generated: np.ndarray,
    seeds: list[int],
    clusters: int,
    inits: int,
    batch: int,
    device: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Shares (runs, clusters) of real (n, d) and generated (m, d) rows in each cluster of their union; a run a seed."""
    (union,) = _moved(device, np.concatenate([real, generated]))
    centres = Clusterings(union, seeds, clusters, inits, batch).fit()
    label = torch.stack([_assigned(union[None], one[None])[0] for one in centres]).cpu().numpy()
    sides = label[:, : len(real)], label[:, len(real) :]
    counts = [np.stack([np.bincount(one, minlength=clusters) for one in side]) for side in sides]
    return counts[0] / len(real), counts[1] / len(generated)


def _label(rows: Tensor, centres: Tensor, clusters: int) -> Tensor:
    """Nearest centre (b, n, g) of rows (b, n, d) among each `clusters` of centres (b, g clusters, d), by scalar
    products as in scikit-learn.
    """
    gap = torch.baddbmm((centres**2).sum(dim=2)[:, None], rows, centres.mT, alpha=-2)
    return gap.unflatten(2, (-1, clusters)).argmin(dim=3)


def _assigned(rows: Tensor, centres: Tensor) -> Tensor:
    """Nearest centre (b, n) of rows (b, n, d) among centres (b, k, d), the first of equals.

    Centres are equal where a batch holds a row twice and both were put onto it; rounding must not choose then.
    """
    count = centres.shape[1]
    same = (centres[:, :, None] == centres[:, None]).all(dim=3)
    first = torch.where(same, torch.arange(count, device=rows.device), count).amin(dim=2)
    return first.gather(1, _label(rows, centres, count)[:, :, 0])


def _of(values: Tensor, index: Tensor) -> Tensor:
    """Rows (b, n, d) of values (b, m, d) by index (b, n)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))


@dataclass
class Clusterings:
    """Mini-batch k-means of the same rows (n, d) float64, one run a seed, all at once.

    On the device: rows, centres, batches. On the host: what the random numbers turn on, the points that each centre has
    had (runs, clusters), and what the stop turns on.
    """

    rows: Tensor
    seeds: list[int]
    clusters: int
    inits: int
    batch: int
    streams: list[np.random.RandomState] = field(init=False)

    def __post_init__(self) -> None:
        self.batch = min(self.batch, len(self.rows))
        self.streams = [np.random.RandomState(seed) for seed in self.seeds]
        # numpy's choice with equal weights is a search in these
        self.steps = np.full(len(self.rows), 1 / len(self.rows)).cumsum()
        self.steps /= self.steps[-1]

    def index(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, device=self.rows.device)

    def fit(self) -> Tensor:
        """Centres (runs, clusters, d)."""
        centres, runs, n = self.start(), len(self.seeds), len(self.rows)
        counts, since = np.zeros((runs, self.clusters)), np.zeros(runs, int)
        average, least, waited = np.full(runs, np.nan), np.full(runs, np.inf), np.zeros(runs, int)
        going, weight = np.ones(runs, bool), min(1, 2 * self.batch / (n + 1))
        drawn = np.zeros((runs, self.batch), int)
        for step in range(MOST_EPOCHS * n // self.batch):
            for run in np.flatnonzero(going):
                drawn[run] = self.steps.searchsorted(self.streams[run].random_sample(self.batch), side="right")
            since += self.batch
            reassigns = going & ((counts == 0).any(axis=1) | (since >= 10 * self.clusters))
            since[reassigns] = 0
            rows = self.rows[self.index(drawn)]
            new, joined, error = self.update(rows, centres, counts)
            counts += joined * going[:, None]
            for run in np.flatnonzero(reassigns):
                self.reassign(run, new, rows, counts)
            centres = torch.where(self.index(going)[:, None, None], new, centres)
            if step == 0:  # the error of the start says nothing of the steps
                continue
            average = np.where(np.isnan(average), error, average * (1 - weight) + error * weight)
            better = average < least
            waited, least = np.where(better, 0, waited + 1), np.where(better, average, least)
            going &= waited < PATIENCE
            if not going.any():
                break
        return centres

    def start(self) -> Tensor:
        """Centres (runs, clusters, d): of each run's greedy k-means++ starts the one nearest to some random rows."""
        runs, n, trials = len(self.seeds), len(self.rows), 2 + int(np.log(self.clusters))
        size = min(3 * self.batch if 3 * self.batch >= self.clusters else 3 * self.clusters, n)
        valid = np.empty((runs, size), int)
        subset = np.tile(np.arange(size), (runs, self.inits, 1))
        first = np.empty((runs, self.inits), int)
        uniform = np.empty((runs, self.inits, self.clusters - 1, trials))
        for run, stream in enumerate(self.streams):
            valid[run] = stream.randint(0, n, size)
            for init in range(self.inits):
                if size < n:
                    subset[run, init] = stream.randint(0, n, size)
                first[run, init] = stream.choice(size, p=np.full(size, 1 / size))
                uniform[run, init] = stream.uniform(size=uniform.shape[2:])
        seeded = self.plus_plus(
            self.rows[self.index(subset).flatten(0, 1)], self.index(first).flatten(), self.index(uniform).flatten(0, 1)
        )
        seeded = seeded.unflatten(0, (runs, self.inits))
        rows = self.rows[self.index(valid)]
        label = _label(rows, seeded.flatten(1, 2), self.clusters)
        error = [((rows - _of(seeded[:, k], label[:, :, k])) ** 2).sum(dim=(1, 2)) for k in range(self.inits)]
        return seeded[torch.arange(runs, device=rows.device), torch.stack(error).argmin(dim=0)]

    def plus_plus(self, rows: Tensor, first: Tensor, uniform: Tensor) -> Tensor:
        """Centres (b, clusters, d) of rows (b, s, d), the first one given (b,), and then of each few drawn
        (uniform (b, clusters - 1, t)) with probability as the squared distance, the one that lowers the error most.
        """
        norms, each = (rows**2).sum(dim=2), torch.arange(len(rows), device=rows.device)
        chosen = _of(rows, first[:, None])
        found = [chosen]
        gap = self.squared(chosen, rows, norms)[:, 0]
        for k in range(uniform.shape[1]):
            drawn = torch.searchsorted(gap.cumsum(dim=1), uniform[:, k] * gap.sum(dim=1, keepdim=True))
            drawn = drawn.clamp_(max=gap.shape[1] - 1)
            gaps = torch.minimum(self.squared(_of(rows, drawn), rows, norms), gap[:, None])
            best = gaps.sum(dim=2).argmin(dim=1)
            gap = gaps[each, best]
            found.append(_of(rows, drawn[each, best][:, None]))
        return torch.cat(found, dim=1)

    @staticmethod
    def squared(points: Tensor, rows: Tensor, norms: Tensor) -> Tensor:
        """Squared distances (b, t, s) of points (b, t, d) and rows (b, s, d) with squared norms (b, s)."""
        return ((points**2).sum(dim=2)[..., None] + norms[:, None]).baddbmm_(points, rows.mT, alpha=-2).clamp_(min=0)

    def update(self, rows: Tensor, centres: Tensor, counts: np.ndarray) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Centres moved by a batch (runs, batch, d), each the mean of all it has had; how many joined (runs,
        clusters), and the batch's mean squared distance (runs,) to the centres before.
        """
        label = _assigned(rows, centres)
        error = ((rows - _of(centres, label)) ** 2).sum(dim=(1, 2)) / self.batch
        member = torch.nn.functional.one_hot(label, self.clusters).to(rows.dtype)
        before, joined = self.index(counts)[..., None], member.sum(dim=1)[..., None]
        moved = (centres * before + member.mT @ rows) * (1 / (before + joined))
        told = torch.cat([joined[..., 0], error[:, None]], dim=1).cpu().numpy()  # the one wait of a step
        return torch.where(joined > 0, moved, centres), told[:, :-1], told[:, -1]

    def reassign(self, run: int, centres: Tensor, rows: Tensor, counts: np.ndarray) -> None:
        """Put the centres of a run that have had next to no points onto random points of the batch."""
        low = counts[run] < LOW * counts[run].max()
        if low.sum() > self.batch / 2:
            low[np.argsort(counts[run])[self.batch // 2 :]] = False
        if low.any():
            drawn = self.streams[run].choice(self.batch, replace=False, size=int(low.sum()))
            centres[run, self.index(np.flatnonzero(low))] = rows[run, self.index(drawn)]
            counts[run, low] = counts[run, ~low].min()
