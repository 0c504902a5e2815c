"""Mini-batch k-means (Sculley 2010) of the same rows many times over, all clusterings side by side, through torch.

Each clustering starts at the best of several greedy k-means++ seedings (Arthur and Vassilvitskii 2007) of a random
subset of the rows, and then moves its centres by mini-batches; a centre is the mean of all rows that it has had. One
that has next to none is put onto a random row. These are the rules of scikit-learn's MiniBatchKMeans, with departures
that let the clusterings share their arithmetic: all seedings of one are of the same subset, whose distances are
computed once; all clusterings meet the same mini-batches; and their number is fixed.

Distances come from scalar products in float64, and random numbers from one NumPy generator on the host, so that a GPU
finds the clusterings of a CPU, but where rows or seedings tie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

SUBSET = 300
"""Rows of a seeding: scikit-learn's, for mini-batches of 100."""
LOW = 0.01
"""Share of the largest cluster below which a centre is put elsewhere: scikit-learn's reassignment_ratio."""
ENTRIES = 2**20
"""Most entries of a distance matrix held at a time: 8 MiB."""
ROUNDING = 1e-9
"""Largest coordinate, relative to the centres' own, by which two centres of the same rows differ."""


@dataclass
class Clusterings:
    """Clusterings of rows (n, d): cluster k of clustering r is row r * clusters + k of `sums` / `counts`.

    sums (runs * clusters, d), counts (runs * clusters,): of the rows that each centre has had, its seed included.
    """

    sums: Tensor
    counts: Tensor
    runs: int

    @property
    def centres(self) -> Tensor:
        """Centres (runs, clusters, d) float64."""
        return (self.sums / self.counts[:, None]).unflatten(0, (self.runs, -1))

    def nearest(self, rows: Tensor) -> Tensor:
        """Nearest cluster of each row in each clustering.

        Args:
            rows: Rows (n, d) float64.

        Returns:
            Indices (n, runs) int64, from 0 to clusters - 1.
        """
        scale = -2 / self.counts
        gap = torch.addcmul((self.sums**2).sum(dim=1) * scale**2 / 4, rows @ self.sums.T, scale)
        return gap.unflatten(1, (self.runs, -1)).argmin(dim=2)

    def histograms(self, rows: Tensor) -> Tensor:
        """Number of rows in each cluster of each clustering.

        Centres that are equal but for rounding count as the first of them: rounding must not share rows out.

        Args:
            rows: Rows (n, d) float64.

        Returns:
            Counts (runs, clusters) int64, each row of them summing to n.
        """
        centres, clusters = self.centres, len(self.counts) // self.runs
        gap = torch.cdist(centres, centres, p=math.inf)
        first = (gap <= ROUNDING * centres.abs().amax(dim=2)[:, :, None]).to(torch.uint8).argmax(dim=2)
        place = (first + _offsets(self.runs, clusters, rows.device)).flatten()
        counts = place.new_zeros(len(place))
        for block in rows.split(max(1, ENTRIES // len(place))):
            label = self.nearest(block) + _offsets(self.runs, clusters, rows.device)[:, 0]
            counts += torch.bincount(place[label].flatten(), minlength=len(place))
        return counts.unflatten(0, (self.runs, clusters))

    def update(self, rows: Tensor) -> None:
        """Let each centre take the rows of a mini-batch that it is nearest to.

        Args:
            rows: Mini-batch (b, d) float64.
        """
        clusters = len(self.counts) // self.runs
        label = self.nearest(rows) + _offsets(self.runs, clusters, rows.device)[:, 0]
        label, order = label.flatten().sort(stable=True)
        starts = torch.searchsorted(label, torch.arange(len(self.counts) + 1, device=rows.device))
        self.sums += embedding_bag(order // self.runs, rows, starts[:-1], mode="sum")
        self.counts += starts.diff()

    def reassign(self, rows: Tensor) -> None:
        """Put the centres that have had next to no rows onto random rows, with the weight of the least other centre.

        Args:
            rows: Mini-batch (b, d) float64 of random rows, at least as many as clusters.
        """
        counts = self.counts.unflatten(0, (self.runs, -1))
        low = (counts < LOW * counts.amax(dim=1, keepdim=True)) | (counts == 1)
        if low.any():
            least = counts.masked_fill(low, math.inf).amin(dim=1, keepdim=True)
            self.counts = torch.where(low, least, counts).flatten()
            moved = low.flatten().nonzero()[:, 0]
            self.sums[moved] = rows[moved % counts.shape[1]] * self.counts[moved, None]


def cluster(rows: Tensor, clusters: int, runs: int, inits: int, batch: int, steps: int, seed: int) -> Clusterings:
    """Cluster rows `runs` times into `clusters` <= n clusters.

    Args:
        rows: Rows (n, d) float64, centred near the origin, on the device to compute on.
        clusters: Number of clusters of each clustering.
        runs: Number of clusterings.
        inits: Number of seedings of which each clustering takes the best.
        batch: Rows of a mini-batch, at least `clusters`.
        steps: Number of mini-batches.
        seed: Seed of the generator that all random numbers come from.

    Returns:
        The clusterings, on the rows' device.
    """
    stream = np.random.default_rng(seed)
    clusterings = Clusterings(_seeds(rows, clusters, runs, inits, stream), rows.new_ones(runs * clusters), runs)
    drawn = torch.as_tensor(stream.integers(len(rows), size=(steps, batch)), device=rows.device)
    for index in drawn:
        minibatch = rows[index]
        clusterings.update(minibatch)
        clusterings.reassign(minibatch)
    return clusterings


def _seeds(rows: Tensor, clusters: int, runs: int, inits: int, stream: np.random.Generator) -> Tensor:
    """Rows (runs * clusters, d): the seeding of each run that has the least error on the run's subset."""
    size, trials = min(len(rows), max(SUBSET, 3 * clusters)), 2 + int(math.log(clusters))
    subset = np.stack([stream.choice(len(rows), size, replace=False) for _ in range(runs)])
    uniform = torch.as_tensor(stream.random((clusters, runs * inits, trials)), device=rows.device)
    subset = torch.as_tensor(subset, device=rows.device)
    gaps = torch.cat([_squares(rows[index]) for index in subset])
    starts = _offsets(runs, size, rows.device).repeat_interleave(inits, dim=0)
    seeds, error = plus_plus(gaps, starts, uniform)
    best = error.unflatten(0, (runs, inits)).argmin(dim=1)
    seeds = seeds.unflatten(0, (runs, inits))[torch.arange(runs, device=rows.device), best]
    return rows[subset.gather(1, seeds).flatten()]


def _squares(rows: Tensor) -> Tensor:
    """Squared distances (n, n) of rows (n, d)."""
    norms = (rows**2).sum(dim=1)
    return torch.addmm(norms[:, None] + norms, rows, rows.T, alpha=-2).clamp_(min=0).fill_diagonal_(0)


def plus_plus(gaps: Tensor, starts: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Greedy k-means++ of b seedings: of a few rows drawn, the one that lowers the error most.

    Args:
        gaps: Squared distances (m, s): the matrices (s, s) of several sets of rows, one below another.
        starts: Row of `gaps` at which the matrix of each seeding starts, (b, 1).
        uniform: Uniform numbers (k, b, t) in [0, 1): t draws for each next seed, each row's chance being proportional
            to its squared distance to the seeds before; the first seed is drawn uniformly.

    Returns:
        Rows (b, k), and the sum (b,) of the squared distances to the nearest of them.
    """
    each, size = torch.arange(len(starts), device=gaps.device), gaps.shape[1]
    first = (uniform[0, :, 0] * size).long()
    seeds, least = [first], gaps[starts[:, 0] + first]
    for draw in uniform[1:]:
        total = least.cumsum(dim=1)
        drawn = torch.searchsorted(total, draw * total[:, -1:]).clamp_(max=size - 1)
        after = torch.minimum(gaps[starts + drawn], least[:, None])
        best = after.sum(dim=2).argmin(dim=1)
        least = after[each, best]
        seeds.append(drawn[each, best])
    return torch.stack(seeds, dim=1), least.sum(dim=1)


def _offsets(runs: int, clusters: int, device: torch.device) -> Tensor:
    return torch.arange(0, runs * clusters, clusters, device=device)[:, None]
