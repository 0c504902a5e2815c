"""The chapter on scaling: the price of a mass error, and what it is worth in samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from otbench.report.figures import plots
from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory.parts import significant, table
from otbench.theory.findings import Findings
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "theory_scaling"
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
SEEDS = "means over seeds"


def said(findings: Findings) -> list[str]:
    """What a mass error costs, and whether samples gain by it."""
    return [_cost(findings.facts), _worth(findings.facts)]


def _cost(f: dict) -> str:
    parts = [
        f"Targets are drawn from {f['modes']} Gaussians in d dimensions, the source is uniform on a cube, and the "
        f"solver is otbench.transport as it comes, asked for a mean relative mass error of {100 * f['tolerance']:g} %."
    ]
    if f["has_high"]:
        parts.append(_beyond(f))
    if f["has_plane"]:
        parts.append(_plane(f))
    counted = (
        f"; up to {100 * f['floor_high']:.0f} % here, and taken out of the figures above." if f["has_high"] else "."
    )
    parts.append(
        f"A mass counted on N points has an error of its own: with n equal cells, sqrt(2 (n - 1) / (pi N)), which "
        f"counts on exact maps confirm to {100 * f['floor_error']:.0f} %{counted}"
    )
    return " ".join(parts)


def _beyond(f: dict) -> str:
    met = "always" if f["met"] == 1 else f"in {100 * f['met']:.0f} % of the cases"
    held = "" if math.isnan(f["mib_high"]) else f" and {f['mib_high']:.0f} MiB"
    return (
        f"Beyond the plane the stochastic solver gets there {met}, with {f['points_low']:,.0f} to "
        f"{f['points_high']:,.0f} source points a target: at d = {f['wide']} the points grow like n to the power "
        f"{f['points_slope']:.2f}, and the seconds like n to the power {f['seconds_slope']:.2f}, since every point is "
        f"held against all targets. With {f['most']:,} targets that is {f['seconds_high']:.1f} s{held} on this "
        f"machine, as measured with whatever else it was doing; the plan of the discrete problem would take "
        f"{f['plan_mib']:,.0f} MiB."
    )


def _plane(f: dict) -> str:
    easier = f["has_high"] and f["plane_met"] < f["met"]
    return (
        f"In the plane Newton on exact cells leaves an error of at most {f['newton_error']:.0e} in "
        f"{f['newton_seconds']:.1f} s with {f['most']:,} targets; the stochastic solver is still at "
        f"{100 * f['plane_error']:.0f} % after {f['plane_points']:,.0f} points a target."
        + (
            " So here it is not the dimension that makes transport hard: these steps do worse in the plane."
            if easier
            else ""
        )
    )


def _worth(f: dict) -> str:
    return (
        f"Does a better map give better samples? Maps to {f['codes']:,} codes in {f['latent']} dimensions were taken "
        f"from the solver on its way, between mass errors of {100 * f['worst_error']:.0f} % and "
        f"{100 * f['best_error']:.2g} %, and extended as in AE-OT. {_verdict(f)}W2 to held-out points goes from "
        f"{f['worst_w2']:.2f} to {f['best_w2']:.2f} (real draws: {f['real_w2']:.2f}), and nine tenths "
        f"of that are there at a mass error of {100 * f['gained_w2']:.0f} %; the reverse KL of the modes goes from "
        f"{f['worst_reverse_kl']:.2g} to {f['best_reverse_kl']:.2g} nats. {_without(f)} "
        f"The extension has a price of its own, which no mass error moves: it averages neighbours, so that the spread "
        f"within modes is {f['best_spread']:.2f} of the law's (real draws: {f['real_spread']:.2f})."
    )


def _verdict(f: dict) -> str:
    if f["worst_w2"] <= 1.05 * f["best_w2"]:
        return "Hardly: "
    return "They do, but ever less so: " if f["gained_w2"] > 1.5 * f["best_error"] else "They do: "


def _without(f: dict) -> str:
    """What samplers without an optimal map score."""
    gap = f["best_w2"] - f["target_w2"]
    beside = "better than every map" if gap > 0.02 * f["target_w2"] else "level with the best map"
    beside = "worse than the best map" if gap < -0.02 * f["target_w2"] else beside
    worse = f["scrambled_w2"] > 1.05 * f["best_w2"]
    return (
        f"But targets drawn at random, which have perfect masses and no map, are at {f['target_w2']:.2f}, {beside}; "
        f"mixed with their nearest targets, at {f['neighbours_w2']:.2f}; and the best map without the extension is at "
        f"{f['unextended_w2']:.2f}. {_ranks(f)}What optimality adds lies between the targets: with "
        f"the best map's targets permuted, its masses kept, {100 * (1 - f['scrambled_kept']):.0f} % of the source "
        f"points must be rejected for mixing modes, against {100 * (1 - f['best_kept']):.0f} % for the map itself"
        + (f", and W2 rises to {f['scrambled_w2']:.2f}." if worse else f"; W2 is {f['scrambled_w2']:.2f}.")
    )


def _ranks(f: dict) -> str:
    if math.isnan(f["ranks_alike"]):
        return ""
    said = f"Over all samplers W2 and the modes' reverse KL have a rank correlation of {f['ranks_alike']:.2f}"
    return said + (": the masses of the modes decide the score. " if f["ranks_alike"] > 0.8 else ". ")


def tables(findings: Findings) -> list[Table]:
    """Resources by n and d, and scores by mass error."""
    keys = ["dimension", "method", "targets"]
    rows = findings.tables["resources"].groupby(keys).mean().reset_index()
    percent = significant(3)
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
        f"To a mean relative mass error of {100 * findings.facts['tolerance']:g} % or {findings.facts['cap']:g} points "
        f"a target; {SEEDS}. Floor: what counting on the certificate's points would show of an exact map, already "
        "taken out of the error. Seconds: wall clock, as measured on this machine. Memory: most held at a time by "
        "torch's tensors and numpy's arrays together (first seed).",
        rows,
        "label",
        [
            ("error", "mass error, %", percent),
            ("floors", "floor, %"),
            ("points", "points a target"),
            ("seconds", "seconds"),
            ("mib", "memory, MiB"),
        ],
        head="Targets",
        block="block",
    )
    told = findings.tables["summary"]
    told = told.assign(
        label=told.label.map(BASELINES).fillna("map, " + told.label),
        error=100 * told.error,
        kept=100 * told.kept,
        outside=100 * told.outside,
        points=told.points.where(told.source == "map"),
    )
    scores = table(
        f"{NAME}_samples",
        "Samples against the map's mass error",
        f"{findings.facts['codes']:,} targets in {findings.facts['latent']} dimensions; {SEEDS}. Kept: source points "
        "that the angle rule does not reject. W2: to held-out points, in units of the data; real draws have "
        "every mode's exact share, the others that of a random draw 16 times as large, whose own noise is in their "
        f"score (a reverse KL of {findings.facts['kl_floor']:.1g}). Frechet distance: to the "
        "law's moments. Outside: beyond the radius that holds 99 % of a mode. Spread: mean squared distance to the "
        "mode's centre within that radius, in units of the law's.",
        told,
        "label",
        [
            ("error", "mass error, %"),
            ("points", "points a target"),
            ("kept", "kept, %"),
            ("w2", "W2"),
            ("frechet", "Frechet distance"),
            ("reverse_kl", "reverse KL, nats"),
            ("outside", "outside, %"),
            ("spread", "spread"),
        ],
        head="Sampler",
    )
    return [resources, scores]


def figures(findings: Findings) -> Iterator[Wanted]:
    """Resources against n, and scores against the mass error."""
    yield (
        f"{NAME}_resources",
        "Cost of a map",
        f"Asked for a mean relative mass error of {100 * findings.facts['tolerance']:g} %; {SEEDS}. (a) The error "
        f"reached. (b) Wall-clock seconds on this machine; dashed: n squared. (c) What counting masses on so many "
        f"points a cell shows of an exact map of {findings.facts['least']:,} cells, beside what counting alone gives.",
        "svg",
        lambda: resources(findings),
    )
    yield (
        f"{NAME}_samples",
        "Samples against mass error",
        "Dots: seeds; line: their mean; broken lines: other samplers, which have no mass error to vary. The better map "
        "stands at the right. (a) W2 to held-out points, in units of the data. (b) Reverse KL of the modes' shares to "
        f"their weights; of a perfect sampler, {findings.facts['kl_floor']:.1g}. (c) Source points that the "
        "extension keeps.",
        "svg",
        lambda: samples(findings),
    )


def resources(findings: Findings) -> Figure:
    """Three panels: error and seconds against n, and the floor of the mass estimate."""
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
    """Three panels of scores against the mass error, with the baselines as levels."""
    import matplotlib.pyplot as plt

    told, each = findings.tables["summary"], findings.tables["samples"]
    figure, panels = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.0), layout="constrained")
    marks = (
        ("w2", "(a) W2 to held-out points", "W2", 1.0),
        ("reverse_kl", "(b) reverse KL of the modes", "nats", 1.0),
        ("kept", "(c) source points kept", "%", 100.0),
    )
    for axes, (key, title, unit, scale) in zip(panels, marks, strict=True):
        _scored(axes, told, each, key, scale)
        axes.set(title=title, xlabel="mass error of the map, %", ylabel=unit)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _scored(axes: Axes, told: pd.DataFrame, each: pd.DataFrame, key: str, scale: float) -> None:
    maps = told[told.source == "map"].sort_values("error")
    dots = each[each.source == "map"]
    axes.plot(100 * dots.error, scale * dots[key], "o", color=plotting.BLUE, ms=2.5, alpha=0.5)
    axes.plot(100 * maps.error, scale * maps[key], "-", color=plotting.BLUE, label="map, extended")
    forms = {"real": (plotting.BLACK, ":"), "target": (plotting.ORANGE, "--"), "neighbours": (plotting.GREEN, "-.")}
    forms["unextended"] = (plotting.GREY, (0, (1, 1)))
    forms["scrambled"] = (plotting.RED, (0, (5, 1, 1, 1, 1, 1)))
    for name, (colour, dash) in forms.items():
        found = told[(told.source == "baseline") & (told.label == name)]
        # Samplers without a source have nothing to reject, and real draws have every mode's share by construction.
        if name == "scrambled" or not (key == "kept" or key == "reverse_kl" and name == "real"):
            axes.axhline(scale * float(found[key].iloc[0]), color=colour, ls=dash, label=BASELINES[name])
    axes.set_xscale("log")
    plots.plain(axes.xaxis, *axes.get_xlim())
    if key == "reverse_kl":
        axes.set_yscale("log")
        plots.plain(axes.yaxis, *axes.get_ylim())
    else:
        axes.set_ylim(bottom=0)
    axes.invert_xaxis()
