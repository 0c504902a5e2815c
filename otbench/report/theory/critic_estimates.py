"""What the report says and draws of what a Wasserstein critic estimates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import fixed, percent, table
from otbench.report.theory.prose import fill
from otbench.theory.critic_estimates import FRESH
from otbench.utils import plotting

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

CHAPTER = "critic_estimates"
NAME = f"theory_{CHAPTER}"
WAYS = {"real": "true samples", "batch": "exact W1 of batches", "critic": "critic (two-sided penalty)"}
COLOURS = (plotting.BLUE, plotting.GREEN, plotting.PURPLE, plotting.RED, plotting.ORANGE, plotting.SKY)


@dataclass(frozen=True)
class Space:
    """Generators in one dimension: W1 to fresh points, and the spread within modes over that of true samples."""

    dimension: int
    batch_w1: float
    critic_w1: float
    real_w1: float
    batch_spread: float
    critic_spread: float


@dataclass(frozen=True)
class Critic:
    """A critic's value over the known W1 in one dimension, with the two-sided and the one-sided penalty."""

    dimension: int
    two_sided: float
    one_sided: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    fresh: int
    critics: tuple[Critic, ...]
    spaces: tuple[Space, ...]
    least_low: float
    most_low: float
    most_high: float
    zero_high: float
    rate_low: float
    rate_high: float
    critics_win: bool
    """Whether the critic's generator is nearer to fresh points in every dimension."""
    batches_win: bool


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of estimates and generators.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    estimates = findings.tables["estimates"]
    dimensions = sorted({int(d) for d in estimates["dimension"]})
    spaces = tuple(
        Space(
            d,
            f[f"batch/{d}/w1"],
            f[f"critic/{d}/w1"],
            f[f"real/{d}/w1"],
            f[f"batch/{d}/spread"],
            f[f"critic/{d}/spread"],
        )
        for d in sorted({int(d) for d in findings.tables["generators"]["space"]})
    )
    low, high, least, most = (int(f[name]) for name in ("low", "high", "least", "most"))
    return Derived(
        fresh=FRESH,
        critics=tuple(Critic(d, f[f"critic, gp/{d}"], f[f"critic, lp/{d}"]) for d in dimensions),
        spaces=spaces,
        least_low=f[f"batches of {least}/{low}"],
        most_low=f[f"batches of {most}/{low}"],
        most_high=f[f"batches of {most}/{high}"],
        zero_high=f[f"batches of {most}/{high}/zero"],
        rate_low=f[f"rate/{low}"],
        rate_high=f[f"rate/{high}"],
        critics_win=all(one.critic_w1 < one.batch_w1 for one in spaces),
        batches_win=all(one.batch_w1 < one.critic_w1 for one in spaces),
    )


def said(findings: Findings) -> list[str]:
    """Says what the estimates are off by, and which generators are better.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the estimates, and the generators.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("estimates"), text("generators")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of estimates and of generators.
    """
    text, three = fill(CHAPTER, findings, derived(findings)), fixed(3)
    frame = findings.tables["estimates"]
    estimates = table(
        f"{NAME}_estimates",
        "Estimates of a known distance",
        text("estimates_table"),
        frame.assign(where=[f"{d} dimensions" for d in frame["dimension"]]),
        "estimate",
        [("value", "over W1", three), ("deviation", "deviation", three), ("zero", "between equal laws", three)],
        head="estimate",
        block="where",
    )
    means = _means(findings)
    generators = table(
        f"{NAME}_generators",
        "Generators by what they descend",
        text("generators_table"),
        means.assign(where=[f"{d} dimensions" for d in means["space"]], name=means["way"].map(WAYS)),
        "name",
        [
            ("w1", "W1 to fresh points", three),
            ("spread", "spread within modes", three),
            ("quality", "near a mode, %", percent(1)),
        ],
        head="descends",
        block="where",
    )
    return [estimates, generators]


def _means(findings: Findings) -> pd.DataFrame:
    """Scores of the generators, means over seeds."""
    frame = findings.tables["generators"]
    return frame.groupby(["space", "way"], sort=False)[["w1", "spread", "quality"]].mean().reset_index()


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figure.

    Args:
        findings: What the study found.

    Yields:
        The figure of estimates and generators.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title = "Estimates of W1, and generators that descend them"
    yield FigureSpec(f"{NAME}_estimates", title, text("estimates_figure"), "svg", lambda: _draw(findings))


def _draw(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.2), layout="constrained")
    frame = findings.tables["estimates"]
    batches = frame[frame["estimate"].str.startswith("batches")]
    for colour, (d, own) in zip(COLOURS * len(batches), batches.groupby("dimension"), strict=False):
        sizes = own["estimate"].str.rsplit(" ", n=1).str[-1].astype(int)
        left.plot(sizes, own["value"], "o-", color=colour, label=f"d = {d}")
        left.plot(sizes, own["zero"], "o--", color=colour, markerfacecolor="none")
        curve = findings.arrays[f"curve/gp/{d}"]
        middle.plot(range(len(curve)), curve, color=colour, linewidth=0.9)
    for axes in (left, middle):
        axes.axhline(1, color=plotting.BLACK, linestyle=":", linewidth=1.0)
        axes.set_ylabel("estimate / W1")
    left.set(xscale="log", xlabel="points in a batch", title="(a) batches")
    left.legend()
    middle.set(xlabel="updates of the critic", title="(b) critics")
    means = _means(findings)
    for colour, way in zip((plotting.GREY, plotting.BLUE, plotting.RED), WAYS, strict=True):
        own = means[means["way"] == way]
        right.plot([str(d) for d in own["space"]], own["w1"], "s", color=colour, label=WAYS[way])
    right.set(xlabel="dimension", ylabel="W1 to fresh points", ylim=(0, None), title="(c) generators")
    right.legend(loc="upper left", fontsize="x-small")
    return figure
