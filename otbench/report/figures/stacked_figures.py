"""Figures of mode counts on stacked digits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from otbench.report.comparison import Comparison
from otbench.report.figures import dot_plots
from otbench.report.figures.base import FigureSpec
from otbench.report.recipes.stacked import MODES, NAME


def stacked_figures(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    """The tables' two metrics of every model, where this is the stacked study and they were measured.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Yields:
        The figure of modes and reverse KL, or none.
    """
    keys = [comparison.main_key(dataset, metric) for metric in MODES]
    keys = [key for key in keys if (dataset, key) in comparison.run.protocols]
    if comparison.study.name == NAME and keys:
        caption = "Bars are standard errors over seeds (published: as the papers give them; hollow: figure or set-up "
        caption += "uncertain). Models of one set-up are to be compared with one another. "
        title = "Modes of 1,000 and reverse KL"
        make = partial(dot_plots.dots, comparison, dataset, keys)
        yield FigureSpec(f"{dataset}_modes", title, caption + comparison.said(dataset, keys), "svg", make)
