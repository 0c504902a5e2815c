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
    every = (
        of_kind(comparison, dataset),
        rating_figures.rating_figures(comparison, dataset),
        certainty_figures.statistics_figures(comparison, dataset),
        cost_figures.cost_figures(comparison, dataset),
    )
    return save_figures(chain(*every), comparison.run.title("datasets", dataset), folder)


def draw_study(comparison: Comparison, folder: Path) -> list[SavedFigure]:
    """Draw and save the figures over all data sets of the study.

    Args:
        comparison: Study of a run; that of images alone has grids and searches.
        folder: Folder of the files.

    Returns:
        The saved figures, in the order of the page.
    """
    specs = image_figures.study_figure_specs(comparison) if comparison.study.name == IMAGES else ()
    return save_figures(chain(specs, certainty_figures.study_figures(comparison)), comparison.study.title, folder)
