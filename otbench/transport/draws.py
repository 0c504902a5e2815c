"""Fresh source points and the cells that they fall into: plainly, or as sums of two half tables (product sampling)."""

from __future__ import annotations

import numpy as np
import torch

from otbench.errors import OtbenchError
from otbench.transport import compiled
from otbench.transport.kernel import best, whole_floats
from otbench.transport.sources import Source

# Points of each half: p^2 source points from two tables of p rows; a multiple of 4, as the compiled loop wants. More
# points of a half cost less each, and depend on each other more: at d = 16, n = 2,000 error^2 times seconds was 0.0031,
# 0.0029, 0.0031 for p = 32, 16, 8 and 0.0043 for plain points. The tables' product costs d / p per point and target, so
# that wide targets take more.
HALF, HALF_WIDE, WIDE = 16, 32, 48
# Fewer where the error is estimated: there the dependence widens the estimate's spread, which must be narrow.
HALF_CHECK = 8


class Draws:
    """Source points of one seed against one target, on one device; heights inside are float64 and belong to the centred
    target.

    <x, y> = <x - c, y - m> + <c, y> + <x, m> - <c, m>: with the target about its mean m and the source about its mean c
    all numbers are small, the third term changes no argmax, and the second goes into the heights (`inward`, `outward`).
    """

    def __init__(self, target: np.ndarray, law: Source, device: str, sampling: str, seed: int) -> None:
        if sampling not in ("auto", "plain", "product"):
            raise OtbenchError(f"solve: sampling must be auto, plain or product, got {sampling!r}")
        can = law.product and law.dimension >= 2
        if sampling == "product" and not can:
            raise OtbenchError("solve: product sampling needs a box or Gaussian source of at least two dimensions")
        # Without the compiled loop the sums of tables are slower than torch's matrix product.
        fast = can and device == "cpu" and compiled.library() is not None
        self.kind = "product" if sampling == "product" or (sampling == "auto" and fast) else "plain"
        self.law, self.device, self.target = law, device, target
        self.middle, self.centre = target.mean(0), law.mean
        self.tilt = (target - self.middle) @ self.centre
        self.y = torch.as_tensor(target - self.middle, dtype=torch.float32, device=device).contiguous()
        self.shift = torch.as_tensor(self.centre, dtype=torch.float32, device=device)
        self.cut = law.dimension // 2
        self.half = HALF if law.dimension < WIDE else HALF_WIDE
        self.group = self.half**2
        self.left, self.right = self.y[:, : self.cut].T.contiguous(), self.y[:, self.cut :].T.contiguous()
        self.stream = torch.Generator(device=device).manual_seed(seed)
        self.other = torch.Generator(device=device).manual_seed(seed + 2**40)

    def inward(self, heights: np.ndarray) -> torch.Tensor:
        """Heights as they are inside, from heights of the map.

        Args:
            heights: Heights (n,) of the map, in units of <x, y>.

        Returns:
            Heights (n,) float64 on the device, of mean zero.
        """
        h = heights + self.tilt
        return torch.as_tensor(h - h.mean(), dtype=torch.float64, device=self.device)

    def outward(self, h: torch.Tensor) -> np.ndarray:
        """Heights of the map, from heights as they are inside.

        Args:
            h: Heights (n,) inside.

        Returns:
            Heights (n,) of the map, in units of <x, y>.
        """
        return h.cpu().numpy() - self.tilt

    def rounded(self, size: int) -> int:
        """A batch size that sampling can give: a whole number of groups.

        Args:
            size: Number of points that is asked for.

        Returns:
            Nearest number of points that fills groups, at least one group; `size` itself where sampling is plain.
        """
        return max(1, round(size / self.group)) * self.group if self.kind == "product" else size

    def points(self, size: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Plain source points about the source's mean.

        Args:
            size: Number of points.
            generator: Stream of the points; default: the solver's.

        Returns:
            Points (size, d) float32.
        """
        return self.law.sample_torch(size, generator or self.stream) - self.shift

    def best(
        self, h: torch.Tensor, size: int, generator: torch.Generator | None = None, half: int | None = None
    ) -> torch.Tensor:
        """Cells that fresh points fall into under given heights.

        Args:
            h: Heights (n,) inside.
            size: Number of points.
            generator: Stream of the points; default: the solver's.
            half: Points of each half in a group of product sampling; default: as many as the solver takes.

        Returns:
            Indices (size,) int64 of the cells.
        """
        generator = generator or self.stream
        if self.kind == "plain":
            return best(self.points(size, generator), self.y, h.float())[1]
        p = half or self.half
        groups = max(1, size // p**2)
        index = torch.empty((groups, p, p), dtype=torch.int64, device=self.device)
        # As many groups at a time as two tables of 32 MiB hold.
        step, low = max(1, 2**23 // (p * len(h))), h.float()
        for g in range(0, groups, step):
            self._product(index[g : g + step], low, generator)
        return index.ravel()

    @whole_floats()
    def _product(self, index: torch.Tensor, h: torch.Tensor, generator: torch.Generator) -> None:
        """Fill index (G, p, p) with the cells of G groups of p^2 points."""
        groups, p, _ = index.shape
        cut = self.cut
        left = self.law.sample_torch(groups * p, generator, columns=slice(None, cut)) - self.shift[:cut]
        right = self.law.sample_torch(groups * p, generator, columns=slice(cut, None)) - self.shift[cut:]
        first = torch.addmm(h, left, self.left)
        second = right @ self.right
        if self.device == "cpu" and compiled.library() is not None:
            compiled.product_best(first, second, index)
            return
        for g in range(groups):
            rows = slice(g * p, (g + 1) * p)
            index[g] = (first[rows, None] + second[None, rows]).argmax(dim=2)

    @whole_floats()
    def gap(self, h: torch.Tensor, size: int) -> float:
        """Mean gap between the highest and the second highest plane, on fresh points.

        Args:
            h: Heights (n,) inside.
            size: Number of points.

        Returns:
            Gap, in units of <x, y>.
        """
        x, low = self.points(size, self.other), h.float()
        step = max(1, 2**24 // len(low))
        gaps = []
        for r in range(0, size, step):
            top = torch.addmm(low, x[r : r + step], self.y.T).topk(2, dim=1).values
            gaps.append(top[:, 0] - top[:, 1])
        return float(torch.cat(gaps).mean())

    def error(self, h: torch.Tensor, nu: torch.Tensor, size: int) -> float:
        """Mean relative cell error of heights on fresh points, its Monte-Carlo floor taken out.

        The noise of every count is estimated between independent groups of points, since points of one product group
        depend on each other.

        Args:
            h: Heights (n,) inside.
            nu: Wished masses (n,) float64 on the device, summing to 1.
            size: Number of points, rounded up to groups of 256, 64 groups at least.

        Returns:
            Mean |w_i - nu_i| / nu_i.
        """
        n, chunk = len(h), 256
        groups = max(64, -(-size // chunk))
        total = torch.zeros(n, dtype=torch.float64, device=self.device)
        square = torch.zeros_like(total)
        done = 0
        while done < groups:
            many = min(max(1, 8192 // chunk), groups - done)
            index = self.best(h, many * chunk, self.other, HALF_CHECK).view(many, chunk)
            # Groups are told apart by an offset, so that one sort counts them all.
            offset = n * torch.arange(many, device=self.device)[:, None]
            key, counts = torch.unique(index + offset, return_counts=True)
            counts = counts.double()
            total.index_add_(0, key % n, counts)
            square.index_add_(0, key % n, counts * counts)
            done += many
        noise = (square - total**2 / groups).clamp_(min=0) * groups / (groups - 1) / (groups * chunk * nu) ** 2
        error = total / (groups * chunk * nu) - 1
        raw = (nu * error**2).sum()
        share = (1 - (nu * noise).sum() / raw).clamp(min=0) if raw > 0 else raw
        return float(error.abs().mean() * share.sqrt())

    def affine_start(self, weights: np.ndarray, size: int = 256) -> torch.Tensor:
        """Heights of the affine map between Gaussians of the source's and the target's covariances, shortened.

        h = -f (y - m)' A^-1 (y - m) / 2, A the map from N(., S) to N(., C): A = S^-1/2 (S^1/2 C S^1/2)^1/2 S^-1/2; f,
        the factor in [0, 1] that shortens it, is the one of least dual value.

        Args:
            weights: Weights (n,) of the targets, summing to 1.
            size: Number of points from which the factor is chosen.

        Returns:
            Heights (n,) float64 inside.
        """
        y = self.target - self.middle
        about = y - weights @ y
        covariance = (weights[:, None] * about).T @ about
        root = (
            np.sqrt(np.diag(self.law.covariance))
            if self.law.kind != "polygon"
            else np.sqrt(np.linalg.eigvalsh(self.law.covariance).mean()) * np.ones(2)
        )
        values, vectors = np.linalg.eigh(root[:, None] * covariance * root)
        # Directions in which the target is flat (constant coordinates) ask for no height.
        inverse = np.where(values > 1e-10 * max(values.max(), 1e-300), 1 / np.sqrt(np.maximum(values, 1e-300)), 0)
        turned = (about * root) @ vectors
        quadratic = -0.5 * (turned**2 @ inverse)
        return torch.as_tensor(
            self._factor(quadratic, weights, size) * quadratic, dtype=torch.float64, device=self.device
        )

    @whole_floats()
    def _factor(self, quadratic: np.ndarray, weights: np.ndarray, size: int) -> float:
        shape = torch.as_tensor(quadratic, dtype=torch.float32, device=self.device)
        factors = np.linspace(0, 1, 11)
        means = np.zeros(len(factors))
        rows = 256 if self.device == "cpu" else size
        for _ in range(0, size, rows):
            scores = self.points(rows, self.other) @ self.y.T
            for k in range(len(factors)):
                means[k] += (
                    float(scores.max(dim=1).values.sum())
                    if k == 0
                    else float(scores.add_(shape, alpha=0.1).amax(dim=1).sum())
                )
        return float(factors[np.argmin(means / size - factors * (weights @ quadratic))])
