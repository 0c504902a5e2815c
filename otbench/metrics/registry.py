"""Every metric by name: what `otbench list` prints, and what decides which metrics a data set gets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.store import REAL_PASS
from otbench.metrics import memorisation, mode_mixture, modes, neighbours, prd, reverse_kl
from otbench.metrics.base import Metric, pair_size

PACGAN = "Lin et al. 2018, PacGAN"
KYNKAANNIEMI = "Kynkaanniemi et al. 2019, Improved precision and recall"
NAEEM = "Naeem et al. 2020, Reliable fidelity and diversity metrics"
SAJJADI = "Sajjadi et al. 2018, Assessing generative models via precision and recall"
HEUSEL = "Heusel et al. 2017, GANs trained by a two time-scale update rule"
TOLSTIKHIN = "Tolstikhin et al. 2018, Wasserstein auto-encoders"
AEOT = "An et al. 2020, AE-OT: a new generative model based on extended semi-discrete optimal transport"
POINTS, IMAGES = ("points",), ("images",)
BOTH = POINTS + IMAGES


def settings(name: str) -> dict[str, object]:
    """The constants of a pairwise metric that belong in its protocol."""
    if name.startswith("prd"):
        return {"clusters": prd.CLUSTERS, "angles": prd.ANGLES, "runs": prd.RUNS, "batch": prd.BATCH}
    if name in ("precision", "recall"):
        return {"k": neighbours.K_PRECISION}
    if name in ("density", "coverage"):
        return {"k": neighbours.K_DENSITY}
    return {}


def _ideal_coverage(dataset: DataSet, n: int) -> float:
    size = pair_size(dataset, n)
    return neighbours.ideal_coverage(size, size)


def _reverse_kl(name: str, title: str, description: str, **options: bool) -> Metric:
    ideal = partial(reverse_kl.ideal, **options)
    return Metric(name, title, "nats", "lower", POINTS, PACGAN, description, True, POINTS, ideal)


def _l2(name: str, title: str, description: str) -> Metric:
    return Metric(name, title, "squared intensity", "lower", IMAGES, AEOT, description, uses="model")


def _cost(name: str, title: str, unit: str, description: str) -> Metric:
    return Metric(name, title, unit, "lower", BOTH, "measured (otbench/training/meter.py)", description, uses="model")


_ALL = (
    Metric(
        "modes",
        "Modes captured",
        "modes",
        "higher",
        BOTH,
        PACGAN,
        "Modes with a point within three sigma; of images, the classes that the classifier finds among them.",
        True,
        BOTH,
        modes.ideal_modes,
        "classes",
    ),
    Metric(
        "high_quality",
        "High-quality share",
        "share",
        "higher",
        POINTS,
        PACGAN,
        "Share of points within three sigma of the nearest mode; true samples reach 98.89 % in the plane.",
        True,
        POINTS,
        modes.ideal_high_quality,
    ),
    Metric(
        "reverse_kl",
        "Reverse KL",
        "nats",
        "lower",
        BOTH,
        PACGAN,
        "KL of the histogram over modes against the true weights; of images, over classes, against the test's.",
        True,
        BOTH,
        reverse_kl.ideal,
        "classes",
    ),
    _reverse_kl(
        "reverse_kl_train",
        "Reverse KL, training histogram",
        "KL of the histogram of all points over modes against that of the training set.",
        train=True,
    ),
    _reverse_kl(
        "reverse_kl_hq",
        "Reverse KL, high quality",
        "KL of the histogram of high-quality points over modes against the true weights.",
        high_quality_only=True,
    ),
    _reverse_kl(
        "reverse_kl_hq_train",
        "Reverse KL, high quality, training histogram",
        "KL of the histogram of high-quality points over modes against that of the training set's high-quality points.",
        train=True,
        high_quality_only=True,
    ),
    Metric(
        "mode_mixture",
        "Mode mixture",
        "share",
        "lower",
        POINTS,
        "after An et al. 2020, AE-OT",
        "Share of all points outside every mode and between their two nearest modes.",
        True,
        POINTS,
        mode_mixture.ideal,
    ),
    Metric(
        "w2",
        "Wasserstein-2",
        "data units",
        "lower",
        POINTS,
        "Flamary et al. 2021, POT: Python Optimal Transport",
        "Exact W2 between generated points and as many held-out real points.",
    ),
    Metric(
        "fid",
        "Frechet distance",
        "squared feature units",
        "lower",
        IMAGES,
        HEUSEL,
        "Frechet distance of Gaussians fitted to features of the test images and of the generated ones.",
        cheap=IMAGES,
    ),
    Metric(
        "fid_train",
        "Frechet distance to the training set",
        "squared feature units",
        "lower",
        IMAGES,
        HEUSEL,
        "As the Frechet distance, against as many training images; test minus train is the generalisation gap.",
    ),
    Metric(
        "fid_validation",
        "Frechet distance to the validation set",
        "squared feature units",
        "lower",
        IMAGES,
        HEUSEL,
        "As the Frechet distance, against validation images, to choose by; void for `real`, which draws from these.",
        cheap=IMAGES,
    ),
    Metric(
        "fid_reconstruction",
        "Frechet distance of reconstructions",
        "squared feature units",
        "lower",
        IMAGES,
        HEUSEL,
        "Frechet distance of the test images and their reconstructions: the floor of a model that draws codes.",
        uses="reconstructions",
    ),
    Metric(
        "kid",
        "Kernel distance",
        "squared MMD",
        "lower",
        IMAGES,
        "Binkowski et al. 2018, Demystifying MMD GANs",
        "Squared MMD of the features under a cubic kernel, mean over subsets.",
    ),
    Metric(
        "is",
        "Inception score",
        "1",
        "higher",
        IMAGES,
        "Salimans et al. 2016, Improved techniques for training GANs",
        "exp of the mean KL of each image's predicted classes against all images'; at most the number of classes.",
    ),
    Metric(
        "prd_f8", "PRD F8", "1", "higher", BOTH, SAJJADI, "Largest F8 on the PRD curve: weighs recall.", cheap=IMAGES
    ),
    Metric(
        "prd_f1_8",
        "PRD F1/8",
        "1",
        "higher",
        BOTH,
        SAJJADI,
        "Largest F1/8 on the PRD curve: weighs precision.",
        cheap=IMAGES,
    ),
    Metric(
        "precision",
        "Precision",
        "share",
        "higher",
        BOTH,
        KYNKAANNIEMI,
        "Share of generated points within reach of the third neighbour of some real point.",
        cheap=IMAGES,
    ),
    Metric(
        "recall",
        "Recall",
        "share",
        "higher",
        BOTH,
        KYNKAANNIEMI,
        "Share of real points within reach of the third neighbour of some generated point.",
        cheap=IMAGES,
    ),
    Metric(
        "density",
        "Density",
        "1",
        "higher",
        BOTH,
        NAEEM,
        "Mean number of real balls (fifth neighbour) around a generated point, over 5; can exceed 1.",
        ideal=neighbours.ideal_density,
    ),
    Metric(
        "coverage",
        "Coverage",
        "share",
        "higher",
        BOTH,
        NAEEM,
        "Share of real balls (fifth neighbour) that hold a generated point.",
        ideal=_ideal_coverage,
    ),
    Metric(
        "memorised",
        "Memorised share",
        "share",
        "lower",
        IMAGES,
        "after Meehan et al. 2020, A non-parametric test to detect data-copying",
        "Share of images nearer to a training image, in features, than 95 % of the test images are.",
        ideal=lambda dataset, n: memorisation.QUANTILE,
    ),
    Metric(
        "data_copying",
        "Data-copying score C_T",
        "standard deviations",
        "none",
        IMAGES,
        "Meehan et al. 2020, A non-parametric test to detect data-copying",
        "z-score of distances to the training set against the test images'; far below 0 copies, far above underfits.",
        ideal=lambda dataset, n: 0.0,
    ),
    Metric(
        "excellence_proxy",
        "Excellence proxy",
        "share",
        "higher",
        IMAGES,
        "after Cui, OTVAE report (its rate is a human's judgement)",
        "Share of images that the classifier recognises as surely as it does 95 % of held-out real ones.",
        cheap=IMAGES,
        ideal=lambda dataset, n: REAL_PASS,
        uses="classes",
    ),
    Metric(
        "sharpness",
        "Sharpness",
        "squared intensity",
        "higher",
        IMAGES,
        TOLSTIKHIN,
        "Variance of an image's Laplacian, on [0, 1], mean over images; noise is sharper than any image.",
        cheap=IMAGES,
        uses="pixels",
    ),
    Metric(
        "sharpness_min",
        "Sharpness, minimum",
        "squared intensity",
        "higher",
        IMAGES,
        TOLSTIKHIN,
        "Variance of the Laplacian of the least sharp image, as the authors' code prints per batch.",
        uses="pixels",
    ),
    _l2("l2", "Reconstruction error", "Mean squared error per pixel of the test images' reconstructions, on [0, 1]."),
    _l2("l2_train", "Reconstruction error, training", "The same of the training images."),
    _l2("l2_before", "Reconstruction error before freezing", "The test images', before the encoder is frozen."),
    _l2("l2_before_train", "Reconstruction error before freezing, training", "The same of the training images."),
    _cost("peak_memory", "Peak memory", "bytes", "Most memory that training held at once beyond what it found held."),
    _cost("energy", "Energy", "J", "What the GPU took while the model was trained, by NVML's counter."),
)

COSTS = ("peak_memory", "energy")
"""What a model's training says that it cost: of METRICS those whose protocol is `cost`."""
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def cheap(kind: str) -> list[str]:
    """The metrics of `points` or `images` that are also computed at the snapshots before the last."""
    return [metric.name for metric in _ALL if kind in metric.cheap]


def applicable(
    dataset: DataSet,
    metrics: Sequence[str] | None = None,
    extractors: Sequence[str] = ("classifier",),
    reconstructs: bool = False,
    last: bool = True,
) -> list[str]:
    """Names, in registry order, of the metrics that apply to the data set, of all or of those asked for.

    extractors: the extractors of image features there are. reconstructs: whether the samples come with
    reconstructions. last: whether it is the last snapshot; before it only the cheap metrics count. Raises
    OtbenchError on a name that is not in the registry.
    """
    for name in metrics or ():
        if name not in METRICS:
            raise OtbenchError(f"no metric is called {name!r}, expected one of {', '.join(METRICS)}")
    return [
        name
        for name, metric in METRICS.items()
        if metric.uses != "model"
        and metric.applies_to(dataset, extractors, reconstructs)
        and (last or dataset.kind in metric.cheap)
        and (metrics is None or name in metrics)
    ]
