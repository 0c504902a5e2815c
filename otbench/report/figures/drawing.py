"""Every figure of a data set and of a study, drawn and saved."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from otbench.report.comparison import Comparison
from otbench.report.figures import certainty_figures, cost_figures, rating_figures
from otbench.report.figures.base import Drawn, drawn
from otbench.report.recipes.images import NAME as IMAGES

if TYPE_CHECKING:
    pass
from otbench.report.figures.point_figures import _wanted


def draw(comparison: Comparison, dataset: str, folder: Path) -> list[Drawn]:
    """Draw and save every figure that the data set has numbers for."""
    from otbench.report.figures.image_figures import wanted

    of_kind = {"points": _wanted, "images": wanted}[comparison.study.kind]
    every = (
        of_kind(comparison, dataset),
        rating_figures.rating_figures(comparison, dataset),
        certainty_figures.statistics_figures(comparison, dataset),
        cost_figures.cost_figures(comparison, dataset),
    )
    return drawn(chain(*every), comparison.run.title("datasets", dataset), folder)


def draw_study(comparison: Comparison, folder: Path) -> list[Drawn]:
    """Draw and save the figures over all data sets of the study, which that of images alone has."""
    from otbench.report.figures.image_figures import wanted_overall

    wanted = wanted_overall(comparison) if comparison.study.name == IMAGES else ()
    return drawn(chain(wanted, certainty_figures.study_figures(comparison)), comparison.study.title, folder)
