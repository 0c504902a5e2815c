"""The chapter on the two potentials: what Kantorovich's, Brenier's and Newton's answers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures import plots
from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory.parts import significant, table
from otbench.theory.findings import Findings
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "theory_potentials"
LABELS = {
    "newton": "Newton, exact cells",
    "gradient": "quasi-Newton, exact gradient",
    "ascent": "stochastic ascent",
    "kantorovich": "Kantorovich's dual (POT)",
}
TINTS = ("#F3C98B", "#A9D8F2", "#8CCFB9", "#F1E48A", "#E3B6CF")


def said(findings: Findings) -> list[str]:
    """What was solved, where the methods agree, and where the texts' wording does not hold."""
    return [_semi_discrete(findings.facts), _ascent(findings.facts), _discrete(findings.facts)]


def _semi_discrete(f: dict) -> str:
    side, low, high = f["pixels_side"], f["kantorovich_dual"], f["pixels_cost_pixels"]
    held = low <= f["cost"] * (1 + 1e-9) and f["cost"] <= high * (1 + 1e-9)
    bracket = (
        f"from the two sides they bracket Newton's cost, {low:.6f} <= {f['cost']:.6f} <= {high:.6f}"
        if held
        else f"they do not bracket Newton's cost: {low:.6f}, {f['cost']:.6f}, {high:.6f}"
    )
    falls = f["identity_order"] > 0.5
    return (
        f"Mass uniform on the square [-1/2, 1/2]^2 goes to {f['targets']} random targets of random weights, at the "
        f"cost |x - y|^2 / 2. Newton on exact cells finds Brenier's heights (largest relative mass error "
        f"{f['newton_mass_error']:.1g}); Kantorovich's dual is solved by POT's network simplex on {side} x {side} "
        f"pixels, which knows nothing of heights. Its dual value on the square and its plan's cost are bounds of the "
        f"cost; {bracket}. Eq. 16, u = |x|^2 / 2 - phi, holds at every pixel up to {f['pixels_identity']:.1g}, where u "
        f"ranges over {f['potential_range']:.2f}; the difference "
        + (f"falls like pixels a side to the power -{f['identity_order']:.1f}" if falls else "does not fall steadily")
        + f", and so it is the pixels' doing. The power diagram of Kantorovich's weights and Brenier's cells differ on "
        f"{100 * f['kantorovich_moved']:.2g} % of the square. Complementary slackness across the two: Newton's "
        f"potentials violate phi + psi <= c by at most {f['pixels_crossed_violation']:.0e}, and on the support of "
        f"POT's plan they miss equality by at most {f['pixels_crossed_slack']:.1g} "
        f"({f['pixels_crossed_mean']:.0e} on average over the mass)."
    )


def _ascent(f: dict) -> str:
    met = f["ascent_tolerance_met"]
    text = (
        f"The same heights by first-order methods: with exact masses, Eq. 26 and a quasi-Newton method come within "
        f"{f['gradient_potential']:.0e} of Newton's potential. The stochastic ascent, which sees masses only as counts "
        f"of random points, "
        + ("met its tolerance" if met else "did not meet its tolerance")
        + f" in the plane: mean relative mass error {100 * f['ascent_error']:.2g} %, "
        f"{100 * f['ascent_moved']:.2g} % of the square in another cell, cost {f['ascent_cost']:.5f}. The reason is "
        f"conditioning, not noise: the Hessian of Eq. 27 is the Laplacian of the cells' neighbourhood graph, and its "
        f"lowest eigenvalue lets the slowest error fall like points to the power -{f['ascent_rate']:.2f} by "
        f"linearisation (seen in the run: -{f['ascent_rate_seen']:.2f})"
        + (". In the plane, exact cells are worth their code." if f["ascent_rate"] < 0.5 else ".")
        + f" Eq. 27 itself agrees with differences of exact masses to {f['hessian_error']:.0e}, once its diagonal is "
        f"minus the sum of its row"
    )
    return text + ("." if f["hessian_printed_sign"] else "; as printed, without the minus, its sign is wrong.")


def _discrete(f: dict) -> str:
    unique = f["matching_apart"] < 1e-6 * f["matching_range"]
    return (
        f"Between two clouds of {f['discrete_points']} points with random weights, POT's plan and Brenier's heights "
        f"(a linear programme of the heights alone, by HiGHS) have the same cost to {f['discrete_cost_gap']:.0e}. "
        f"POT splits {f['discrete_split']} of the points between targets, which no map can do: there the plan lies "
        f"in the subgradient of u. With equal weights the plan is "
        + ("a matching" if f["matching_split"] == 0 else f"no matching ({f['matching_split']} points split)")
        + f" and the costs agree to {f['matching_cost_gap']:.0e}, "
        + (
            "and so do the potentials. "
            if unique
            else f"but the two potentials differ by up to {f['matching_apart']:.2f}, constant aside, of a range of "
            f"{f['matching_range']:.2f}: each is optimal with the other's plan (slackness {_small(f)}), so that "
            f"u = |x|^2 / 2 - phi holds for some optimal phi, not for any. Uniqueness up to a constant belongs to a "
            f"source with connected support. "
        )
        + f"Where the answer is known in closed form (a translation, a stretch and an affine map, two targets, Euler's "
        f"V - E + F = 1) the exact methods are within {f['known_error']:.0e} of it."
    )


def _small(f: dict) -> str:
    return f"{max(f['matching_crossed_slack'], f['discrete_crossed_slack']):.0e}"


def tables(findings: Findings) -> list[Table]:
    """Costs and differences by method, Kantorovich's refinement, and the known answers."""
    methods = findings.tables["methods"].assign(label=lambda t: t.method.map(LABELS))
    six = significant(6)
    semi = table(
        f"{NAME}_methods",
        "One semi-discrete problem by four methods",
        "All columns but the work are computed from each method's heights by exact cells. Cost: E|x - T(x)|^2 / 2 of "
        "the map as it is, in squared units of the square's side; one with wrong masses may fall below the optimum. "
        "Dual value: Kantorovich's, never above the optimum.",
        methods,
        "label",
        [
            ("cost", "cost", six),
            ("dual", "dual value", six),
            ("mass_error", "largest relative mass error"),
            ("mass_total", "mass misplaced"),
            ("moved", "share of the square in another cell"),
            ("potential", "largest difference of u"),
            ("work", "work"),
        ],
        head="Method",
    )
    pixels = findings.tables["pixels"].assign(label=lambda t: t.side.map("{0:.0f} x {0:.0f}".format))
    finer = table(
        f"{NAME}_pixels",
        "Kantorovich's problem on pixels, against Newton on the square",
        "Slack: largest |c - phi - psi| on the support of POT's plan, with POT's potentials and with Newton's; plan "
        "outside: its mass off Newton's cells.",
        pixels,
        "label",
        [
            ("cost_pixels", "cost, pixels' own moment added", six),
            ("identity", "largest |u - (|x|^2/2 - phi)|"),
            ("moved", "square in another cell"),
            ("slack", "slack, own"),
            ("crossed_slack", "slack, Newton's potentials"),
            ("outside", "plan outside Newton's cells"),
        ],
        head="Pixels",
    )
    answers = findings.tables["known"]
    rows = table(
        f"{NAME}_known",
        "Known answers",
        "Costs are E|x - y|^2 / 2. Translation and stretch: a grid of targets; affine map: "
        f"{findings.facts['discrete_points']} points moved by a symmetric positive definite matrix and a shift.",
        answers,
        "case",
        [("quantity", "quantity"), ("method", "method"), ("expected", "expected", six), ("found", "found", six)]
        + [("error", "error")],
        head="Case",
    )
    return [semi, finer, rows]


def figures(findings: Findings) -> Iterator[Wanted]:
    """The cells with their dual triangulation, and the potentials over each other."""
    side = findings.facts["pixels_side"]
    yield (
        f"{NAME}_cells",
        "Cells and targets",
        "(a) The square cut into Brenier's cells by Newton (filled, white edges); dashed: the power diagram of the "
        f"weights that Kantorovich's dual gives on {side} x {side} pixels. (b) The targets, in the colours of their "
        "cells, areas in proportion to their weights, and the weighted Delaunay triangulation that is dual to (a). "
        "Lengths in units of the square's side.",
        "svg",
        lambda: cells(findings),
    )
    yield (
        f"{NAME}_potentials",
        "The two potentials",
        f"(a) A section through the middle of the square: u from Newton's heights and |x|^2/2 - phi from POT's dual on "
        f"{side} x {side} pixels (every fourth pixel), the free constant removed. (b) Their difference over the "
        "square: nearly one number for each cell, the error of its weight. (c) What separates Kantorovich's answer "
        "from Newton's as pixels get finer: largest difference of the potentials, largest miss of equality on the "
        "plan's support (both in squared units of the square's side), and the share of the square in another cell.",
        "svg",
        lambda: potentials(findings),
    )


def cells(findings: Findings) -> Figure:
    """Two panels: the source with both diagrams, and the target with the dual triangulation."""
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection, PolyCollection

    held = findings.arrays
    colours = [TINTS[k] for k in tinted(len(held["target"]), held["pairs"], len(TINTS))]
    polygons = np.split(held["corners"], np.cumsum(held["counts"])[:-1])
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.7), layout="constrained")
    left.add_collection(PolyCollection(polygons, facecolors=colours, edgecolors="white", linewidths=2.2))
    dashed = {"colors": plotting.BLACK, "linewidths": 0.8, "linestyles": (0, (3, 2))}
    left.add_collection(LineCollection(list(held["facets_kantorovich"]), **dashed))
    left.set(xlim=(-0.51, 0.51), ylim=(-0.51, 0.51), title="(a) source: cells")
    right.add_collection(LineCollection(list(held["target"][held["pairs"]]), colors=plotting.GREY, linewidths=0.6))
    sizes = 60 * held["weights"] / held["weights"].mean()
    right.scatter(*held["target"].T, s=sizes, c=colours, edgecolors=plotting.BLACK, linewidths=0.5, zorder=3)
    right.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), title="(b) target: points and dual triangulation")
    for axes in (left, right):
        axes.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate")
        axes.grid(False)
    return figure


def tinted(n: int, pairs: np.ndarray, tints: int) -> list[int]:
    """A tint for each of n cells, different between neighbours where a greedy colouring finds one."""
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in pairs:
        near[int(i)].add(int(j))
        near[int(j)].add(int(i))
    found = [-1] * n
    for i in sorted(range(n), key=lambda i: -len(near[i])):
        taken = {found[j] for j in near[i]}
        free = [k for k in range(tints) if k not in taken] or list(range(tints))
        # The rarest free tint keeps the map varied.
        found[i] = min(free, key=found.count)
    return found


def potentials(findings: Findings) -> Figure:
    """Three panels: a section, the difference as a map, and the refinement."""
    import matplotlib.pyplot as plt

    figure, (section, over, finer) = plt.subplots(
        1, 3, figsize=(plotting.WIDTH, 2.65), layout="constrained", width_ratios=(1.05, 1.15, 1.0)
    )
    _section(section, findings.arrays)
    apart = findings.arrays["apart"]
    unit = 10.0 ** np.floor(np.log10(max(np.abs(apart).max(), 1e-300)))
    top = np.abs(apart).max() / unit
    shown = {"origin": "lower", "extent": (-0.5, 0.5, -0.5, 0.5), "cmap": "RdBu_r", "vmin": -top, "vmax": top}
    image = over.imshow(apart.T / unit, interpolation="nearest", **shown)
    over.set(title="(b) u less (|x|²/2 − φ)", xlabel="first coordinate", ylabel="second coordinate")
    over.grid(False)
    bar = figure.colorbar(image, ax=over, shrink=0.8, pad=0.02)
    bar.set_label(f"difference, units of {unit:.0e}")
    _refinement(finer, findings)
    return figure


def _section(axes: Axes, held: dict[str, np.ndarray]) -> None:
    x = held["section_x"]
    half = (x**2).sum(1) / 2
    axes.plot(x[:, 1], held["section_u"], color=plotting.BLUE, label="u (Newton)")
    axes.plot(
        x[::4, 1], (half - held["section_phi"])[::4], "o", mfc="none", color=plotting.RED, label="|x|²/2 − φ (POT)"
    )
    axes.plot(x[:, 1], held["section_phi"], "--", color=plotting.GREY, label="φ (POT)")
    axes.set(title=f"(a) at first coordinate {x[0, 0]:.3f}", xlabel="second coordinate", ylabel="potential")
    axes.legend(loc="best")


def _refinement(axes: Axes, findings: Findings) -> None:
    frame = findings.tables["pixels"]
    lines = (
        ("identity", "difference of u", plotting.BLUE, "o-"),
        ("crossed_slack", "slack", plotting.RED, "s--"),
        ("moved", "square moved", plotting.GREEN, "^:"),
    )
    for key, label, colour, form in lines:
        axes.loglog(frame.side, frame[key], form, color=colour, label=label)
    axes.set(title="(c) refinement", xlabel="pixels a side", ylabel="distance from Newton")
    axes.set_ylim(bottom=axes.get_ylim()[0] / 3)  # room for the legend
    axes.set_xticks(frame.side, [f"{side:.0f}" for side in frame.side])
    axes.minorticks_off()
    plots.plain(axes.yaxis, *axes.get_ylim())
    axes.legend(loc="lower left")
