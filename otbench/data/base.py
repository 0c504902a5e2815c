"""What a data set is, and how it is checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from otbench.errors import OtbenchError

#: the splits a data set may have
SPLITS = ("train", "test", "validation")


@dataclass(frozen=True)
class Mixture:
    """The truth about a mixture of isotropic Gaussians.

    centres (K, d) float64; sigma, standard deviation per axis in the units of the data; weights (K,), summing to 1.
    radius: sigmas within which a point is of high quality. basis (d, s): orthonormal directions in which the Gaussians
    are wide, where they are flat in the others; None: all directions.
    """

    centres: np.ndarray
    sigma: float
    weights: np.ndarray
    radius: float = 3.0
    basis: np.ndarray | None = None

    @property
    def directions(self) -> int:
        """Number of directions in which the Gaussians are wide."""
        return self.centres.shape[1] if self.basis is None else self.basis.shape[1]

    def sample(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Draw points; the component of each is drawn too, so modes are not stratified.

        Args:
            n: Number of points.
            generator: Stream of the points.

        Returns:
            Points (n, d) float32.
        """
        component = generator.choice(len(self.weights), size=n, p=self.weights)
        noise = generator.standard_normal((n, self.directions))
        if self.basis is not None:
            noise = noise @ self.basis.T
        return (self.centres[component] + self.sigma * noise).astype(np.float32)

    def check(self, dimension: int, where: str = "mixture") -> Mixture:
        """Check that the values make a mixture.

        Args:
            dimension: Number of coordinates that the centres must have.
            where: Begins the error.

        Returns:
            The mixture itself.

        Raises:
            OtbenchError: Where it is no mixture in `dimension` dimensions.
        """
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
        if not 0 < self.radius < np.inf:
            raise OtbenchError(f"{where}: expected a finite radius above 0, got {self.radius}")
        if self.basis is not None and (self.basis.ndim != 2 or len(self.basis) != dimension):
            raise OtbenchError(f"{where}: expected a basis of shape ({dimension}, s), got {self.basis.shape}")
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

    train, test and, of image sets, validation: float32 (n, d) points, or uint8 (n, c, h, w) images, c 1 (grey) or 3
    (red, green, blue). truth: what is known of the law, or None. labels: split -> (n,) int64 places in `classes`, the
    names of the classes; both empty where nothing is labelled. A model is trained on `train` alone.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    truth: Mixture | None = None
    title: str = ""
    source: str = ""
    validation: np.ndarray | None = None
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Lay every split out row by row: from odd strides (of an axis of size 1, say) torch takes another layout.

        Convolutions round differently in it, and the same images would not give the same numbers.
        """
        for split in SPLITS:
            if isinstance(values := getattr(self, split), np.ndarray):
                object.__setattr__(self, split, values.ravel().reshape(values.shape))

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
        """The real side of every metric: the test split; only its first half where there is no validation split."""
        return self.test if self.validation is not None else self.test[: self._half]

    @property
    def held_out(self) -> np.ndarray:
        """Real data that no model is trained on and no metric refers to; the control `real` draws from it: the
        validation split; the second half of the test split where there is none.
        """
        return self.validation if self.validation is not None else self.test[self._half :]

    def labels_of(self, part: str) -> np.ndarray | None:
        """Labels of a part of the data.

        Args:
            part: `train`, `test`, `validation`, `reference` or `held_out`.

        Returns:
            Labels (n,) int64; None where the part has none.
        """
        if part == "reference":
            return self._cut("test", slice(None if self.validation is not None else self._half))
        if part == "held_out" and self.validation is None:
            return self._cut("test", slice(self._half, None))
        return self.labels.get("validation" if part == "held_out" else part)

    @property
    def _half(self) -> int:
        return (len(self.test) + 1) // 2

    def _cut(self, split: str, rows: slice) -> np.ndarray | None:
        return self.labels[split][rows] if split in self.labels else None

    @property
    def splits(self) -> dict[str, np.ndarray]:
        """The splits that are there, by name."""
        return {split: values for split in SPLITS if (values := getattr(self, split)) is not None}

    def digest(self) -> str:
        """A digest of the values of all splits, and of labels and classes where there are some.

        Returns:
            Twelve hexadecimal digits.
        """
        sums = hashlib.sha256()
        for values in self.splits.values():
            _add(sums, values)
        for split in SPLITS:
            if split in self.labels:
                sums.update(split.encode())
                _add(sums, self.labels[split])
        if self.classes:
            sums.update("\0".join(self.classes).encode())
        return sums.hexdigest()[:12]

    def check(self) -> DataSet:
        """Check splits, labels, classes and truth.

        Returns:
            The data set itself.

        Raises:
            OtbenchError: Where a split has a wrong type, shape or a value that is not finite, where the labels do not
                fit the splits or the classes, or where the truth is no mixture in the samples' space.
        """
        for split, values in self.splits.items():
            self._check_split(f"data set {self.name}, split {split}", values)
        if len(set(self.classes)) < len(self.classes) or not all(self.classes):
            raise OtbenchError(
                f"data set {self.name}, classes: expected names that are not empty and differ, "
                f"got {', '.join(map(repr, self.classes))}"
            )
        for split, values in self.labels.items():
            self._check_labels(split, values)
        if self.truth is not None:
            self.truth.check(int(np.prod(self.shape)), f"data set {self.name}, truth")
        return self

    def _check_split(self, where: str, values: np.ndarray) -> None:
        if values.ndim not in (2, 4) or values.shape[1:] != self.train.shape[1:]:
            raise OtbenchError(f"{where}: expected shape (n, d) or (n, c, h, w), got {values.shape}")
        if values.ndim == 4 and (values.shape[1] not in (1, 3) or 0 in values.shape[2:]):
            raise OtbenchError(f"{where}: expected images (n, c, h, w) with c 1 or 3, got {values.shape}")
        expected = np.float32 if values.ndim == 2 else np.uint8
        if values.dtype != expected:
            raise OtbenchError(f"{where}: expected {np.dtype(expected)}, got {values.dtype}")
        if len(values) == 0:
            raise OtbenchError(f"{where}: it is empty")
        if values.dtype == np.float32 and not np.isfinite(values).all():
            raise OtbenchError(f"{where}: {int((~np.isfinite(values)).sum())} values are not finite")

    def _check_labels(self, split: str, values: np.ndarray) -> None:
        where = f"data set {self.name}, labels of {split}"
        if split not in self.splits:
            raise OtbenchError(f"{where}: there is no such split; there are {', '.join(self.splits)}")
        count = len(self.splits[split])
        if values.dtype != np.int64 or values.shape != (count,):
            raise OtbenchError(f"{where}: expected int64 of shape ({count},), got {values.dtype} {values.shape}")
        if not self.classes:
            raise OtbenchError(f"{where}: the data set names no classes")
        if values.min() < 0 or values.max() >= len(self.classes):
            raise OtbenchError(
                f"{where}: expected values from 0 to {len(self.classes) - 1}, got {values.min()} to {values.max()}"
            )


def _add(sums: hashlib._Hash, values: np.ndarray) -> None:
    sums.update(f"{values.dtype}{values.shape}".encode())
    sums.update(np.ascontiguousarray(values).data)
