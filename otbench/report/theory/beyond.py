"""The chapter on other maps in place of the piecewise one: the OTVAE report's open questions, with numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.figures import marks
from otbench.report.figures.base import FigureSpec
from otbench.report.theory.parts import table
from otbench.report.theory.prose import fill, percent
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from otbench.report.tables.base import Table
    from otbench.theory.findings import Findings

CHAPTER = "beyond"
NAME = f"theory_{CHAPTER}"
WHERE = {
    "gaussian": "Gaussian to Gaussian, d = 2",
    "gaussian-8": "Gaussian to Gaussian, d = 8",
    "ring": "square to a ring of 8 modes",
    "digits": "Gaussian to codes of digits",
}
MAPS = {
    "real": "held-out real points",
    "memoriser": "memoriser",
    "semi-discrete": "semi-discrete map",
    "ae-ot": "AE-OT's extension",
    "plan, nearest": "exact plan, nearest point",
    "plan, two nearest": "exact plan, two nearest (OTVAE)",
    "plan, interpolated": "exact plan, interpolated",
    "regression": "network on the semi-discrete map",
    "convex": "convex network on that map",
    "flow": "flow matching, pairs at random",
    "flow, coupled": "flow matching, pairs by plan",
}
NETWORKS = ("regression", "convex", "flow", "flow, coupled")
NEW = 0.01
"""A map gives new samples where less than this share of them are copies of training points."""
STEADY = 0.1
"""A map counts as continuous where it jumps by less than this share of the target's spread."""


def title(name: str) -> str:
    """Names a map in words.

    Args:
        name: The map's name in the study.

    Returns:
        The title by which tables and sentences call it.
    """
    return MAPS.get(name) or f"entropic map, {name.removeprefix('entropic ')}"


@dataclass(frozen=True)
class Entropic:
    """The map of regularised Sinkhorn at one regularisation, over the mean cost."""

    regularisation: str
    uvp: float
    copies: float
    near: float


@dataclass(frozen=True)
class Network:
    """A network's error in 8 dimensions."""

    title: str
    uvp: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts; maps are named by their titles, and `near` is near a mode."""

    maps: int
    entropic: tuple[Entropic, ...]
    several_entropic: bool
    best_in_2: Entropic
    best_in_8: Entropic
    interpolation_helps: bool
    best_extension: str
    has_steps: bool
    steps: int
    nets: tuple[Network, ...]
    averaging: bool
    some_new: bool
    nearest_new: str
    nearest_new_frechet: float
    nearest_new_by_w2: str
    some_steady: bool
    best_steady: str
    best_steady_near: float
    cheapest: str
    cheapest_seconds: float
    dearest: str
    dearest_seconds: float
    semi_discrete_seconds: float


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say to each of the report's open questions.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    every = [name for name in _order(findings) if name not in ("real", "memoriser")]
    uvp = {name: f[f"gaussian-8/{name}/uvp"] for name in every}
    seconds: dict[str, Any] = {name: np.mean([f[f"{problem}/{name}/seconds"] for problem in WHERE]) for name in every}
    cheapest, dearest = min(seconds, key=seconds.__getitem__), max(seconds, key=seconds.__getitem__)
    entropic, kinds = _entropic(findings), ("plan, nearest", "plan, two nearest", "plan, interpolated")
    extension = min(kinds, key=uvp.__getitem__)
    steps = int((findings.info.get("options") or {}).get("steps") or 0)
    return Derived(
        maps=len(every),
        entropic=tuple(_entropic_map(f, "gaussian-8", name) for name in entropic),
        several_entropic=len(entropic) > 1,
        best_in_2=min((_entropic_map(f, "gaussian", name) for name in entropic), key=lambda row: row.uvp),
        best_in_8=min((_entropic_map(f, "gaussian-8", name) for name in entropic), key=lambda row: row.uvp),
        interpolation_helps=extension == "plan, interpolated",
        best_extension=title(extension),
        has_steps=steps > 0,
        steps=steps,
        nets=tuple(Network(title(name), uvp[name]) for name in NETWORKS),
        averaging=min(uvp["regression"], uvp["convex"]) < uvp["semi-discrete"],
        cheapest=title(cheapest),
        cheapest_seconds=seconds[cheapest],
        dearest=title(dearest),
        dearest_seconds=seconds[dearest],
        semi_discrete_seconds=seconds["semi-discrete"],
        **_new(f, every),
        **_steady(f, every),
    )


def _entropic_map(f: dict, where: str, name: str) -> Entropic:
    uvp, copies = (f[f"{where}/{name}/{score}"] for score in ("uvp", "copies"))
    return Entropic(name.removeprefix("entropic "), uvp, copies, f[f"ring/{name}/quality"])


def _new(f: dict, every: list[str]) -> dict:
    """The maps that come nearest to the digits' codes, of those that give new samples."""
    new = [name for name in every if f[f"digits/{name}/copies"] < NEW]
    nearest = {score: min(new, key=lambda name: f[f"digits/{name}/{score}"], default="") for score in ("frechet", "w2")}
    return {
        "some_new": bool(new),
        "nearest_new": title(nearest["frechet"]),
        "nearest_new_frechet": f.get(f"digits/{nearest['frechet']}/frechet", math.nan),
        "nearest_new_by_w2": title(nearest["w2"]),
    }


def _steady(f: dict, every: list[str]) -> dict:
    """The map with most points near a mode, of those that neither jump nor reject source points."""
    steady = [name for name in every if f[f"ring/{name}/jump"] < STEADY and not f.get(f"ring/{name}/kept", 1) < 1]
    best = max(steady, key=lambda name: f[f"ring/{name}/quality"], default="")
    return {
        "some_steady": bool(steady),
        "best_steady": title(best),
        "best_steady_near": f.get(f"ring/{best}/quality", math.nan),
    }


def said(findings: Findings) -> list[str]:
    """Says what the numbers answer to each open question.

    Args:
        findings: What the study found.

    Returns:
        Three paragraphs: what was computed, the maps of plans, and the networks with the cost.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("problems"), text("plans"), text("networks")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's table.

    Args:
        findings: What the study found.

    Returns:
        The table of all scores, with a block for each problem.
    """
    order, text = _order(findings), fill(CHAPTER, findings, derived(findings))
    frame = findings.tables["scores"].copy()
    frame["rank"] = frame["map"].map({name: k for k, name in enumerate(order)})
    frame["place"] = frame["problem"].map({name: k for k, name in enumerate(WHERE)})
    frame = frame.sort_values(["place", "rank"])
    frame["title"], frame["where"] = frame["map"].map(title), frame["problem"].map(WHERE)
    for name in ("quality", "mixture", "copies"):
        frame[name] *= 100
    return [
        table(
            f"{NAME}_scores",
            "Maps in place of the piecewise one",
            text("scores_table"),
            frame,
            "title",
            [
                ("uvp", "L2-UVP, %"),
                ("w2", "W2"),
                ("quality", "Near a mode, %"),
                ("mixture", "Between modes, %"),
                ("reverse_kl", "Reverse KL, nats"),
                ("frechet", "Fréchet"),
                ("copies", "Copies, %"),
                ("jump", "Jump"),
                ("seconds", "Seconds"),
            ],
            head="Map",
            block="where",
        )
    ]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the ring under every map, and that of the scores with a known best.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title, caption = "A ring of eight modes under every map", text("ring_figure")
    yield FigureSpec(f"{NAME}_ring", title, caption, "png", lambda: ring_figure(findings))
    yield FigureSpec(
        f"{NAME}_scores", "Scores of the maps", text("scores_figure"), "svg", lambda: scores_figure(findings)
    )


def ring_figure(findings: Findings) -> Figure:
    """Draws a panel for each map, all with the same limits.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    names = [name for name in _order(findings) if f"made/{name}" in findings.arrays]
    across = 5
    down = -(-len(names) // across)
    size = (plotting.WIDTH, 1.52 * down)
    figure, grid = plt.subplots(down, across, figsize=size, sharex=True, sharey=True, squeeze=False)
    figure.set_layout_engine("constrained")
    for axes, name in zip(grid.flat, names, strict=False):
        axes.scatter(*findings.arrays["real"].T, s=4, color=marks.REAL, linewidths=0, rasterized=True)
        axes.scatter(*findings.arrays[f"made/{name}"].T, s=1.8, color=marks.GENERATED, linewidths=0, rasterized=True)
        share = percent(findings.facts[f"ring/{name}/quality"])
        axes.set_title(f"{_brief(name)}, {share}", fontsize=7, pad=2)
        axes.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[-2, 0, 2], yticks=[-2, 0, 2], aspect="equal")
    for at, axes in enumerate(grid.flat):
        axes.tick_params(labelbottom=at + across >= len(names))
        axes.set_axis_on() if at < len(names) else axes.set_axis_off()
    marks.points_legend(figure)
    return figure


def scores_figure(findings: Findings) -> Figure:
    """Draws four panels of dots that share the maps on the vertical axis.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    f = findings.facts
    names = [name for name in _order(findings) if name not in ("real", "memoriser")][::-1]
    size = (plotting.WIDTH, 0.9 + 0.19 * len(names))
    figure, panels = plt.subplots(1, 4, figsize=size, sharey=True, layout="constrained")
    scores = [
        ("gaussian", "uvp", "L2-UVP, d = 2, %", 1.0),
        ("gaussian-8", "uvp", "L2-UVP, d = 8, %", 1.0),
        ("ring", "quality", "Near a mode, %", 100.0),
        ("digits", "frechet", "Fréchet, codes", 1.0),
    ]
    for letter, axes, (where, score, label, scale) in zip("abcd", panels, scores, strict=True):
        for row, name in enumerate(names):
            copied = f[f"{where}/{name}/copies"] >= NEW
            colour = (
                plotting.BLUE
                if name in NETWORKS
                else plotting.GREEN
                if name in ("ae-ot", "semi-discrete")
                else plotting.RED
            )
            value = scale * f[f"{where}/{name}/{score}"]
            axes.plot(value, row, "o", color=colour, markerfacecolor="white" if copied else colour, markersize=4.5)
        if f"{where}/real/{score}" in f:
            axes.axvline(scale * f[f"{where}/real/{score}"], color=plotting.GREY, linestyle=(0, (4, 2)), linewidth=1)
        if score != "quality":
            values = [f[f"{where}/{name}/{score}"] for name in [*names, "real"] if f"{where}/{name}/{score}" in f]
            axes.set_xscale("log")
            axes.set_xlim(10 ** np.floor(np.log10(min(values))) * 0.8, 10 ** np.ceil(np.log10(max(values))) * 1.25)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(-5, 105)
        axes.set_xlabel(label)
        axes.set_title(f"({letter})", loc="left")
    panels[0].set_yticks(range(len(names)), [title(name) for name in names])
    return figure


def _brief(name: str) -> str:
    short = {
        "semi-discrete": "semi-discrete",
        "ae-ot": "AE-OT",
        "plan, two nearest": "plan, two (OTVAE)",
        "plan, interpolated": "plan, interp.",
        "regression": "network",
        "convex": "convex network",
    }
    return short.get(name, name)


def _order(findings: Findings) -> list[str]:
    """Names of the maps: controls, the semi-discrete ones, entropic by regularisation, plans, networks."""
    names = list(MAPS)
    return [*names[:4], *_entropic(findings), *names[4:]]


def _entropic(findings: Findings) -> list[str]:
    return [f"entropic {value}" for value in sorted(str(findings.facts["regularisations"]).split(), key=float)]
