"""The chapter on polar factorisation: transport and rearrangement in what a generator learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures.base import FigureSpec
from otbench.report.theory.parts import fixed, percent, table
from otbench.report.theory.prose import fill
from otbench.theory.polar_factorisation.generators import STARTS, WAYS
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.report.tables.base import Table
    from otbench.theory.findings import Findings

CHAPTER = "polar_factorisation"
NAME = f"theory_{CHAPTER}"
COLOURS = {"gan": plotting.BLUE, "wgan-gp": plotting.RED}
DASHES = {"identity": "-", "fresh": "--"}


@dataclass(frozen=True)
class Row:
    """A kind of generator at its end, and the rearrangement that it started with."""

    title: str
    share: float
    rearrangement: float
    first: float
    w2: float
    left_over: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    rows: tuple[Row, ...]
    near: float
    far: float
    kept: bool


def title(way: str, start: str) -> str:
    """Name of a kind of generator.

    Args:
        way: One of WAYS.
        start: One of STARTS.

    Returns:
        The name.
    """
    return f"{WAYS[way]} {STARTS[start]}"


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f, rows = findings.facts, []
    ends: dict[str, list[float]] = {start: [] for start in STARTS}
    for way in WAYS:
        for start in STARTS:
            key = f"{way}/{start}"
            last = {name: float(f[f"{key}/last/{name}"]) for name in ("share", "rearrangement", "w2", "left_over")}
            rows.append(Row(title(way, start), first=float(f[f"{key}/first/rearrangement"]), **last))
            ends[start].append(last["rearrangement"])
    near, far = float(np.mean(ends["identity"])), float(np.mean(ends["fresh"]))
    return Derived(tuple(rows), near, far, kept=near < 0.5 * far)


def said(findings: Findings) -> list[str]:
    """Says what the factors are, and what training leaves of the rearrangement.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the check in closed form, and the trained generators.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("check"), text("generators")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's table.

    Args:
        findings: What the study found.

    Returns:
        The table of factors at the start and the end of training.
    """
    text = fill(CHAPTER, findings, derived(findings))
    frame = findings.tables["factors"].copy()
    frame["title"] = [title(way, start) for way, start in zip(frame["way"], frame["start"], strict=True)]
    frame["when"] = ["before training" if step == 0 else f"after {step} steps" for step in frame["step"]]
    columns = [
        ("w2", "W2 to real points"),
        ("moved", "E|g − id|²", fixed(2)),
        ("least", "of it transport, W2²", fixed(2)),
        ("rearrangement", "Rearrangement", fixed(3)),
        ("spread", "s.d. over seeds"),
        ("left_over", "Same, best rotation taken out", fixed(3)),
        ("alignment", "Alignment", fixed(3)),
        ("reversed", "s reversed, %", percent(1)),
        ("folded", "g folded, %", percent(1)),
        ("torn", "s torn, %", percent(1)),
    ]
    heading = "The factors of trained generators"
    return [
        table(
            f"{NAME}_factors", heading, text("factors_table"), frame, "title", columns, head="Generator", block="when"
        )
    ]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the factors, and that of their course along training.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(
        f"{NAME}_maps", "A generator and its factors", text("maps_figure"), "png", lambda: maps_figure(findings)
    )
    yield FigureSpec(f"{NAME}_curves", "Along training", text("curves_figure"), "svg", lambda: curves_figure(findings))


def maps_figure(findings: Findings) -> Figure:
    """Draws, for each kind of generator, the noise, where s sends it, and where T sends that.

    Args:
        findings: What the study found.

    Returns:
        The figure: a row a kind, three panels each, points coloured by the noise's angle.
    """
    import matplotlib.pyplot as plt

    arrays = findings.arrays
    kinds = [f"{way}/{start}" for way in WAYS for start in STARTS]
    z = arrays["z"]
    hue = (np.arctan2(z[:, 1], z[:, 0]) / (2 * np.pi)) % 1
    size = (plotting.WIDTH, plotting.WIDTH / 3 * len(kinds))
    figure, grid = plt.subplots(len(kinds), 3, figsize=size, layout="constrained", squeeze=False)
    for line, kind in zip(grid, kinds, strict=True):
        panels = (z, "noise z"), (arrays[f"{kind}/rearranged"], "s(z)"), (arrays[f"{kind}/image"], "g(z) = T(s(z))")
        for axes, (points, name) in zip(line, panels, strict=True):
            if points is arrays[f"{kind}/image"]:
                axes.scatter(*arrays["real"].T, s=2, color=plotting.GREY, linewidths=0)
            axes.scatter(*points.T, s=5, c=hue, cmap="twilight", vmin=0, vmax=1, linewidths=0)
            axes.set_aspect("equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(name)
        line[0].set_ylabel(title(*kind.split("/")))
    return figure


def curves_figure(findings: Findings) -> Figure:
    """Draws W2 to real points and the rearrangement along training.

    Args:
        findings: What the study found.

    Returns:
        The figure, of two panels.
    """
    import matplotlib.pyplot as plt

    each = findings.tables["each"]
    figure, panels = plt.subplots(1, 2, figsize=(plotting.WIDTH, 2.6), layout="constrained")
    for axes, column, name in zip(
        panels, ("w2", "rearrangement"), ("W2 to real points", "Rearrangement (1: as random)"), strict=True
    ):
        for way in WAYS:
            for start in STARTS:
                rows = each[(each["way"] == way) & (each["start"] == start)]
                _line(axes, rows.groupby("step")[column].agg(["mean", "min", "max"]), way, start)
        axes.set(xlabel="Generator's steps", ylabel=name, ylim=(0, None))
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def _line(axes: Axes, rows, way: str, start: str) -> None:
    """Mean over seeds, and the range."""
    axes.plot(rows.index, rows["mean"], label=title(way, start), color=COLOURS[way], linestyle=DASHES[start])
    axes.fill_between(rows.index, rows["min"], rows["max"], color=COLOURS[way], alpha=0.15, linewidth=0)
