"""Studies: one file a table or figure group of a paper, and the recipes that the report follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otbench.errors import OtbenchError

if TYPE_CHECKING:
    from otbench.report.recipes.base import Recipe


def recipes() -> dict[str, Recipe]:
    """The recipe of every study, by name, in the order of the report."""
    from otbench.report.recipes import images, mode_collapse, stacked

    return {one.name: one for one in (mode_collapse.RECIPE, images.RECIPE, stacked.RECIPE)}


def recipe(name: str) -> Recipe:
    """The recipe of the study `name`; raises OtbenchError where there is none."""
    found = recipes()
    if name not in found:
        raise OtbenchError(f"no study is called '{name}', expected one of {', '.join(found)}")
    return found[name]
