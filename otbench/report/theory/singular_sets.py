"""The report's chapter on singular sets, and on networks that cannot jump."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory import _singular_sets_figures as drawn
from otbench.report.theory.parts import table
from otbench.theory.singular_sets.targets import TITLES

if TYPE_CHECKING:
    from otbench.theory.findings import Findings

NAME = "theory_singular_sets"
GAPS = {"clusters": "the strip between the two clusters", "annulus": "the ring's hole"}


def said(findings: Findings) -> list[str]:
    """What was computed, and what it shows: the exact maps, then the networks."""
    return [_of_maps(findings.facts), _of_networks(findings.facts)]


def _of_maps(f: dict) -> str:
    source = "the unit disk" if f["source"] == "disk" else "the square of side 2"
    text = (
        f"Optimal maps from {source} onto about {f['ellipse_points']} points of five shapes were solved exactly in the "
        f"plane (largest relative error of a cell's mass {f['largest_cell_error']:.1g}); "
        f"{'every' if f['euler_holds'] else 'not every'} power diagram satisfies Euler's formula V - E + F = 1. A "
        f"facet "
        f"counts as singular where the two points on its sides stand more than {f['jump']:g} apart (and three "
        f"spacings). "
    )
    convex = f["ellipse_singular"]
    text += f"Onto the convex ellipse {'no facet is' if not convex else f'{convex} facets are'} singular"
    text += ", as Theorem 3.15 has it" if not convex else ", where Theorem 3.15 allows none"
    if "ellipse_w2" in f:
        text += (
            f", and W2 is {f['ellipse_w2']:.4f} where the linear map gives {f['ellipse_w2_closed_form']:.4f} (sampling "
            f"the ellipse may change it by {f['ellipse_w2_bound']:.3f})"
        )
    text += (
        f". For the two mirrored clusters the singular facets are {f['clusters_length']:.6f} long in all, where the "
        f"middle "
        f"line of the source has length {f['line_length']:g}. The dumbbell ({f['dumbbell_singular']} facets, length "
        f"{f['dumbbell_length']:.2f}) and the notched shape with a hole ({f['holed_singular']}, "
        f"{f['holed_length']:.2f}) "
        f"are connected and tear all the same. "
    )
    shrinks = f["annulus_finest_length"] < 0.8 * f["annulus_coarsest_length"]
    text += (
        "The ring round the middle is the exception that shows the rule: its singular set is one point, whose "
        f"subgradient is the whole hole, and the length found {'shrinks' if shrinks else 'does not yet shrink'} with "
        f"the "
        f"sampling, from {f['annulus_coarsest_length']:.3f} at {f['coarsest']} points to "
        f"{f['annulus_finest_length']:.3f} "
        f"at {f['finest']}. "
    )
    split = [TITLES[name] for name in TITLES if f[f"{name}_modes"] > 1]
    text += (
        "A threshold on the angle chosen from the points alone (the widest gap of their spanning tree) finds parts "
        "only "
        f"in {', '.join(split) if split else 'none of them'}: on connected shapes no single gap separates jumps from "
        "ordinary steps, so the paper's angle criterion needs a threshold that someone knows."
    )
    return text


def _of_networks(f: dict) -> str:
    text = (
        f"ReLU networks, {f['seeds']} of each width and depth, (named hidden layers x width) were then taught the "
        f"exact maps onto the clusters and the "
        f"ring by regression, and judged by the share of fresh source points that they send into the gap (more than "
        f"{f['tolerance']:g} from the target). "
    )
    for name, gap in GAPS.items():
        never = f[f"{name}_gap_least_of_one"] > 0
        text += (
            f"Into {gap} goes {100 * f[f'{name}_gap_most']:.2g} % for {f[f'{name}_gap_most_net']} "
            f"and {100 * f[f'{name}_gap_least']:.2g} % for {f[f'{name}_gap_least_net']}; "
            f"{'no network reaches zero' if never else 'some network sends no judged point there'}. "
        )
    text += _of_bounds(f)
    near = [name for name in GAPS if f"{name}_near" in f]
    for name in near:
        text += (
            f"The points sent astray lie at a median distance of {f[f'{name}_near']:.3f} from the "
            f"{'middle line' if name == 'clusters' else 'singular facets of the ring'}, all points at "
            f"{f[f'{name}_anywhere']:.3f}. "
        )
    lower = all(f[f"{name}_gap_least"] < 0.5 * f[f"{name}_gap_most"] for name in GAPS)
    if lower:
        text += (
            "So the paper is right that a continuous network cannot follow the jump and covers what lies between; but "
            "its third case is a matter of degree: a wider or deeper network stretches more and misplaces less."
        )
    return text


def _of_bounds(f: dict) -> str:
    holds = f["clusters_proven_holds"] and f["annulus_proven_holds"]
    seen = f["clusters_seen_holds"] and f["annulus_seen_holds"]
    text = (
        "A map of Lipschitz constant L must send at least 4a/(LD) min(p, q) into a strip of half width a, where p "
        "and q "
        "are what it sends beyond the strip on either side and D is the source's diameter (an isoperimetric "
        "inequality), "
        "and at least pi r^2 / (L^2 area) into a hole of radius r round which the image of the source's edge winds "
        f"(degree), as it does for {f['annulus_winding']} of {f['annulus_networks']} networks. With the product of the "
        f"layers' norms for L, {'every network keeps' if holds else 'NOT every network keeps'} these bounds; with the "
        f"largest stretching seen, "
        f"{'every network does too' if seen else 'not every one does (it is no upper bound of L)'}"
    )
    ratios = [f.get(f"{name}_over_seen") for name in GAPS]
    if all(ratios):
        text += f", by a median factor of {ratios[0]:.1f} (clusters) and {ratios[1]:.1f} (ring)"
    slopes = [f.get(f"{name}_slope") for name in GAPS]
    if all(slope is not None for slope in slopes):
        text += f". Over all networks the share falls as L to the power {slopes[0]:.2f} and {slopes[1]:.2f}"
        text += " (bounds: -1 and -2)"
    return text + ". "


def tables(findings: Findings) -> list[Table]:
    """The five maps; their singular sets' lengths against the sampling; the networks."""
    return [_maps(findings), _lengths(findings), _networks(findings)]


def _maps(findings: Findings) -> Table:
    def whole(value: float) -> str:
        return f"{value:,.0f}"

    columns = [
        ("points", "points", whole),
        ("vertices", "V", whole),
        ("edges", "E", whole),
        ("faces", "F", whole),
        ("euler", "V - E + F", whole),
        ("facets", "facets", whole),
        ("singular", "singular", whole),
        ("length", "singular length"),
        ("total", "length of all facets"),
        ("ordinary", "widest ordinary jump"),
        ("jump", "median singular jump"),
        ("widest", "widest jump"),
        ("outside", "dual edges outside the target, share"),
        ("modes", "parts by the angle rule", whole),
        ("w2", "W2"),
    ]
    caption = "Exact maps; lengths and jumps in the units of source and target. The parts are those that a gap in the "
    caption += "points' spanning tree separates; dual edges: those of singular facets, by length."
    return table(
        f"{NAME}_targets", "Singular sets of five maps", caption, findings.tables["targets"], "title", columns, "target"
    )


def _lengths(findings: Findings) -> Table:
    frame = findings.tables["lengths"].assign(title=findings.tables["lengths"]["target"].map(TITLES))
    columns = [
        ("points", "points", lambda value: f"{value:,.0f}"),
        ("singular", "singular facets", lambda value: f"{value:,.0f}"),
        ("length", "singular length", lambda value: f"{value:.4f}"),
        ("euler", "V - E + F", lambda value: f"{value:.0f}"),
    ]
    caption = "Total length of the facets across which the map jumps, against the number of target points."
    return table(f"{NAME}_lengths", "Length of the singular set", caption, frame, "title", columns, "target")


def _networks(findings: Findings) -> Table:
    frame = findings.tables["networks"]
    percent = 100 * frame[["gap", "gap_sd", "off", "least", "proven"]]
    frame = frame.assign(**percent, title=frame["depth"].astype(str) + " x " + frame["width"].astype(str))
    frame["block"] = frame["target"].map(TITLES)
    columns = [
        ("gap", "in the gap, %"),
        ("gap_sd", "deviation over seeds, %"),
        ("off", "off the target, %"),
        ("lipschitz", "largest stretching"),
        ("least", "bound from stretching, %"),
        ("product", "product of norms"),
        ("proven", "bound from norms, %"),
        ("near", "distance of astray"),
        ("anywhere", "distance of all"),
        ("error", "mean squared error"),
    ]
    caption = f"Means over {findings.facts['seeds']} seeds. Distances: medians, from the singular set of the exact map."
    return table(
        f"{NAME}_networks",
        "Networks taught the exact map",
        caption,
        frame,
        "title",
        columns,
        "layers x width",
        block="block",
    )


def figures(findings: Findings) -> Iterator[Wanted]:
    """The maps; the share in the gap against width and against stretching; where it goes wrong."""
    f = findings.facts
    yield (
        f"{NAME}_maps",
        "Dual triangulations, power diagrams and potentials",
        f"Exact maps from the source onto about {f['ellipse_points']} points. (a) Target points and dual "
        f"triangulation, "
        "(b) power diagram of the source, coloured by the first coordinate of the cell's target point, (c) Brenier "
        f"potential, lit from the side, with contours. Red: facets across which the map jumps by more than "
        f"{f['jump']:g}, "
        "their dual edges, and the ridges above them. Axes in the units of source and target.",
        "png",
        lambda: drawn.maps(findings),
    )
    yield (
        f"{NAME}_networks",
        "How much falls into the gap",
        f"Share of {'10,000' if not findings.info else format(findings.info['options']['samples'], ',')} source points "
        "that ReLU networks send into the gap, (a), (c) against width: means and standard deviations over "
        f"{f['seeds']} seeds; (b), (d) against the largest stretching (singular value of the Jacobian) seen, a point a "
        "network; dashed: the least share that a map of that Lipschitz constant can have (for the clusters with half "
        "of the rest on either side).",
        "svg",
        lambda: drawn.networks(findings),
    )
    depth, width = (int(v) for v in findings.arrays["example"])
    yield (
        f"{NAME}_astray",
        "Where a network goes astray",
        f"The first network of {depth} hidden layers of width {width}. (a), (d) Source points; red: those it sends "
        f"into "
        "the gap; black: singular facets of the exact map. (b), (e) Where it sends them; dashed: the target's outline. "
        "(c), (f) Share of points within a distance from the singular set.",
        "png",
        lambda: drawn.astray(findings),
    )
