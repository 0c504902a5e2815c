"""The image study's plots: precision and recall, metrics along training, the split of the Fréchet distance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.plots import legend_columns, plain
from otbench.report.labels import metric_label
from otbench.report.recipes.images import excellence
from otbench.report.recipes.published import Published
from otbench.report.summary import curve, summarise
from otbench.report.tables.images import split
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH = 64
"""Batch of a model whose options name none: that of Lucic et al."""

AXES = (("epochs", "Epochs"), ("steps", "Gradient steps (batches)"), ("seconds", "Training, s"))


def prd(comparison: Comparison, dataset: str, network: str, models: list[str]) -> Figure:
    """PRD curves (mean over seeds, thin lines the seeds) and the pairs (F8, F1/8), a dot a seed.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.
        models: Models to show besides controls and reconstructions.

    Returns:
        The figure.

    Source: Fig. 14 of AE-OT.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.WIDTH, 4.45), layout="constrained")
    recall_key, precision_key = f"prd_f8@{network}", f"prd_f1_8@{network}"
    for place in comparison.rows(dataset):
        model, mark = place.model, marks.mark(place.model)
        quiet = model in comparison.unranked
        if not quiet and model not in models:
            continue
        curves = prd_curves(comparison, dataset, model, network)
        if curves is not None:
            line = {"color": mark.colour, "linestyle": ":" if quiet else mark.dash, "zorder": 2 if quiet else 3}
            for recall, precision in curves:
                left.plot(recall, precision, linewidth=0.5, alpha=0.35, **line)
            recall, precision = curves.mean(axis=0)
            left.plot(recall, precision, linewidth=1.0 if quiet else 1.6, **line)
            at = int(np.argmin(np.abs(recall - precision)))
            left.plot(recall[at], precision[at], marker=mark.shape, color=mark.colour, markersize=6, zorder=4, mew=0)
        pairs = [summarise(comparison.run, dataset, model, key).values for key in (recall_key, precision_key)]
        if pairs[0] and len(pairs[0]) == len(pairs[1]):
            size = 8 if mark.marker == "*" else 6
            edge = {"markeredgecolor": "white", "markeredgewidth": 0 if mark.letter else 0.4, "zorder": 3}
            kind = {"marker": mark.shape, "color": mark.colour, "markersize": size, "linestyle": ""}
            right.plot(*pairs, label=comparison.title(model), **kind, **edge)
    _unit(left, "Recall", "Precision")
    _unit(right, "F8 (weighs recall)", "F1/8 (weighs precision)")
    left.set_title("PRD curves")
    right.set_title("(F8, F1/8), a mark a seed")
    handles, labels = right.get_legend_handles_labels()
    columns = legend_columns(labels, 6 if len(labels) <= 18 else 5)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handletextpad=0.2)
    return figure


def prd_curves(comparison: Comparison, dataset: str, model: str, network: str) -> np.ndarray | None:
    """Recall and precision of every seed's PRD curve.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        model: Name of the model.
        network: Network of the features.

    Returns:
        Curves (seeds, 2, angles), recall first; None where the run has none.
    """
    start, curves = f"{dataset}/{model}/", []
    for key in sorted(comparison.run.curves):
        name = key.removeprefix(start).split("/")
        if key.startswith(start) and len(name) == 3 and name[0].startswith(network) and name[2] == "recall":
            curves.append([comparison.run.curves[key], comparison.run.curves[key.removesuffix("recall") + "precision"]])
    return np.asarray(curves, dtype=float) if curves else None


def _unit(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.04)
    axes.set_ylim(-0.02, 1.04)
    axes.set_aspect("equal")
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def followed(comparison: Comparison, dataset: str, metric: str) -> list[str]:
    """The models with the metric at two snapshots or more.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        metric: Name of the metric.

    Returns:
        Names of the models, in the study's order.
    """
    models = comparison.generative(dataset)
    return [model for model in models if len(curve(comparison.run, dataset, model, metric)) > 1]


def training(comparison: Comparison, dataset: str, metrics: list[str], models: list[str]) -> Figure:
    """Metrics (rows) along training against epochs, gradient steps and seconds (columns); bands are standard errors.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        metrics: Metrics of the rows.
        models: Models to show.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(
        len(metrics),
        len(AXES),
        figsize=(plotting.WIDTH, 0.75 + 1.75 * len(metrics)),
        sharex="col",
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, metric in zip(grid, metrics, strict=True):
        for axes, (unit, label) in zip(row, AXES, strict=True):
            for model in followed(comparison, dataset, metric):
                if model in models:
                    _along(axes, comparison, dataset, model, metric, unit)
            _real_level(axes, comparison, dataset, metric)
            if metric == metrics[-1]:
                axes.set_xlabel(label)
        row[0].set_ylabel(comparison.short(metric).replace(" (", "\n("))
        if metric.partition("@")[0] in ("fid", "kid"):
            row[0].set_yscale("log")
            plain(row[0].yaxis, *row[0].get_ylim(), narrow=4)
    for axes in grid[0]:
        axes.set_xscale("log")
        plain(axes.xaxis, *axes.get_xlim(), wide=200, narrow=4)
    handles = {label: handle for handle, label in zip(*_handles(grid), strict=True)}
    longest = max(map(len, handles), default=0)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=7 if longest <= 12 else 4,
        handlelength=2.4,
        columnspacing=1.2,
    )
    return figure


def _handles(grid: np.ndarray) -> tuple[list, list]:
    pairs = [axes.get_legend_handles_labels() for axes in grid.flat]
    return sum((handles for handles, _ in pairs), []), sum((handles for _, handles in pairs), [])


def _along(axes: Axes, comparison: Comparison, dataset: str, model: str, metric: str, unit: str) -> None:
    points, mark, scale = curve(comparison.run, dataset, model, metric), marks.mark(model), metric_label(metric).factor
    at = points["seconds"] if unit == "seconds" else points["snapshot"] * _spent(comparison, dataset, model, unit)
    error = points["error"].fillna(0)
    low = (points["mean"] - error).clip(lower=points["mean"] / 10 if metric.startswith(("fid", "kid")) else None)
    line = {"color": mark.colour, "marker": mark.marker, "linestyle": mark.dash, "markeredgewidth": 0}
    size = 5.5 if mark.marker == "*" else 3.5
    axes.plot(at, points["mean"] * scale, label=comparison.title(model), markersize=size, **line)
    axes.fill_between(at, low * scale, (points["mean"] + error) * scale, color=mark.colour, alpha=0.16, linewidth=0)


def _spent(comparison: Comparison, dataset: str, model: str, unit: str) -> float:
    """Steps or epochs of the model's whole budget."""
    steps = comparison.run.steps(dataset, model)
    return steps if unit == "steps" else epochs(comparison, dataset, model)


def epochs(comparison: Comparison, dataset: str, model: str) -> float:
    """Number of epochs in the model's whole budget.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        model: Name of the model.

    Returns:
        Passes through the training images, from the steps and the batch.
    """
    options = comparison.run.info["models"].get(model, {}).get("options") or {}
    images = comparison.run.info["datasets"].get(dataset, {}).get("n_train") or 1
    return comparison.run.steps(dataset, model) * float(options.get("batch") or BATCH) / float(images)


def _real_level(axes: Axes, comparison: Comparison, dataset: str, metric: str) -> None:
    real = summarise(comparison.run, dataset, "real", metric).mean
    if math.isfinite(real):
        value = real * metric_label(metric).factor
        axes.axhline(value, color=marks.REAL, linewidth=1.0, label="held-out real")


def excellence_curves(comparison: Comparison, dataset: str, metric: str) -> Figure:
    """The excellence proxy against epochs, and as hollow marks the rates that people gave in the OTVAE report.

    Where there are many models, each family has a panel.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        metric: The proxy, on the features that it was measured with.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    measured = followed(comparison, dataset, metric)
    families = [family for family in comparison.families(dataset) if set(family[2]) & set(measured)]
    rows, columns = -(-len(families) // 2), min(len(families), 2)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(plotting.WIDTH, 3.3 if len(families) == 1 else 0.2 + 2.9 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes in grid.flat[len(families) :]:
        axes.set_visible(False)
    for at, (axes, (_, title, models)) in enumerate(zip(grid.flat, families, strict=False)):
        for model in models:
            if model in measured:
                _along(axes, comparison, dataset, model, metric, "epochs")
        _real_level(axes, comparison, dataset, metric)
        for record, first, last in excellence(list(comparison.published), dataset):
            if record.model in models or len(families) == 1:
                rated(axes, f"{comparison.title(record.model)}, rated by people", record, first, last)
        axes.set_title(title.replace("; ", ", "), fontsize=7)
        if at + columns >= len(families):
            axes.set_xlabel("Epochs")
            axes.tick_params(labelbottom=True)
        legend = {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        if len(families) > 1:
            tight = {"fontsize": 6, "handlelength": 2.4, "labelspacing": 0.25, "columnspacing": 1.0}
            axes.legend(legend.values(), legend.keys(), loc="upper left", ncols=2, **tight)
        else:
            figure.legend(legend.values(), legend.keys(), loc="outside right upper", handlelength=2.6)
    first = grid[0, 0]
    first.set_xscale("log")
    plain(first.xaxis, *first.get_xlim(), wide=200, narrow=4)
    first.set_xlim(first.get_xlim()[0], first.get_xlim()[1] * 1.3)
    first.set_ylim(-3, 105 if len(families) == 1 else 150)  # room for the legend above
    if len(families) > 1:
        first.set_yticks(range(0, 101, 20))
    for axes in grid[:, 0]:
        axes.set_ylabel("Samples recognised at the confidence\nthat 95 % of real images pass, %")
    return figure


def rated(axes: Axes, label: str, record: Published, first: float, last: float) -> None:
    """Draw a published rate that people gave, hollow, over the epochs that it is given for.

    Args:
        axes: Axes to draw on.
        label: Entry of the legend.
        record: The published rate, a share.
        first: Least number of epochs.
        last: Greatest number of epochs.
    """
    mark, value, middle = marks.mark(record.model), float(record.value) * 100, math.sqrt(first * last)
    axes.errorbar(
        middle,
        value,
        yerr=None if record.error is None else float(record.error) * 100,
        xerr=[[middle - first], [last - middle]],
        marker=mark.shape,
        linestyle="",
        color=mark.colour,
        markerfacecolor="white",
        markersize=7,
        capsize=2,
        elinewidth=0.9,
        label=label,
    )
    text = record.note.partition(";")[0]  # in the paper's words: "above 80 %"
    axes.annotate(text, (middle, value), xytext=(0, 8), textcoords="offset points", fontsize=6.5, ha="center")


def split_bars(comparison: Comparison, dataset: str, network: str) -> Figure:
    """The Fréchet distance of every model that reconstructs: the decoder's floor, and what drawing codes adds.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    names = [place.model for place in comparison.rows(dataset)]
    parts = {model: split(comparison, dataset, model, network) for model in names}
    unranked = comparison.study.unranked
    ranked = [name for name in names if parts[name]["floor"].n and parts[name]["fid"].n and name not in unranked]
    figure, axes = plt.subplots(figsize=(plotting.WIDTH, 0.95 + 0.34 * len(ranked)), layout="constrained")
    for height, model in enumerate(ranked):
        summaries = parts[model]
        floor, total = summaries["floor"].mean, summaries["fid"].mean
        low, high = sorted((floor, total))
        axes.barh(height, low, color=plotting.SKY, height=0.58)
        kind: dict[str, Any] = (
            {"color": plotting.BLUE}
            if total >= floor
            else {"color": "white", "edgecolor": plotting.BLUE, "hatch": "////"}
        )
        axes.barh(height, high - low, left=low, height=0.58, linewidth=0.6, **kind)
        error = summaries["fid"].error
        axes.errorbar(total, height, xerr=error if math.isfinite(error) else 0, color=plotting.BLACK, elinewidth=0.9)
        axes.plot(summaries["train"].mean, height, "|", color=plotting.RED, markersize=13, markeredgewidth=1.6)
    real = summarise(comparison.run, dataset, "real", f"fid@{network}").mean
    if math.isfinite(real):
        axes.axvline(real, color=marks.REAL, linewidth=1.2)
    axes.set_yticks(range(len(ranked)), [comparison.title(model) for model in ranked])
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(metric_label(f"fid@{network}").label)
    figure.legend(handles=_split_legend(), loc="outside lower center", ncols=3)
    return figure


def _split_legend() -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    negative = {"facecolor": "white", "edgecolor": plotting.BLUE, "hatch": "////", "linewidth": 0.6}
    return [
        Patch(color=plotting.SKY, label="floor: reconstructed test images"),
        Patch(color=plotting.BLUE, label="added by drawing codes"),
        Patch(**negative, label="samples below their floor"),
        Line2D([], [], color=plotting.RED, marker="|", linestyle="", markersize=9, label="samples to training images"),
        Line2D([], [], color=marks.REAL, linewidth=1.2, label="held-out real"),
    ]
