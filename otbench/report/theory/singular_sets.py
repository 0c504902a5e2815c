"""The report's chapter on singular sets, and on networks that cannot jump."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory import _singular_sets_figures as drawn
from otbench.report.theory.parts import fixed, table
from otbench.report.theory.prose import fill, whole
from otbench.theory.singular_sets.targets import TITLES

if TYPE_CHECKING:
    from otbench.theory.findings import Findings

CHAPTER = "singular_sets"
NAME = f"theory_{CHAPTER}"
PLACES = {"clusters": "middle line", "annulus": "singular facets of the ring"}
"""Where the exact maps onto the targets with a gap jump."""


@dataclass(frozen=True)
class Astray:
    """Median distances from where the exact map jumps: of the points that networks send into the gap, and of all."""

    place: str
    near: float
    anywhere: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    from_disk: bool
    euler_holds: bool
    convex_whole: bool
    has_closed_form: bool
    ellipse_w2: float
    ellipse_w2_closed_form: float
    ellipse_w2_bound: float
    ring_shrinks: bool
    some_split: bool
    split: list[str]
    """Titles of the targets in which the angle rule finds parts."""
    clusters_never_empty: bool
    annulus_never_empty: bool
    proven_hold: bool
    seen_hold: bool
    has_ratios: bool
    clusters_over_seen: float
    annulus_over_seen: float
    has_slopes: bool
    clusters_slope: float
    annulus_slope: float
    astray: tuple[Astray, ...]
    some_less: bool
    example_depth: int
    example_width: int


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of the exact maps and of the networks.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    split = [TITLES[name] for name in TITLES if f[f"{name}_modes"] > 1]
    depth, width = (int(value) for value in findings.arrays["example"])
    ratios = {f"{name}_over_seen": f.get(f"{name}_over_seen") or math.nan for name in PLACES}
    keys = [f"{name}_slope" for name in PLACES] + ["ellipse_w2", "ellipse_w2_closed_form", "ellipse_w2_bound"]
    return Derived(
        from_disk=f["source"] == "disk",
        euler_holds=f["euler_holds"],
        convex_whole=f["ellipse_singular"] == 0,
        has_closed_form="ellipse_w2" in f,
        ring_shrinks=f["annulus_finest_length"] < 0.8 * f["annulus_coarsest_length"],
        some_split=bool(split),
        split=split,
        clusters_never_empty=f["clusters_gap_least_of_one"] > 0,
        annulus_never_empty=f["annulus_gap_least_of_one"] > 0,
        proven_hold=all(f[f"{name}_proven_holds"] for name in PLACES),
        seen_hold=all(f[f"{name}_seen_holds"] for name in PLACES),
        has_ratios=not any(math.isnan(ratio) for ratio in ratios.values()),
        has_slopes=all(f"{name}_slope" in f for name in PLACES),
        astray=tuple(
            Astray(place, f[f"{name}_near"], f[f"{name}_anywhere"])
            for name, place in PLACES.items()
            if f"{name}_near" in f
        ),
        some_less=all(f[f"{name}_gap_least"] < 0.5 * f[f"{name}_gap_most"] for name in PLACES),
        example_depth=depth,
        example_width=width,
        **ratios,
        **{key: f.get(key, math.nan) for key in keys},
    )


def said(findings: Findings) -> list[str]:
    """Says where exact maps jump, and what networks do there.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the exact maps, and the networks.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("maps"), text("networks")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of the five maps, of their singular sets' lengths by sampling, and of the networks.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [
        _maps(findings, text("targets_table")),
        _lengths(findings, text("lengths_table")),
        _networks(findings, text("networks_table")),
    ]


def _maps(findings: Findings, caption: str) -> Table:
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
    return table(
        f"{NAME}_targets", "Singular sets of five maps", caption, findings.tables["targets"], "title", columns, "target"
    )


def _lengths(findings: Findings, caption: str) -> Table:
    frame = findings.tables["lengths"].assign(title=findings.tables["lengths"]["target"].map(TITLES))
    columns = [
        ("points", "points", whole),
        ("singular", "singular facets", whole),
        ("length", "singular length", fixed(4)),
        ("euler", "V - E + F", whole),
    ]
    return table(f"{NAME}_lengths", "Length of the singular set", caption, frame, "title", columns, "target")


def _networks(findings: Findings, caption: str) -> Table:
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


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figures of the maps, of the share in the gap, and of where a network goes astray.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title, caption = "Dual triangulations, power diagrams and potentials", text("maps_figure")
    yield FigureSpec(f"{NAME}_maps", title, caption, "png", lambda: drawn.maps(findings))
    title, caption = "How much falls into the gap", text("networks_figure")
    yield FigureSpec(f"{NAME}_networks", title, caption, "svg", lambda: drawn.networks(findings))
    title, caption = "Where a network goes astray", text("astray_figure")
    yield FigureSpec(f"{NAME}_astray", title, caption, "png", lambda: drawn.astray(findings))
