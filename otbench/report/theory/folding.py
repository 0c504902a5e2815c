"""The report's chapter on transport in space: interpolation, geodesic and tears."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory import _folding_figures as drawn
from otbench.report.theory.parts import fixed, percent, table
from otbench.report.theory.prose import fill, whole
from otbench.theory.folding.solids import TITLES

if TYPE_CHECKING:
    from otbench.theory.findings import Findings

CHAPTER = "folding"
NAME = f"theory_{CHAPTER}"


NAMES = {"star": "solid of three arms", "torus": "solid torus", "mesh": "given mesh"}
SYMMETRY = {"star": "the three half planes midway between the arms", "torus": "the axis of rotation"}
"""Where symmetry says that the map to a solid jumps."""


@dataclass(frozen=True)
class SingularSet:
    """The facets across which a map jumps."""

    facets: int
    empty: bool
    single: bool


@dataclass(frozen=True)
class Solid:
    """The map to a solid and its jumps."""

    title: str
    singular: SingularSet
    w2: float
    median_jump: float
    widest: float
    area: float
    touching: float


@dataclass(frozen=True)
class Place:
    """Median distances from where symmetry says that the map jumps: of the singular facets, and of the ball."""

    place: str
    ridge_away: float
    anywhere_away: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    mean_error: float
    tolerance_missed: bool
    has_ellipsoid: bool
    ellipsoid_close: bool
    ellipsoid_singular: SingularSet
    ellipsoid_w2: float
    ellipsoid_closed_form: float
    ellipsoid_quantisation: float
    solids: tuple[Solid, ...]
    some_places: bool
    places: tuple[Place, ...]
    straight: bool
    stretch_holds: bool
    slice: float


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of the maps and of the paths.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f, rows = findings.facts, findings.tables["solids"]
    ellipsoid = {
        f"ellipsoid_{key}": f.get(f"ellipsoid_{key}", math.nan) for key in ("w2", "closed_form", "quantisation")
    }
    places = tuple(
        Place(place, f[f"{name}_ridge_away"], f[f"{name}_anywhere_away"])
        for name, place in SYMMETRY.items()
        if f"{name}_ridge_away" in f
    )
    off = abs(ellipsoid["ellipsoid_w2"] - ellipsoid["ellipsoid_closed_form"])
    return Derived(
        mean_error=rows["mean_error"].max(),
        tolerance_missed=rows["mean_error"].max() > f["tolerance"],
        has_ellipsoid="ellipsoid_closed_form" in f,
        ellipsoid_close=off <= ellipsoid["ellipsoid_quantisation"],
        ellipsoid_singular=_singular_set(f, "ellipsoid"),
        solids=tuple(_solid(f, name) for name in rows["solid"] if name != "ellipsoid"),
        some_places=bool(places),
        places=places,
        straight=f["geodesic_error"] < 1e-6,
        stretch_holds=f["stretch_holds"],
        slice=drawn.SLICE,
        **ellipsoid,
    )


def _singular_set(f: dict, name: str) -> SingularSet:
    facets = f.get(f"{name}_singular", 0)
    return SingularSet(facets, facets == 0, facets == 1)


def _solid(f: dict, name: str) -> Solid:
    jumps = {key: f.get(f"{name}_{key}", math.nan) for key in ("median_jump", "widest", "area", "touching")}
    return Solid(NAMES.get(name, name), _singular_set(f, name), f[f"{name}_w2"], **jumps)


def said(findings: Findings) -> list[str]:
    """Says where the maps to the solids jump, and how the mass goes there.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the maps and their tears, and the paths.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("maps"), text("paths")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of the solids, and of the path to each.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [_solids(findings, text("solids_table")), _geodesic(findings, text("geodesic_table"))]


def _solids(findings: Findings, caption: str) -> Table:
    columns = [
        ("points", "points", whole),
        ("w2", "W2"),
        ("w2_squared", "W2 squared"),
        ("cost", "cost of the map"),
        ("gap", "dual gap"),
        ("quantisation", "W2 from sampling"),
        ("mean_error", "mean mass error, %", percent(2)),
        ("max_error", "largest mass error, %", percent(2)),
        ("facets", "facets seen", whole),
        ("singular", "singular", whole),
        ("area", "singular area"),
        ("touching", "ball in torn cells, %", percent(2)),
        ("ordinary", "widest ordinary jump"),
        ("median_jump", "median singular jump"),
        ("widest", "widest jump"),
    ]
    return table(f"{NAME}_solids", "Maps from the ball", caption, findings.tables["solids"], "title", columns, "target")


def _geodesic(findings: Findings, caption: str) -> Table:
    frame = findings.tables["geodesic"]
    frame = frame.assign(title=[f"t = {time:g}" for time in frame["time"]], block=frame["solid"].map(TITLES))
    columns = [
        ("w2", "W2 from the start", fixed(6)),
        ("straight", "t W2(1)", fixed(6)),
        ("stretch", "least ratio of distances", fixed(4)),
        ("bound", "1 - t", fixed(4)),
    ]
    return table(f"{NAME}_geodesic", "The path", caption, frame, "title", columns, "time", block="block")


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figures of the solids on their way, of a slice of each, and of the singular sets in the ball if there are
        any.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(
        f"{NAME}_paths", "From the ball to a solid", text("paths_figure"), "png", lambda: drawn.paths(findings)
    )
    title, caption = "From the ball to a solid, in a slice", text("slices_figure")
    yield FigureSpec(f"{NAME}_slices", title, caption, "png", lambda: drawn.slices(findings))
    if drawn.torn(findings):
        title, caption = "Where the map jumps", text("singular_figure")
        yield FigureSpec(f"{NAME}_singular", title, caption, "png", lambda: drawn.singular(findings))
