"""The plots of people's ratings: the rate along training, and beside the classifier proxy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.image_plots import epochs, rated
from otbench.report.figures.plots import plain
from otbench.report.recipes.images import excellence
from otbench.report.recipes.published import Published
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED = "mnist"
"""The data set that the OTVAE report gives rates on."""
PAIR = ("otvae", "wgan-mlp")
"""The models that the OTVAE report sets against each other; they are drawn with one snapshot too."""
MOST = 8


def followed(told: dict[str, Any]) -> list[str]:
    """The models that are drawn along training: the report's pair, and others rated at two snapshots or more.

    Args:
        told: The data set's ratings, as `ratings.analysis` gives them.

    Returns:
        Names of the models, at most MOST.
    """
    rated = [rate["model"] for rate in told["rates"]]
    several = {model for model in rated if rated.count(model) > 1 and model not in PAIR}
    return [model for model in PAIR if model in rated] + sorted(several)[: MOST - len(PAIR)]


def published_rates(comparison: Comparison, dataset: str) -> list[tuple[Published, float, float]]:
    """The published rates with their epochs: those on the data set, else those on MNIST, for orientation.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        (rate, least epochs, greatest epochs) of each.
    """
    records = list(comparison.published)
    return excellence(records, dataset) or excellence(records, MARKED)


def interval(one: dict[str, Any]) -> list[list[float]]:
    """The error bar of a rate: over raters and images, else Wilson's.

    Args:
        one: A rate with its intervals, shares in [0, 1].

    Returns:
        Lengths (2, 1) below and above the rate, in per cent.
    """
    low, high = one["bootstrap"] or one["wilson"]
    return [[100 * max(0.0, one["rate"] - low)], [100 * max(0.0, high - one["rate"])]]


def training(comparison: Comparison, dataset: str, told: dict[str, Any], models: list[str]) -> Figure:
    """Rates of some models against epochs, with the published ones, and against seconds of training.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        told: The data set's ratings, as `ratings.analysis` gives them.
        models: Models to show.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.1), sharey=True, layout="constrained")
    for axes, unit in zip(panels, ("epochs", "seconds"), strict=True):
        for model in models:
            _along(axes, comparison, dataset, told, model, unit)
        if told["real"]:
            axes.axhline(100 * told["real"]["rate"], color=marks.REAL, linewidth=1.2, label="held-out real images")
    for record, first, last in published_rates(comparison, dataset):
        if record.model in models:
            where = "" if record.dataset == dataset else " on MNIST"
            rated(panels[0], f"{comparison.title(record.model)}, published{where}", record, first, last)
    for axes, label in zip(panels, ("Epochs", "Training, s"), strict=True):
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(low / 1.25, high * 1.25)
        plain(axes.xaxis, *axes.get_xlim(), wide=200, narrow=4)
        axes.set_xlabel(label)
    panels[0].set_ylim(-4, 106)
    panels[0].set_ylabel("Images that people called real, %")
    handles = {label: handle for handle, label in zip(*panels[0].get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, handlelength=2.4)
    return figure


def _along(axes: Axes, comparison: Comparison, dataset: str, told: dict[str, Any], model: str, unit: str) -> None:
    mark, label = marks.mark(model), comparison.title(model)
    points = []
    for rate in told["rates"]:
        if rate["model"] == model:
            at = _spent(comparison, dataset, model, rate["snapshot"], unit)
            points += [(at, rate)] if at > 0 else []
    if not points:
        return
    axes.plot(
        [at for at, _ in points],
        [100 * rate["rate"] for _, rate in points],
        color=mark.colour,
        marker=mark.shape,
        linestyle=mark.dash,
        markersize=5,
        markeredgewidth=0,
        label=label,
    )
    for at, rate in points:
        axes.errorbar(at, 100 * rate["rate"], yerr=interval(rate), color=mark.colour, capsize=2.5, elinewidth=0.9)


def _spent(comparison: Comparison, dataset: str, model: str, snapshot: float, unit: str) -> float:
    """Epochs or seconds of training up to a snapshot; 0 where they are not known."""
    if unit == "epochs":
        return snapshot * epochs(comparison, dataset, model)
    rows = comparison.run.rows(dataset, model)
    spent = rows.loc[(rows["snapshot"] - snapshot).abs() < 1e-6].groupby("seed")["seconds"].first().mean()
    return float(spent) if math.isfinite(spent) else 0.0


def against_proxy(comparison: Comparison, told: dict[str, Any]) -> Figure:
    """People's rate against the classifier proxy, a labelled mark a model at its last rated snapshot.

    Args:
        comparison: Image study of a run, which titles the models.
        told: The data set's ratings, as `ratings.analysis` gives them.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    last: dict[str, dict[str, Any]] = {}
    for rate in told["rates"]:  # by snapshot: the last stays
        if rate["proxy"] is not None:
            last[rate["model"]] = rate
    figure, axes = plt.subplots(figsize=(4.8, 4.3), layout="constrained")
    axes.plot([0, 100], [0, 100], color=plotting.GREY, linestyle=":", linewidth=0.9)
    for model, rate in last.items():
        mark = marks.mark(model)
        at = 100 * rate["proxy"], 100 * rate["rate"]
        kind = {"marker": mark.shape, "color": mark.colour, "markersize": 6, "linestyle": ""}
        axes.errorbar(*at, yerr=interval(rate), capsize=2, elinewidth=0.8, **kind)
        left = at[0] > 70
        axes.annotate(
            comparison.title(model),
            at,
            xytext=(-6 if left else 6, 4),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=6.5,
        )
    if told["real"]:
        axes.axhline(100 * told["real"]["rate"], color=marks.REAL, linewidth=1.2)
        place = (2, 100 * told["real"]["rate"])
        below = {"xytext": (0, -3), "textcoords": "offset points", "va": "top"}
        axes.annotate("held-out real images", place, fontsize=6.5, color="#8a5f00", **below)
    axes.set_xlim(-4, 104)
    axes.set_ylim(-4, 106)
    axes.set_xlabel("Classifier proxy: images recognised, %")
    axes.set_ylabel("Images that people called real, %")
    return figure
