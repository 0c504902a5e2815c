"""The chapter on continuous-time maps at a singular set: what lies between modes, and how far maps stretch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures import marks
from otbench.report.figures.base import FigureSpec
from otbench.report.figures.plots import log_axis, plain
from otbench.report.theory.parts import percent as shown_percent
from otbench.report.theory.parts import table
from otbench.report.theory.prose import fill, percent, whole
from otbench.utils import plotting

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.report.tables.base import Table
    from otbench.theory.findings import Findings

CHAPTER = "tearing"
NAME = f"theory_{CHAPTER}"
WHERE = {"two": "two modes", "ring": "ring of 8 modes"}
MODELS = {"fm": "FM", "ot-cfm": "OT-CFM", "rectified-flow": "Rectified flow", "ddpm": "DDPM (DDIM)"}
CUT = "ae-ot"
FLOWS = ("fm", "ot-cfm", "rectified-flow")


@dataclass(frozen=True)
class Row:
    """A continuous-time model with the most evaluations: shares between modes, and stretchings, of both problems."""

    title: str
    two: float
    ring: float
    stretching_two: float
    stretching_ring: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    all_hold: bool
    rows: tuple[Row, ...]
    cut_two: float
    cut_ring: float
    cut_least: bool
    lowest: str
    more_steps_stretch: bool
    few_stretching: float
    many_stretching: float
    straight_early: bool
    early_rectified: float
    early_others: float


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of continuous maps and of the one that cuts.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    between = {name: sum(f[f"{where}/{name}/most/between"] for where in WHERE) for name in (*MODELS, CUT)}
    lowest = min(between, key=between.__getitem__)
    few, many = (
        float(np.mean([f[f"{where}/{name}/{when}/stretching"] for where in WHERE for name in FLOWS]))
        for when in ("fewest", "most")
    )
    early = {name: f[f"ring/{name}/fewest/outside"] for name in MODELS}
    rectified = early.pop("rectified-flow")
    return Derived(
        all_hold=f["holding"] == f["maps"],
        rows=tuple(
            Row(
                title,
                *(f[f"{where}/{name}/most/{score}"] for score in ("between", "stretching") for where in WHERE),
            )
            for name, title in MODELS.items()
        ),
        cut_two=f[f"two/{CUT}/most/between"],
        cut_ring=f[f"ring/{CUT}/most/between"],
        cut_least=lowest == CUT,
        lowest=MODELS.get(lowest, "AE-OT"),
        more_steps_stretch=many > few,
        few_stretching=few,
        many_stretching=many,
        straight_early=rectified < min(early.values()),
        early_rectified=rectified,
        early_others=float(np.mean(list(early.values()))),
    )


def said(findings: Findings) -> list[str]:
    """Says what continuity costs, and what each model leaves between modes.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the bound, and the models.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("maps"), text("models")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's table.

    Args:
        findings: What the study found.

    Returns:
        The table of every model and number of evaluations, with a block for each problem.
    """
    frame = findings.tables["means"].copy()
    frame["title"] = frame["model"].map(MODELS | {CUT: "AE-OT"})
    frame["where"] = frame["problem"].map(WHERE)
    frame["evaluations"] = frame["evaluations"].astype(float).replace(0.0, np.nan)
    share = shown_percent(2)
    columns = [
        ("evaluations", "Evaluations", whole),
        ("between", "Between modes, %", share),
        ("outside", "Outside modes, %", share),
        ("stretching", "Largest stretching"),
        ("least", "Bound from it, %", share),
    ]
    caption = fill(CHAPTER, findings, derived(findings))("means_table")
    return [
        table(f"{NAME}_means", "What lies between modes", caption, frame, "title", columns, head="Model", block="where")
    ]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of shares against evaluations and stretching, and that of the points.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title, caption = "Mass between modes, evaluations and stretching", text("evaluations_figure")
    yield FigureSpec(f"{NAME}_evaluations", title, caption, "svg", lambda: evaluations_figure(findings))
    title, caption = "Where continuous maps put mass", text("points_figure")
    yield FigureSpec(f"{NAME}_points", title, caption, "png", lambda: points_figure(findings))


def evaluations_figure(findings: Findings) -> Figure:
    """Draws shares between modes against evaluations, and shares outside against stretching with the bound.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 2, figsize=(plotting.WIDTH, 4.6), layout="constrained")
    means = findings.tables["means"]
    for column, where in enumerate(WHERE):
        rows = means[means["problem"] == where]
        _against_evaluations(grid[0, column], rows, findings.facts, where)
        _against_stretching(grid[1, column], rows, float(findings.facts[f"{where}/gap"]))
        for row in range(2):
            grid[row, column].set_title(f"({'abcd'[2 * row + column]})", loc="left")
        grid[0, column].set_title(WHERE[where])
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def _against_evaluations(axes: Axes, rows: pandas.DataFrame, facts: dict, where: str) -> None:
    for name, title in MODELS.items():
        part, one = rows[rows["model"] == name].sort_values("evaluations"), marks.mark(name)
        counts, shares = part["evaluations"].to_numpy(), 100 * part["between"].to_numpy()
        axes.plot(counts, shares, one.dash, marker=one.shape, color=one.colour, label=title)
    cut = 100 * facts[f"{where}/{CUT}/most/between"]
    axes.axhline(cut, color=marks.mark(CUT).colour, linestyle=(0, (4, 2)), label="AE-OT")
    axes.axhline(100 * facts[f"{where}/ideal"], color=plotting.GREY, linestyle=":", label="True samples")
    counts = sorted({int(count) for count in rows["evaluations"] if count})
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set(xlabel="Evaluations", ylabel="Between modes, %", ylim=(0, None))


def _against_stretching(axes: Axes, rows: pandas.DataFrame, gap: float) -> None:
    from scipy.special import ndtr

    for name in MODELS:
        part, one = rows[rows["model"] == name], marks.mark(name)
        axes.plot(part["stretching"], 100 * part["outside"], " ", marker=one.shape, color=one.colour)
    found = rows["stretching"].dropna()
    lengths = np.geomspace(max(float(found.min()), 0.1) * 0.8, float(found.max()) * 1.25 + 0.1, 200)
    axes.plot(lengths, 100 * (2 * ndtr(gap / (2 * lengths)) - 1), color=plotting.BLACK)
    axes.set_xscale("log")
    plain(axes.xaxis, *axes.get_xlim())
    log_axis(axes)
    axes.set(xlabel="Largest stretching", ylabel="Outside modes, %")


def points_figure(findings: Findings) -> Figure:
    """Draws a panel for each model and problem.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    titles = MODELS | {CUT: "AE-OT"}
    size = (plotting.WIDTH, 3.2)
    figure, grid = plt.subplots(len(WHERE), len(titles), figsize=size, sharex=True, sharey=True, layout="constrained")
    for row, where in zip(grid, WHERE, strict=True):
        for axes, (name, title) in zip(row, titles.items(), strict=True):
            axes.scatter(*findings.arrays[f"{where}/real"].T, s=3, color=marks.REAL, linewidths=0, rasterized=True)
            points = findings.arrays[f"{where}/{name}"]
            axes.scatter(*points.T, s=1.2, color=marks.GENERATED, linewidths=0, rasterized=True)
            share = percent(findings.facts[f"{where}/{name}/most/between"], 1)
            axes.set_title(f"{title}, {share}", fontsize=7, pad=2)
            axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xticks=[-1, 0, 1], yticks=[-1, 0, 1], aspect="equal")
    marks.points_legend(figure)
    return figure
