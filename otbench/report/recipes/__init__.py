"""Studies: one file a table or figure group of a paper, and the recipes that the report follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from otbench.errors import OtbenchError

if TYPE_CHECKING:
    from otbench.report.recipes.base import Columns, Recipe

ELSEWHERE = (
    *("fid_train", "fid_validation", "fid_reconstruction", "l2_before", "l2_before_train"),
    *("peak_memory", "energy"),
)
"""Metrics that no recipe names as a column, because tables of their own show them: split, selection, loss, cost."""


def recipes() -> dict[str, Recipe]:
    """Recipes of all studies, in the order of the report.

    Metrics that no recipe names (added ones, also by other packages) get tables of their own, the last of each study.

    Returns:
        Name of the study -> its recipe.
    """
    from otbench.metrics import METRICS
    from otbench.report.recipes import images, mode_collapse, stacked

    written = (mode_collapse.RECIPE, images.RECIPE, stacked.RECIPE)
    named = {*ELSEWHERE, *(metric for recipe in written for metric in recipe.metrics)}
    added = [name for name in METRICS if name not in named]
    if not added:
        return {recipe.name: recipe for recipe in written}
    return {recipe.name: replace(recipe, tables=recipe.tables + added_tables(recipe.kind, added)) for recipe in written}


def added_tables(kind: str, names: list[str]) -> tuple[Columns, ...]:
    """Tables of metrics that no recipe names: one for points, one for each kind of features for images.

    Args:
        kind: Kind of the study's data, `points` or `images`.
        names: Names of the metrics; those of another kind of data are left out.

    Returns:
        The tables that have a metric.
    """
    from otbench.metrics import METRICS
    from otbench.report.labels import NETWORKS
    from otbench.report.recipes.base import Columns

    chosen = {name: METRICS[name].uses for name in names if kind in METRICS[name].kinds}
    if kind == "points":
        tables = [Columns("added", "added metrics", tuple(chosen))]
    else:
        read_by = {
            "inception": ("features", "reconstructions"),
            "classifier": ("features", "reconstructions", "classes"),
            "": ("pixels", "model"),
        }
        tables = [
            Columns(
                f"added_{network}".rstrip("_"),
                f"added metrics on {NETWORKS[network]}" if network else "added metrics",
                tuple(name for name, uses in chosen.items() if uses in kinds),
                network,
            )
            for network, kinds in read_by.items()
        ]
    return tuple(table for table in tables if table.metrics)


def recipe(name: str) -> Recipe:
    """Recipe of a study.

    Args:
        name: Name of the study.

    Returns:
        The recipe.

    Raises:
        OtbenchError: Where there is no such study.
    """
    by_name = recipes()
    if name not in by_name:
        raise OtbenchError(f"no study is called '{name}', expected one of {', '.join(by_name)}")
    return by_name[name]
