"""Every metric by name: what `otbench list` prints, and what decides which metrics a data set gets."""

from __future__ import annotations

from functools import partial

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics import mode_mixture, modes, neighbours, reverse_kl
from otbench.metrics.base import Metric

PAIR_POINTS = 2500
"""Most points of either side that W2, PRD and the neighbour metrics use.

The papers' number of evaluation points in the plane.
"""

PACGAN = "Lin et al. 2018, PacGAN"
KYNKAANNIEMI = "Kynkaanniemi et al. 2019, Improved precision and recall"
NAEEM = "Naeem et al. 2020, Reliable fidelity and diversity metrics"
SAJJADI = "Sajjadi et al. 2018, Assessing generative models via precision and recall"
BOTH = ("points", "images")


def pair_size(dataset: DataSet, n: int) -> int:
    """Points on either side of a pairwise metric: as many as both have, at most 2,500."""
    return min(n, len(dataset.reference), PAIR_POINTS)


def _ideal_coverage(dataset: DataSet, n: int) -> float:
    size = pair_size(dataset, n)
    return neighbours.ideal_coverage(size, size)


def _reverse_kl(name: str, title: str, description: str, **options: bool) -> Metric:
    ideal = partial(reverse_kl.ideal, **options)
    return Metric(name, title, "nats", "lower", ("points",), PACGAN, description, True, True, ideal)


_ALL = (
    Metric(
        "modes",
        "Modes captured",
        "modes",
        "higher",
        ("points",),
        PACGAN,
        "Number of modes with at least one point within three sigma.",
        True,
        True,
        modes.ideal_modes,
    ),
    Metric(
        "high_quality",
        "High-quality share",
        "share",
        "higher",
        ("points",),
        PACGAN,
        "Share of points within three sigma of the nearest mode; true samples reach 98.89 % in the plane.",
        True,
        True,
        modes.ideal_high_quality,
    ),
    _reverse_kl("reverse_kl", "Reverse KL", "KL of the histogram of all points over modes against the true weights."),
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
        ("points",),
        "after An et al. 2020, AE-OT",
        "Share of all points outside every mode and between their two nearest modes.",
        True,
        True,
        mode_mixture.ideal,
    ),
    Metric(
        "w2",
        "Wasserstein-2",
        "data units",
        "lower",
        ("points",),
        "Flamary et al. 2021, POT: Python Optimal Transport",
        "Exact W2 between generated points and as many held-out real points.",
    ),
    Metric(
        "fid",
        "Frechet distance",
        "squared feature units",
        "lower",
        ("images",),
        "Heusel et al. 2017, GANs trained by a two time-scale update rule",
        "Frechet distance of Gaussians fitted to real and generated features.",
    ),
    Metric(
        "kid",
        "Kernel distance",
        "squared MMD",
        "lower",
        ("images",),
        "Binkowski et al. 2018, Demystifying MMD GANs",
        "Squared MMD of the features under a cubic kernel, mean over subsets.",
    ),
    Metric("prd_f8", "PRD F8", "1", "higher", BOTH, SAJJADI, "Largest F8 on the PRD curve: weighs recall."),
    Metric("prd_f1_8", "PRD F1/8", "1", "higher", BOTH, SAJJADI, "Largest F1/8 on the PRD curve: weighs precision."),
    Metric(
        "precision",
        "Precision",
        "share",
        "higher",
        BOTH,
        KYNKAANNIEMI,
        "Share of generated points within reach of the third neighbour of some real point.",
    ),
    Metric(
        "recall",
        "Recall",
        "share",
        "higher",
        BOTH,
        KYNKAANNIEMI,
        "Share of real points within reach of the third neighbour of some generated point.",
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
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

CHEAP: list[str] = [metric.name for metric in _ALL if metric.cheap]
"""The metrics that are also computed at the snapshots before the last."""


def applicable(dataset: DataSet, metrics: list[str] | None = None) -> list[str]:
    """Names, in registry order, of the metrics that apply to the data set, of all or of those asked for.

    Raises OtbenchError on a name that is not in the registry.
    """
    for name in metrics or ():
        if name not in METRICS:
            raise OtbenchError(f"no metric is called {name!r}, expected one of {', '.join(METRICS)}")
    return [
        name for name, metric in METRICS.items() if metric.applies_to(dataset) and (metrics is None or name in metrics)
    ]
