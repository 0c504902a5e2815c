"""The chapter on the two potentials: what Kantorovich's, Brenier's and Newton's answers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures import plots
from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import significant, table
from otbench.report.theory.prose import fill
from otbench.theory.findings import Findings
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHAPTER = "potentials"
NAME = f"theory_{CHAPTER}"
LABELS = {
    "newton": "Newton, exact cells",
    "gradient": "quasi-Newton, exact gradient",
    "ascent": "stochastic ascent",
    "kantorovich": "Kantorovich's dual (POT)",
}
TINTS = ("#F3C98B", "#A9D8F2", "#8CCFB9", "#F1E48A", "#E3B6CF")


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    bracketed: bool
    falls: bool
    tolerance_met: bool
    slow: bool
    printed_sign_holds: bool
    matched: bool
    potentials_agree: bool
    slackness: float


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of how the methods agree.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    return Derived(
        bracketed=f["kantorovich_dual"] <= f["cost"] * (1 + 1e-9) and f["cost"] <= f["pixels_cost_pixels"] * (1 + 1e-9),
        falls=f["identity_order"] > 0.5,
        tolerance_met=f["ascent_tolerance_met"],
        slow=f["ascent_rate"] < 0.5,
        printed_sign_holds=f["hessian_printed_sign"],
        matched=f["matching_split"] == 0,
        potentials_agree=f["matching_apart"] < 1e-6 * f["matching_range"],
        slackness=max(f["matching_crossed_slack"], f["discrete_crossed_slack"]),
    )


def said(findings: Findings) -> list[str]:
    """Says where the methods agree, and where the texts' wording does not hold.

    Args:
        findings: What the study found.

    Returns:
        Three paragraphs: the semi-discrete problem, the stochastic ascent, and the discrete problem.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("semi_discrete"), text("ascent"), text("discrete")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of the methods' costs and differences, of Kantorovich's refinement, and of the known answers.
    """
    text = fill(CHAPTER, findings, derived(findings))
    methods = findings.tables["methods"].assign(label=lambda t: t.method.map(LABELS))
    six = significant(6)
    semi = table(
        f"{NAME}_methods",
        "One semi-discrete problem by four methods",
        text("methods_table"),
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
        text("pixels_table"),
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
        text("known_table"),
        answers,
        "case",
        [("quantity", "quantity"), ("method", "method"), ("expected", "expected", six), ("found", "found", six)]
        + [("error", "error")],
        head="Case",
    )
    return [semi, finer, rows]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the cells with their dual triangulation, and that of the potentials over each other.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(f"{NAME}_cells", "Cells and targets", text("cells_figure"), "svg", lambda: cells(findings))
    yield FigureSpec(
        f"{NAME}_potentials", "The two potentials", text("potentials_figure"), "svg", lambda: potentials(findings)
    )


def cells(findings: Findings) -> Figure:
    """Draws the source with both diagrams, and the target with the dual triangulation.

    Args:
        findings: What the study found.

    Returns:
        The figure, of two panels.
    """
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection, PolyCollection

    arrays = findings.arrays
    colours = [TINTS[k] for k in tinted(len(arrays["target"]), arrays["pairs"], len(TINTS))]
    polygons = np.split(arrays["corners"], np.cumsum(arrays["counts"])[:-1])
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.7), layout="constrained")
    left.add_collection(PolyCollection(polygons, facecolors=colours, edgecolors="white", linewidths=2.2))
    dashed = {"colors": plotting.BLACK, "linewidths": 0.8, "linestyles": (0, (3, 2))}
    left.add_collection(LineCollection(list(arrays["facets_kantorovich"]), **dashed))
    left.set(xlim=(-0.51, 0.51), ylim=(-0.51, 0.51), title="(a) source: cells")
    right.add_collection(LineCollection(list(arrays["target"][arrays["pairs"]]), colors=plotting.GREY, linewidths=0.6))
    sizes = 60 * arrays["weights"] / arrays["weights"].mean()
    right.scatter(*arrays["target"].T, s=sizes, c=colours, edgecolors=plotting.BLACK, linewidths=0.5, zorder=3)
    right.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), title="(b) target: points and dual triangulation")
    for k, polygon in enumerate(polygons):  # tints repeat: numbers say which cell goes to which point
        middle = {"ha": "center", "va": "center", "fontsize": 6}
        left.text(*polygon.mean(0), str(k + 1), **middle)
        right.annotate(str(k + 1), arrays["target"][k], (0, 8), textcoords="offset points", **middle)
    for axes in (left, right):
        axes.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate")
        axes.grid(False)
    return figure


def tinted(n: int, pairs: np.ndarray, tints: int) -> list[int]:
    """Gives each of n cells a tint, different between neighbours where a greedy colouring finds one.

    Args:
        n: Number of cells.
        pairs: Indices of neighbouring cells, of shape (pairs, 2).
        tints: Number of tints.

    Returns:
        The index of each cell's tint.
    """
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in pairs:
        near[int(i)].add(int(j))
        near[int(j)].add(int(i))
    colours = [-1] * n
    for i in sorted(range(n), key=lambda i: -len(near[i])):
        taken = {colours[j] for j in near[i]}
        free = [k for k in range(tints) if k not in taken] or list(range(tints))
        # The rarest free tint keeps the map varied.
        colours[i] = min(free, key=colours.count)
    return colours


def potentials(findings: Findings) -> Figure:
    """Draws a section, the difference as a map, and the refinement.

    Args:
        findings: What the study found.

    Returns:
        The figure, of three panels.
    """
    import matplotlib.pyplot as plt

    figure, (section, over, finer) = plt.subplots(
        1, 3, figsize=(plotting.WIDTH, 2.65), layout="constrained", width_ratios=(1.05, 1.15, 1.0)
    )
    _section(section, findings.arrays)
    apart = findings.arrays["apart"]
    unit = 10.0 ** np.floor(np.log10(max(np.abs(apart).max(), 1e-300)))
    top = np.abs(apart).max() / unit
    look = {"origin": "lower", "extent": (-0.5, 0.5, -0.5, 0.5), "cmap": "RdBu_r", "vmin": -top, "vmax": top}
    image = over.imshow(apart.T / unit, interpolation="nearest", **look)
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
