"""What the report says and draws of losses that mean something."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures import plots
from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import table
from otbench.report.theory.prose import fill
from otbench.theory.meaningful_loss import GENERATORS, LOSSES
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

CHAPTER = "meaningful_loss"
NAME = f"theory_{CHAPTER}"
COLOURS = (plotting.BLUE, plotting.RED)
PLAYERS = ("WGAN", "GAN")
#: rank correlations from here on are called strong
STRONG = 0.6
#: a divergence of at least this share of log 2 is called close to it
NEAR = 0.8


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    checkpoints: int
    moments: int
    generators: int
    ahead: int
    """Generators with which the critic's estimate follows W1 along a training better than the discriminator's."""
    judge_steps: int
    judged: bool
    judge_helps: bool
    above_w1: bool
    near_ceiling: bool
    only_critic_follows: bool
    critic_follows: bool
    critic_ahead_over_all: bool
    js_w1_least: float
    js_w1_greatest: float


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of both estimates.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f, w1 = findings.facts, findings.arrays["w1"][1]
    critic_follows = f["w_w1_least"] >= STRONG
    more_over_all, more_in_changes = (f[f"w_w1_{part}"] > f[f"w_as_is_{part}"] for part in ("pooled", "changes"))
    return Derived(
        checkpoints=len(findings.arrays["steps"]),
        moments=len(findings.arrays["fractions"]),
        generators=len(GENERATORS),
        ahead=_ahead(findings),
        judge_steps=_steps(findings),
        judged=_steps(findings) > 0,
        judge_helps=more_over_all and more_in_changes,
        above_w1=f["bound_most"] > 1,
        near_ceiling=f["js_lowest"] >= NEAR * math.log(2),
        only_critic_follows=critic_follows and f["js_w1_most"] < STRONG,
        critic_follows=critic_follows,
        critic_ahead_over_all=f["w_w1_pooled"] > f["js_w1_pooled"],
        js_w1_least=w1.min(),
        js_w1_greatest=w1.max(),
    )


def _steps(findings: Findings) -> int:
    """Updates of the judge; findings from before there was one have none."""
    return int(findings.info.get("options", {}).get("judge_steps", 0))


def _ahead(findings: Findings) -> int:
    frame = findings.tables["correlations"]
    correlations = [frame[(frame["loss"] == loss) & (frame["generator"] != "all")]["w1"].to_numpy() for loss in LOSSES]
    return int((correlations[0] > correlations[1]).sum())


def said(findings: Findings) -> list[str]:
    """Says which loss follows quality.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: what was run with the Wasserstein estimate, and the Jensen-Shannon estimate beside it.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("estimates"), text("comparison")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's table.

    Args:
        findings: What the study found.

    Returns:
        The table of the correlations and of where each game ends.
    """
    frame = findings.tables["correlations"].copy()
    columns = [
        ("w1", "rank correlation with W1"),
        ("w1_se", "s.e."),
        ("w1_changes", "of changes"),
        ("as_is", "as it stands"),
        ("as_is_changes", "of changes"),
        ("scaled", "over its slope"),
        ("frechet", "with the Fréchet distance"),
        ("last_estimate", "estimate at the end"),
        ("last_w1", "W1 at the end"),
        ("last_frechet", "Fréchet at the end"),
    ]
    caption = fill(CHAPTER, findings, derived(findings))("correlations_table")
    return [table(f"{NAME}_correlations", "Estimates and quality", caption, frame, "generator", columns, block="loss")]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of both estimates and of quality along training, and the sheets of samples.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title = "Estimates and quality along training"
    yield FigureSpec(f"{NAME}_curves", title, text("curves_figure"), "svg", lambda: curves(findings))
    yield FigureSpec(
        f"{NAME}_samples", "Samples along the curves", text("samples_figure"), "png", lambda: sheets(findings)
    )


def curves(findings: Findings) -> Figure:
    """Draws a column for each generator, and a row for each estimate and each measure of quality.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    a = findings.arrays
    figure, panels = plt.subplots(4, 3, figsize=(plotting.WIDTH, 6.4), layout="constrained", sharex=True)
    for row, j in itertools.product(range(4), (1, 2)):
        panels[row, j].sharey(panels[row, 0])
        panels[row, j].tick_params(labelleft=False)
    for j, name in enumerate(GENERATORS):
        panels[0, j].set_title(name)
        for i in range(len(LOSSES)):
            panels[i, j].axhline(0, color=plotting.LIGHT, lw=0.8)
            _lines(panels[i, j], a["steps"], a["estimate"][i, j], COLOURS[i], PLAYERS[i])
            if _steps(findings):
                standing = a["as_is"][i, j].mean(0)
                panels[i, j].plot(a["steps"], standing, color=plotting.GREY, ls="-.", lw=1, label="as it stands")
            in_training = a["estimate_train"][i, j].mean(0)
            panels[i, j].plot(
                a["steps"], in_training, color=plotting.BLACK, ls="--", lw=0.8, label="on training images"
            )
            for row, measure in ((2, "w1"), (3, "frechet")):
                _lines(panels[row, j], a["steps"], a[measure][i, j], COLOURS[i], PLAYERS[i])
        panels[1, j].axhline(math.log(2), color=plotting.GREY, lw=0.8, ls=":")
        for row, floor in ((2, "w1_floor"), (3, "frechet_floor")):
            panels[row, j].axhline(findings.facts[floor], color=plotting.ORANGE, lw=1, ls=":")
        panels[3, j].set_yscale("log")
        plots.plain(panels[3, j].yaxis, *panels[3, j].get_ylim())
        panels[3, j].set_xlabel("updates of the generator")
    panels[1, 0].set_ylim(top=0.85)
    over = panels[1, 0].get_yaxis_transform()
    panels[1, 0].text(0.02, math.log(2) + 0.01, "log 2", fontsize=7, va="bottom", transform=over)
    labels = ("Wasserstein estimate\n(unit of the critic)", "Jensen-Shannon\nestimate, nats")
    for row, label in enumerate((*labels, "exact W1\n(pixels in [0, 1])", "Fréchet distance\n(24 components)")):
        panels[row, 0].set_ylabel(label)
    # both players' curves are in the lower panels, what else is drawn of an estimate in the upper
    handles, names = panels[2, 0].get_legend_handles_labels()
    upper = panels[0, 0].get_legend_handles_labels()
    more = [(h, name) for h, name in zip(*upper, strict=True) if name not in PLAYERS]
    handles, names = handles + [h for h, _ in more], names + [name for _, name in more]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def _lines(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    for run in values:
        axes.plot(steps, run, color=colour, lw=0.5, alpha=0.5)
    axes.plot(steps, values.mean(0), color=colour, lw=1.6, label=label)


def sheets(findings: Findings) -> Figure:
    """Draws a row for each game, and a block of samples for each moment.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    a = findings.arrays
    images = a["sheets"]
    losses, count, moments, each, _, h, w = images.shape
    columns = math.ceil(each / 2)
    wide = plotting.WIDTH
    block = (0.86 * wide / moments - 0.1) / columns * 2 * h / w
    rows = losses * count
    figure, panels = plt.subplots(rows, moments, figsize=(wide, rows * (block + 0.22) + 0.15), squeeze=False)
    figure.subplots_adjust(left=0.14, right=1, top=1 - 0.2 / figure.get_figheight(), bottom=0, wspace=0.03, hspace=0.22)
    for i in range(losses):
        for j, name in enumerate(GENERATORS):
            for m, fraction in enumerate(a["fractions"]):
                axes = panels[i * count + j, m]
                _block(axes, images[i, j, m], columns)
                nearest = int(np.abs(a["steps"] / a["steps"][-1] - fraction).argmin())
                estimates = a["estimate"][i, j, 0, nearest], a["w1"][i, j, 0, nearest]
                heading = f"{100 * fraction:g} %: {('W', 'JS')[i]} {estimates[0]:.2g}, W1 {estimates[1]:.2f}"
                axes.set_title(heading, fontsize=7, pad=2)
            label = f"{PLAYERS[i]},\n{name.replace(' without', chr(10) + 'without')}"
            panels[i * count + j, 0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7)
    return figure


def _block(axes: Axes, images: np.ndarray, columns: int) -> None:
    """Two rows of images (n, c, h, w)."""
    n, c, h, w = images.shape
    # a white line to the right of and below each
    padded = np.full((2 * columns, c, h + 1, w + 1), 255, np.uint8)
    padded[:n, :, :h, :w] = images
    tiled = padded.reshape(2, columns, c, h + 1, w + 1).transpose(0, 3, 1, 4, 2).reshape(2 * (h + 1), -1, c)
    axes.imshow(tiled[..., 0] if c == 1 else tiled, cmap="gray" if c == 1 else None, vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
