"""The chapter on the geometry of a latent plane."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory import latent_geometry_plots as plots
from otbench.report.theory.parts import fixed, table
from otbench.report.theory.prose import fill
from otbench.theory.latent_geometry.distances import DISTANCES

if TYPE_CHECKING:
    from otbench.theory.findings import Findings

CHAPTER = "latent_geometry"
NAME = f"theory_{CHAPTER}"
METRICS = ("deterministic", "stochastic")


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    grown_deterministic: float
    """Median magnification where there are no codes, over that at the codes."""
    grown_stochastic: float
    only_stochastic_long: bool
    stochastic_longer: bool
    cases: int
    solved: int
    some_solved: bool
    apart: float
    """Largest relative difference of a solution's length from that of least energy."""
    solved_from_straight: int
    longer_from_straight: int
    some_longer: bool
    geodesic_best: bool
    some_doubt: bool
    doubted: list[str]
    """Distances over which the best geodesic one's gain is within its error."""
    decoded_as_good: bool
    images_better: bool
    one_seed: bool
    helps: bool
    harms: bool


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of both metrics and of what their distances are good for.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    grown = {name: f[f"magnification_empty_{name}"] / f[f"magnification_codes_{name}"] for name in METRICS}
    wrong = {name: f[f"wrong_{name}"] for name in DISTANCES}
    best = min(METRICS, key=wrong.__getitem__)
    geodesic_best = wrong[best] < min(wrong["latent"], wrong["decoded"])
    doubted = _doubted(f, best) if geodesic_best else []
    gain, error = f["knn_stochastic_over_latent"], f["knn_stochastic_over_latent_error"]
    solved = sum(f[f"solved_{name}"] for name in METRICS)
    longer = sum(f[f"longer_from_straight_{name}"] for name in METRICS)
    differences = [f[f"disagreement_{name}"] for name in METRICS]
    return Derived(
        grown_deterministic=grown["deterministic"],
        grown_stochastic=grown["stochastic"],
        only_stochastic_long=grown["stochastic"] > 1 > grown["deterministic"],
        stochastic_longer=grown["stochastic"] > grown["deterministic"],
        cases=len(METRICS) * f["pairs"],
        solved=solved,
        some_solved=solved > 0,
        apart=max((value for value in differences if not math.isnan(value)), default=math.nan),
        solved_from_straight=sum(f[f"solved_from_straight_{name}"] for name in METRICS),
        longer_from_straight=longer,
        some_longer=longer > 0,
        geodesic_best=geodesic_best,
        some_doubt=bool(doubted),
        doubted=doubted,
        decoded_as_good=wrong[best] < wrong["latent"] and wrong["decoded"] <= wrong[best],
        images_better=wrong["image"] < wrong[best],
        one_seed=math.isnan(error),
        helps=gain > 2 * error,
        harms=gain < -2 * error,
    )


def _doubted(f: dict, best: str) -> list[str]:
    others = {"latent": "the latent plane", "decoded": "decoded images"}
    gains = {
        title: (f[f"example_{best}_over_{name}"], f[f"example_{best}_over_{name}_error"])
        for name, title in others.items()
    }
    return [title for title, (gain, error) in gains.items() if not gain > 2 * error]


def said(findings: Findings) -> list[str]:
    """Says what the metrics of the plane and their distances show.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the metrics and their geodesics, and what the distances are good for.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("metric"), text("distances")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of the distances (means over the seeds), and of the lengths of every pair in every way.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [_distance_table(findings, text("distances_table")), _path_table(findings, text("paths_table"))]


def _distance_table(findings: Findings, caption: str) -> Table:
    frame = findings.tables["distances"]
    counts = [column for column in frame if column.startswith("knn_")]
    values = ["example", "all_classes", *counts]
    grouped = frame.groupby("distance")[values]
    mean, error = grouped.mean() * 100, grouped.sem() * 100
    rows = pd.DataFrame({"name": list(DISTANCES.values())})
    columns = []
    a, c = findings.facts["class_a"], findings.facts["class_c"]
    labels = {"example": f"triples {a}, {a}, {c} right (%)", "all_classes": "triples of all classes right (%)"}
    for value in values:
        rows[value] = mean.loc[list(DISTANCES), value].to_numpy()
        rows[f"{value}_error"] = error.loc[list(DISTANCES), value].to_numpy()
        label = labels.get(value, f"{value.removeprefix('knn_')}-NN accuracy (%)")
        columns += [(value, label, fixed(1)), (f"{value}_error", "s.e.", fixed(1))]
    return table(f"{NAME}_distances", "What distances are good for", caption, rows, "name", columns, "distance")


def _path_table(findings: Findings, caption: str) -> Table:
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
    columns = [(key, label, fixed(3)) for key, label in labels.items()]
    return table(f"{NAME}_paths", "Lengths in every way", caption, frame, "name", columns, "pair and metric")


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figures of the maps, of images along curves, of the distances, and of an example if there is one.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(
        f"{NAME}_maps", "Magnification and geodesics", text("maps_figure"), "png", lambda: plots.maps(findings)
    )
    title, caption = "Images along a geodesic and a straight line", text("images_figure")
    yield FigureSpec(f"{NAME}_images", title, caption, "png", lambda: plots.images(findings))
    title, caption = "What distances are good for", text("distances_figure")
    yield FigureSpec(f"{NAME}_distances", title, caption, "svg", lambda: plots.distances(findings))
    if findings.facts["has_example"]:
        title, caption = "Two of one class and one of another", text("example_figure")
        yield FigureSpec(f"{NAME}_example", title, caption, "png", lambda: plots.example(findings))
