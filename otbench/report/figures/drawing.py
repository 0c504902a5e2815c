"""Every figure of a data set and of a study, drawn and saved."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from otbench.report.comparison import Comparison
from otbench.report.figures import (
    certainty_figures,
    cost_figures,
    image_figures,
    point_figures,
    rating_figures,
)
from otbench.report.figures.base import SavedFigure, save_figures
from otbench.report.figures.cache import key_of_data
from otbench.report.recipes.images import NAME as IMAGES


def draw(comparison: Comparison, dataset: str, folder: Path) -> list[SavedFigure]:
    """Draw and save every figure that the data set has numbers for.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        folder: Folder of the files.

    Returns:
        The saved figures, in the order of the page.
    """
    of_kind = {"points": point_figures.figure_specs, "images": image_figures.figure_specs}[comparison.study.kind]
    title, key = comparison.run.title("datasets", dataset), key_of_data(comparison, dataset)
    rated = rating_figures.rating_figures(comparison, dataset)
    certain = certainty_figures.statistics_figures(comparison, dataset)
    spent = cost_figures.cost_figures(comparison, dataset)
    return [
        *save_figures(of_kind(comparison, dataset), title, folder, key),
        *save_figures(rated, title, folder, key_of_data(comparison, dataset, ratings=True)),
        *save_figures(chain(certain, spent), title, folder, key),
    ]


def draw_study(comparison: Comparison, folder: Path) -> list[SavedFigure]:
    """Draw and save the figures over all data sets of the study.

    Args:
        comparison: Study of a run; that of images alone has grids and searches.
        folder: Folder of the files.

    Returns:
        The saved figures, in the order of the page.
    """
    specs = image_figures.study_figure_specs(comparison) if comparison.study.name == IMAGES else ()
    every = chain(specs, certainty_figures.study_figures(comparison))
    return save_figures(every, comparison.study.title, folder, key_of_data(comparison))
