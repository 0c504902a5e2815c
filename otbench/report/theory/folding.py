"""The report's chapter on transport in space: interpolation, geodesic and tears."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory import _folding_figures as drawn
from otbench.report.theory.parts import table
from otbench.theory.folding.solids import TITLES

if TYPE_CHECKING:
    from otbench.theory.findings import Findings

NAME = "theory_folding"


def said(findings: Findings) -> list[str]:
    """What was computed, and what it shows: the maps and their tears, then the paths."""
    return [_of_maps(findings), _of_paths(findings.facts)]


def _of_maps(findings: Findings) -> str:
    f, rows = findings.facts, findings.tables["solids"]
    met = rows["mean_error"].max() <= f["tolerance"]
    text = (
        f"Transport from the uniform ball of radius 1 to solids of its volume, each as {f['points']:,} weighted "
        f"points, "
        f"was solved by the stochastic solver (mean relative error of the cells' masses at most "
        f"{100 * rows['mean_error'].max():.1f} %{'' if met else ', which misses the tolerance'}). "
    )
    if "ellipsoid_closed_form" in f:
        off = abs(f["ellipsoid_w2"] - f["ellipsoid_closed_form"])
        inside = off <= f["ellipsoid_quantisation"]
        text += (
            f"To the shifted ellipsoid the map is affine: W2 is {f['ellipsoid_w2']:.4f} where the closed form gives "
            f"{f['ellipsoid_closed_form']:.4f}, {'within' if inside else 'NOT within'} the "
            f"{f['ellipsoid_quantisation']:.3f} "
            f"that sampling the target may change it by, and {_count(f['ellipsoid_singular'])} singular. "
        )
    for name in (one for one in rows["solid"] if one != "ellipsoid"):
        text += f"To the {_named(name)} W2 is {f[f'{name}_w2']:.3f}; {_count(f[f'{name}_singular'])} singular"
        if f[f"{name}_singular"]:
            text += (
                f" (jumps above {f['jump']:g}: median {f[f'{name}_median_jump']:.2f}, at most "
                f"{f[f'{name}_widest']:.2f}; area {f[f'{name}_area']:.2f}, in cells that hold "
                f"{100 * f[f'{name}_touching']:.1f} % of the ball)"
            )
        text += ". "
    return text + _of_places(f)


def _of_places(f: dict) -> str:
    """Where symmetry says the map jumps, and where it was found to."""
    places = {"star": "the three half planes midway between the arms", "torus": "the axis of rotation"}
    found = [
        f"points of the singular facets lie at a median distance of {f[f'{name}_ridge_away']:.3f} from {place} (all "
        f"points of the ball: {f[f'{name}_anywhere_away']:.3f})"
        for name, place in places.items()
        if f"{name}_ridge_away" in f
    ]
    return f"By symmetry the places of some jumps are known: {'; '.join(found)}." if found else ""


def _count(facets: int) -> str:
    return "no facet is" if not facets else f"{facets:,} facet{'s are' if facets > 1 else ' is'}"


def _named(name: str) -> str:
    return {"star": "solid of three arms", "torus": "solid torus", "mesh": "given mesh"}.get(name, name)


def _of_paths(f: dict) -> str:
    error, straight = f["geodesic_error"], f["geodesic_error"] < 1e-6
    text = (
        "Between the ball and each solid the mass goes along straight lines, (1 - t) x + t T(x). Linear programming "
        f"between cells at {f['times']} times gives W2(t) = t W2(1) to a relative {error:.0e}: "
        f"{'the path is a geodesic of constant speed, as McCann has it' if straight else 'NOT a straight path'}. "
    )
    if f["stretch_holds"]:
        text += (
            "At no time do two cells come nearer than 1 - t times their distance at the start, as the gradient of a "
            "convex function demands. So going from the ball to the solid nothing folds over before t = 1: the map "
            "tears. What the paper's Fig. 11 calls foldings are these tears seen from the solid's side, where parts of "
            "its surface that stand apart meet inside the ball."
        )
    else:
        text += "Some cells come nearer than 1 - t times their distance at the start, which no optimal map lets them."
    return text


def tables(findings: Findings) -> list[Table]:
    """The solids; the path from each."""
    return [_solids(findings), _geodesic(findings)]


def _solids(findings: Findings) -> Table:
    def whole(value: float) -> str:
        return f"{value:,.0f}"

    def percent(value: float) -> str:
        return f"{100 * value:.2f}"

    columns = [
        ("points", "points", whole),
        ("w2", "W2"),
        ("w2_squared", "W2 squared"),
        ("cost", "cost of the map"),
        ("gap", "dual gap"),
        ("quantisation", "W2 from sampling"),
        ("mean_error", "mean mass error, %", percent),
        ("max_error", "largest mass error, %", percent),
        ("facets", "facets seen", whole),
        ("singular", "singular", whole),
        ("area", "singular area"),
        ("touching", "ball in torn cells, %", percent),
        ("ordinary", "widest ordinary jump"),
        ("median_jump", "median singular jump"),
        ("widest", "widest jump"),
    ]
    caption = (
        "From the ball of radius 1 to solids of its volume. W2: from the dual value, a lower bound up to sampling "
    )
    caption += "noise; cost: mean squared distance moved by the map, whose masses are off as shown; W2 from sampling: "
    caption += "W2 between a solid and its points, by which any W2 may be off. Facets that the samples saw."
    return table(f"{NAME}_solids", "Maps from the ball", caption, findings.tables["solids"], "title", columns, "target")


def _geodesic(findings: Findings) -> Table:
    frame = findings.tables["geodesic"]
    frame = frame.assign(title=[f"t = {time:g}" for time in frame["time"]], block=frame["solid"].map(TITLES))
    columns = [
        ("w2", "W2 from the start", lambda value: f"{value:.6f}"),
        ("straight", "t W2(1)", lambda value: f"{value:.6f}"),
        ("stretch", "least ratio of distances", lambda value: f"{value:.4f}"),
        ("bound", "1 - t", lambda value: f"{value:.4f}"),
    ]
    caption = (
        "W2 by linear programming between centres of cells on their way, beside what a geodesic of constant speed "
    )
    caption += "has; least distance of two cells over that at the start, beside its lower bound."
    return table(f"{NAME}_geodesic", "The path", caption, frame, "title", columns, "time", block="block")


def figures(findings: Findings) -> Iterator[Wanted]:
    """The solids on their way, a slice of each, and the singular sets in the ball."""
    colour = "Colour: the direction from the ball's centre at the start, round the axis that points at the reader."
    yield (
        f"{NAME}_paths",
        "From the ball to a solid",
        f"Centres of the cells at (1 - t) x + t T(x), seen from the front and above. {colour}",
        "png",
        lambda: drawn.paths(findings),
    )
    yield (
        f"{NAME}_slices",
        "From the ball to a solid, in a slice",
        f"The cells that start within {drawn.SLICE:g} of the plane across the viewing axis, from the front. {colour} "
        f"Gaps "
        "between colours are tears.",
        "png",
        lambda: drawn.slices(findings),
    )
    if drawn.torn(findings):
        yield (
            f"{NAME}_singular",
            "Where the map jumps",
            f"Points of the facets in the ball across which the map jumps by more than {findings.facts['jump']:g}: (a) "
            "from the front, (b) from the side and above; circle: the ball. (c) Number of facets against the jump.",
            "png",
            lambda: drawn.singular(findings),
        )
