"""What the report says and draws of two parallel lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import significant, table
from otbench.report.theory.prose import fill
from otbench.theory.parallel_lines.training import GAMES
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

CHAPTER = "parallel_lines"
NAME = f"theory_{CHAPTER}"
COLOURS = {"minimax": plotting.RED, "ns": plotting.PURPLE, "clip": plotting.SKY, "gp": plotting.BLUE}


@dataclass(frozen=True)
class Game:
    """How often the runs of a game settle at the real line, and where they end."""

    title: str
    settled: float
    end: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    hidden_by_cells: bool
    ns_keeps_slope: bool
    minimax_stuck: bool
    ns_unsettled: bool
    wgans_settle_more: bool
    games: tuple[Game, ...]


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of the losses, their slopes and the ends of training.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    far = abs(f["start_far"])
    return Derived(
        hidden_by_cells=f["js_histogram_least"] < 0.5 * np.log(2),
        ns_keeps_slope=f["ns_last"] > 10 * max(f["minimax_last"], 0),
        minimax_stuck=f["moved_far_minimax"] < 0.25 * far,
        ns_unsettled=f["settled_ns"] < 0.5 and f["moved_far_ns"] > 0.25 * far,
        wgans_settle_more=min(f["settled_clip"], f["settled_gp"]) > max(f["settled_minimax"], f["settled_ns"]),
        games=tuple(Game(title, float(f[f"settled_{game}"]), f[f"end_{game}"]) for game, title in GAMES.items()),
    )


def said(findings: Findings) -> list[str]:
    """Says what the lines show.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: the losses and their slopes, and what training does with them.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("losses"), text("training")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of the losses, of their slopes, and of the ends of training.
    """
    text, three = fill(CHAPTER, findings, derived(findings)), significant(3)
    losses = table(
        f"{NAME}_losses",
        "Losses between parallel lines",
        text("losses_table"),
        findings.tables["losses"].assign(name=lambda frame: frame["theta"].map("{:g}".format)),
        "name",
        [
            ("w1_exact", "W1", three),
            ("w1", "W1 (POT)", three),
            ("w1_se", "its s.e.", significant(1)),
            ("sliced_exact", "sliced", three),
            ("sliced", "sliced (POT)", three),
            ("js_exact", "JS", three),
            ("js_bound", "JS (bound)", three),
            ("js", "JS (histogram)", three),
            ("kl_exact", "KL", three),
            ("kl_infinite", "KL infinite", three),
            ("tv_exact", "TV", three),
            ("tv", "TV (histogram)", three),
        ],
        head="|theta|",
    )
    slopes = table(
        f"{NAME}_slopes",
        "What a generator is told",
        text("slopes_table"),
        findings.tables["slopes"].assign(name=lambda frame: frame["theta"].map("{:g}".format)),
        "name",
        [
            ("w1_exact", "W1", three),
            ("w1", "W1 (plan)", three),
            ("w1_se", "its s.e.", significant(1)),
            ("js_exact", "JS, optimal D", three),
            ("minimax", "GAN, minimax", three),
            ("minimax_se", "its s.e.", significant(1)),
            ("ns", "GAN, non-saturating", three),
            ("ns_se", "its s.e.", significant(1)),
        ],
        head="|theta|",
    )
    frame = findings.tables["training"]
    training = table(
        f"{NAME}_training",
        "Where theta ends",
        text("training_table"),
        frame.assign(name=frame["start"].map("{:g}".format), share=100 * frame["settled"]),
        "name",
        [("end", "|theta|", three), ("end_se", "its s.e.", significant(1)), ("share", "settled, %", three)],
        head="start",
        block="game",
    )
    return [losses, slopes, training]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the losses and their slopes, and that of the trajectories.
    """
    text = fill(CHAPTER, findings, derived(findings))
    yield FigureSpec(
        f"{NAME}_losses", "Losses and their slopes", text("losses_figure"), "svg", lambda: _draw_losses(findings)
    )
    yield FigureSpec(
        f"{NAME}_training", "GAN against WGAN", text("training_figure"), "svg", lambda: _draw_training(findings)
    )


def _draw_losses(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    figure, (losses, slopes, along) = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.2), layout="constrained")
    _panel_losses(losses, findings)
    _panel_slopes(slopes, findings)
    _panel_along(along, findings)
    for axes, letter in zip((losses, slopes, along), "abc", strict=True):
        axes.set_title(f"({letter})", loc="left")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), handlelength=1.8)
    return figure


def _bars(axes: Axes, x: np.ndarray, values: np.ndarray, **drawn: Any) -> None:
    error = values.std(1, ddof=1) / np.sqrt(values.shape[1])
    axes.errorbar(x, values.mean(1), error, capsize=1.5, elinewidth=0.7, **drawn)


def _panel_losses(axes: Axes, findings: Findings) -> None:
    arrays, reach = findings.arrays, findings.facts["theta_greatest"]
    thetas = arrays["thetas"]
    ends = np.array([-reach, 0, reach])
    axes.plot(ends, abs(ends), color=plotting.BLUE, label="W1 = |theta|")
    axes.plot(ends, [np.log(2)] * 3, color=plotting.RED, label="JS = log 2 (0 at 0)")
    axes.plot([0], [0], "o", color=plotting.RED, markersize=4.5, zorder=4)
    axes.plot([0], [np.log(2)], "o", color=plotting.RED, markersize=4.5, markerfacecolor="white", zorder=4)
    _bars(axes, thetas, arrays["sampled_w1"], fmt="o", color=plotting.BLUE, label="W1, samples")
    _bars(axes, thetas, arrays["sampled_js"], fmt="s", color=plotting.ORANGE, label="JS, histogram")
    _bars(axes, thetas, arrays["trained_js"][-1], fmt="x", color=plotting.BLACK, label="JS, discriminator")
    axes.set(xlabel="theta", ylabel="loss (W1: length; JS: nats)", ylim=(-0.05, None))


def _panel_slopes(axes: Axes, findings: Findings) -> None:
    arrays, reach = findings.arrays, findings.facts["theta_greatest"]
    thetas, marks = arrays["thetas"], arrays["marks"]
    axes.plot([-reach, 0, 0, reach], [-1, -1, 1, 1], color=plotting.BLUE, label="W1: sign(theta)")
    _bars(axes, thetas, arrays["sampled_slope"], fmt="o", color=plotting.BLUE, label="W1, plan of samples")
    early = int(np.argmin(np.abs(marks - findings.facts["minimax_peak_step"])))
    for at, colour, shape in ((early, plotting.ORANGE, "^--"), (len(marks) - 1, plotting.RED, "s-")):
        label = f"minimax, {marks[at]} steps of D"
        _bars(axes, thetas, arrays["trained_minimax"][at], fmt=shape, color=colour, label=label, linewidth=0.8)
    _bars(
        axes,
        thetas,
        arrays["trained_ns"][-1],
        fmt="v:",
        color=plotting.PURPLE,
        label=f"non-saturating, {marks[-1]} steps of D",
        linewidth=0.8,
    )
    axes.set_yscale("symlog", linthresh=1)
    _plain(axes.yaxis)
    axes.set(xlabel="theta", ylabel="d loss / d theta")


def _panel_along(axes: Axes, findings: Findings) -> None:
    arrays, at = findings.arrays, int(np.argmin(np.abs(findings.arrays["thetas"] - findings.facts["followed"])))
    mirror = len(arrays["thetas"]) - 1 - at
    for name, label in (("ns", "non-saturating"), ("minimax", "minimax")):
        values = np.concatenate([arrays[f"trained_{name}"][:, at], -arrays[f"trained_{name}"][:, mirror]], axis=1)
        positive = values.mean(1) > 0
        _bars(axes, arrays["marks"][positive] + 1, values[positive], fmt="o-", color=COLOURS[name], label=label)
    axes.axhline(1, color=plotting.BLUE, label="W1 (exact)")
    axes.set(xscale="log", yscale="log", xlabel="steps of the discriminator + 1", ylabel="slope away from the line")
    _plain(axes.xaxis)
    _plain(axes.yaxis)


def _plain(axis: Axis) -> None:
    """Numbers without powers, which the style leaves unset."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def _draw_training(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    arrays = findings.arrays
    starts = arrays["starts"]
    limit = 1.3 * float(np.abs(starts).max())
    figure, row = plt.subplots(1, len(GAMES), figsize=(plotting.WIDTH, 2.2), sharey=True, layout="constrained")
    colours = (plotting.BLUE, plotting.ORANGE, plotting.GREEN, plotting.PURPLE, plotting.SKY, plotting.BLACK)
    for axes, letter, (game, title) in zip(row, "abcd", GAMES.items(), strict=True):
        for at in range(len(starts)):
            colour, path = colours[at % len(colours)], arrays[f"path_{game}"][:, at]
            axes.plot(path[:, 1:], color=colour, linewidth=0.4, alpha=0.35)
            axes.plot(path[:, 0], color=colour, linewidth=0.8)
        axes.axhline(0, color=plotting.BLACK, linewidth=0.8, linestyle=":")
        axes.set_title(f"({letter}) {title}", fontsize=7.5)
        axes.set(xlabel="steps of theta", ylim=(-limit, limit))
    row[0].set_ylabel("theta")
    return figure
