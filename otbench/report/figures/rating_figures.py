"""Figures of what raters said."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from otbench.report.comparison import Comparison
from otbench.report.figures import rating_plots
from otbench.report.figures.base import FigureSpec
from otbench.report.tables.ratings import _people, correlation


def rating_figures(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    """The figures of people's ratings of a data set.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Yields:
        The figures of the rate along training and beside the proxy; none where nobody rated the data set.
    """
    ratings = comparison.run.ratings.get(dataset)
    if not ratings:
        return
    note = f"People: {_people(ratings)}. {comparison.said(dataset, [])}"
    models = rating_plots.followed(ratings)
    if models:
        caption = "Share of images that people called real along training; bars: 95 % intervals over raters and images"
        caption += " (Wilson where there is one rater); line: held-out real images. "
        marks = rating_plots.published_rates(comparison, dataset)
        if marks:
            elsewhere = (
                "" if dataset == rating_plots.MARKED else ", on MNIST, for orientation: other images, other raters"
            )
            caption += f"Hollow: as the OTVAE report gives it{elsewhere}; its bar spans the epochs. "
        make = partial(rating_plots.training, comparison, dataset, ratings, models)
        yield FigureSpec(f"{dataset}_rated", "Excellence rate along training", caption + note, "svg", make)
    if any(rate["proxy"] is not None for rate in ratings["rates"]):
        caption = "Share of images that people called real against the share that the classifier recognises as surely "
        caption += f"as real ones, each model at its last rated snapshot; dotted: equal. {correlation(ratings)} "
        make = partial(rating_plots.against_proxy, comparison, ratings)
        yield FigureSpec(f"{dataset}_rated_proxy", "People against the classifier proxy", caption + note, "svg", make)
