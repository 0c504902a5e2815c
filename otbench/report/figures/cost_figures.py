"""Figures of cost: seconds, memory and energy beside quality."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from otbench.report.comparison import Comparison
from otbench.report.figures.base import FigureSpec
from otbench.report.figures.cost_plots import FOLD, losses_figure, quality_figure
from otbench.report.labels import UNITS, lower_first, metric_label
from otbench.report.summary import summarise


def cost_figures(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    """Quality against memory and energy, and the losses of every ranked model along training.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.

    Yields:
        The figure of quality where memory or energy was measured, and one of losses for each of the `families`.
    """
    models = comparison.generative(dataset)
    metric, run = _quality(comparison, dataset), comparison.run
    measures = [name for name in UNITS if any(summarise(run, dataset, model, name).n for model in models)]
    if metric and measures:
        against = "against " + " and ".join(UNITS[name][0].lower() for name in measures)
        caption = f"{comparison.full(metric)} {against} of training; bars are standard errors over seeds; "
        caption += f"controls left out. {comparison.said(dataset, [], own=True)}"
        title = f"Quality {against}"
        name = f"{dataset}_resources"
        yield FigureSpec(name, title, caption, "svg", lambda: quality_figure(comparison, dataset, metric, measures))
    losses = comparison.run.losses
    losses = losses[(losses["dataset"] == dataset) & np.isfinite(pd.to_numeric(losses["value"], errors="coerce"))]
    for key, title, models in comparison.families(dataset):
        rows = losses[losses["model"].isin(models)]
        if rows.empty:
            continue
        name = f"{dataset}_losses" + (f"_{key}" if key else "")
        heading = "Losses along training" + (f": {lower_first(title)}" if title else "")
        caption = (
            "A panel a model and stage: each loss as logged every so many steps of the stage, the mean over seeds with "
            "a band from the least to the most; dots where there are few steps. Losses of different models are not "
            "comparable. The axis is logarithmic where a loss spans more than a factor of "
            f"{FOLD}, and symmetric about zero where it also changes sign. {comparison.said(dataset, [], own=True)}"
        )
        logged = [model for model in models if (rows["model"] == model).any()]
        yield FigureSpec(
            name, heading, caption, "svg", lambda rows=rows, logged=logged: losses_figure(comparison, rows, logged)
        )


def _quality(comparison: Comparison, dataset: str) -> str:
    """The first metric of the study's questions whose best is its least, else the first that was measured."""
    keys = [comparison.main_key(dataset, name) for name in comparison.study.questions]
    keys = [key for key in keys if (dataset, key) in comparison.run.protocols]
    return next((key for key in keys if metric_label(key).direction == "lower"), keys[0] if keys else "")
