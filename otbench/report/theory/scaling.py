"""The chapter on scaling: the price of a mass error, and what it is worth in samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from otbench.report.figures import plots
from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import table
from otbench.report.theory.prose import fill
from otbench.theory.findings import Findings
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHAPTER = "scaling"
NAME = f"theory_{CHAPTER}"
BASELINES = {
    "real": "real draws",
    "target": "random target",
    "neighbours": "random target, neighbours mixed",
    "unextended": "best map, not extended",
    "scrambled": "best map, targets permuted",
}
LINES = (
    (plotting.BLUE, "o"),
    (plotting.RED, "s"),
    (plotting.GREEN, "^"),
    (plotting.PURPLE, "D"),
    (plotting.ORANGE, "v"),
)


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    has_high: bool
    has_plane: bool
    always_met: bool
    has_memory: bool
    plane_harder: bool
    hardly_better: bool
    ever_less: bool
    targets_better: bool
    targets_worse: bool
    has_ranks: bool
    masses_decide: bool
    scrambled_worse: bool


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of what a mass error costs, and of what it is worth in samples.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    gap = f["best_w2"] - f["target_w2"]
    return Derived(
        has_high=f["has_high"],
        has_plane=f["has_plane"],
        always_met=f["has_high"] and f["met"] == 1,
        has_memory=f["has_high"] and not math.isnan(f["mib_high"]),
        plane_harder=f["has_high"] and f["has_plane"] and f["plane_met"] < f["met"],
        hardly_better=f["worst_w2"] <= 1.05 * f["best_w2"],
        ever_less=f["gained_w2"] > 1.5 * f["best_error"],
        targets_better=gap > 0.02 * f["target_w2"],
        targets_worse=gap < -0.02 * f["target_w2"],
        has_ranks=not math.isnan(f["ranks_alike"]),
        masses_decide=f["ranks_alike"] > 0.8,
        scrambled_worse=f["scrambled_w2"] > 1.05 * f["best_w2"],
    )


def said(findings: Findings) -> list[str]:
    """Says what a mass error costs, and whether samples gain by a small one.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the cost of a map, and its worth in samples.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("cost"), text("worth")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of resources by n and d, and of scores by mass error.
    """
    text = fill(CHAPTER, findings, derived(findings))
    keys = ["dimension", "method", "targets"]
    rows = findings.tables["resources"].groupby(keys).mean().reset_index()
    rows = rows.assign(
        block=rows.dimension.map("d = {:.0f}".format) + rows.method.map({"newton": ", Newton", "stochastic": ""}),
        error=100 * rows.error,
        floor=100 * rows.floor,
        points=rows.points.where(rows.method == "stochastic"),
        floors=100 * rows.floor.where((rows.method == "stochastic") & (rows.dimension > 2)),
        label=rows.targets.map("{:,.0f}".format),
    )
    resources = table(
        f"{NAME}_resources",
        "What a map costs",
        text("resources_table"),
        rows,
        "label",
        [
            ("error", "mass error, %"),
            ("floors", "floor, %"),
            ("points", "points a target"),
            ("seconds", "seconds"),
            ("mib", "memory, MiB"),
        ],
        head="Targets",
        block="block",
    )
    summary = findings.tables["summary"]
    summary = summary.assign(
        label=summary.label.map(BASELINES).fillna("map, " + summary.label),
        error=100 * summary.error,
        kept=100 * summary.kept,
        outside=100 * summary.outside,
        points=summary.points.where(summary.source == "map"),
    )
    scores = table(
        f"{NAME}_samples",
        "Samples against the map's mass error",
        text("samples_table"),
        summary,
        "label",
        [
            ("error", "mass error, %"),
            ("points", "points a target"),
            ("kept", "kept, %"),
            ("w2", "W2"),
            ("frechet", "Fréchet distance"),
            ("reverse_kl", "reverse KL, nats"),
            ("outside", "outside, %"),
            ("spread", "spread"),
        ],
        head="Sampler",
    )
    return [resources, scores]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of resources against n, and that of scores against the mass error.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(f"{NAME}_resources", "Cost of a map", text("resources_figure"), "svg", lambda: resources(findings))
    yield FigureSpec(
        f"{NAME}_samples", "Samples against mass error", text("samples_figure"), "svg", lambda: samples(findings)
    )


def resources(findings: Findings) -> Figure:
    """Draws error and seconds against n, and the floor of the mass estimate.

    Args:
        findings: What the study found.

    Returns:
        The figure, of three panels.
    """
    import matplotlib.pyplot as plt

    figure, (error, seconds, counted) = plt.subplots(1, 3, figsize=(plotting.WIDTH, 2.7), layout="constrained")
    keys = ["dimension", "method", "targets"]
    rows = findings.tables["resources"].groupby(keys).mean().reset_index()
    groups = list(rows.groupby(["dimension", "method"]))
    for k, ((dimension, method), part) in enumerate(groups):
        colour, marker = LINES[k % len(LINES)]
        label = f"d = {dimension}" + (", Newton" if method == "newton" else "")
        form = {"color": colour, "marker": marker, "label": label}
        if method != "newton":
            error.loglog(part.targets, 100 * part.error, **form)
        seconds.loglog(part.targets, part.seconds, **form)
    limit = 100 * findings.facts["tolerance"]
    error.axhline(limit, color=plotting.BLACK, ls=":", lw=0.9, label="asked for")
    n = np.sort(rows.targets.unique())
    middle = rows[rows.method != "newton"].groupby("targets").seconds.median()
    seconds.loglog(n, middle.iloc[-1] * (n / n[-1]) ** 2.0, "--", color=plotting.GREY, label="n²")
    floors = findings.tables["floor"]
    counted.loglog(floors.per, 100 * floors.expected, "-", color=plotting.GREY, label="counting alone")
    counted.loglog(floors.per, 100 * floors.measured, "o", color=plotting.BLUE, label="exact map, counted")
    error.set(title="(a) mass error", xlabel="targets n", ylabel="mean relative error, %")
    seconds.set(title="(b) time", xlabel="targets n", ylabel="seconds")
    counted.set(title="(c) floor of the estimate", xlabel="points a cell", ylabel="seeming error, %")
    for axes in (error, seconds):
        axes.set_xticks(n, [f"{value:,}" for value in n])
        axes.minorticks_off()
        plots.plain(axes.yaxis, *axes.get_ylim())
    counted.set_xticks(floors.per, [f"{value:,.0f}" for value in floors.per])
    counted.minorticks_off()
    plots.plain(counted.yaxis, *counted.get_ylim())
    # Newton is in the second panel alone, with its error at rounding.
    handles, labels = seconds.get_legend_handles_labels()
    more, named = error.get_legend_handles_labels()
    figure.legend(handles + more[-1:], labels + named[-1:], loc="outside lower left", ncols=7)
    counted.legend(loc="upper right")
    return figure


def samples(findings: Findings) -> Figure:
    """Draws scores against the mass error, with the baselines as levels.

    Args:
        findings: What the study found.

    Returns:
        The figure, of three panels.
    """
    import matplotlib.pyplot as plt

    summary, each = findings.tables["summary"], findings.tables["samples"]
    figure, panels = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.0), layout="constrained")
    marks = (
        ("w2", "(a) W2 to held-out points", "W2", 1.0),
        ("reverse_kl", "(b) reverse KL of the modes", "nats", 1.0),
        ("kept", "(c) source points kept", "%", 100.0),
    )
    for axes, (key, title, unit, scale) in zip(panels, marks, strict=True):
        _scored(axes, summary, each, key, scale)
        axes.set(title=title, xlabel="mass error of the map, %", ylabel=unit)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _scored(axes: Axes, told: pd.DataFrame, each: pd.DataFrame, key: str, scale: float) -> None:
    maps = told[told.source == "map"].sort_values("error")
    dots = each[each.source == "map"]
    axes.plot(100 * dots.error, scale * dots[key], "o", color=plotting.BLUE, ms=2.5, alpha=0.5)
    axes.plot(100 * maps.error, scale * maps[key], "-", color=plotting.BLUE, label="map, extended")
    forms: dict[str, tuple[str, Any]] = {"real": (plotting.BLACK, ":"), "target": (plotting.ORANGE, "--")}
    forms["neighbours"] = (plotting.GREEN, "-.")
    forms["unextended"] = (plotting.GREY, (0, (1, 1)))
    forms["scrambled"] = (plotting.RED, (0, (5, 1, 1, 1, 1, 1)))
    for name, (colour, dash) in forms.items():
        level = told[(told.source == "baseline") & (told.label == name)]
        # Samplers without a source have nothing to reject, and real draws have every mode's share by construction.
        if name == "scrambled" or not (key == "kept" or key == "reverse_kl" and name == "real"):
            axes.axhline(scale * float(level[key].iloc[0]), color=colour, ls=dash, label=BASELINES[name])
    axes.set_xscale("log")
    plots.plain(axes.xaxis, *axes.get_xlim())
    if key == "reverse_kl":
        axes.set_yscale("log")
        plots.plain(axes.yaxis, *axes.get_ylim())
    else:
        axes.set_ylim(bottom=0)
    axes.invert_xaxis()
