"""What a data set is, and how it is checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from otbench.errors import OtbenchError


@dataclass(frozen=True)
class Mixture:
    """The truth about a mixture of isotropic Gaussians.

    centres (K, d) float64; sigma, standard deviation per axis in the units of the data; weights (K,), summing to 1.
    """

    centres: np.ndarray
    sigma: float
    weights: np.ndarray

    def sample(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Draw n points (n, d) float32; the component of each is drawn too, so modes are not stratified."""
        component = generator.choice(len(self.weights), size=n, p=self.weights)
        noise = generator.standard_normal((n, self.centres.shape[1]))
        return (self.centres[component] + self.sigma * noise).astype(np.float32)

    def check(self, dimension: int, where: str = "mixture") -> Mixture:
        """Return self; raise OtbenchError where it is no mixture in `dimension` dimensions. where: begins the error."""
        centres, sigma, weights = (np.asarray(value) for value in (self.centres, self.sigma, self.weights))
        for name, values in (("centres", centres), ("sigma", sigma), ("weights", weights)):
            if values.dtype.kind not in "fiu":
                raise OtbenchError(f"{where}: {name} must be numbers, got {values.dtype}")
        if centres.ndim != 2 or centres.shape[1] != dimension or len(centres) == 0:
            raise OtbenchError(f"{where}: expected centres of shape (K, {dimension}), got {centres.shape}")
        if not np.isfinite(centres).all():
            raise OtbenchError(f"{where}: {int((~np.isfinite(centres)).sum())} values of centres are not finite")
        if sigma.ndim or not 0 < sigma < np.inf:
            raise OtbenchError(f"{where}: expected one finite sigma above 0, got {self.sigma}")
        if weights.shape != (len(centres),):
            raise OtbenchError(f"{where}: expected weights of shape ({len(centres)},), got {weights.shape}")
        if not (weights >= 0).all() or not abs(weights.sum() - 1) <= 1e-6:
            raise OtbenchError(
                f"{where}: expected weights from 0 up that sum to 1, got least {weights.min():g}, sum {weights.sum():g}"
            )
        return self


@dataclass(frozen=True)
class DataSet:
    """A data set as every model and metric sees it.

    train, test: float32 (n, d) points, or uint8 (n, c, h, w) images. truth: what is known of the law, or None.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    truth: Mixture | None = None
    title: str = ""
    source: str = ""

    @property
    def kind(self) -> str:
        """`points` or `images`."""
        return "points" if self.train.ndim == 2 else "images"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (d,) or (c, h, w)."""
        return tuple(self.train.shape[1:])

    @property
    def reference(self) -> np.ndarray:
        """The real side of every metric: the first half of the test split. The control `real` draws from the second."""
        return self.test[: (len(self.test) + 1) // 2]

    @property
    def held_out(self) -> np.ndarray:
        """Real data that neither a model nor a metric has seen: the second half of the test split."""
        return self.test[(len(self.test) + 1) // 2 :]

    def digest(self) -> str:
        """Twelve hexadecimal digits that identify the values of both splits."""
        sums = hashlib.sha256()
        for values in (self.train, self.test):
            sums.update(f"{values.dtype}{values.shape}".encode())
            sums.update(np.ascontiguousarray(values).data)
        return sums.hexdigest()[:12]

    def check(self) -> DataSet:
        """Return self; raise OtbenchError where a split has a wrong type, shape or a value that is not finite, or where
        the truth is no mixture in the samples' space.
        """
        for split, values in (("train", self.train), ("test", self.test)):
            where = f"data set {self.name}, split {split}"
            if values.ndim not in (2, 4) or values.shape[1:] != self.train.shape[1:]:
                raise OtbenchError(f"{where}: expected shape (n, d) or (n, c, h, w), got {values.shape}")
            expected = np.float32 if values.ndim == 2 else np.uint8
            if values.dtype != expected:
                raise OtbenchError(f"{where}: expected {np.dtype(expected)}, got {values.dtype}")
            if len(values) == 0:
                raise OtbenchError(f"{where}: it is empty")
            if values.dtype == np.float32 and not np.isfinite(values).all():
                raise OtbenchError(f"{where}: {int((~np.isfinite(values)).sum())} values are not finite")
        if self.truth is not None:
            self.truth.check(int(np.prod(self.shape)), f"data set {self.name}, truth")
        return self
