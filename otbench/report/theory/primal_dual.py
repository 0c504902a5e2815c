"""What the report says and draws of VAE as primal and GAN as dual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import fixed, significant, table
from otbench.report.theory.prose import fill
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

CHAPTER = "primal_dual"
NAME = f"theory_{CHAPTER}"
PROBLEMS = {"gaussian": "Gaussians, W2²", "w2": "point sets, W2²", "w1": "point sets, W1"}
BELOW = (plotting.BLUE, plotting.GREEN, plotting.PURPLE, plotting.BLACK)


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    some_broken: bool
    overshoot: float
    """How far the worst certified bound lies beyond W, over W: rounding."""
    sorting_helps: bool
    below_w: bool
    vae_pays: bool
    vae_crosses: bool


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of the bounds and of the relaxed constraint.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    return Derived(
        some_broken=f["broken"] > 0,
        overshoot=max(-f["slack"], 0),
        sorting_helps=f["w1_relu"] < f["w1_pairs"],
        below_w=f["wae_greatest"] <= 1 + 1e-6,
        vae_pays=f["vae_cost_last"] > 1.1,
        vae_crosses=not math.isnan(f["vae_over_from"]),
    )


def said(findings: Findings) -> list[str]:
    """Says what bounds the transport cost.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the bounds along optimisation, and what relaxing the constraint does.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("bounds"), text("relaxed")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of every bound's way, and of the weights of the relaxed constraint.
    """
    text, three = fill(CHAPTER, findings, derived(findings)), significant(3)
    frame = findings.tables["bounds"]
    four = fixed(4)
    bounds = table(
        f"{NAME}_bounds",
        "Bounds on a known transport cost",
        text("bounds_table"),
        frame.assign(where=frame["problem"].map(PROBLEMS)),
        "bound",
        [
            ("side", "bounds from"),
            ("first", "start", three),
            ("last", "end", four),
            ("least", "least", four),
            ("greatest", "greatest", four),
            ("slack", "slack", significant(2)),
        ],
        head="objective",
        block="where",
    )
    relaxed = table(
        f"{NAME}_relaxed",
        "The constraint relaxed",
        text("relaxed_table"),
        findings.tables["relaxed"].assign(name=lambda values: values["weight"].map("{:g}".format)),
        "name",
        [
            ("wae_objective", "WAE", four),
            ("wae_cost", "its cost", four),
            ("wae_kl", "its KL", significant(2)),
            ("wae_repaired", "repaired", four),
            ("vae_objective", "VAE", four),
            ("vae_known", "known", four),
            ("vae_cost", "its cost", four),
            ("vae_kl", "its KL", significant(2)),
        ],
        head="lambda",
    )
    return [bounds, relaxed]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the bounds along optimisation, and that of the relaxed constraint.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(
        f"{NAME}_bounds", "Bounds from above and below", text("bounds_figure"), "svg", lambda: _draw_bounds(findings)
    )
    yield FigureSpec(
        f"{NAME}_relaxed", "The constraint relaxed", text("relaxed_figure"), "svg", lambda: _draw_relaxed(findings)
    )


def _draw_bounds(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    figure, row = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.3), sharey=True, layout="constrained")
    for axes, letter, (problem, title) in zip(row, "abc", PROBLEMS.items(), strict=True):
        _curves(axes, findings, problem)
        axes.axhline(1, color=plotting.BLACK, linestyle=":", linewidth=1.0)
        axes.set_title(f"({letter}) {title}")
        axes.set(xscale="log", xlabel="steps + 1", ylim=(0, 2))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), handlelength=1.8)
    row[0].set_ylabel("objective / exact cost")
    return figure


def _curves(axes: Axes, findings: Findings, problem: str) -> None:
    below = iter(BELOW)
    rows = findings.tables["bounds"]
    for _, bound in rows[rows["problem"] == problem].iterrows():
        dash = "--" if bound["side"] == "neither" else "-"
        colour = {"above": plotting.RED, "neither": plotting.ORANGE}.get(bound["side"]) or next(below)
        key = f"{problem}/{bound['bound']}"
        steps, values = findings.arrays[f"steps/{key}"] + 1, findings.arrays[f"curve/{key}"]
        for at in range(values.shape[1]):
            label = bound["bound"] if at == 0 else None
            axes.plot(steps, values[:, at], dash, color=colour, linewidth=0.9, label=label)


def _draw_relaxed(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    frame = findings.tables["relaxed"]
    figure, row = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.2), layout="constrained")
    drawn = (("objective", plotting.ORANGE, "o--", "minimum"), ("cost", plotting.BLUE, "s-", "its reconstruction cost"))
    for axes, letter, name in zip(row, "ab", ("wae", "vae"), strict=True):
        for column, colour, shape, label in drawn:
            axes.plot(frame["weight"], frame[f"{name}_{column}"], shape, color=colour, label=label)
        axes.plot(
            frame["weight"], frame[f"{name}_repaired"], "^-", color=plotting.RED, label="repaired: bound from above"
        )
        axes.axhline(1, color=plotting.BLACK, linestyle=":", linewidth=1.0)
        axes.set_title(f"({letter}) {name.upper()}")
        axes.set(xscale="log", xlabel="lambda (squared length per nat)", ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    row[1].plot(frame["weight"], frame["vae_known"], "x", color=plotting.BLACK, markersize=5, label="closed form")
    ignoring = findings.facts["independent"]
    row[1].axhline(ignoring, color=plotting.GREY, linestyle="-.", linewidth=0.9, label="plan that ignores the data")
    top = max(1.2, float(np.nanmax(frame["wae_repaired"])) * 1.1)
    row[0].set_ylim(0, top)
    row[0].set_ylabel("over the exact W2²")
    for axes in row:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    return figure
