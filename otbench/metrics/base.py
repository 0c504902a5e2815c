"""What a metric is, and what a score is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.utils.interrupt import Interrupted

POINTS, IMAGES = ("points",), ("images",)
BOTH = POINTS + IMAGES


@dataclass(frozen=True)
class Setting:
    """What a score's protocol states: the data set, n generated samples, and an extractor's part of features.json.

    Attributes:
        dataset: the data set that samples are measured against.
        n: number of generated samples.
        info: of images, what features.json says of the extractor; empty for points and where nothing is known.
    """

    dataset: DataSet
    n: int
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def n_real(self) -> int:
        """Number of reference samples."""
        return self.info.get("n", {}).get("reference", len(self.dataset.reference))

    @property
    def n_train(self) -> int:
        """Number of training samples that features are known of."""
        return self.info.get("n", {}).get("train", len(self.dataset.train))

    @property
    def n_held_out(self) -> int:
        """Number of held-out samples, those that a snapshot may be chosen on."""
        return self.info.get("n", {}).get("held_out", len(self.dataset.held_out))


Parts = dict[str, object]
"""Parts of a protocol, in the order in which it states them."""


def mode_parts(setting: Setting) -> Parts:
    """Protocol of a metric that counts points at the true modes, against their true weights.

    Args:
        setting: Data set and number of generated samples.

    Returns:
        Parts `n_generated`, `reference` and `radius`.
    """
    truth = setting.dataset.truth
    return {"n_generated": setting.n, "reference": "truth", "radius": f"{truth.radius if truth else 3:g}sigma"}


def pair_parts(setting: Setting) -> Parts:
    """Protocol of a metric that compares equal numbers of real and generated samples.

    Args:
        setting: Data set and number of generated samples.

    Returns:
        Parts `n_real` and `n_generated`, both `pair_size`, and `split`.
    """
    size = pair_size(setting.dataset, setting.n)
    return {"n_real": size, "n_generated": size, "split": "test"}


def split_parts(setting: Setting) -> Parts:
    """Protocol of a metric that compares all generated images with all of the test set.

    Args:
        setting: Data set, number of generated samples and the extractor's part of features.json.

    Returns:
        Parts `n_real`, `n_generated` and `split`.
    """
    return {"n_real": setting.n_real, "n_generated": setting.n, "split": "test"}


@dataclass(frozen=True)
class Metric:
    """All that is known of a metric: what it is, how it is computed, measured and shown.

    Attributes:
        name: key in tables and on the command line.
        title: what `otbench list metrics` calls it.
        unit: unit of its values.
        direction: `higher` or `lower` where that is better, `none` where neither is.
        kinds: data that it is defined on, of `points` and `images`.
        paper: its source.
        description: what it measures, in one sentence.
        of_points: its value from a `PointView`; None where it is not defined on points.
        of_images: its value from an `ImageView` (from a `PixelView` where it uses pixels).
        point_parts, image_parts: what its protocol states beyond the features.
        needs_modes: of points, it needs the true mixture.
        cheap: the kinds on which it is also computed at the snapshots before the last.
        ideal: ideal(dataset, n) is what a perfect sampler is expected to score on n samples.
        uses: what it takes of images: `features` (each extractor's, a score each), `classes` (those of the classifier
            that is trained on the data set), `reconstructions` (features of the reference images as the model gives
            them back), `pixels`, or `model` (a number that the model's training states of itself).
        label: what a table calls it; the title where empty.
        factor: what its values are multiplied by in a table: 100 for percent.
        digits: decimals in a table.
        significant: significant digits in a table, in place of decimals; with neither, at least three decimals and two
            significant digits.
        scale: where the spread over seeds does not grow with the value, and so where models are compared: `log` for
            what is positive without bound, `logit` for shares, `identity` for counts and what may be negative.
        counted: whether the value is the share of the generated samples that pass, each by itself, so that one value
            has a binomial interval.
        logits: of images, it takes the classes that a network tells apart, and so skips networks without any.
        on_request: it is measured where it is asked for by name alone, as it costs more or says less than the others.
        must_see: the controls that it must rank below held-out real data, where a study's recipe says nothing else.
    """

    name: str
    title: str
    unit: str
    direction: str
    kinds: tuple[str, ...]
    paper: str
    description: str
    # Any, not None: a metric is only asked for on data that it is defined on
    of_points: Callable[[Any], float] | Any = None
    of_images: Callable[[Any], float] | Any = None
    point_parts: Callable[[Setting], Parts] = pair_parts
    image_parts: Callable[[Setting], Parts] = split_parts
    needs_modes: bool = False
    cheap: tuple[str, ...] = ()
    ideal: Callable[[DataSet, int], float] | Any = None
    uses: str = "features"
    label: str = ""
    factor: int = 1
    digits: int | None = None
    significant: int | None = None
    scale: str = "identity"
    counted: bool = False
    logits: bool = False
    on_request: bool = False
    must_see: tuple[str, ...] = ("collapsed", "noise")

    def applies_to(
        self, dataset: DataSet, extractors: Sequence[str] = ("classifier",), reconstructs: bool = False
    ) -> bool:
        """Whether `measure` can compute this metric on the data set.

        Args:
            dataset: Data set that samples are measured against.
            extractors: Names of the extractors of image features there are; of points they do not matter.
            reconstructs: Whether there are reconstructions.

        Returns:
            True where it can. Of images, False where the value is a number that the model's training states.
        """
        if dataset.kind not in self.kinds:
            return False
        if dataset.kind == "points":
            return dataset.truth is not None or not self.needs_modes
        available = {
            "features": bool(extractors),
            "classes": "classifier" in extractors,
            "reconstructions": bool(extractors) and reconstructs,
            "pixels": True,
            "model": False,
        }
        return available[self.uses]


@dataclass(frozen=True)
class Score:
    """One value of one metric and the protocol it was measured under; unequal protocols must not share a column."""

    metric: str
    value: float
    protocol: str


Refusals = dict[tuple[str, str], str]
"""Why a metric could not be computed, by metric and protocol."""


def scored(name: str, protocol: str, value: Callable[[], float], refused: Refusals | None = None) -> Score:
    """Score of a metric; where the metric cannot be computed, the other metrics need not suffer.

    Args:
        name: Name of the metric.
        protocol: Protocol of the score.
        value: Function that computes the value.
        refused: Is given why the metric could not be computed; None where that is an error.

    Returns:
        The score, NaN where the metric could not be computed.

    Raises:
        Exception: What the metric raises, where there is no `refused`, or where it was a wish to stop.
    """
    try:
        return Score(name, value(), protocol)
    except Interrupted:
        raise
    except Exception as error:
        if refused is None:
            raise
        lines = str(error).strip().splitlines()
        message = lines[0] if lines else "no message"
        refused[name, protocol] = message if isinstance(error, OtbenchError) else f"{type(error).__name__}: {message}"
        return Score(name, float("nan"), protocol)


def check_rows(values: np.ndarray, name: str, least: int = 1) -> np.ndarray:
    """Matrix of real numbers, checked.

    Args:
        values: Rows (n, d) of integers or floats.
        name: Name of the array in errors.
        least: Smallest number of rows.

    Returns:
        The same values (n, d) float64.

    Raises:
        OtbenchError: Where it is no finite real matrix, has no column or fewer than `least` rows, or holds values so
            large that the sum of their fourth powers overflows.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] == 0:
        raise OtbenchError(f"{name}: expected an array of shape (n, d), got shape {values.shape}")
    if values.dtype.kind not in "fiu":
        raise OtbenchError(f"{name}: expected real numbers, got dtype {values.dtype}")
    if len(values) < least:
        raise OtbenchError(f"{name}: expected at least {least} rows, got {len(values)}")
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise OtbenchError(f"{name}: {bad} of {len(values)} rows hold NaN or infinite values, expected finite numbers")
    values = values.astype(np.float64, copy=False)
    # the Frechet distance multiplies covariances: the fourth power of a value, summed over all, must be a number
    most = 0.1 * (np.finfo(np.float64).max / max(values.size, 1)) ** 0.25
    if len(values) and (largest := np.abs(values).max()) > most:
        raise OtbenchError(f"{name}: expected values of magnitude up to {most:.3g}, got {largest:.3g}")
    return values


def check_pair(real: np.ndarray, generated: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Real and generated rows, checked as by `check_rows`.

    Args:
        real: Real rows (n, d).
        generated: Generated rows (m, d).
        least: Smallest number of rows of either.

    Returns:
        Both arrays (n, d) and (m, d) float64.

    Raises:
        OtbenchError: Where either is wrong or the widths differ.
    """
    real, generated = check_rows(real, "real", least), check_rows(generated, "generated", least)
    if real.shape[1] != generated.shape[1]:
        raise OtbenchError(
            f"real has {real.shape[1]} columns and generated has {generated.shape[1]}, expected the same number"
        )
    return real, generated


PAIR_POINTS, PAIR_IMAGES = 2500, 10_000
"""Most rows of either side that the metrics of pairs use (W2, PRD, those of neighbours).

The papers' numbers of evaluation points in the plane and of images.
"""


def pair_size(dataset: DataSet, n: int) -> int:
    """Rows on either side of a pairwise metric.

    Args:
        dataset: Data set whose reference is the real side.
        n: Number of generated samples.

    Returns:
        As many as both sides have, at most 2,500 points or 10,000 images.
    """
    return min(n, len(dataset.reference), PAIR_POINTS if dataset.kind == "points" else PAIR_IMAGES)
