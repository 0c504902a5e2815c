"""Figures of searches over options."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.figures import marks
from otbench.report.figures.base import FigureSpec
from otbench.report.figures.plots import plain
from otbench.report.labels import metric_label
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from otbench.report.tables.searches import RULES, SPACES, _budget, band, expected_best, filled, pairs, searched


def search_figures(comparison: Comparison) -> Iterator[FigureSpec]:
    """The figures of every searched data set.

    Args:
        comparison: Image study of a run.

    Yields:
        A figure for each search that reached a value, and one of its trials' precision and recall where measured.
    """
    for dataset, network in searched(comparison):
        lost = sum(int(trials["lost"].sum()) for trials in filled(comparison, dataset, network).values())
        note = f"Trials without a value ({lost}) count as the worst distance that was reached. " if lost else ""
        caption = (
            f"{metric_label(f'fid@{network}').label}, {comparison.dataset_title(dataset)}: "
            "expected best of k trials drawn at random from all trials; bands: 90 % of bootstraps over the trials. "
            "Above, the rule of Lucic et al.: trial and snapshot with the least distance to the test images. "
            "Below, those chosen on validation images; the distance shown "
            f"is still that to the test images. {note}{_budget(comparison)}"
        )
        yield FigureSpec(
            f"{dataset}_search",
            "Best distance found against the budget of a search (Lucic et al.)",
            caption,
            "svg",
            partial(search_figure, comparison, dataset, network),
        )
        if pairs(comparison, dataset, network):
            yield FigureSpec(
                f"{dataset}_search_prd",
                "Precision and recall of every trial (Fig. 14 of AE-OT)",
                f"{comparison.dataset_title(dataset)}: PRD's pair (F8, F1/8) of each trial at the end of training; "
                f"a mark a trial, the upper right is better. {_budget(comparison)}",
                "svg",
                partial(cloud_figure, comparison, dataset, network),
            )


def search_figure(comparison: Comparison, dataset: str, network: str) -> Figure:
    """Expected best distance against trials: a row a rule, a column a space, a line a model.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    searches = filled(comparison, dataset, network)
    spaces = [space for space in SPACES if any(key[0] == space for key in searches)]
    figure, grid = plt.subplots(
        len(RULES),
        len(spaces),
        figsize=(plotting.WIDTH, 1.1 + 2.1 * len(RULES)),
        sharex="col",
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for row, rule in zip(grid, RULES, strict=True):
        for axes, space in zip(row, spaces, strict=True):
            models = {model: trials for (where, model), trials in searches.items() if where == space}
            for model, trials in models.items():
                score = (trials["test"] if rule == "test" else trials["held_out"]).to_numpy()
                value, mark, budget = trials[rule].to_numpy(), marks.mark(model), np.arange(1, len(trials) + 1)
                low, high = band(score, value)
                line = {"color": mark.colour, "linestyle": mark.dash, "linewidth": 1.3}
                line |= {"marker": mark.marker, "markevery": max(1, len(trials) // 6), "markeredgewidth": 0}
                axes.plot(budget, expected_best(score, value), label=comparison.title(model), **line)
                axes.fill_between(budget, low, high, color=mark.colour, alpha=0.09, linewidth=0)
            most = max(len(trials) for trials in models.values())
            if most > 20:
                axes.set_xscale("log")
                plain(axes.xaxis, 1, most, wide=200)
            else:
                axes.set_xticks(range(1, most + 1, max(1, most // 8)))
            axes.set_xlim(1 if most > 1 else 0.5, most if most > 1 else 1.5)
            if rule == "test":
                axes.set_title(SPACES[space])
            else:
                axes.set_xlabel("Budget: trials")
        row[0].set_ylabel(f"Fréchet distance,\n{RULES[rule].partition(' (')[0]}")
    grid[0, 0].set_yscale("log")
    plain(grid[0, 0].yaxis, *grid[0, 0].get_ylim(), narrow=4)
    _legend(figure, ncols=5, handlelength=2.6)
    return figure


def cloud_figure(comparison: Comparison, dataset: str, network: str) -> Figure:
    """Precision against recall of every trial, a panel a space.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The figure.

    Source: Fig. 14 of AE-OT.
    """
    import matplotlib.pyplot as plt

    clouds = pairs(comparison, dataset, network)
    spaces = [space for space in SPACES if any(key[0] == space for key in clouds)]
    figure, grid = plt.subplots(
        1,
        len(spaces),
        figsize=(plotting.WIDTH / 2 * (1 + (len(spaces) > 1)), 3.9),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, space in zip(grid[0], spaces, strict=True):
        for (place, model), (recall, precision) in clouds.items():
            if place == space:
                mark = marks.mark(model)
                point = {"marker": mark.shape, "color": mark.colour, "markersize": 5, "linestyle": "", "alpha": 0.75}
                axes.plot(recall, precision, label=comparison.title(model), mew=0, **point)
        axes.set(title=SPACES[space], xlabel="F8 (weighs recall)", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    grid[0, 0].set_ylabel("F1/8 (weighs precision)")
    _legend(figure, ncols=3 * len(spaces))
    return figure


def _legend(figure: Figure, **options: float) -> None:
    """One legend below all panels, with every label once."""
    handles = {
        label: handle
        for axes in figure.get_axes()
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", **options)
