"""The chapter on the geometry of a latent plane."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory import latent_geometry_plots as plots
from otbench.report.theory.parts import table
from otbench.theory.latent_geometry.distances import DISTANCES

if TYPE_CHECKING:
    from otbench.theory.findings import Findings

NAME = "theory_latent_geometry"


def said(findings: Findings) -> list[str]:
    """Two paragraphs: the metric and its geodesics; what the distances are good for."""
    return [_metric(findings), _distances(findings)]


def _metric(findings: Findings) -> str:
    facts = findings.facts
    grown = {
        name: facts[f"magnification_empty_{name}"] / facts[f"magnification_codes_{name}"]
        for name in ("deterministic", "stochastic")
    }
    solved, pairs = facts["solved_deterministic"] + facts["solved_stochastic"], 2 * facts["pairs"]
    apart = _largest(facts["disagreement_deterministic"], facts["disagreement_stochastic"])
    text = (
        f"A variational autoencoder with a latent plane and smooth (tanh) decoders was trained on {facts['train']:,} "
        f"images; the metric of the plane is the pull-back J^T J of its mean (deterministic), plus that of a deviation "
        f"that grows away from the codes (stochastic, precision network of radial basis functions). Where there are no "
        f"codes (further than {facts['empty_beyond']:.2g} from all, {facts['empty_part']:.0%} of the map) the median "
        f"magnification is {_times(grown['deterministic'])} that at the codes under the deterministic metric and "
        f"{_times(grown['stochastic'])} under the stochastic one: "
    )
    if grown["stochastic"] > 1 > grown["deterministic"]:
        text += "only the stochastic metric makes empty regions long. "
    elif grown["stochastic"] > grown["deterministic"]:
        text += "the stochastic metric makes empty regions longer than the deterministic one does. "
    else:
        text += "the stochastic metric does not make empty regions longer here. "
    text += (
        f"Between {facts['pairs']} pairs of codes, the straight line is on average "
        f"{_percent(facts['straight_over_geodesic_deterministic'])} and "
        f"{_percent(facts['straight_over_geodesic_stochastic'])} longer than the geodesic (deterministic, stochastic; "
        f"at most {_percent(facts['straight_over_geodesic_most_deterministic'])} and "
        f"{_percent(facts['straight_over_geodesic_most_stochastic'])}); points of the straight lines lie "
        f"{facts['away_straight']:.2g} from the nearest code, of the geodesics {facts['away_deterministic']:.2g} and "
        f"{facts['away_stochastic']:.2g}. The boundary-value problem, started from the curve of least energy, was "
        f"solved in {solved} of {pairs} cases"
    )
    text += f", with lengths that differ from the energy's by at most {apart:.1%}; " if solved else "; "
    plain = facts["solved_from_straight_deterministic"] + facts["solved_from_straight_stochastic"]
    longer = facts["longer_from_straight_deterministic"] + facts["longer_from_straight_stochastic"]
    text += f"started from the straight line, in {plain}"
    text += f", {longer} of them ending in a longer geodesic. " if longer else ". "
    return text + (
        f"Shortest paths through the graph are on average {_percent(facts['graph_over_geodesic_deterministic'])} and "
        f"{_percent(facts['graph_over_geodesic_stochastic'])} longer than the geodesics."
    )


def _distances(findings: Findings) -> str:
    facts, a, c = findings.facts, findings.facts["class_a"], findings.facts["class_c"]
    wrong = {name: facts[f"wrong_{name}"] for name in DISTANCES}
    text = (
        f"The text's example: of two images A, B of class {a} and one C of class {c} a distance should put A nearer to "
        f"B than C is. Of {facts['triples']:,} such triples of test images ({facts['seeds']} seeds), it is wrong on "
        f"{wrong['latent']:,} by the Euclidean distance of the latent plane, {wrong['decoded']:,} by that of the "
        f"decoded images (the distance of the text), {wrong['image']:,} by that of the images themselves, and "
        f"on {wrong['deterministic']:,} and {wrong['stochastic']:,} by the geodesic ones (deterministic, stochastic). "
    )
    best = min(wrong["deterministic"], wrong["stochastic"])
    if best < min(wrong["latent"], wrong["decoded"]):
        text += f"A geodesic distance is wrong least often of the decoder's, as the text says{_doubt(facts)}. "
    elif best < wrong["latent"] and wrong["decoded"] <= best:
        text += (
            "The geodesic distances mend the latent plane's errors, but the distance of decoded images, which the text "
            "blames, makes no more of them. "
        )
    else:
        text += "The text's claim that the geodesic distance is nearer to common sense does not show here. "
    if wrong["image"] < best:
        text += "The images themselves, without a decoder, do better still: pixels as such are not what misleads. "
    text += (
        "Over triples of all classes the parts that are right are "
        + ", ".join(f"{facts[f'all_classes_{name}']:.1%} ({short})" for name, short in _SHORT.items())
        + f". The {facts['k']} nearest training codes name the class of {facts['knn_latent']:.1%} of the test codes by "
        f"the latent distance, of {facts['knn_deterministic']:.1%} and {facts['knn_stochastic']:.1%} by the geodesic "
        f"ones: {_gain(facts, 'stochastic')}. (Neighbours among the images themselves name "
        f"{facts['knn_image']:.1%}: two dimensions are few.)"
    )
    return text


_SHORT = {
    "latent": "latent",
    "decoded": "decoded images",
    "deterministic": "geodesic, deterministic",
    "stochastic": "geodesic, stochastic",
}


def _doubt(facts: dict) -> str:
    """That the best geodesic distance's gain over the latent and the decoded one is within its error, where it is."""
    best = min(("deterministic", "stochastic"), key=lambda name: facts[f"wrong_{name}"])
    unsure = []
    for other, said_so in (("latent", "the latent plane"), ("decoded", "decoded images")):
        gain, error = facts[f"example_{best}_over_{other}"], facts[f"example_{best}_over_{other}_error"]
        if not gain > 2 * error:
            unsure.append(said_so)
    return f", but its gain over {' and '.join(unsure)} is not above twice its standard error" if unsure else ""


def _gain(facts: dict, geodesic: str) -> str:
    """Whether the geodesic distance gains over the latent one, by its paired standard error over the seeds."""
    gain, error = facts[f"knn_{geodesic}_over_latent"], facts[f"knn_{geodesic}_over_latent_error"]
    by = f"the stochastic one's gain is {100 * gain:+.1f} points"
    if math.isnan(error):
        return f"{by} from one seed, which says nothing of its error"
    by += f" with a standard error of {100 * error:.1f} over {facts['seeds']} seeds"
    if gain > 2 * error:
        return f"{by}, so geodesics help"
    return f"{by}, so geodesics do harm" if gain < -2 * error else f"{by}, so no gain is shown"


def _largest(*values: float) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):.1f} %"


def tables(findings: Findings) -> list[Table]:
    """The distances, means over the seeds; the lengths of every pair in every way."""
    return [_distance_table(findings), _path_table(findings)]


def _distance_table(findings: Findings) -> Table:
    frame = findings.tables["distances"]
    counts = [column for column in frame if column.startswith("knn_")]
    values = ["example", "all_classes", *counts]
    grouped = frame.groupby("distance")[values]
    mean, error = grouped.mean() * 100, grouped.sem() * 100
    shown = pd.DataFrame({"name": list(DISTANCES.values())})
    columns = []
    a, c = findings.facts["class_a"], findings.facts["class_c"]
    labels = {"example": f"triples {a}, {a}, {c} right (%)", "all_classes": "triples of all classes right (%)"}
    for value in values:
        shown[value] = mean.loc[list(DISTANCES), value].to_numpy()
        shown[f"{value}_error"] = error.loc[list(DISTANCES), value].to_numpy()
        label = labels.get(value, f"{value.removeprefix('knn_')}-NN accuracy (%)")
        columns += [(value, label, _fixed(1)), (f"{value}_error", "s.e.", _fixed(1))]
    caption = (
        f"Means over {findings.facts['seeds']} seeds and standard errors (s.e.), {findings.facts['test']} test images. "
        "A triple A, B, C is right where d(A, B) < d(B, C), A and B of one class and C of another; neighbours are "
        f"among the {findings.facts['train']:,} training codes. Geodesic distances are shortest paths through a graph."
    )
    return table(f"{NAME}_distances", "What distances are good for", caption, shown, "name", columns, "distance")


def _path_table(findings: Findings) -> Table:
    frame = findings.tables["paths"].sort_values(["metric", "pair"])
    frame["name"] = "pair " + frame["pair"].astype(str) + ", " + frame["metric"]
    labels = {
        "straight": "straight line",
        "graph": "graph",
        "smoothed": "graph, smoothed",
        "energy": "least energy",
        "bvp": "boundary-value problem",
        "bvp_straight": "the same from the straight line",
    }
    columns = [(key, label, _fixed(3)) for key, label in labels.items()]
    caption = (
        "Lengths in data space (grey values in [0, 1], root of the sum over pixels) of curves between pairs of test "
        "codes, first seed; pairs of odd number are of two classes, those of even number of one, all further apart "
        "than the median. A dash or gap: the solver did not meet its tolerance."
    )
    return table(f"{NAME}_paths", "Lengths in every way", caption, frame, "name", columns, "pair and metric")


def _fixed(places: int):
    return lambda value: f"{value:.{places}f}"


def figures(findings: Findings) -> Iterator[Wanted]:
    """Maps with codes and geodesics; images along curves; lengths; distances; the example."""
    facts = findings.facts
    yield (
        f"{NAME}_maps",
        "Magnification and geodesics",
        "log10 of the magnification sqrt(det M) over the latent plane under (a) the deterministic and (b) the "
        "stochastic metric, first seed; a colour scale runs from the 1st to the 99th percentile of its map. Dots: "
        "training codes; labels: the median code of a class. Dashed: straight lines between pairs of test codes; "
        "solid: geodesics. Furthest from the codes the deviation is constant, so that the magnification falls again.",
        "png",
        lambda: plots.maps(findings),
    )
    yield (
        f"{NAME}_images",
        "Images along a geodesic and a straight line",
        "Decoded images at equal steps of length along the geodesics and at equal latent steps along the straight "
        f"line of pair {facts['shown']}, the one whose straight line is longest beside its stochastic geodesic; under "
        "them the distance to the next image in data space.",
        "png",
        lambda: plots.images(findings),
    )
    yield (
        f"{NAME}_distances",
        "What distances are good for",
        f"(a) Triples of classes {facts['class_a']}, {facts['class_a']}, {facts['class_c']} and (b) all classes that "
        f"a distance ranks wrongly; (c) accuracy of {facts['k']} nearest neighbours. Dots: seeds; bars: means.",
        "svg",
        lambda: plots.distances(findings),
    )
    if facts["has_example"]:
        yield (
            f"{NAME}_example",
            "Two of one class and one of another",
            f"Decoded images of one triple, seed {facts['example_seed']}, that the Euclidean distance in the plane "
            "ranks wrongly and the stochastic geodesic one rightly; beside them both distances by each measure (the "
            "smaller is bold).",
            "png",
            lambda: plots.example(findings),
        )
